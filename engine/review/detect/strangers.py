"""Who is let in that is no account: AWS services, federated identities; and who may end a grant to Druva.

- An Allow for a service, a federated identity, a canonical user or the bare id of an identity names no account, so that
  `other_accounts` cannot tell of it. What it gives is asked of its statements alone, whatever denies beside them.
- The retiring principal of a grant may end it at any time (AWS KMS API, "RetireGrant"). One in an account that is
  neither the key's own nor Druva's has the vendor's access in its hand: all of it where nothing else gives the same.
- A retiring principal that is known only after apply is the owner's where the configuration shows it to be a role or
  user that this very plan makes, in the key's account.

Told where the plan adds them; what was there before is nobody's change.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from engine.arn import principal_account
from engine.review.access_answers import Answer
from engine.review.detect.access import compare
from engine.review.detect.context import is_new, key_event
from engine.review.events import EventKind, OneOf
from engine.review.policy_reading import known
from engine.review.resources import Moment
from engine.review.values import SENSITIVE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.keys import Attached, Key
    from engine.review.scope import Subject
    from engine.review.values import Attributes

# A statement's principals by their kind in the policy; anything else that is no account's is an identity.
_KINDS = {"Service": "service", "Federated": "federated"}
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?", re.ASCII)
_USING = ("kms:Decrypt", "kms:ReEncryptFrom", "kms:CreateGrant")
_ADMINISTERING = (
    "kms:PutKeyPolicy",
    "kms:DisableKey",
    "kms:ScheduleKeyDeletion",
    "kms:DeleteImportedKeyMaterial",
    "kms:RevokeGrant",
)
_Strangers = dict[tuple[str, str], list[dict[str, Any]]]


def detect_strangers(context: Context) -> Iterator[Told]:
    """The events of every key in scope that is new, or of which the policy or a grant changes."""
    for subject, changes in context.asked:
        if changes:
            yield from _principals(context, subject)
        for attached in subject.key.grants:
            if not attached.resource.untouched:
                yield _retiring(context, subject, attached)
                yield _grantee(subject, attached)


def _principals(context: Context, subject: Subject) -> Iterator[Told]:
    key = subject.key
    after = _named(context, key, Moment.PLANNED)
    if not after:
        yield EventKind.OUTSIDE_PRINCIPALS
        return
    before = {} if is_new(key) else _named(context, key, Moment.OBSERVED)
    gains: dict[tuple[str, str], list[str]] = {}
    for (kind, name), statements in after.items():
        power = _power(context, key, statements)
        if power != "little" and power != _power(context, key, before.get((kind, name), [])):
            gains.setdefault((kind, power), []).append(name)
    if not gains:
        yield EventKind.OUTSIDE_PRINCIPALS
    for (kind, power), names in gains.items():
        hidden = context.access.policy_is_sensitive(key)
        shown = SENSITIVE if hidden else ", ".join(sorted(names))
        yield key_event(subject, EventKind.OUTSIDE_PRINCIPALS, {"principal": kind, "power": power}, names=shown)


def _named(context: Context, key: Key, moment: Moment) -> _Strangers:
    """The Allow statements of each principal that is no account's, by its kind and name."""
    policy = context.access.policy(key, moment)
    found: _Strangers = {}
    for text in policy.texts:
        read = context.access.reader.read(text)
        if read is None or not read.outside:
            continue
        for statement in read.statements:
            principal = statement.get("Principal")
            if statement.get("Effect") != "Allow" or not isinstance(principal, dict):
                continue
            for kind, value in principal.items():
                for name in value if isinstance(value, list) else (value,):
                    if kind != "AWS" or (isinstance(name, str) and name != "*" and principal_account(name) is None):
                        found.setdefault((_KINDS.get(kind, "identity"), str(name)), []).append(statement)
    return found


def _power(context: Context, key: Key, statements: list[dict[str, Any]]) -> str:
    """How far statements go, asked as if they were for the owner's own account, whom nothing beyond them binds."""
    if not statements:
        return "little"
    owner = context.access.account_id(key)
    asked = [{**statement, "Principal": {"AWS": owner}} for statement in statements]
    answers = context.access.reader.access(
        owner,
        (*_ADMINISTERING, *_USING),
        known(json.dumps({"Version": "2012-10-17", "Statement": asked})),
        (),
        key_arn=key.arn,
        key_account_id=owner,
    ).answers
    administers, uses = answers[: len(_ADMINISTERING)], answers[len(_ADMINISTERING) :]
    if any(answer is not Answer.NO for answer in administers):
        return "administration"
    return "use" if any(answer is not Answer.NO for answer in uses) else "little"


def _grantee(subject: Subject, attached: Attached) -> Told:
    """A new grant to who is no account: an AWS service above all."""
    key = subject.key
    will, was = attached.attributes(Moment.PLANNED), _before(attached, key)
    grantee = None if will is None else will.text("grantee_principal")
    if will is None or not isinstance(grantee, str) or principal_account(grantee) is not None:
        return EventKind.OUTSIDE_PRINCIPALS
    operations = will.texts("operations")
    uses = not isinstance(operations, frozenset) or any(f"kms:{operation}" in _USING for operation in operations)
    before = frozenset() if was is None or was.text("grantee_principal") != grantee else was.texts("operations")
    if not uses or attached.belongs(key.address, Moment.PLANNED) is False or before == operations:
        return EventKind.OUTSIDE_PRINCIPALS
    kind = "service" if _SERVICE.fullmatch(grantee) else "identity"
    facts: dict[str, Fact] = {"principal": kind, "power": "use"}
    names = will.shown("grantee_principal")
    return key_event(subject, EventKind.OUTSIDE_PRINCIPALS, facts, address=attached.resource.address, names=names)


def _retiring(context: Context, subject: Subject, attached: Attached) -> Told:
    key = subject.key
    will, was = attached.attributes(Moment.PLANNED), _before(attached, key)
    if will is None or attached.belongs(key.address, Moment.PLANNED) is False or not _may_be_vendors(context, will):
        return EventKind.RETIRING_PRINCIPAL
    retiring = will.text("retiring_principal")
    if retiring is None or (was is not None and was.text("retiring_principal") == retiring is not UNKNOWN):
        return EventKind.RETIRING_PRINCIPAL
    account: Fact
    if isinstance(retiring, str):
        account = _whose(context, key, retiring)
    elif context.custody.made_here(attached.resource, "retiring_principal", key, context.access.account_id(key)):
        account = "own"
    else:
        account = OneOf.of("own", "other")
    if account == "own":
        return EventKind.RETIRING_PRINCIPAL
    return key_event(
        subject,
        EventKind.RETIRING_PRINCIPAL,
        {"account": account, "access_kept": _kept_without(context, key, attached)},
        address=attached.resource.address,
        grant=attached.resource.address,
        principal=will.shown("retiring_principal"),
    )


def _before(attached: Attached, key: Key) -> Attributes | None:
    """What a grant was, where it was one on this very key: one that comes from another key is new to it."""
    return attached.attributes(Moment.OBSERVED) if attached.belongs(key.address, Moment.OBSERVED) is True else None


def _may_be_vendors(context: Context, attributes: Attributes) -> bool:
    grantee = attributes.text("grantee_principal")
    return grantee is UNKNOWN or (isinstance(grantee, str) and principal_account(grantee) == context.access.vendor)


def _whose(context: Context, key: Key, principal: str) -> str:
    mine = (context.access.account_id(key), context.access.vendor)
    return "own" if principal_account(principal) in mine else "other"


def _kept_without(context: Context, key: Key, attached: Attached) -> Fact:
    """Whether the vendor's access would be the same without the grant."""
    after = context.access.vendor_access(key, Moment.PLANNED)
    without = context.access.vendor_access(key, Moment.PLANNED, without=frozenset({attached.resource.address}))
    change = compare(after, without)
    return UNKNOWN if isinstance(change, OneOf) else change == "none"
