"""What the key's own account can do to revoke: disable the key, revoke its grants; and to give grants again.

Revoking is the customer's right at any time. A Deny, or a policy that no longer allows it, takes that right away where
nobody in the account can do it any more: neither its root, nor a principal that the policy names or lets off, nor a
declared administrator or break-glass principal. That nobody can schedule the deletion is no loss of this kind: it keeps
the key, and is what our own stacks ask for. Who can put the policy is told as `administration`.

Where the account as a whole can and a declared administrator is shut out, that is told too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.review.access_answers import Answer
from engine.review.detect.context import is_new, key_event
from engine.review.events import EventKind
from engine.review.resources import Moment
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Key
    from engine.review.scope import Subject

_POWERS = {
    "revoke": {"kms:DisableKey": "disable it", "kms:RevokeGrant": "revoke its grants"},
    "grant": {"kms:CreateGrant": "create grants on it"},
}
_AFTER: dict[Answer, Fact] = {Answer.DEPENDS: "conditional", Answer.NO: "no", Answer.UNKNOWN: UNKNOWN}
_FROM_THE_BEST = (Answer.YES, Answer.UNKNOWN, Answer.DEPENDS, Answer.NO)


def detect_powers(context: Context) -> Iterator[Told]:
    """The events of every key in scope that is new or of which the policy changes."""
    for subject, changes in context.asked:
        if changes:
            found = () if _plain(context, subject.key) else tuple(_lost(context, subject))
            yield from found or (EventKind.OWNER_POWERS,)


def _plain(context: Context, key: Key) -> bool:
    """Whether the console's first statement stands there and nothing is denied: then nothing can be lost."""
    policy = context.access.policy(key, Moment.PLANNED)
    read = context.access.reader.read(policy.least) if policy.certain and policy.least else None
    return read is not None and read.plainly_owned(context.access.owner_names(key))


def _lost(context: Context, subject: Subject) -> Iterator[Told]:
    """What is lost beside the right to put the policy: where that one goes, or nothing is known, nothing is added."""
    key = subject.key
    administration = context.access.administrable(key, Moment.PLANNED)
    if administration in (Answer.NO, Answer.UNKNOWN):
        return
    for power, actions in _POWERS.items():
        lost: dict[Answer, list[str]] = {}
        shut_out: list[str] = []
        for action, words in actions.items():
            after = _best(context, key, action, Moment.PLANNED)
            if after is not Answer.YES:
                if after is not administration and _was_better(context, key, action, after):
                    lost.setdefault(after, []).append(words)
            elif any(_loses(context, key, action, name) for name in context.declared.trusted.key_administrators):
                shut_out.append(words)
        for after, words_of_lost in lost.items():
            yield _event(subject, power, "anybody", _AFTER[after], words_of_lost)
        if shut_out:
            yield _event(subject, power, "administrator", "no", shut_out)


def _event(subject: Subject, power: str, whose: str, after: Fact, words: list[str]) -> Told:
    facts: dict[str, Fact] = {"power": power, "whose": whose, "after": after}
    return key_event(subject, EventKind.OWNER_POWERS, facts, power=" or ".join(words))


def _loses(context: Context, key: Key, action: str, administrator: str) -> bool:
    """Whether one administrator, whose own IAM is taken as allowing it, is shut out from an action."""
    if context.access.principal_answer(administrator, action, key, Moment.PLANNED) is not Answer.NO:
        return False
    before = Answer.YES
    if not is_new(key):
        before = context.access.principal_answer(administrator, action, key, Moment.OBSERVED)
    return before is not Answer.NO


def _best(context: Context, key: Key, action: str, moment: Moment) -> Answer:
    """The best answer for anybody in the key's account."""
    trusted = context.declared.trusted
    return context.access.anybody_may(action, key, moment, (*trusted.key_administrators, *trusted.break_glass))


def _was_better(context: Context, key: Key, action: str, after: Answer) -> bool:
    if is_new(key):
        return True
    before = _best(context, key, action, Moment.OBSERVED)
    return _FROM_THE_BEST.index(before) < _FROM_THE_BEST.index(after)
