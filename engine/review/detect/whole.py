"""What concerns the plan as a whole, and changes that are put off.

- An errored plan shows a part of what would happen; an incomplete one (`-target`, deferred changes) leaves parts out;
  a stripped file tells of resources whose changes it does not hold. None of them proves anything about the rest.
- A deferred change of a resource that may bear on a key in scope is not judged now and will be later: until then its
  custody is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.review.detect.context import key_event, nobody
from engine.review.events import Event, EventKind
from engine.review.resources import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told


def detect_whole(context: Context) -> Iterator[Told]:
    """The plan's own event."""
    plan = context.plan
    if plan.errored:
        condition = "errored"
    elif plan.stripped:
        condition = "stripped"
    elif plan.complete is False:
        condition = "incomplete"
    else:
        yield EventKind.PLAN
        return
    facts: dict[str, Fact] = {"condition": condition, "keys_in_scope": bool(context.subjects)}
    yield Event(EventKind.PLAN, "the plan", facts, {"count": str(plan.resource_count)})


def detect_deferred(context: Context) -> Iterator[Told]:
    """An event for every deferred change of a key, policy, grant or alias in scope, or that may be."""
    aliases = {alias.resource.address: alias for alias in context.custody.aliases}
    for change in context.plan.deferred:
        subject = context.subjects.get(change.address)
        if subject is None:
            keys = [
                key
                for key in context.subjects.values()
                if any(a.resource.address == change.address for a in (*key.key.policies, *key.key.grants))
            ]
            alias = aliases.get(change.address)
            if alias is not None:
                pointed = {address for moment in Moment for address in alias.links[moment].keys}
                keys += [context.subjects[address] for address in pointed if address in context.subjects]
            if not keys and change.before is not None:
                continue
            subject = keys[0] if keys else nobody(change.address)
        yield key_event(subject, EventKind.DEFERRED, {}, address=change.address, why=change.deferred or "unknown")
