"""The use of keys for data keys: made, wrapped, unwrapped, moved; and statements signed.

Permissions, on the keys concerned: `kms:GenerateDataKey`, `kms:Encrypt` and `kms:Decrypt` for data keys;
`kms:ReEncryptFrom` and `kms:ReEncryptTo` for a rewrap; `kms:Sign` and `kms:GetPublicKey` for statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import KeyAccessError, KeyFailure
from engine.kms.administration import KeyAdministration
from engine.kms.errors import translated
from engine.kms.requests import OF_THIS_COMMAND

if TYPE_CHECKING:
    from collections.abc import Mapping


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


class Kms(KeyAdministration):
    """AWS KMS with one set of credentials in one Region; `connect` makes one."""

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


def connect(
    region: str,
    *,
    profile: str | None = None,
    endpoint_url: str | None = None,
    identity: str = "the customer",
    account_id: str | None = None,
) -> Kms:
    """Connect with boto3's usual chain of credentials; the ids of its requests are kept for the journal.

    Args:
        region: The Region of the keys.
        profile: A profile of the user's AWS configuration, or None for the chain's own choice.
        endpoint_url: Another endpoint than AWS's, or None for what the environment says.
        identity: Who this is, for messages.
        account_id: Whose account the credentials are of, where it is known.

    Raises:
        KeyAccessError: The profile does not exist or no client can be made of it.
    """
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    from engine.kms.session import aws_session

    config = Config(
        connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=32
    )
    try:
        session = aws_session(region, profile)
        client = session.client("kms", endpoint_url=endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        raise KeyAccessError(
            KeyFailure.DENIED,
            f"AWS KMS cannot be used as {identity}: {error}",
            hint="check the AWS profile and settings",
        ) from error
    OF_THIS_COMMAND.watch(client)
    return Kms(client, identity, account_id)
