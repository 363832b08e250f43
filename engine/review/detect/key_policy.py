"""What a key policy opens and closes beside the vendor's access: strangers, administrators, the guard on deletion.

And whether it is one that KMS takes at all.

Told where the plan makes the key or changes its policy; what stood in the policy before is nobody's change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.review.access_answers import Answer
from engine.review.detect.context import OPENING, is_new, key_event
from engine.review.events import EventKind
from engine.review.resources import Moment
from engine.review.values import SENSITIVE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.access_answers import Access
    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Key
    from engine.review.scope import Subject

_FROM_THE_WIDEST = (Answer.YES, Answer.UNKNOWN, Answer.DEPENDS, Answer.NO)
_DELETING = ("kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial")
_STRANGERS = ("999999999999", "888888888888", "777777777777")
_OPEN: dict[Answer, Fact] = {Answer.YES: "yes", Answer.DEPENDS: "conditional", Answer.NO: "no", Answer.UNKNOWN: UNKNOWN}


def detect_key_policy(context: Context) -> Iterator[Told]:
    """The events of every key in scope that is new or of which the policy changes."""
    for subject, changes in context.asked:
        if changes:
            yield _refused(context, subject)
            yield _public(context, subject)
            yield _administration(context, subject)
            yield _deletion_guard(context, subject)
        yield from _lockout(subject, policy_changes=changes)


def _refused(context: Context, subject: Subject) -> Told:
    """A policy that is known and none that KMS would take: of such a one nothing else can be told."""
    policy = context.access.policy(subject.key, Moment.PLANNED)
    why = context.access.reader.refusal(policy.least) if policy.certain and policy.least is not None else None
    if why is None:
        return EventKind.REFUSED_POLICY
    because = SENSITIVE if context.access.policy_is_sensitive(subject.key) else why
    return key_event(subject, EventKind.REFUSED_POLICY, {}, because=because)


def _public(context: Context, subject: Subject) -> Told:
    key, access = subject.key, context.access
    after = _wildcard(context, key, Moment.PLANNED)
    if after == "none":
        return EventKind.PUBLIC_ACCESS
    known = {access.account_id(key), context.access.vendor}
    stranger = next(account for account in _STRANGERS if account not in known)
    answer = _widest(access.account_access(stranger, OPENING, key, Moment.PLANNED))
    before = Answer.NO
    if not is_new(key) and _wildcard(context, key, Moment.OBSERVED) != "none":
        before = _widest(access.account_access(stranger, OPENING, key, Moment.OBSERVED))
    return key_event(
        subject,
        EventKind.PUBLIC_ACCESS,
        {"principal": after, "open": _OPEN[answer], "gained": answer is not before},
    )


def _widest(access: Access) -> Answer:
    return next(answer for answer in _FROM_THE_WIDEST if answer in access.answers)


def _wildcard(context: Context, key: Key, moment: Moment) -> str:
    """How the policy's Allow statements reach people whom they do not name."""
    access = context.access
    found = "none"
    for text in access.policy(key, moment).texts:
        policy = access.reader.read(text)
        how = "none" if policy is None else policy.everyone
        if how == "not_principal":
            return how
        found = how if found == "none" else found
    return found


def _administration(context: Context, subject: Subject) -> Told:
    key, access = subject.key, context.access
    after = access.administrable(key, Moment.PLANNED)
    if after is Answer.YES:
        return EventKind.ADMINISTRATION
    before = after if is_new(key) else access.administrable(key, Moment.OBSERVED)
    change = "narrowed" if before is Answer.YES and after is Answer.DEPENDS else "none"
    return key_event(
        subject,
        EventKind.ADMINISTRATION,
        {"after": _OPEN[after], "change": UNKNOWN if after is Answer.UNKNOWN else change},
    )


def _deletion_guard(context: Context, subject: Subject) -> Told:
    """Whether the key's account comes to be able to delete the key or its material, where a Deny stood in its way.

    The account as a whole is asked first, then principals that the Deny may come to let off: any role, any user, and
    those that the planned policy names, but for the declared break-glass principals.
    """
    key = subject.key
    if is_new(key) or not _denies(context, key):
        return EventKind.DELETION_GUARD
    found = [_allowed_anew(context, key, action) for action in _DELETING]
    removed = True if True in found else next((answer for answer in found if answer is UNKNOWN), False)
    if removed is False:
        return EventKind.DELETION_GUARD
    return key_event(subject, EventKind.DELETION_GUARD, {"removed": removed})


def _allowed_anew(context: Context, key: Key, action: str) -> Fact:
    access = context.access
    before, after = (access.owner_answer(action, key, moment) for moment in (Moment.OBSERVED, Moment.PLANNED))
    if before is Answer.YES:
        return False
    if Answer.UNKNOWN in (before, after):
        return UNKNOWN if after in (Answer.UNKNOWN, Answer.YES) else False
    return after is Answer.YES or any(
        access.principal_answer(principal, action, key, Moment.OBSERVED) is Answer.NO
        and access.principal_answer(principal, action, key, Moment.PLANNED) in (Answer.YES, Answer.DEPENDS)
        for principal in access.principals_let_off(key)
    )


def _denies(context: Context, key: Key) -> bool:
    """Whether the policy now in force denies anything; where it is not known it may."""
    text = context.access.policy(key, Moment.OBSERVED).least
    policy = None if text is None else context.access.reader.read(text)
    return policy is None or policy.denies


def _lockout(subject: Subject, *, policy_changes: bool) -> Iterator[Told]:
    key = subject.key
    resources = [attached.resource for attached in key.policies]
    for resource in ([key.resource] if key.resource is not None else []) + resources:
        planned = resource.planned
        if planned is None or resource.untouched:
            continue
        after = planned.flag("bypass_policy_lockout_safety_check")
        before = None if resource.observed is None else resource.observed.flag("bypass_policy_lockout_safety_check")
        bypassed: Fact = UNKNOWN if after is UNKNOWN else after is True and (policy_changes or before is not True)
        if bypassed is False:
            yield EventKind.LOCKOUT_CHECK
            continue
        yield key_event(subject, EventKind.LOCKOUT_CHECK, {"bypassed": bypassed}, address=resource.address)
