"""What happens to the grants by which the vendor's account uses a key.

Every argument of a grant is fixed at its creation, so a changed grant is a replaced one. Destroying it first leaves a
gap: harmless where the key policy gives the same access meanwhile, an interruption where it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.arn import principal_account
from engine.review.detect.access import compare
from engine.review.detect.context import key_event, stays
from engine.review.events import EventKind, OneOf
from engine.review.plan import Action
from engine.review.resources import MOMENTS, Moment
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.access_answers import Access
    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Attached, Key
    from engine.review.scope import Subject


def detect_grants(context: Context) -> Iterator[Told]:
    """The events of the vendor's grants on every key in scope that stays."""
    for subject in context.touched:
        if not subject.key.grants or not stays(subject.key):
            continue
        for attached in subject.key.grants:
            if not attached.resource.untouched and _for_vendor(context, attached):
                yield _grant(context, subject, attached)


def _for_vendor(context: Context, attached: Attached) -> bool:
    for moment in MOMENTS:
        attributes = attached.resource.at(moment)
        grantee = None if attributes is None else attributes.text("grantee_principal")
        if grantee is UNKNOWN:
            return True
        if isinstance(grantee, str) and principal_account(grantee) == context.access.vendor:
            return True
    return False


def _grant(context: Context, subject: Subject, attached: Attached) -> Told:
    key = subject.key
    change = _change(context, key, attached)
    if change == "none":
        return EventKind.GRANT
    return key_event(
        subject,
        EventKind.GRANT,
        {
            "change": change,
            "access_kept": access_kept(context, key),
            "declared": context.declared.trusted.vendor_access.by_grant,
            "gap": _gap(context, key, attached),
        },
        address=attached.resource.address,
        grant=attached.resource.address,
    )


def _change(context: Context, key: Key, attached: Attached) -> Fact:
    resource = attached.resource
    was = attached.attributes(Moment.OBSERVED) or attached.attributes(Moment.RECORDED)
    will = attached.attributes(Moment.PLANNED)
    before = was is not None and any(attached.belongs(key.address, m) is not False for m in _BEFORE)
    belongs = attached.belongs(key.address, Moment.PLANNED) if will is not None else False
    if not before or was is None:
        return "none"
    if belongs is False or will is None:
        return "removed"
    if resource.action is Action.FORGET or not resource.action.replaces:
        return "none"
    if will.text("grantee_principal") is not UNKNOWN and not _to_vendor(context, will.known_text("grantee_principal")):
        return "removed"
    old, new = was.texts("operations"), will.texts("operations")
    if isinstance(old, frozenset) and isinstance(new, frozenset):
        return "reduced" if old - new else "replaced"
    return OneOf.of("reduced", "replaced")


_BEFORE = (Moment.RECORDED, Moment.OBSERVED)


def _to_vendor(context: Context, grantee: str | None) -> bool:
    return grantee is not None and principal_account(grantee) == context.access.vendor


def access_kept(context: Context, key: Key) -> Fact:
    """Whether the vendor can do after the apply whatever it can do now."""
    before = context.access.vendor_access(key, Moment.OBSERVED)
    after = context.access.vendor_access(key, Moment.PLANNED)
    return _no_worse(before, after)


def _no_worse(before: Access, after: Access) -> Fact:
    change = compare(before, after)
    return UNKNOWN if isinstance(change, OneOf) else change in ("none", "given")


def _gap(context: Context, key: Key, attached: Attached) -> Fact:
    """Whether the vendor cannot use the key between the destruction of a grant and the creation of its successor."""
    if attached.resource.action not in (Action.DELETE, Action.DELETE_CREATE):
        return False
    before = context.access.vendor_access(key, Moment.OBSERVED)
    later = frozenset(each.resource.address for each in key.grants if _comes_later(each))
    if not later:
        return False
    meanwhile = context.access.vendor_access(key, Moment.PLANNED, without=later)
    kept = _no_worse(before, meanwhile)
    return UNKNOWN if kept is UNKNOWN else not kept


def _comes_later(attached: Attached) -> bool:
    """Whether a grant may not be there yet while another is destroyed: it is made, or made again, by the same plan."""
    return attached.resource.observed is None or attached.resource.action is Action.DELETE_CREATE
