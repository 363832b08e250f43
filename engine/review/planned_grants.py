"""Grants as a plan shows them, at one moment; what is not known of one is taken at its widest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.review.statements import account_of_principal
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from engine.access import Grant
    from engine.review.values import Attributes

_EVERY_OPERATION = (
    "Encrypt",
    "Decrypt",
    "ReEncryptFrom",
    "ReEncryptTo",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "DescribeKey",
    "CreateGrant",
    "RetireGrant",
)


@dataclass(frozen=True, slots=True)
class PlannedGrant:
    """A grant at one moment.

    Attributes:
        grant: The grant, widened to everything where parts of it are not known.
        certain: Whether all of it is known and it certainly belongs to the key.
    """

    grant: Grant
    certain: bool

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes a difference to an answer, as a value that can be looked up."""
        grant = self.grant
        constraints = [grant.encryption_context_equals, grant.encryption_context_subset]
        return (grant.grantee_principal, grant.operations, json.dumps(constraints, sort_keys=True), self.certain)

    def may_be_for(self, account_id: str) -> bool:
        """Whether the account may use it."""
        account = account_of_principal(self.grant.grantee_principal)
        return account is None or account == account_id


def planned_grant(address: str, attributes: Attributes, *, belongs: bool, account_id: str) -> PlannedGrant:
    """Read a grant's attributes.

    Args:
        address: The grant's address, for its id.
        attributes: As recorded, observed or planned.
        belongs: Whether it certainly belongs to the key.
        account_id: The account to assume where the grantee is not known.

    Returns:
        The grant; what is not known of it is taken at its widest and makes it uncertain.
    """
    from engine.access import Grant

    certain = belongs
    grantee = attributes.text("grantee_principal")
    operations = attributes.texts("operations")
    if not isinstance(grantee, str):
        grantee, certain = f"arn:aws:iam::{account_id}:root", False
    if operations is UNKNOWN:
        operations, certain = frozenset(_EVERY_OPERATION), False
    equals, subset, readable = _constraints(attributes.raw("constraints"))
    return PlannedGrant(
        Grant(
            grant_id=address,
            grantee_principal=grantee,
            operations=operations if isinstance(operations, frozenset) else frozenset(),
            encryption_context_equals=equals,
            encryption_context_subset=subset,
        ),
        certain and readable,
    )


def _constraints(raw: Any) -> tuple[dict[str, str] | None, dict[str, str] | None, bool]:
    """The two encryption context constraints of a grant, and whether they could be read."""
    if raw is None or raw == []:
        return None, None, True
    if not isinstance(raw, list) or len(raw) != 1 or not isinstance(raw[0], dict):
        return None, None, False
    block = raw[0]
    return block.get("encryption_context_equals") or None, block.get("encryption_context_subset") or None, True
