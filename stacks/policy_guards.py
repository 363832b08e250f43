"""Guards on the key policy that a key carries, as text, in what is about to be emitted.

- `root_statement`: the customer's account rules the key, without a condition (EKM-05).
- `vendor_statement`: the vendor's statement is there where declared, and no statement names the vendor
  otherwise (EKM-20, EKM-10).
- `retention_statement`: until the release, deletion is denied to everyone but the break-glass principals
  (EKM-17).
- `principals`: nothing is allowed to everyone.

A policy that cannot be read is a finding, never a pass.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.declaration import DeclaredState
from stacks.findings import Finding
from stacks.key_policy import (
    RETAINED_ACTIONS,
    RETENTION_SID,
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
    if any(statement.get("Effect") != "Deny" and "*" in _principals(statement) for statement in statements):
        yield Finding("principals", address, "a statement allows everyone", ("EKM-10",))


def _judge_vendor(declaration: Declaration, address: str, statements: list[dict[str, Any]]) -> Iterator[Finding]:
    vendor = account_root(declaration.account.partition, declaration.vendor.account_id)
    if declaration.vendor_access.by_key_policy and not declaration.revoked:
        narrowing = declaration.vendor_narrowing
        wanted = [(VENDOR_USE_SID, vendor_use_actions(narrowing))]
        wanted += [(VENDOR_SIGHT_SID, VENDOR_SIGHT_ACTIONS)] if narrowing else []
        for sid, actions in wanted:
            named = [statement for statement in statements if statement.get("Sid") == sid]
            conditions = conditions_json(vendor_conditions(narrowing, actions))
            if not any(_allows(statement, vendor, actions, conditions) for statement in named):
                only = " exactly under the declared narrowing" if conditions else ""
                message = f"no statement {sid!r} allows {vendor} {', '.join(actions)}{only}"
                yield Finding("vendor_statement", address, message, ("EKM-20",))
        return
    principals = json.dumps([statement.get("Principal") for statement in statements])
    if declaration.vendor.account_id in principals:
        why = "the tenant is revoked" if declaration.revoked else "vendor_access is grant"
        yield Finding("vendor_statement", address, f"a statement names the vendor although {why}", ("EKM-10",))


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
