"""What the owner of a key looks at and changes: details, policy, grants, tags, state.

DescribeKey succeeds in every key state and does not see a changed policy, so it is only ever asked second:
a use of the key is the check (AWS KMS Developer Guide, "Key states of AWS KMS keys").

Permissions: `kms:ListKeys`; on the keys concerned `kms:DescribeKey`, `kms:GetKeyPolicy`, `kms:ListGrants`,
`kms:ListResourceTags`, `kms:ListAliases`, `kms:GetKeyRotationStatus` and `kms:GetKeyLastUsage` to look;
`kms:EnableKey`, `kms:DisableKey`, `kms:PutKeyPolicy`, `kms:CreateGrant` and `kms:RevokeGrant` to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.access.model import Grant, KeyState
from engine.arn import KeyArn, parse_key_arn, principal_account
from engine.kms.errors import translated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_kms.client import KMSClient


@dataclass(frozen=True, slots=True)
class KeyDetails:
    """What DescribeKey tells of a key (EKM-21).

    Attributes:
        arn: The full ARN.
        state: The key state.
        customer_managed: True for a customer managed key, False for one of AWS's own.
        usage: Such as `ENCRYPT_DECRYPT`.
        spec: Such as `SYMMETRIC_DEFAULT`.
        origin: Such as `AWS_KMS`.
        multi_region: Whether it is a multi-Region key.
        created_at: When it was created.
        deletion_at: When it will be deleted, or None.
        description: Its description.
        family: The ARNs of all keys of a multi-Region key, primary and replicas; its own alone for another.
    """

    arn: KeyArn
    state: KeyState
    customer_managed: bool
    usage: str
    spec: str
    origin: str
    multi_region: bool
    created_at: datetime
    deletion_at: datetime | None
    description: str
    family: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What GetKeyLastUsage tells of a key.

    Attributes:
        last_used_at: The last successful cryptographic use that KMS recorded, or None.
        tracked_since: Since when KMS records it.
        created_at: When the key was created; where that is before `tracked_since`, no record is no proof.
    """

    last_used_at: datetime | None
    tracked_since: datetime
    created_at: datetime

    @property
    def is_blind(self) -> bool:
        """Whether no record is no proof: the key is older than the records."""
        return self.last_used_at is None and self.created_at < self.tracked_since


class KeyAdministration:
    """AWS KMS with one set of credentials in one Region: what is done to keys, not with them.

    Args:
        client: A boto3 KMS client.
        identity: Who calls, for messages: `the customer` or `the vendor`.
        account_id: The account of the credentials, where it is known: a key of another account that denies
            what it once allowed was taken away.
    """

    def __init__(self, client: KMSClient, identity: str = "the customer", account_id: str | None = None) -> None:
        self._client = client
        self.identity = identity
        self.account_id = account_id

    @property
    def endpoint_url(self) -> str:
        """Where the calls go."""
        return self._client.meta.endpoint_url

    def state_or_none(self, key_arn: str) -> KeyState | None:
        """The key's state, or None where it cannot be told; for looking second, after another call failed."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return KeyState(self._client.describe_key(KeyId=key_arn)["KeyMetadata"]["KeyState"])
        except (BotoCoreError, ClientError, ValueError):
            return None

    def describe(self, key_id: str) -> KeyDetails:
        """Describe a key, by its ARN or alias."""
        with translated(self, "DescribeKey", key_id):
            return _details(self._client.describe_key(KeyId=key_id)["KeyMetadata"])

    def key_arns(self) -> tuple[str, ...]:
        """The ARNs of every key of the account in the Region."""
        with translated(self, "ListKeys", f"the keys of {self._client.meta.region_name}"):
            pages = self._client.get_paginator("list_keys").paginate()
            return tuple(entry["KeyArn"] for page in pages for entry in page["Keys"])

    def policy(self, key_arn: str) -> str:
        """The key policy as JSON text. Works in the key's own account only."""
        with translated(self, "GetKeyPolicy", key_arn):
            return self._client.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"]

    def grants(self, key_arn: str) -> tuple[Grant, ...]:
        """Every grant of the key."""
        with translated(self, "ListGrants", key_arn):
            pages = self._client.get_paginator("list_grants").paginate(KeyId=key_arn)
            return tuple(_grant(entry) for page in pages for entry in page["Grants"])

    def tags(self, key_arn: str) -> Mapping[str, str]:
        """The key's tags. Works in the key's own account only."""
        with translated(self, "ListResourceTags", key_arn):
            pages = self._client.get_paginator("list_resource_tags").paginate(KeyId=key_arn)
            return {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}

    def aliases(self, key_arn: str) -> tuple[str, ...]:
        """The names of the aliases that point to the key. Works in the key's own account only."""
        with translated(self, "ListAliases", key_arn):
            pages = self._client.get_paginator("list_aliases").paginate(KeyId=key_arn)
            return tuple(sorted(entry["AliasName"] for page in pages for entry in page["Aliases"]))

    def usage(self, key_arn: str) -> KeyUsage:
        """When the key was last used. Works in the key's own account only, at 5 requests a second."""
        with translated(self, "GetKeyLastUsage", key_arn):
            answer = self._client.get_key_last_usage(KeyId=key_arn)
            last = answer.get("KeyLastUsage", {}).get("Timestamp")
            return KeyUsage(last, answer["TrackingStartDate"], answer["KeyCreationDate"])

    def put_policy(self, key_arn: str, policy: str) -> None:
        """Replace the key policy. Works in the key's own account only."""
        with translated(self, "PutKeyPolicy", key_arn):
            self._client.put_key_policy(KeyId=key_arn, PolicyName="default", Policy=policy)

    def create_grant(self, key_arn: str, grant: Grant) -> str:
        """Make a grant with the grantee, operations and constraints of another; returns its id."""
        constraints: Any = {
            name: value
            for name, value in (
                ("EncryptionContextEquals", grant.encryption_context_equals),
                ("EncryptionContextSubset", grant.encryption_context_subset),
                ("SourceArn", grant.source_arn),
            )
            if value is not None
        }
        optional: Any = {
            name: value
            for name, value in (
                ("Constraints", constraints or None),
                ("Name", grant.name),
                ("RetiringPrincipal", grant.retiring_principal),
            )
            if value is not None
        }
        operations: Any = sorted(grant.operations)
        with translated(self, "CreateGrant", key_arn):
            return self._client.create_grant(
                KeyId=key_arn, GranteePrincipal=grant.grantee_principal, Operations=operations, **optional
            )["GrantId"]

    def revoke_grant(self, key_arn: str, grant_id: str) -> None:
        """Take a grant away, whoever made it."""
        with translated(self, "RevokeGrant", key_arn):
            self._client.revoke_grant(KeyId=key_arn, GrantId=grant_id)

    def rotation_days(self, key_arn: str) -> int | None:
        """After how many days KMS rotates the key's material of itself; None where it does not."""
        with translated(self, "GetKeyRotationStatus", key_arn):
            answer = self._client.get_key_rotation_status(KeyId=key_arn)
            return int(answer.get("RotationPeriodInDays", 365)) if answer["KeyRotationEnabled"] else None

    def enable_key(self, key_arn: str) -> None:
        """Enable a disabled key. Works in the key's own account only."""
        with translated(self, "EnableKey", key_arn):
            self._client.enable_key(KeyId=key_arn)

    def disable_key(self, key_arn: str) -> None:
        """Disable a key. Works in the key's own account only."""
        with translated(self, "DisableKey", key_arn):
            self._client.disable_key(KeyId=key_arn)


def _details(metadata: Any) -> KeyDetails:
    return KeyDetails(
        arn=parse_key_arn(metadata["Arn"]),
        state=KeyState(metadata["KeyState"]),
        customer_managed=metadata.get("KeyManager") == "CUSTOMER",
        usage=metadata.get("KeyUsage", ""),
        spec=metadata.get("KeySpec", ""),
        origin=metadata.get("Origin", ""),
        multi_region=bool(metadata.get("MultiRegion", False)),
        created_at=metadata["CreationDate"],
        deletion_at=metadata.get("DeletionDate"),
        description=metadata.get("Description", ""),
        family=_family(metadata),
    )


def _family(metadata: Any) -> tuple[str, ...]:
    configuration = metadata.get("MultiRegionConfiguration")
    if not configuration:
        return (metadata["Arn"],)
    keys = [configuration["PrimaryKey"], *configuration.get("ReplicaKeys", [])]
    return tuple(dict.fromkeys(key["Arn"] for key in keys))


def _grant(entry: Any) -> Grant:
    constraints = entry.get("Constraints", {})
    return Grant(
        grant_id=entry["GrantId"],
        grantee_principal=entry["GranteePrincipal"],
        operations=frozenset(entry["Operations"]),
        retiring_principal=entry.get("RetiringPrincipal"),
        encryption_context_equals=constraints.get("EncryptionContextEquals"),
        encryption_context_subset=constraints.get("EncryptionContextSubset"),
        name=entry.get("Name") or None,  # an unnamed grant is listed with an empty name
        source_arn=constraints.get("SourceArn"),
        issuing_account=_account(entry.get("IssuingAccount")),
    )


def _account(principal: str | None) -> str | None:
    """The account of a principal as ListGrants gives it: the account's root, or its bare id."""
    return None if principal is None else principal_account(principal)
