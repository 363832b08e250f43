"""Arguments of the resources that keep the ledger and the vault, named and typed as the provider has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stacks.rendering import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAttribute:
    """The block `attribute` of a table."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSecondaryIndex:
    """The block `local_secondary_index` of a table."""

    name: str
    range_key: str
    projection_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointInTimeRecovery:
    """The block `point_in_time_recovery` of a table."""

    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamodbTableArguments:
    """Arguments of `aws_dynamodb_table`."""

    name: str
    billing_mode: str
    hash_key: str
    range_key: str
    attribute: tuple[TableAttribute, ...]
    local_secondary_index: tuple[LocalSecondaryIndex, ...]
    point_in_time_recovery: tuple[PointInTimeRecovery, ...]
    deletion_protection_enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketArguments:
    """Arguments of `aws_s3_bucket`."""

    bucket: str
    force_destroy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VersioningConfiguration:
    """The block `versioning_configuration`."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketVersioningArguments:
    """Arguments of `aws_s3_bucket_versioning`."""

    bucket: Reference
    versioning_configuration: tuple[VersioningConfiguration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAccessBlockArguments:
    """Arguments of `aws_s3_bucket_public_access_block`: everything public is blocked."""

    bucket: Reference
    block_public_acls: bool = True
    block_public_policy: bool = True
    ignore_public_acls: bool = True
    restrict_public_buckets: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionByDefault:
    """The block `apply_server_side_encryption_by_default`."""

    sse_algorithm: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionRule:
    """The block `rule` of a bucket's encryption."""

    apply_server_side_encryption_by_default: tuple[EncryptionByDefault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketEncryptionArguments:
    """Arguments of `aws_s3_bucket_server_side_encryption_configuration`."""

    bucket: Reference
    rule: tuple[EncryptionRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipRule:
    """The block `rule` of a bucket's ownership controls."""

    object_ownership: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipControlsArguments:
    """Arguments of `aws_s3_bucket_ownership_controls`."""

    bucket: Reference
    rule: tuple[OwnershipRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPolicyArguments:
    """Arguments of `aws_s3_bucket_policy`."""

    bucket: Reference
    policy: str


STORAGE_TYPES: Mapping[str, type] = {
    "aws_dynamodb_table": DynamodbTableArguments,
    "aws_s3_bucket": BucketArguments,
    "aws_s3_bucket_versioning": BucketVersioningArguments,
    "aws_s3_bucket_public_access_block": PublicAccessBlockArguments,
    "aws_s3_bucket_server_side_encryption_configuration": BucketEncryptionArguments,
    "aws_s3_bucket_ownership_controls": OwnershipControlsArguments,
    "aws_s3_bucket_policy": BucketPolicyArguments,
}
