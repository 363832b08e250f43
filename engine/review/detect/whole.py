"""What concerns the plan as a whole, changes that are put off, and changes that cannot be read.

- An errored plan shows a part of what would happen; an incomplete one (`-target`, deferred changes) leaves parts out;
  a stripped file tells of resources whose changes it does not hold. None of them proves anything about the rest.
- A KMS resource of a type that is not known (another provider's, or a newer one) cannot be judged. It is told where
  what it was speaks of a key in scope, of an alias, of the tenant or of the vendor, or where what it will be names such
  a key. So it is with resources that stand for any of AWS's (Cloud Control, CloudFormation) where they are one of KMS.
- A deferred change of a resource that may bear on a key in scope is not judged now and will be later: until then its
  custody is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.review.detect.context import key_event, nobody
from engine.review.events import Event, EventKind
from engine.review.generations import TENANT_TAG
from engine.review.plan import KEY_TYPES
from engine.review.resources import MOMENTS, Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.plan import ResourceChange


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
    yield Event(EventKind.PLAN, "the plan", facts)


def detect_unread(context: Context) -> Iterator[Told]:
    """An event for every change of an unknown kind of KMS resource that speaks of a key in scope or of the vendor."""
    if not context.plan.unread:
        return
    keys = {subject.key.key_id for subject in context.subjects.values() if subject.key.key_id}
    aliases: set[str] = set()
    for declaration in context.declared.both:
        keys |= {generation.key_arn.key_id for generation in declaration.generations if generation.key_arn}
        aliases.add(declaration.alias)
        aliases |= {generation.alias for generation in declaration.generations if generation.alias}
    if context.declared.proof is not None:
        keys |= {generation.key_arn.key_id for generation in context.declared.proof.generations}
    for change in context.plan.unread:
        text = change.before.replace("\\", "")  # properties as JSON in a text have their quotes escaped
        ours = TENANT_TAG in text and any(f'"{d.tenant}"' in text for d in context.declared.both)
        ours = ours or context.access.vendor in text or any(f'"{alias}"' in text for alias in aliases)
        if ours or any(key in change.before or key in change.after for key in keys):
            yield key_event(nobody(change.address), EventKind.UNREAD, {}, type=change.type)
        else:
            yield EventKind.UNREAD


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
                pointed = dict.fromkeys(address for moment in MOMENTS for address in alias.links[moment].keys)
                keys += [context.subjects[address] for address in pointed if address in context.subjects]
            if not keys and (change.before is not None or _new_and_not_ours(context, change)):
                continue
            subject = keys[0] if keys else nobody(change.address)
        yield key_event(subject, EventKind.DEFERRED, {}, address=change.address, why=change.deferred or "unknown")


def _new_and_not_ours(context: Context, change: ResourceChange) -> bool:
    """Whether a key would be made of which all is known that could make it a generation's: it is none."""
    key = context.custody.keys.get(change.address)
    return change.type in KEY_TYPES and key is not None and not context.generations.tags_unknown(key, Moment.PLANNED)
