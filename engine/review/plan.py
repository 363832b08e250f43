"""A Terraform plan, typed, as far as custody of KMS keys is concerned.

The format is that of `terraform show -json` ("JSON Output Format", Terraform's documentation) and of OpenTofu's
`tofu show -json`. Resources of other types are counted, not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.review.values import Attributes

KEY_TYPES = frozenset(
    {"aws_kms_key", "aws_kms_external_key", "aws_kms_replica_key", "aws_kms_replica_external_key"},
)
KEY_POLICY_TYPE = "aws_kms_key_policy"
ALIAS_TYPE = "aws_kms_alias"
GRANT_TYPE = "aws_kms_grant"
KEY_STORE_TYPE = "aws_kms_custom_key_store"
POLICY_DOCUMENT_TYPE = "aws_iam_policy_document"

# Resources that touch KMS and change nobody's custody.
HARMLESS_TYPES = frozenset({"aws_kms_ciphertext"})
KMS_PREFIXES = ("aws_kms_", "awscc_kms_")
# Resources that may stand for any of AWS's, those of KMS among them.
GENERIC_TYPES = frozenset({"aws_cloudcontrolapi_resource", "aws_cloudformation_stack"})

# Matched by type and not by provider: two registries, mirrors and forks give the provider several names.
CUSTODY_TYPES = KEY_TYPES | {KEY_POLICY_TYPE, ALIAS_TYPE, GRANT_TYPE, KEY_STORE_TYPE}

# Resources of other services that the use of keys rests on.
ORGANIZATION_POLICY_TYPES = frozenset({"aws_organizations_policy", "awscc_organizations_policy"})
ORGANIZATION_ATTACHMENT_TYPE = "aws_organizations_policy_attachment"
HSM_CLUSTER_TYPE = "aws_cloudhsm_v2_cluster"
FOUNDATION_TYPES = ORGANIZATION_POLICY_TYPES | {ORGANIZATION_ATTACHMENT_TYPE, HSM_CLUSTER_TYPE}


class Action(Enum):
    """What Terraform or OpenTofu would do with a resource; the value is the plan's `actions`, joined."""

    NO_OP = "no-op"
    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    DELETE_CREATE = "delete,create"
    CREATE_DELETE = "create,delete"
    FORGET = "forget"
    CREATE_FORGET = "create,forget"
    FORGET_CREATE = "forget,create"

    __hash__ = object.__hash__  # members are single; Enum's own hash costs a call in Python at each look-up

    @property
    def replaces(self) -> bool:
        """Whether another object takes the place of this one."""
        return self in _REPLACING

    @property
    def destroys(self) -> bool:
        """Whether the object at hand is destroyed."""
        return self in _DESTROYING

    @property
    def forgets(self) -> bool:
        """Whether the object at hand stays in AWS, and in no state."""
        return self in _FORGETTING


_REPLACING = {Action.DELETE_CREATE, Action.CREATE_DELETE, Action.CREATE_FORGET, Action.FORGET_CREATE}
_DESTROYING = {Action.DELETE, Action.DELETE_CREATE, Action.CREATE_DELETE}
_FORGETTING = {Action.FORGET, Action.CREATE_FORGET, Action.FORGET_CREATE}


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One entry of `resource_changes`, `resource_drift` or `deferred_changes`.

    Attributes:
        address: Such as `module.keys["a"].aws_kms_key.this[0]`.
        previous_address: Where it stood before a move, or None.
        module_address: Such as `module.keys["a"]`; empty for the root module.
        type: Such as `aws_kms_key`.
        name: Such as `this`.
        index: The `count` number or `for_each` key, or None.
        deposed: The id of a deposed object, or None.
        action: What would be done.
        before: The attributes before, or None where there is nothing.
        after: The attributes after, or None where nothing is left.
        reason: `action_reason`, or None.
        importing: Whether the object is taken over from AWS by an import.
        deferred: Why the change is deferred, or None.
    """

    address: str
    previous_address: str | None
    module_address: str
    type: str
    name: str
    index: str | int | None
    deposed: str | None
    action: Action
    before: Attributes | None
    after: Attributes | None
    reason: str | None
    importing: bool
    deferred: str | None


@dataclass(frozen=True, slots=True)
class UnreadChange:
    """A change of a KMS resource of a type that this version does not know, by another provider or a newer one.

    Attributes:
        address: Its address.
        type: Such as `awscc_kms_key`.
        before: Its attributes before, as JSON text, to be searched for keys in scope and never shown.
        after: Its attributes after, likewise.
    """

    address: str
    type: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class StateResource:
    """A resource of `prior_state`: what is there, whether or not the plan touches it."""

    address: str
    module_address: str
    type: str
    name: str
    index: str | int | None
    deposed: str | None
    values: Attributes


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan.

    Attributes:
        name: The file as the user named it.
        terraform_version: As the plan says, or None.
        changes: The changes of custody resources, no-ops among them.
        drift: What was found changed outside Terraform, custody resources alone.
        deferred: Changes put off to a later plan, custody resources alone.
        prior: Custody resources of the prior state.
        documents: The data sources `aws_iam_policy_document` that are read at apply.
        foundations: The changes of resources of other services that the use of keys rests on, no-ops among them.
        unread: Changes of KMS resources that cannot be judged, because their type is not known.
        configuration: `configuration.root_module`, for references; empty where the plan holds none.
        providers: `configuration.provider_config`, for Regions; empty where the plan holds none.
        errored: Whether planning ended in an error.
        complete: Whether the plan brings everything to its declared end; None where it does not say.
        stripped: Whether resources stand in `planned_values` of which no change is told at all.
        timestamp: When it was made (RFC 3339), or None.
        resource_count: How many resource changes of any type there are.
        all_changes: `resource_changes` as parsed, for rules over other types.
    """

    name: str
    terraform_version: str | None
    changes: tuple[ResourceChange, ...]
    drift: tuple[ResourceChange, ...]
    deferred: tuple[ResourceChange, ...]
    prior: tuple[StateResource, ...]
    documents: tuple[ResourceChange, ...]
    foundations: tuple[ResourceChange, ...]
    unread: tuple[UnreadChange, ...]
    configuration: Mapping[str, Any]
    providers: Mapping[str, Any]
    errored: bool
    complete: bool | None
    stripped: bool
    timestamp: str | None
    resource_count: int
    all_changes: Sequence[Any]

    @property
    def free_of_custody(self) -> bool:
        """Whether the plan is whole and holds nothing that bears on the custody of any key."""
        whole = not self.errored and not self.stripped and self.complete is not False
        held = self.changes or self.drift or self.deferred or self.prior or self.unread or self.foundations
        return whole and not held
