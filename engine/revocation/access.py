"""What the vendor has on one key: seen, taken away, and put back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.access import (
    VENDOR_REQUIRED_ACTIONS,
    Caller,
    Decision,
    Grant,
    Request,
    Verdict,
    evaluate,
    parse_key_policy,
)
from engine.arn import parse_key_arn, principal_account
from engine.errors import RefusedError
from engine.revocation.saved import SavedAccess

if TYPE_CHECKING:
    from engine.kms import Kms


def look(kms: Kms, key_arn: str, vendor_account_id: str) -> SavedAccess:
    """What the vendor has on a key now.

    Raises:
        KeyAccessError: KMS does not tell.
    """
    grants = tuple(grant for grant in kms.grants(key_arn) if _concerns(grant, vendor_account_id))
    return SavedAccess(key_arn, kms.policy(key_arn), grants)


def take_away(kms: Kms, seen: SavedAccess, vendor_account_id: str) -> None:
    """Take away what the vendor was seen to have, and make sure that nothing is left.

    Raises:
        RefusedError: Something still gives it access: a statement for everyone, for instance.
        KeyAccessError: KMS said no.
    """
    without = policy_without(seen.policy, vendor_account_id)
    if json.loads(without) != json.loads(seen.policy):
        kms.put_policy(seen.key_arn, without)
    for grant in seen.grants:
        kms.revoke_grant(seen.key_arn, grant.grant_id)
    left = _what_is_left(kms, seen.key_arn, vendor_account_id)
    if left:
        raise RefusedError(
            "revocation",
            f"the vendor's account {vendor_account_id} still has access to {seen.key_arn}: {'; '.join(left)}",
            ("EKM-10",),
            "disable the keys instead: `keyturn revoke --way disable`",
        )


def give_back(kms: Kms, saved: SavedAccess, vendor_account_id: str) -> None:
    """Put back what was taken out of the policy, and the customer's own grants.

    Raises:
        KeyAccessError: KMS said no.
    """
    policy = kms.policy(saved.key_arn)
    complete = policy_with(policy, saved.policy, vendor_account_id)
    if json.loads(complete) != json.loads(policy):
        kms.put_policy(saved.key_arn, complete)
    present = {(g.grantee_principal, g.operations, g.constraints) for g in kms.grants(saved.key_arn)}
    for grant in saved.grants:
        by_vendor = grant.issuing_account == vendor_account_id
        if not by_vendor and (grant.grantee_principal, grant.operations, grant.constraints) not in present:
            kms.create_grant(saved.key_arn, grant)


def lacking(kms: Kms, key_arn: str, vendor_account_id: str) -> list[str]:
    """The operations that the vendor needs and is not given."""
    return [
        action.removeprefix("kms:")
        for action, decision in _decisions(kms, key_arn, vendor_account_id, VENDOR_REQUIRED_ACTIONS)
        if decision.verdict is not Verdict.YES
    ]


def policy_without(policy: str, account_id: str) -> str:
    """A key policy without what its Allow statements give one account; other principals keep theirs."""
    document, statements = _statements(policy)
    document["Statement"] = [kept for statement in statements if (kept := _split(statement, account_id)[0]) is not None]
    return json.dumps(document)


def policy_with(policy: str, earlier: str, account_id: str) -> str:
    """A key policy with what an earlier one's Allow statements gave one account; all else stays as it is.

    Args:
        policy: The policy as it is now.
        earlier: The policy from before the account's part was taken out.
        account_id: The account.
    """
    if json.loads(policy_without(earlier, account_id)) == json.loads(policy):
        return earlier
    document, statements = _statements(policy)
    sids = {statement.get("Sid") for statement in statements}
    for statement in _statements(earlier)[1]:
        theirs = _split(statement, account_id)[1]
        if theirs is None or any(_split(present, account_id)[1] == theirs for present in statements):
            continue
        if theirs.get("Sid") in sids:  # one of the same name was kept for others: names stand once
            theirs = {**theirs, "Sid": f"{theirs['Sid']} (restored)"}
        statements.append(theirs)
    document["Statement"] = statements
    return json.dumps(document)


def names(policy: str, account_id: str) -> bool:
    """Whether an Allow statement names one account."""
    return any(_split(statement, account_id)[1] is not None for statement in _statements(policy)[1])


def _statements(policy: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    document: dict[str, Any] = json.loads(policy)
    statements = document.get("Statement", [])
    return document, statements if isinstance(statements, list) else [statements]


def _split(statement: dict[str, Any], account_id: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """A statement without what it gives one account, and with that alone; None for nothing."""
    principal = statement.get("Principal")
    if statement.get("Effect") != "Allow" or not isinstance(principal, dict) or "AWS" not in principal:
        return statement, None
    named = principal["AWS"] if isinstance(principal["AWS"], list) else [principal["AWS"]]
    theirs = [name for name in named if principal_account(name) == account_id]
    if not theirs:
        return statement, None
    kept = [name for name in named if name not in theirs]
    others = {kind: listed for kind, listed in principal.items() if kind != "AWS"}
    taken = {**statement, "Principal": {"AWS": theirs[0] if len(theirs) == 1 else theirs}}
    if not kept and not others:
        return None, taken
    return {**statement, "Principal": {**others, **({"AWS": kept} if kept else {})}}, taken


def _concerns(grant: Grant, account_id: str) -> bool:
    principals = (grant.grantee_principal, grant.retiring_principal or "")
    return account_id in {*(principal_account(principal) for principal in principals), grant.issuing_account}


def _what_is_left(kms: Kms, key_arn: str, vendor_account_id: str) -> list[str]:
    actions = (*VENDOR_REQUIRED_ACTIONS, "kms:CreateGrant")
    return [
        f"{action.removeprefix('kms:')} ({decision.reason})"
        for action, decision in _decisions(kms, key_arn, vendor_account_id, actions)
        if decision.verdict is not Verdict.NO
    ]


def _decisions(kms: Kms, key_arn: str, vendor_account_id: str, actions: tuple[str, ...]) -> list[tuple[str, Decision]]:
    arn = parse_key_arn(key_arn)
    policy, grants = parse_key_policy(kms.policy(key_arn)), kms.grants(key_arn)
    vendor = Caller.account(vendor_account_id, arn.partition)
    return [(action, evaluate(policy, grants, vendor, Request(action, key_arn, arn.account_id))) for action in actions]
