"""What happens to Druva's access by the key policy alone, where a grant stands beside it.

The access as a whole is told as `vendor_access`. Where the policy no longer gives what it gave and a grant still does,
nothing is lost today; the grant is then the only way, and whoever revokes it stops everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.review.detect.access import compare
from engine.review.detect.context import is_new, key_event
from engine.review.detect.grants import access_kept
from engine.review.events import EventKind, OneOf
from engine.review.resources import Moment
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Key
    from engine.review.scope import Subject

_OF_CHANGE: dict[str, Fact] = {
    "lost": "removed",
    "denied": "reduced",
    "narrowed": "reduced",
    "conditional": "reduced",
    "given": "added",
}


def detect_vendor_statement(context: Context) -> Iterator[Told]:
    """The events of every key in scope that has grants and of which the policy changes."""
    for subject, changes in context.asked:
        if changes and subject.key.grants and not is_new(subject.key):
            yield _statement(context, subject)


def _statement(context: Context, subject: Subject) -> Told:
    change = _change(context, subject.key)
    if change == "none":
        return EventKind.VENDOR_STATEMENT
    kept = access_kept(context, subject.key)
    if kept is UNKNOWN:  # what is not known of the access as a whole is told as such
        return EventKind.VENDOR_STATEMENT
    declared = context.declared.trusted.vendor_access.by_key_policy
    facts: dict[str, Fact] = {"change": change, "access_kept": kept, "declared": declared}
    return key_event(subject, EventKind.VENDOR_STATEMENT, facts, vendor=context.access.vendor)


def _change(context: Context, key: Key) -> Fact:
    """How what the policy gives changes; a Deny that stops the grant too is told as such elsewhere."""
    before, after = (context.access.vendor_access_by_policy(key, m) for m in (Moment.OBSERVED, Moment.PLANNED))
    change = compare(before, after)
    if isinstance(change, OneOf):
        return OneOf.of("removed", "reduced", "none")
    return _OF_CHANGE.get(str(change), "none")
