"""Guards on the key policy that a key carries, as text, in what is about to be emitted.

- `root_statement`: the customer's account rules the key, without a condition (EKM-05).
- `vendor_statement`: the vendor's statement is there where declared, with no more than it needs, and no
  statement names the vendor otherwise (EKM-20, EKM-10).
- `denials`: what backups and restores need is denied to nobody: a denial outweighs what allows the vendor.
- `retention_statement`: until the release, deletion is denied to everyone but the break-glass principals
  (EKM-17).
- `principals`: nothing is allowed to everyone, to all but some, or to a third account.

A policy that cannot be read is a finding, never a pass.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from engine.arn import principal_account
from engine.declaration import DeclaredState
from stacks.custody import VENDOR_GRANT_OPERATIONS
from stacks.findings import Finding
from stacks.key_policy import (
    RETAINED_ACTIONS,
    RETENTION_SID,
    VENDOR_GRANT_ACTIONS,
    VENDOR_GRANTS_SID,
    VENDOR_SIGHT_ACTIONS,
    VENDOR_SIGHT_SID,
    VENDOR_USE_SID,
    account_root,
    conditions_json,
    vendor_conditions,
    vendor_use_actions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.declaration import Declaration, DeclaredGeneration

_USE = tuple(f"kms:{operation}" for operation in VENDOR_GRANT_OPERATIONS)


def judge_policy(
    declaration: Declaration, generation: DeclaredGeneration, address: str, policy: Any
) -> Iterator[Finding]:
    """Hold a key's policy against the guards above.

    Args:
        declaration: What the stack was made from.
        generation: The generation of the key.
        address: The key's address, for the findings.
        policy: The attribute `policy`: JSON text, if it is what it should be.

    Yields:
        The findings.
    """
    statements = _statements(policy)
    if statements is None:
        yield Finding("root_statement", address, "its policy cannot be read as a policy document", ("EKM-19",))
        return
    root = account_root(declaration.account.partition, declaration.account.account_id)
    if not any(_allows(statement, root, ("kms:*",)) for statement in statements):
        message = f"no statement allows {root} kms:* without a condition"
        yield Finding("root_statement", address, message, ("EKM-05",))
    yield from _judge_vendor(declaration, address, statements)
    kept = generation.state is not DeclaredState.RELEASED
    if kept and not any(_denies_deletion(statement, declaration.break_glass) for statement in statements):
        actions = " and ".join(RETAINED_ACTIONS)
        message = f"no statement {RETENTION_SID!r} denies {actions} to everyone but the break-glass principals"
        yield Finding("retention_statement", address, message, ("EKM-17",))
    if any(_denies_use(statement) for statement in statements):
        yield Finding("denials", address, "a statement denies what backups and restores need", ("EKM-18",))
    known = (*declaration.key_administrators, *declaration.break_glass)
    accounts = {declaration.account.account_id, declaration.vendor.account_id}
    allowing = [statement for statement in statements if statement.get("Effect") != "Deny"]
    if any(principal == "*" for statement in allowing for principal in _principals(statement)):
        yield Finding("principals", address, "a statement allows everyone", ("EKM-10",))
    elif any(
        principal not in known and _account(principal) not in accounts
        for statement in allowing
        for principal in _principals(statement)
    ):
        message = "a statement allows somebody outside your own account and Druva's, or all but some"
        yield Finding("principals", address, message, ("EKM-10",))


def _judge_vendor(declaration: Declaration, address: str, statements: list[dict[str, Any]]) -> Iterator[Finding]:
    vendor = account_root(declaration.account.partition, declaration.vendor.account_id)
    by_policy = declaration.vendor_access.by_key_policy and not declaration.revoked
    rightful: list[dict[str, Any]] = []
    if by_policy:
        narrowing = declaration.vendor_narrowing
        wanted = [(VENDOR_USE_SID, vendor_use_actions(narrowing))]
        wanted += [(VENDOR_SIGHT_SID, VENDOR_SIGHT_ACTIONS)] if narrowing else []
        for sid, actions in wanted:
            conditions = conditions_json(vendor_conditions(narrowing, actions))
            found = [
                statement
                for statement in statements
                if statement.get("Sid") == sid and _allows_only(statement, vendor, actions, conditions)
            ]
            rightful += found
            if not found:
                only = " exactly under the declared narrowing" if conditions else ""
                message = f"no statement {sid!r} allows {vendor} {', '.join(actions)}, and no more,{only}"
                yield Finding("vendor_statement", address, message.rstrip(","), ("EKM-20",))
        for_services = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        rightful += [
            statement
            for statement in statements
            if statement.get("Sid") == VENDOR_GRANTS_SID
            and _allows_only(statement, vendor, VENDOR_GRANT_ACTIONS, for_services)
        ]
    principals = [
        (statement.get("Principal"), statement.get("NotPrincipal"))
        for statement in statements
        if statement not in rightful
    ]
    if declaration.vendor.account_id in json.dumps(principals):
        why = "the tenant is revoked" if declaration.revoked else "vendor_access is grant"
        message = f"a statement names the vendor although {why}"
        if by_policy:
            message = "a statement names the vendor beside those that are declared, or with more than them"
        yield Finding("vendor_statement", address, message, ("EKM-10",))


def _statements(policy: Any) -> list[dict[str, Any]] | None:
    """The statements of a policy's JSON text, or None where it is none."""
    try:
        document = json.loads(policy)
    except (TypeError, ValueError):
        return None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if not isinstance(statements, list) or not all(isinstance(statement, dict) for statement in statements):
        return None
    return statements


def _allows(
    statement: dict[str, Any], principal: str, actions: tuple[str, ...], conditions: dict[str, Any] | None = None
) -> bool:
    return (
        statement.get("Effect") == "Allow"
        and principal in _principals(statement)
        and _covers(statement, actions)
        and statement.get("Condition") == (conditions or None)
    )


def _allows_only(
    statement: dict[str, Any], principal: str, actions: tuple[str, ...], conditions: dict[str, Any]
) -> bool:
    exactly = set(statement) <= {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    return (
        exactly
        and _allows(statement, principal, actions, conditions)
        and _principals(statement) == [principal]
        and all(action in actions for action in _listed(statement.get("Action")))
    )


def _denies_use(statement: dict[str, Any]) -> bool:
    """Whether a statement may deny what the vendor needs, to whomever and under whatever condition."""
    if statement.get("Effect") == "Allow":
        return False
    patterns = _listed(statement.get("Action"))
    return any(
        not isinstance(pattern, str) or any(fnmatchcase(action.lower(), pattern.lower()) for action in _USE)
        for pattern in patterns
    )


def _account(principal: Any) -> str | None:
    """The account of a principal, or None for what is none of an account."""
    return principal_account(principal) if isinstance(principal, str) else None


def _denies_deletion(statement: dict[str, Any], break_glass: tuple[str, ...]) -> bool:
    return (
        statement.get("Effect") == "Deny"
        and "*" in _principals(statement)
        and _covers(statement, RETAINED_ACTIONS)
        and statement.get("Condition") in _conditions_exempting(break_glass)
    )


def _conditions_exempting(break_glass: tuple[str, ...]) -> list[Any]:
    """The conditions that exempt exactly these principals, in the forms that AWS takes as one."""
    if not break_glass:
        return [None]
    forms: list[Any] = [list(break_glass)] + ([break_glass[0]] if len(break_glass) == 1 else [])
    return [{"ArnNotEquals": {"aws:PrincipalArn": form}} for form in forms]


def _covers(statement: dict[str, Any], actions: tuple[str, ...]) -> bool:
    listed = _listed(statement.get("Action"))
    return statement.get("Resource") == "*" and all(action in listed for action in actions)


def _principals(statement: dict[str, Any]) -> list[Any]:
    principal = statement.get("Principal")
    return _listed(principal.get("AWS") if isinstance(principal, dict) else principal)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
