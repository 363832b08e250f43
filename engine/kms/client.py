"""Every call that the engine makes to AWS KMS.

DescribeKey succeeds in every key state and does not see a changed policy, so it is only ever asked second:
the call itself is the check (AWS KMS Developer Guide, "Key states of AWS KMS keys").

Permissions, on the keys concerned: `kms:DescribeKey` for everything; `kms:GenerateDataKey`, `kms:Encrypt`,
`kms:Decrypt` for data keys; `kms:ReEncryptFrom` and `kms:ReEncryptTo` for a rewrap; `kms:GetKeyPolicy`,
`kms:ListGrants` and `kms:ListResourceTags` for validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.access.model import Grant, KeyState
from engine.arn import KeyArn, parse_key_arn
from engine.errors import KeyAccessError, KeyFailure
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


@dataclass(frozen=True, slots=True)
class WrappedBytes:
    """What KMS made of a data key.

    Attributes:
        ciphertext: The wrapped data key.
        key_arn: The full ARN of the key that wrapped it, as KMS answered.
        key_material_id: Which material of that key, where KMS tells it.
    """

    ciphertext: bytes
    key_arn: str
    key_material_id: str | None


class Kms:
    """AWS KMS with one set of credentials in one Region.

    Args:
        client: A boto3 KMS client; `connect` makes one.
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

    def describe(self, key_id: str) -> KeyDetails:
        """Describe a key, by its ARN or alias."""
        with translated(self, "DescribeKey", key_id):
            return _details(self._client.describe_key(KeyId=key_id)["KeyMetadata"])

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

    def generate_data_key(self, key_arn: str, context: Mapping[str, str]) -> tuple[bytearray, WrappedBytes]:
        """Make a data key of 32 bytes under a key.

        Args:
            key_arn: The full ARN of the key.
            context: The encryption context; it is logged by AWS and must hold no secret.

        Returns:
            The plaintext, for the caller to wipe, and the wrapped form.
        """
        with translated(self, "GenerateDataKey", key_arn):
            answer = self._client.generate_data_key(KeyId=key_arn, KeySpec="AES_256", EncryptionContext=dict(context))
            wrapped = WrappedBytes(answer["CiphertextBlob"], answer["KeyId"], answer.get("KeyMaterialId"))
            return bytearray(answer["Plaintext"]), wrapped

    def wrap(self, key_arn: str, plaintext: bytes, context: Mapping[str, str]) -> WrappedBytes:
        """Wrap a data key under a key (Encrypt; it does not tell the key material)."""
        with translated(self, "Encrypt", key_arn):
            answer = self._client.encrypt(KeyId=key_arn, Plaintext=plaintext, EncryptionContext=dict(context))
            return WrappedBytes(answer["CiphertextBlob"], answer["KeyId"], None)

    def unwrap(self, key_arn: str, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Unwrap a data key.

        Args:
            key_arn: The full ARN of the key that wrapped it; another one is refused by KMS.
            ciphertext: The wrapped data key.
            context: The encryption context that it was wrapped with.

        Returns:
            The plaintext, for the caller to wipe.
        """
        with translated(self, "Decrypt", key_arn, wrapped_once=True):
            answer = self._client.decrypt(KeyId=key_arn, CiphertextBlob=ciphertext, EncryptionContext=dict(context))
            return bytearray(answer["Plaintext"])

    def rewrap(
        self, source_arn: str, destination_arn: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> WrappedBytes:
        """Move a wrapped data key from one key to another inside KMS, under the same context (ReEncrypt).

        The source is named, so that a ciphertext of another key is noticed. The credentials need
        `kms:ReEncryptFrom` on the source and `kms:ReEncryptTo` on the destination.
        """
        with translated(self, "ReEncrypt", source_arn, destination_arn, wrapped_once=True):
            answer = self._client.re_encrypt(
                CiphertextBlob=ciphertext,
                SourceKeyId=source_arn,
                DestinationKeyId=destination_arn,
                SourceEncryptionContext=dict(context),
                DestinationEncryptionContext=dict(context),
            )
            material = answer.get("DestinationKeyMaterialId")
            return WrappedBytes(answer["CiphertextBlob"], answer["KeyId"], material)

    def public_key(self, key_arn: str) -> bytes:
        """The public key of an asymmetric key, DER (SubjectPublicKeyInfo)."""
        with translated(self, "GetPublicKey", key_arn):
            return self._client.get_public_key(KeyId=key_arn)["PublicKey"]

    def sign_ed25519(self, key_arn: str, message: bytes) -> bytes:
        """Sign a message of at most 4096 bytes with an Ed25519 key; 64 bytes (RFC 8032)."""
        with translated(self, "Sign", key_arn):
            answer = self._client.sign(
                KeyId=key_arn, Message=message, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512"
            )
            return answer["Signature"]

    def enable_key(self, key_arn: str) -> None:
        """Enable a disabled key. Works in the key's own account only."""
        with translated(self, "EnableKey", key_arn):
            self._client.enable_key(KeyId=key_arn)

    def disable_key(self, key_arn: str) -> None:
        """Disable a key. Works in the key's own account only."""
        with translated(self, "DisableKey", key_arn):
            self._client.disable_key(KeyId=key_arn)

    def state_or_none(self, key_arn: str) -> KeyState | None:
        """The key's state, or None where it cannot be told; for looking second, after another call failed."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return KeyState(self._client.describe_key(KeyId=key_arn)["KeyMetadata"]["KeyState"])
        except (BotoCoreError, ClientError, ValueError):
            return None


def connect(
    region: str,
    *,
    profile: str | None = None,
    endpoint_url: str | None = None,
    identity: str = "the customer",
    account_id: str | None = None,
) -> Kms:
    """Connect with boto3's usual chain of credentials.

    Args:
        region: The Region of the keys.
        profile: A profile of the user's AWS configuration, or None for the chain's own choice.
        endpoint_url: Another endpoint than AWS's, or None for what the environment says.
        identity: Who this is, for messages.
        account_id: Whose account the credentials are of, where it is known.

    Raises:
        KeyAccessError: The profile does not exist or no client can be made of it.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=32
    )
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        return Kms(session.client("kms", endpoint_url=endpoint_url, config=config), identity, account_id)
    except (BotoCoreError, ValueError) as error:
        raise KeyAccessError(
            KeyFailure.DENIED,
            f"AWS KMS cannot be used as {identity}: {error}",
            hint="check the AWS profile and settings",
        ) from error


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
    )


def _grant(entry: Any) -> Grant:
    constraints = entry.get("Constraints", {})
    return Grant(
        grant_id=entry["GrantId"],
        grantee_principal=entry["GranteePrincipal"],
        operations=frozenset(entry["Operations"]),
        retiring_principal=entry.get("RetiringPrincipal"),
        encryption_context_equals=constraints.get("EncryptionContextEquals"),
        encryption_context_subset=constraints.get("EncryptionContextSubset"),
        name=entry.get("Name"),
    )
