"""Arguments of the resources of AWS KMS, named and typed as the provider has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.rendering import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsKeyArguments:
    """Arguments of `aws_kms_key`; the defaults make a symmetric key for encryption (EKM-14)."""

    description: str
    policy: str
    is_enabled: bool
    multi_region: bool
    deletion_window_in_days: int
    enable_key_rotation: bool
    rotation_period_in_days: int | None
    tags: Mapping[str, str]
    custom_key_store_id: str | None = None
    xks_key_id: str | None = None
    key_usage: str = "ENCRYPT_DECRYPT"
    customer_master_key_spec: str = "SYMMETRIC_DEFAULT"
    bypass_policy_lockout_safety_check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsExternalKeyArguments:
    """Arguments of `aws_kms_external_key`, a symmetric key whose material its administrator imports.

    The material never passes through Terraform, whose plan and state would hold it in clear.

    Attributes:
        enabled: Whether it is enabled; None while it awaits its material.
    """

    description: str
    policy: str
    enabled: bool | None
    multi_region: bool
    deletion_window_in_days: int
    tags: Mapping[str, str]
    bypass_policy_lockout_safety_check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsReplicaKeyArguments:
    """Arguments of `aws_kms_replica_key` and `aws_kms_replica_external_key`, in the Region of their provider.

    Attributes:
        enabled: Whether it is enabled; None while it awaits its material.
    """

    primary_key_arn: Reference | str
    description: str
    policy: str
    enabled: bool | None
    deletion_window_in_days: int
    tags: Mapping[str, str]
    bypass_policy_lockout_safety_check: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsAliasArguments:
    """Arguments of `aws_kms_alias`; the target is a key id or a key ARN."""

    name: str
    target_key_id: Reference | str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantConstraints:
    """What the encryption context of every call by a grant must hold."""

    encryption_context_subset: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsGrantArguments:
    """Arguments of `aws_kms_grant`; each forces a new grant when it changes."""

    name: str
    key_id: Reference | str
    grantee_principal: str
    operations: tuple[str, ...]
    constraints: tuple[GrantConstraints, ...] | None = None
