"""Which accounts beside the owner's and the vendor's can use a key, before and after: beside Druva, or in its place.

Told are accounts that a policy or a grant names and that can use the key. A principal that is known only after apply
may be of another account where it is no role or user that the owner makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.arn import principal_account
from engine.review.access_answers import Answer
from engine.review.detect.context import OPENING, is_new, key_event
from engine.review.events import EventKind, OneOf
from engine.review.resources import Moment
from engine.review.values import SENSITIVE, UNKNOWN

if TYPE_CHECKING:
    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Attached, Key
    from engine.review.scope import Subject

_USE = ("kms:Decrypt",)
_GIVES = (Answer.YES, Answer.DEPENDS)


def other_accounts(context: Context, subject: Subject) -> Told:
    """The event of a key of which policy or grants change; the kind alone where nothing of this is to be told."""
    key = subject.key
    before = frozenset[str]() if is_new(key) else _others(context, key, Moment.OBSERVED)
    after = _others(context, key, Moment.PLANNED)
    gained, lost = after - before, before - after
    to_others = context.custody.policies.opens_to_others(key, OPENING, context.access.account_id(key))
    if not gained and not lost and not key.grants and not to_others:
        return EventKind.OTHER_ACCOUNTS
    vendor_before = not is_new(key) and _can_use(context, context.access.vendor, key, Moment.OBSERVED)
    vendor_after = _can_use(context, context.access.vendor, key, Moment.PLANNED)
    change: Fact = "none"
    if (gained and vendor_before and not vendor_after) or (lost and vendor_after and not vendor_before):
        change = "instead_of_vendor"
    elif gained:
        change = "gained"
    elif to_others or any(_of_nobody_known(context, key, attached) for attached in key.grants):
        change = OneOf.of("gained", "none")
    if change == "none":
        return EventKind.OTHER_ACCOUNTS
    return key_event(
        subject,
        EventKind.OTHER_ACCOUNTS,
        {"change": change},
        gained=_accounts(context, key, gained),
        lost=_accounts(context, key, lost),
        vendor=context.access.vendor,
    )


def _of_nobody_known(context: Context, key: Key, attached: Attached) -> bool:
    """Whether a new grant's grantee is known only after apply, and is no role or user that the plan makes."""
    planned = attached.attributes(Moment.PLANNED)
    return (
        planned is not None
        and not attached.resource.untouched
        and attached.belongs(key.address, Moment.PLANNED) is not False
        and planned.text("grantee_principal") is UNKNOWN
        and not context.custody.made_here(attached.resource, "grantee_principal", key, context.access.account_id(key))
    )


def _accounts(context: Context, key: Key, accounts: frozenset[str]) -> str:
    if accounts and context.access.policy_is_sensitive(key):
        return SENSITIVE
    return ", ".join(sorted(accounts)) or "none"


def _others(context: Context, key: Key, moment: Moment) -> frozenset[str]:
    """The accounts but the owner's and the vendor's that are named and can use the key."""
    access = context.access
    named: set[str] = set()
    for text in access.policy(key, moment).texts:
        policy = access.reader.read(text)
        if policy is not None:
            named |= policy.accounts
    for planned in access.grants(key, moment):
        account = principal_account(planned.grant.grantee_principal)
        if account is not None:
            named.add(account)
    named -= {access.account_id(key), access.vendor}
    return frozenset(account for account in named if _opened(context, account, key, moment))


def _opened(context: Context, account_id: str, key: Key, moment: Moment) -> bool:
    return any(a in _GIVES for a in context.access.account_access(account_id, OPENING, key, moment).answers)


def _can_use(context: Context, account_id: str, key: Key, moment: Moment) -> bool:
    access = context.access.account_access(account_id, _USE, key, moment)
    return access.answers[0] in _GIVES
