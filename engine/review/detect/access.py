"""Who can use a key before and after: the vendor, and beside it others (`engine.review.detect.other_accounts`).

What a key's *state* refuses is told elsewhere (`engine.review.detect.keys`): here it is policy and grants alone.

- The vendor's access is compared action by action, first between what is observed and what is planned, then, if
  that brings no loss, between what was recorded and what is planned: access taken away outside Terraform that the
  plan accepts is told too, because the next plan would not show it.
- Access that was taken away outside Terraform and that the plan gives back is *restored*; it may have been a
  revocation.
- Of a key that is replaced, lost, destroyed or forgotten nothing is told here: that it leaves says more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.review.access_answers import Access, Answer, Reach
from engine.review.detect.context import is_new, is_replica, key_event, nobody
from engine.review.detect.other_accounts import other_accounts
from engine.review.events import EventKind, OneOf
from engine.review.policy_reading import NOTHING_KNOWN
from engine.review.resources import MOMENTS, Moment
from engine.review.scope import Revocation
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Key
    from engine.review.resources import Resource
    from engine.review.scope import Subject

_WORSE_THAN = {
    Answer.YES: (Answer.DEPENDS, Answer.NO),
    Answer.DEPENDS: (Answer.NO,),
    Answer.NO: (),
    Answer.UNKNOWN: (),
}
_PERHAPS_LOST = OneOf.of("lost", "denied", "narrowed", "conditional", "none")
_PERHAPS_MISSING = OneOf.of("missing", "none")
_GIVES = (Answer.YES, Answer.DEPENDS)


def detect_access(context: Context) -> Iterator[Told]:
    """The events of every key in scope of which the policy, a grant or the key itself is touched."""
    yield from _unplaced(context)
    for subject, _ in context.asked:
        key = subject.key
        same = not is_new(key) and _same_access(context, key)
        yield EventKind.VENDOR_ACCESS if same else _vendor(context, subject)
        if not same:
            yield from _privileges(context, subject)
            yield other_accounts(context, subject)


def _unplaced(context: Context) -> Iterator[Told]:
    """Key policies of which it cannot be told whether the key is a generation's."""
    access = context.access
    for resource in (*_of_an_unknown_key(context), *_of_a_key_elsewhere(context)):
        reach = access.policy_reach(resource)
        yield key_event(
            nobody(resource.address),
            EventKind.UNPLACED_POLICY,
            {"gives_vendor_access": UNKNOWN if reach is Reach.UNKNOWN else reach is Reach.FULL},
        )


def _of_an_unknown_key(context: Context) -> tuple[Resource, ...]:
    """Policies of which the key cannot be told: any existing key in scope may be the one."""
    exists = any(subject.key.exists for subject in context.subjects.values())
    return context.custody.unplaced_policies if exists else ()


def _of_a_key_elsewhere(context: Context) -> Iterator[Resource]:
    """Policies new to a key that is no resource of this plan: it may be that of a generation of which nothing tells."""
    if not context.generations.all_placed:
        for key in context.custody.keys.values():
            known = key.resource is not None or key.address in context.subjects
            if not known and context.access.policy(key, Moment.OBSERVED) is NOTHING_KNOWN:
                yield from (
                    a.resource
                    for a in key.policies
                    if not a.resource.untouched and a.belongs(key.address, Moment.PLANNED)
                )


def _vendor(context: Context, subject: Subject) -> Told:
    key, access = subject.key, context.access
    planned = access.vendor_access(key, Moment.PLANNED)
    by = "plan"
    before = planned
    if is_new(key):
        change = _of_a_new_key(context, subject, planned)
    elif _nothing_known_and_nothing_taken(context, key):
        change = "none"
    else:
        before = access.vendor_access(key, Moment.OBSERVED)
        change = compare(before, planned)
        recorded = access.vendor_access(key, Moment.RECORDED)
        if change == "none" and compare(recorded, planned) not in ("none", "given"):
            before, by, change = recorded, "outside", compare(recorded, planned)
        elif change == "given" and compare(recorded, before) not in ("none", "given"):
            change = "restored"
    if change == "none":
        return EventKind.VENDOR_ACCESS
    return key_event(
        subject,
        EventKind.VENDOR_ACCESS,
        {
            "change": change,
            "by": by,
            "revoked_before": context.declared.revoked_before,
            "proved_not_revoked": context.declared.proved_not_revoked,
        },
        vendor=context.access.vendor,
        actions=", ".join(lost_actions(before, planned)) or "nothing",
        by="outside Terraform" if by == "outside" else "by this plan",
    )


def compare(before: Access, after: Access) -> Fact:
    """How an account's access changes, as the value of `change`; another condition than before is one that is new."""
    if before is after and Answer.UNKNOWN not in after.answers:
        return "none"
    pairs = list(zip(before.answers, after.answers, strict=True))
    lost = [i for i, (was, will) in enumerate(pairs) if was in _GIVES and will is Answer.NO]
    if lost:
        if any(after.denied[i] for i in lost):
            return "denied"
        return "lost" if after.reach is Reach.NONE else "narrowed"
    if any(was is not Answer.NO and will is Answer.UNKNOWN for was, will in pairs):
        return _PERHAPS_LOST
    if any(was is Answer.UNKNOWN and will is not Answer.YES for was, will in pairs):
        return _PERHAPS_LOST
    if any(will in _WORSE_THAN[was] for was, will in pairs):
        return "conditional"
    if any(
        was is will is Answer.DEPENDS and not after.grounds[i].as_good_as(before.grounds[i])
        for i, (was, will) in enumerate(pairs)
    ):
        return "conditional"
    return "none" if before.answers == after.answers else "given"


def _of_a_new_key(context: Context, subject: Subject, planned: Access) -> Fact:
    """What a new key lacks; a new replica of a revoked key must lack it, for its material is the key's own."""
    key = subject.key
    revoked = subject.revocation is not Revocation.NONE
    if is_replica(key) and (revoked or context.declared.revoked_before) and key.enabled(Moment.PLANNED) is not False:
        match planned.reach:
            case Reach.NONE:
                return "none"
            case Reach.UNKNOWN:
                return OneOf.of("given", "none")
            case _:
                return "given"
    return "none" if revoked else _missing(planned)


def _missing(planned: Access) -> Fact:
    match planned.reach:
        case Reach.FULL:
            return "none"
        case Reach.UNKNOWN:
            return _PERHAPS_MISSING
        case _:
            return "missing"


def _same_access(context: Context, key: Key) -> bool:
    """Whether policy and grants are the same at all three moments, so that nothing needs to be asked.

    Two policies of which nothing is known are not the same, unless nothing happens to what they stand in.
    """
    access = context.access
    if not key.policies and not key.grants and key.resource is not None:
        texts = [None if attributes is None else attributes.known_text("policy") for attributes in map(key.at, MOMENTS)]
        if texts[0] is not None and texts[0] == texts[1] == texts[2]:
            return True
    first, *others = [(access.policy(key, moment), access.grants(key, moment)) for moment in MOMENTS]
    if any(other != first for other in others):
        return False
    holders = [attached.resource for attached in key.policies] + ([] if key.resource is None else [key.resource])
    return first[0] is not NOTHING_KNOWN or all(holder.untouched for holder in holders)


def _nothing_known_and_nothing_taken(context: Context, key: Key) -> bool:
    """Whether the policy stands outside the plan and no grant is taken away: then nothing can be lost by it."""
    access = context.access
    if any(access.policy(key, moment) is not NOTHING_KNOWN for moment in (Moment.OBSERVED, Moment.PLANNED)):
        return False
    if key.resource is not None or key.policies:
        return False
    after = access.grants(key, Moment.PLANNED)
    return all(grant in after for grant in access.grants(key, Moment.OBSERVED))


def lost_actions(before: Access, after: Access) -> tuple[str, ...]:
    """The actions that an account could do, and cannot for certain any more."""
    return tuple(
        action
        for action, was, will in zip(before.actions, before.answers, after.answers, strict=True)
        if will is not Answer.YES and (was is not will or was in (Answer.UNKNOWN, Answer.DEPENDS) or before is after)
    )


def _privileges(context: Context, subject: Subject) -> Iterator[Told]:
    """What the vendor may do beyond its need; what it could do already is nobody's change, known or not."""
    key, access = subject.key, context.access
    after = access.vendor_excess(key, Moment.PLANNED)
    certain, possible = after.with_answer(*_GIVES), after.with_answer(Answer.UNKNOWN)
    if not certain and not possible:
        yield EventKind.VENDOR_PRIVILEGES
        return
    before = () if is_new(key) else access.vendor_excess(key, Moment.OBSERVED).with_answer(*_GIVES)
    gained = [action for action in certain if action not in before]
    perhaps = [action for action in possible if action not in before]
    yield key_event(
        subject,
        EventKind.VENDOR_PRIVILEGES,
        {"gained": True if gained else (UNKNOWN if perhaps else False)},
        actions=_listed(gained or perhaps),
        vendor=context.access.vendor,
    )


def _listed(actions: Sequence[str]) -> str:
    shown = ", ".join(actions[:5])
    return shown if len(actions) <= 5 else f"{shown} and {len(actions) - 5} more"
