"""What evidence must be bound to, taken from a declaration that is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.evidence.reading import Expected

if TYPE_CHECKING:
    from engine.declaration import Declaration


def expected_of(declaration: Declaration, *, sandbox: bool) -> Expected:
    """What evidence of this declaration's tenant must be bound to.

    Args:
        declaration: The declaration; never one that a proposed change brings, where it is to judge that change.
        sandbox: Whether a sandbox's word counts.
    """
    return Expected(
        tenant=declaration.tenant,
        account_id=declaration.account.account_id,
        vendor_account_id=declaration.vendor.account_id,
        region=declaration.account.region,
        sandbox=sandbox,
        key_arns=tuple((g.number, str(g.key_arn)) for g in declaration.generations if g.key_arn is not None),
    )
