"""The words of access: callers, requests, grants, verdicts.

A verdict has three values. *Depends* is for what cannot be known from here: a condition on a value that
the request will bring, or the IAM policies of another account. It is never rounded up to *yes*.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdict(Enum):
    """Whether a call is allowed."""

    YES = "yes"
    NO = "no"
    DEPENDS = "depends"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reason.

    Attributes:
        verdict: Yes, no or depends.
        reason: One sentence for people: which statement or grant decided, or that none allows it.
        depends_on: What a *depends* hangs on, one phrase each; empty otherwise.
        sources: The statements' Sids (or `statement N`) and grants that took part, in order.
    """

    verdict: Verdict
    reason: str
    depends_on: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        account_id: The caller's AWS account.
        principal_arn: The IAM user, role, assumed-role session or root ARN; None for the account as a whole,
            that is for whichever of its principals the account's own administrators choose.
        identity: Whether the caller's own IAM policies allow the action. For the vendor's account as a whole
            it is taken as YES: what the vendor allows its own principals is the vendor's affair.
        partition: The AWS partition.
    """

    account_id: str
    principal_arn: str | None = None
    identity: Verdict = Verdict.DEPENDS
    partition: str = "aws"

    @classmethod
    def account(cls, account_id: str, partition: str = "aws") -> Caller:
        """The account as a whole, its own IAM taken as allowing."""
        return cls(account_id, None, Verdict.YES, partition)


@dataclass(frozen=True, slots=True)
class Request:
    """One call on one key.

    Attributes:
        action: The IAM action, such as `kms:Decrypt`.
        key_arn: The key's full ARN, or None where it is not known yet (a key about to be created).
        key_account_id: The account that owns the key.
        context: Condition keys with their values; names are compared without regard to case.
        complete: True where `context` holds all there is, so that a missing key is absent; False where a
            missing key is unknown.
    """

    action: str
    key_arn: str | None
    key_account_id: str
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """A KMS grant (AWS KMS Developer Guide, "Grants in AWS KMS").

    Attributes:
        grant_id: KMS's id, or an address for a grant that is only planned.
        grantee_principal: The ARN that may use it; an account root covers the account's principals. The name
            of an AWS service stands for the service alone.
        operations: Names of KMS operations, such as `Decrypt`.
        retiring_principal: The ARN that may retire it, or None.
        encryption_context_equals: The constraint, or None without one; an empty mapping asks for an empty context.
        encryption_context_subset: The constraint, or None without one.
        name: The grant's name, or None.
        source_arn: The constraint on the AWS resource that the call is made for, or None without one.
        issuing_account: Who made the grant, where KMS tells it; decides nothing of what it allows.
    """

    grant_id: str
    grantee_principal: str
    operations: frozenset[str]
    retiring_principal: str | None = None
    encryption_context_equals: Mapping[str, str] | None = None
    encryption_context_subset: Mapping[str, str] | None = None
    name: str | None = None
    source_arn: str | None = None
    issuing_account: str | None = None

    @property
    def constraints(self) -> tuple[object, ...]:
        """What its use is bound to, so that two grants can be compared."""
        contexts = (self.encryption_context_equals, self.encryption_context_subset)
        return self.source_arn, *(None if one is None else tuple(sorted(one.items())) for one in contexts)


class KeyState(Enum):
    """A key's state as DescribeKey tells it (AWS KMS Developer Guide, "Key states of AWS KMS keys")."""

    CREATING = "Creating"
    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"
    PENDING_IMPORT = "PendingImport"
    PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
    UNAVAILABLE = "Unavailable"
    UPDATING = "Updating"
