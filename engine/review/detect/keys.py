"""What happens to a key itself: whether it stays, is enabled, keeps its tags and its identity.

- A key *leaves* when it is destroyed, replaced, forgotten, or lost: recorded by the last apply, and not found now.
  A forgotten key that another resource of the plan takes over by its ARN stays.
- A key that was disabled outside Terraform and stays so under the plan is told as disabled from outside: once the
  plan is applied, the state says the same, and no later plan would tell.
- A generation's key is *recreated* where the plan creates a key for a generation that must have one already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.review.detect.adoption import adopted, another
from engine.review.detect.context import is_new, is_replica, key_event, lost_outside, stays
from engine.review.events import EventKind, OneOf
from engine.review.keys import arn_of
from engine.review.plan import Action
from engine.review.resources import MOMENTS, Moment
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Key
    from engine.review.scope import Subject

_REASONS = {
    "delete_because_no_resource_config": "its block is no longer in the code",
    "delete_because_no_module": "its module is no longer in the code",
    "delete_because_count_index": "its count index is out of range",
    "delete_because_each_key": "its for_each key is gone",
    "delete_because_wrong_repetition": "its count or for_each was changed",
    "delete_because_no_move_target": "its move has no target in the code",
    "replace_because_tainted": "it is marked as tainted",
    "replace_because_cannot_update": "a changed attribute cannot be updated in place",
    "replace_by_request": "the plan was made with -replace",
    "replace_by_triggers": "replace_triggered_by asks for it",
}


def detect_keys(context: Context) -> Iterator[Told]:
    """The events of every key in scope that the plan or the drift touches."""
    for subject in context.touched:
        if subject.key.exists:
            yield _leaves(context, subject)
        yield from _state(context, subject)
        yield from _tags(context, subject)
        yield from _identity(context, subject)


def how_it_leaves(context: Context, key: Key) -> str:
    """The value of `how` of a key that exists."""
    resource = key.resource
    if resource is None:
        return "stays"
    if lost_outside(key):
        return "lost"
    if resource.action.replaces:
        return "replaced"
    if resource.action.destroys:
        return "destroyed"
    if resource.action is Action.FORGET:
        return "stays" if _taken_over(context, key) else "forgotten"
    return "stays"


def _taken_over(context: Context, key: Key) -> bool:
    return key.arn is not None and any(
        other.address != key.address and arn_of(other.at(Moment.PLANNED)) == key.arn
        for other in context.generations.keys_of_arn.get(key.arn, ())
    )


def _leaves(context: Context, subject: Subject) -> Told:
    resource = subject.key.resource
    how = how_it_leaves(context, subject.key)
    if how == "stays":
        return EventKind.KEY_LEAVES
    reason = _REASONS.get(resource.reason or "", "") if resource is not None else ""
    observed = subject.key.at(Moment.OBSERVED)
    days = None if observed is None else observed.number("deletion_window_in_days")
    return key_event(
        subject,
        EventKind.KEY_LEAVES,
        {"how": how},
        because=f": {reason}" if reason else "",
        days=str(int(days)) if isinstance(days, int | float) else "30",
    )


def _state(context: Context, subject: Subject) -> Iterator[Told]:
    key = subject.key
    recorded, observed, planned = (key.enabled(moment) for moment in MOMENTS)
    if planned is None and not is_new(key):
        planned = observed  # what the code does not say stays as it is
    change: Fact = "none"
    by = "plan"
    if is_new(key):
        if planned is False:
            change = "created_disabled"
        elif planned is UNKNOWN:
            change = OneOf.of("created_disabled", "none")
    elif not stays(key):
        return
    elif planned is False and observed is not False:
        change = "disabled"
    elif planned is False and recorded is True:
        change, by = "disabled", "outside"
    elif planned is True and observed is False:
        change = "enabled"
    elif planned is UNKNOWN:
        change = OneOf.of("disabled" if observed is not False else "enabled", "none")
    if change == "none":
        yield EventKind.KEY_STATE
        return
    yield key_event(
        subject,
        EventKind.KEY_STATE,
        {
            "change": change,
            "by": by,
            "proved_not_revoked": context.declared.proved_not_revoked,
        },
    )


def _tags(context: Context, subject: Subject) -> Iterator[Told]:
    key = subject.key
    if not stays(key):
        return
    before = context.generations.tagged(key, Moment.OBSERVED)
    after = context.generations.tagged(key, Moment.PLANNED)
    change: Fact = "none"
    if before is not None and after is None:
        change = "removed"
        if context.generations.tags_unknown(key, Moment.PLANNED):
            change = OneOf.of("removed", "renumbered", "none")
    elif after is not None and after != before and subject.number not in (None, after):
        change = "renumbered"
    if change == "none":
        yield EventKind.KEY_TAGS
        return
    yield key_event(
        subject,
        EventKind.KEY_TAGS,
        {"change": change},
        after="no generation" if after is None else f"generation {after}",
    )


def _identity(context: Context, subject: Subject) -> Iterator[Told]:
    key, number = subject.key, subject.number
    if number is None or key.resource is None or not (is_new(key) or stays(key)):
        return
    change: Fact = "none"
    name = subject.name
    known_arn = context.generations.known_arn(number)
    if is_new(key) and not is_replica(key):
        current = max(declaration.current for declaration in context.declared.both)
        if known_arn is not None or number < current or context.generations.existing(number):
            change = "recreated"
    elif (used_by := context.generations.used_by(key)) is not None:
        change = "used_arn"
        name, number = f"generation {context.generations.claimed(key)}", used_by
    elif known_arn is not None and key.arn is not None and key.arn != known_arn and not _same_family(key, known_arn):
        change = "other_arn"
    elif known_arn is None and not is_new(key) and (taken := adopted(context, subject)) != "none":
        change = taken
        other_key = another(context, subject)
        known_arn = None if other_key is None or other_key.hidden else other_key.arn
    elif _address_changed(context, subject):
        change = "address_changed"
    if change == "none":
        yield EventKind.KEY_IDENTITY
        return
    yield key_event(
        subject,
        EventKind.KEY_IDENTITY,
        {"change": change},
        key=name,
        other=f"generation {number}",
        arn=known_arn or "(not known)",
        former=key.resource.former_address or "(none)",
    )


def _same_family(key: Key, arn: str) -> bool:
    key_id = arn.rsplit("/", 1)[-1]
    return key_id.startswith("mrk-") and key.key_id == key_id


def _address_changed(context: Context, subject: Subject) -> bool:
    resource = subject.key.resource
    if resource is None or resource.former_address is None or subject.number is None:
        return False
    declared = context.declared.generation(subject.number)
    return declared is not None and declared.address == resource.former_address
