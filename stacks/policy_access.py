"""Who can do what with a generation's key, as its policy and grant will stand: what a reviewer wants to know.

Asked of the one evaluator (`engine.access`), for a key yet to be made: the customer's account, each key
administrator, each break-glass principal, Druva's account, and any other account. What a principal's own IAM
policies must allow as well is told as such; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.access import Caller, Grant, Request, Verdict, evaluate, parse_key_policy
from stacks.custody import VENDOR_GRANT_OPERATIONS, custody_of
from stacks.key_policy import account_root, key_policy

if TYPE_CHECKING:
    from engine.declaration import Declaration

# What a person asks about, and the actions that stand for it.
ABILITIES = (
    ("wrap and unwrap data keys", ("kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom")),
    ("see the key", ("kms:DescribeKey",)),
    ("let AWS services use it", ("kms:CreateGrant",)),
    ("disable and enable it", ("kms:DisableKey", "kms:EnableKey")),
    ("change its policy", ("kms:PutKeyPolicy",)),
    ("schedule its deletion", ("kms:ScheduleKeyDeletion",)),
)
_FOR_SERVICES = {"kms:GrantIsForAWSResource": ("true",)}
_ANYBODY = "999999999999"  # stands for every account that the policy does not name


@dataclass(frozen=True, slots=True)
class Ability:
    """Whether a principal can do something, and why.

    Attributes:
        what: In words, such as `see the key`.
        verdict: Yes, no, or depends.
        reason: Which statement or grant decides.
        depends_on: What a *depends* hangs on, one phrase each.
    """

    what: str
    verdict: Verdict
    reason: str
    depends_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrincipalAccess:
    """What one principal can do.

    Attributes:
        name: Who it is, in words.
        arn: Its ARN, or None for any other account.
        abilities: One of each of `ABILITIES`, in that order.
    """

    name: str
    arn: str | None
    abilities: tuple[Ability, ...]


def access_of(declaration: Declaration, number: int) -> tuple[PrincipalAccess, ...]:
    """Who can do what with a generation's key while it is enabled.

    Args:
        declaration: The tenant's declaration.
        number: The generation.

    Raises:
        InputError: No generation of this number is declared, or its key is deleted.
    """
    account = declaration.account
    policy = parse_key_policy(key_policy(declaration, number).to_json())
    vendor_root = account_root(account.partition, declaration.vendor.account_id)
    grants = (
        (
            Grant(
                f"keyturn-{declaration.tenant}-{number}-vendor",
                vendor_root,
                frozenset(VENDOR_GRANT_OPERATIONS),
                encryption_context_subset=dict(declaration.vendor_narrowing.encryption_context) or None,
            ),
        )
        if custody_of(declaration, declaration.generation(number)).vendor_by_grant
        else ()
    )
    asked = [
        ("Your own account", account_root(account.partition, account.account_id), _own(declaration, None)),
        *(("Key administrator", arn, _own(declaration, arn)) for arn in declaration.key_administrators),
        *(("Break-glass principal", arn, _own(declaration, arn)) for arn in declaration.break_glass),
        ("Druva's account", vendor_root, Caller.account(declaration.vendor.account_id, account.partition)),
        ("Any other account", None, Caller.account(_ANYBODY, account.partition)),
    ]
    found = []
    for name, arn, caller in asked:
        abilities = []
        for what, actions in ABILITIES:
            decisions = [
                evaluate(policy, grants, caller, Request(action, None, account.account_id, _FOR_SERVICES))
                for action in actions
            ]
            worst = max(decisions, key=lambda decision: _RANK[decision.verdict])
            abilities.append(Ability(what, worst.verdict, worst.reason, worst.depends_on))
        found.append(PrincipalAccess(name, arn, tuple(abilities)))
    return tuple(found)


_RANK = {Verdict.YES: 0, Verdict.DEPENDS: 1, Verdict.NO: 2}


def _own(declaration: Declaration, arn: str | None) -> Caller:
    """A principal of the customer's account, of whose own IAM policies nothing is known."""
    return Caller(declaration.account.account_id, arn, Verdict.DEPENDS, declaration.account.partition)
