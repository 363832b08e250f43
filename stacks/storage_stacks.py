"""Stacks for what must not be lost beside the keys: the ledger's table and the vault's bucket.

Each declared `dynamodb://TABLE` and `s3://BUCKET` is a stack of its own, `ledger-TABLE` and `vault-BUCKET`,
however many tenants share it. Deploy those that nobody else makes. Neither can be destroyed by Terraform:

- The table is what `engine.ledger.dynamodb_table` defines, with point-in-time recovery and deletion protection.
- The bucket keeps every version, blocks public access, encrypts at rest, takes no ACL and no plain HTTP.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.ledger.dynamodb_table import TABLE
from stacks.cdktf_imports import TerraformStack
from stacks.resources import AwsProvider, AwsProviderArguments, Lifecycle, Resource
from stacks.stack_names import ledger_stack, vault_stack
from stacks.state_backend import keep_state
from stacks.storage_arguments import (
    BucketArguments,
    BucketEncryptionArguments,
    BucketPolicyArguments,
    BucketVersioningArguments,
    DynamodbTableArguments,
    EncryptionByDefault,
    EncryptionRule,
    LocalSecondaryIndex,
    OwnershipControlsArguments,
    OwnershipRule,
    PointInTimeRecovery,
    PublicAccessBlockArguments,
    TableAttribute,
    VersioningConfiguration,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.declaration import Declaration
    from stacks.cdktf_imports import App

_KEPT = Lifecycle(prevent_destroy=True)


class _StorageStack(TerraformStack):
    """A stack in the account and Region of a declaration."""

    def __init__(self, scope: App, name: str, declaration: Declaration) -> None:
        super().__init__(scope, name)
        account = declaration.account
        arguments = AwsProviderArguments(region=account.region, allowed_account_ids=(account.account_id,))
        self._provider = AwsProvider(self, arguments)
        self.resources: list[Resource] = []
        keep_state(self, declaration)


class LedgerStack(_StorageStack):
    """The DynamoDB table of a shared ledger."""

    def __init__(self, scope: App, name: str, declaration: Declaration, table: str) -> None:
        super().__init__(scope, name, declaration)
        arguments = DynamodbTableArguments(
            name=table,
            billing_mode=TABLE.billing_mode,
            hash_key=TABLE.partition_key,
            range_key=TABLE.sort_key,
            attribute=tuple(TableAttribute(name=key, type=kind) for key, kind in TABLE.attributes),
            local_secondary_index=(
                LocalSecondaryIndex(
                    name=TABLE.index.name, range_key=TABLE.index.sort_key, projection_type=TABLE.index.projection
                ),
            ),
            point_in_time_recovery=(PointInTimeRecovery(enabled=TABLE.point_in_time_recovery),),
            deletion_protection_enabled=TABLE.deletion_protection,
        )
        self.resources.append(Resource(self, "ledger", "aws_dynamodb_table", arguments, _KEPT))


class VaultStack(_StorageStack):
    """The S3 bucket of a vault."""

    def __init__(self, scope: App, name: str, declaration: Declaration, bucket: str) -> None:
        super().__init__(scope, name, declaration)
        made = Resource(self, "vault", "aws_s3_bucket", BucketArguments(bucket=bucket), _KEPT)
        reference = made.reference("id")
        encryption = EncryptionRule(
            apply_server_side_encryption_by_default=(EncryptionByDefault(sse_algorithm="AES256"),)
        )
        partition = declaration.account.partition
        self.resources += [
            made,
            Resource(
                self,
                "vault_versioning",
                "aws_s3_bucket_versioning",
                BucketVersioningArguments(
                    bucket=reference, versioning_configuration=(VersioningConfiguration(status="Enabled"),)
                ),
            ),
            Resource(
                self,
                "vault_public_access",
                "aws_s3_bucket_public_access_block",
                PublicAccessBlockArguments(bucket=reference),
            ),
            Resource(
                self,
                "vault_encryption",
                "aws_s3_bucket_server_side_encryption_configuration",
                BucketEncryptionArguments(bucket=reference, rule=(encryption,)),
            ),
            Resource(
                self,
                "vault_ownership",
                "aws_s3_bucket_ownership_controls",
                OwnershipControlsArguments(
                    bucket=reference, rule=(OwnershipRule(object_ownership="BucketOwnerEnforced"),)
                ),
            ),
            Resource(
                self,
                "vault_policy",
                "aws_s3_bucket_policy",
                BucketPolicyArguments(bucket=reference, policy=_policy(partition, bucket)),
            ),
        ]


def storage_stacks(scope: App, declarations: Sequence[Declaration]) -> tuple[TerraformStack, ...]:
    """The stacks of every declared table and bucket, each once.

    Args:
        scope: The application.
        declarations: One for each tenant.
    """
    stacks: dict[str, TerraformStack] = {}
    for declaration in declarations:
        for named, make in ((ledger_stack(declaration), LedgerStack), (vault_stack(declaration), VaultStack)):
            if named is not None and named[0] not in stacks:
                stacks[named[0]] = make(scope, named[0], declaration, named[1])
    return tuple(stacks.values())


def _policy(partition: str, bucket: str) -> str:
    """The bucket's policy: nothing over plain HTTP."""
    arn = f"arn:{partition}:s3:::{bucket}"
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "Deny what is not encrypted on its way",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [arn, f"{arn}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
    )
