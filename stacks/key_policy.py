"""The key policy of a generation, to be reviewed before the key exists (EKM-19).

The statements are those that AWS's console writes (AWS KMS Developer Guide, "Default key policy"), in its
order and with its policy id, so that a reviewer sees what the console would show. Two things differ:

- The statement for the vendor's account is called `Allow use of the Key for Druva inSync` (EKM-20).
- A last statement denies everyone but the declared `break_glass` principals to schedule the key's deletion
  or to delete its imported material, as long as the generation is not released (EKM-17). It delays and
  warns; it cannot bind someone who may change this policy.

Where the declaration narrows the vendor, its use statement asks for what is declared, and `DescribeKey`, which
brings no encryption context, has a statement of its own.

The vendor's statements are left out while the tenant is revoked and where a grant alone gives access.
No statement that allows names everyone. `Resource` is `*`: in a key policy that is the key itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from engine.declaration import DeclaredState
from engine.errors import InputError
from stacks.custody import custody_of

if TYPE_CHECKING:
    from engine.declaration import Declaration, VendorNarrowing

POLICY_ID = "key-consolepolicy-3"
MAX_POLICY_BYTES = 32 * 1024  # AWS KMS Developer Guide, "Resource quotas": key policy document size

ROOT_SID = "Enable IAM User Permissions"
ADMINISTRATORS_SID = "Allow access for Key Administrators"
VENDOR_USE_SID = "Allow use of the Key for Druva inSync"
VENDOR_SIGHT_SID = "Allow Druva inSync to see the Key"
VENDOR_GRANTS_SID = "Allow attachment of persistent resources"
RETENTION_SID = "Deny deletion of the key until it is released"

ADMINISTRATION_ACTIONS = (
    "kms:Create*",
    "kms:Describe*",
    "kms:Enable*",
    "kms:List*",
    "kms:Put*",
    "kms:Update*",
    "kms:Revoke*",
    "kms:Disable*",
    "kms:Get*",
    "kms:Delete*",
    "kms:TagResource",
    "kms:UntagResource",
)
DELETION_ACTIONS = ("kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion")
VENDOR_USE_ACTIONS = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey")
VENDOR_SIGHT_ACTIONS = ("kms:DescribeKey",)  # brings no encryption context
VENDOR_GRANT_ACTIONS = ("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")
RETAINED_ACTIONS = ("kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial")


class Effect(Enum):
    """What a statement does; the value is AWS's own."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a statement, such as `ArnNotEquals` `aws:PrincipalArn` and the ARNs."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, with its meaning in words.

    Attributes:
        sid: Its name; in a key policy it may hold spaces.
        effect: Whether it allows or denies.
        principals: The ARNs that it is about; `*` alone means everyone.
        actions: IAM actions, of which a `*` stands for any ending.
        explanation: One or two sentences for people.
        requirements: The ids of the requirements that ask for it.
        conditions: When it applies: when all of them hold.
    """

    sid: str
    effect: Effect
    principals: tuple[str, ...]
    actions: tuple[str, ...]
    explanation: str
    requirements: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """A key policy: its statements in order."""

    statements: tuple[Statement, ...]

    def to_json(self, *, indent: int | None = None) -> str:
        """The policy document, the same text for the same statements.

        Args:
            indent: Spaces a level for people; None for one compact line.
        """
        document = {
            "Version": "2012-10-17",
            "Id": POLICY_ID,
            "Statement": [_statement_json(statement) for statement in self.statements],
        }
        separators = (",", ":") if indent is None else None
        return json.dumps(document, indent=indent, separators=separators, ensure_ascii=False)


def key_policy(declaration: Declaration, number: int) -> KeyPolicy:
    """The key policy that a generation's key has, or would have.

    For a generation made elsewhere it is what the key's own policy should say.

    Args:
        declaration: The tenant's declaration.
        number: The generation.

    Returns:
        The policy.

    Raises:
        InputError: No generation of this number is declared, or its key is deleted.
    """
    generation = declaration.generation(number)
    if generation.state is DeclaredState.DELETED:
        raise InputError(f"generation {number} of tenant {declaration.tenant!r} is deleted: there is no key to govern")
    custody = custody_of(declaration, generation)
    partition = declaration.account.partition
    statements = [_root(partition, declaration.account.account_id), _administrators(declaration)]
    if custody.vendor_by_key_policy:
        statements += _vendor(account_root(partition, declaration.vendor.account_id), declaration.vendor_narrowing)
    if custody.kept:
        statements.append(_retention(declaration.break_glass))
    return KeyPolicy(tuple(statements))


def account_root(partition: str, account_id: str) -> str:
    """The ARN that stands for an account as a whole, such as `arn:aws:iam::123456789012:root`."""
    return f"arn:{partition}:iam::{account_id}:root"


def _root(partition: str, account_id: str) -> Statement:
    return Statement(
        ROOT_SID,
        Effect.ALLOW,
        (account_root(partition, account_id),),
        ("kms:*",),
        "Your own account rules the key, and its IAM policies may give access to it. Without this statement the "
        "key could become unmanageable.",
        ("EKM-05",),
    )


def _administrators(declaration: Declaration) -> Statement:
    deletion = declaration.allow_key_deletion
    right = "may delete it once it is released" if deletion else "are not given the right to delete it"
    return Statement(
        ADMINISTRATORS_SID,
        Effect.ALLOW,
        declaration.key_administrators,
        (*ADMINISTRATION_ACTIONS, *(DELETION_ACTIONS if deletion else ())),
        f"The key administrators manage the key, can revoke it and {right}. They cannot read data with it.",
        ("EKM-16", "EKM-17"),
    )


def vendor_use_actions(narrowing: VendorNarrowing) -> tuple[str, ...]:
    """The actions of the vendor's use statement: without those that have a statement of their own if it is narrowed."""
    return tuple(action for action in VENDOR_USE_ACTIONS if not (narrowing and action in VENDOR_SIGHT_ACTIONS))


def _vendor(vendor_root: str, narrowing: VendorNarrowing) -> tuple[Statement, ...]:
    narrowed = " Only calls that bring what the declaration says count." if narrowing else ""
    use = [
        Statement(
            VENDOR_USE_SID,
            Effect.ALLOW,
            (vendor_root,),
            vendor_use_actions(narrowing),
            "Druva's account wraps and unwraps data keys with the key during backups and restores. Without this "
            f"statement, or a grant, every backup and restore fails.{narrowed}",
            ("EKM-18", "EKM-19", "EKM-20"),
            vendor_conditions(narrowing, ("kms:Encrypt",)),
        )
    ]
    if narrowing:
        use.append(
            Statement(
                VENDOR_SIGHT_SID,
                Effect.ALLOW,
                (vendor_root,),
                VENDOR_SIGHT_ACTIONS,
                "Druva's account may look at the key: such a call brings no encryption context, so it stands apart.",
                ("EKM-18",),
                vendor_conditions(narrowing, VENDOR_SIGHT_ACTIONS),
            )
        )
    grants = Statement(
        VENDOR_GRANTS_SID,
        Effect.ALLOW,
        (vendor_root,),
        VENDOR_GRANT_ACTIONS,
        "Druva's account may let AWS services that work for it use the key, and take that back. It cannot give "
        "the key to anyone else.",
        ("EKM-18",),
        (Condition("Bool", "kms:GrantIsForAWSResource", ("true",)),),
    )
    return (*use, grants)


def vendor_conditions(narrowing: VendorNarrowing, actions: tuple[str, ...]) -> tuple[Condition, ...]:
    """What a declared narrowing asks of the vendor's calls of these actions, which all bring the same."""
    brought = narrowing.context(actions[0])
    return tuple(Condition("StringEquals", key, values) for key, values in brought.items())


def _retention(break_glass: tuple[str, ...]) -> Statement:
    exempt = " but the break-glass principals" if break_glass else ""
    return Statement(
        RETENTION_SID,
        Effect.DENY,
        ("*",),
        RETAINED_ACTIONS,
        f"Nobody{exempt} may schedule the key's deletion or delete its imported material while backups may depend "
        "on it; releasing the generation takes this statement away. Whoever may change this policy can lift it.",
        ("EKM-17", "EKM-33"),
        (Condition("ArnNotEquals", "aws:PrincipalArn", break_glass),) if break_glass else (),
    )


def _statement_json(statement: Statement) -> dict[str, Any]:
    document: dict[str, Any] = {
        "Sid": statement.sid,
        "Effect": statement.effect.value,
        "Principal": {"AWS": _one_or_many(statement.principals)},
        "Action": _one_or_many(statement.actions),
        "Resource": "*",
    }
    if statement.conditions:
        document["Condition"] = conditions_json(statement.conditions)
    return document


def conditions_json(conditions: tuple[Condition, ...]) -> dict[str, dict[str, str | list[str]]]:
    """Conditions as a policy document has them."""
    document: dict[str, dict[str, str | list[str]]] = {}
    for condition in conditions:
        document.setdefault(condition.operator, {})[condition.key] = _one_or_many(condition.values)
    return document


def _one_or_many(values: tuple[str, ...]) -> str | list[str]:
    """A single value stands alone, as the console writes it and AWS KMS gives it back."""
    return values[0] if len(values) == 1 else list(values)
