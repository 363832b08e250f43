"""What was changed outside Terraform on a key in scope, and whether the plan changes it back.

Most drift is noise. Told are a policy that means something else, a key that was enabled or disabled, a grant or an
alias that is gone or points elsewhere. Losses have events of their own (`vendor_access`, `key_state`, `key_leaves`);
this one is for the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.review.detect.context import key_event, stays
from engine.review.events import EventKind
from engine.review.resources import MOMENTS
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Key
    from engine.review.scope import Subject


def detect_drift(context: Context) -> Iterator[Told]:
    """The events of every key in scope that stays, with drift of its own, its policy or its grants."""
    for subject in context.touched:
        key = subject.key
        if not _drifted(key) or not stays(key):
            continue
        found = list(_differences(context, subject))
        yield from found or [EventKind.DRIFT]


def _drifted(key: Key) -> bool:
    resources = ([] if key.resource is None else [key.resource]) + [a.resource for a in (*key.policies, *key.grants)]
    return any(resource.recorded is not resource.observed for resource in resources)


def _differences(context: Context, subject: Subject) -> Iterator[Told]:
    key, access = subject.key, context.access
    recorded, observed, planned = (access.policy(key, moment) for moment in MOMENTS)
    if recorded != observed and not same_policy(recorded.least, observed.least):
        yield _event(subject, "policy", reverted=same_policy(recorded.least, planned.least))
    was, now, will = (key.enabled(moment) for moment in MOMENTS)
    if was is not now:
        yield _event(subject, "state", reverted=UNKNOWN if will is UNKNOWN else will is was)
    for attached in key.grants:
        resource = attached.resource
        if resource.recorded is not None and resource.observed is None:
            yield _event(subject, "grant", reverted=resource.planned is not None, address=resource.address)


def same_policy(first: str | None, second: str | None) -> bool:
    """Whether two policies mean the same, whatever their order and spelling; unreadable ones never do."""
    if first is None or second is None:
        return False
    if first == second:
        return True
    from engine.access import parse_key_policy

    try:
        return parse_key_policy(first).canonical() == parse_key_policy(second).canonical()
    except InputError:
        return False


def _event(subject: Subject, what: str, *, reverted: Fact, address: str | None = None) -> Told:
    words = {"policy": "its key policy", "state": "whether it is enabled", "grant": "a grant"}
    then = "the plan changes it back" if reverted is True else "the plan leaves it so"
    return key_event(
        subject,
        EventKind.DRIFT,
        {},
        address=address,
        what=words[what],
        then="it is not known yet what the plan makes of it" if reverted is UNKNOWN else then,
    )
