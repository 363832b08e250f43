"""A simulator of AWS KMS in memory, for tests that need thousands of calls or a key state at an exact moment.

What it keeps of the real one (the sandbox's conformance tests hold the sandbox, not this, against AWS):

- A wrapped data key opens under the key that wrapped it alone, with exactly the encryption context it was
  wrapped with (AES-256-GCM, both as associated data); anything else is `tampered`.
- A key that is disabled or pending deletion refuses every use of it as `revoked`, and tells its state; a key
  that was made unavailable refuses as `unavailable`.
- A key's material follows from its ARN, so another process that simulates the same keys opens the same data keys.
- Every call is counted by its operation, and `before` may change the keys' states between two calls.

All callers share the keys: whose credentials may use which key is not what it is for.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.access.model import KeyState
from engine.arn import KeyArn, parse_key_arn
from engine.errors import KeyAccessError, KeyFailure
from engine.kms import KeyDetails, WrappedBytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FAILURES = {
    KeyState.DISABLED: (KeyFailure.REVOKED, "DisabledException"),
    KeyState.PENDING_DELETION: (KeyFailure.REVOKED, "KMSInvalidStateException"),
    KeyState.UNAVAILABLE: (KeyFailure.UNAVAILABLE, "KMSInvalidStateException"),
}
CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class _Key:
    material: bytes
    state: KeyState = KeyState.ENABLED


@dataclass
class InMemoryKms:
    """The simulator; one for all callers."""

    identity: str = "the customer"
    calls: Counter[str] = field(default_factory=Counter)
    before: Callable[[str], None] | None = None
    _keys: dict[str, _Key] = field(default_factory=dict)

    def add_key(self, arn: KeyArn | str) -> None:
        """Create an enabled key of this ARN."""
        self._keys[str(arn)] = _Key(hashlib.sha256(f"material of {arn}".encode()).digest())

    def set_state(self, arn: KeyArn | str, state: KeyState) -> None:
        """Put a key into a state, at once."""
        self._keys[str(arn)].state = state

    def describe(self, key_id: str) -> KeyDetails:
        """Describe a key, in any state."""
        self.calls["DescribeKey"] += 1
        if key_id not in self._keys:
            raise self._failure("DescribeKey", key_id, KeyFailure.MISCONFIGURED, "NotFoundException")
        return KeyDetails(
            arn=parse_key_arn(key_id),
            state=self._keys[key_id].state,
            customer_managed=True,
            usage="ENCRYPT_DECRYPT",
            spec="SYMMETRIC_DEFAULT",
            origin="AWS_KMS",
            multi_region=False,
            created_at=CREATED_AT,
            deletion_at=None,
            description="",
        )

    def generate_data_key(self, key_arn: str, context: Mapping[str, str]) -> tuple[bytearray, WrappedBytes]:
        """Make a data key of 32 bytes."""
        cipher = self._cipher("GenerateDataKey", key_arn)
        plaintext = secrets.token_bytes(32)
        return bytearray(plaintext), self._wrapped(cipher, key_arn, plaintext, context)

    def wrap(self, key_arn: str, plaintext: bytes, context: Mapping[str, str]) -> WrappedBytes:
        """Wrap a data key."""
        return self._wrapped(self._cipher("Encrypt", key_arn), key_arn, plaintext, context)

    def unwrap(self, key_arn: str, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Unwrap a data key."""
        return bytearray(self._opened("Decrypt", key_arn, ciphertext, context))

    def rewrap(
        self, source_arn: str, destination_arn: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> WrappedBytes:
        """Move a wrapped data key to another key."""
        plaintext = self._opened("ReEncrypt", source_arn, ciphertext, context)
        return self._wrapped(self._cipher("ReEncrypt", destination_arn), destination_arn, plaintext, context)

    def _opened(self, operation: str, key_arn: str, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
        cipher = self._cipher(operation, key_arn)
        try:
            return cipher.decrypt(ciphertext[:12], ciphertext[12:], _bound(key_arn, context))
        except InvalidTag as error:
            raise self._failure(operation, key_arn, KeyFailure.TAMPERED, "InvalidCiphertextException") from error

    def _wrapped(self, cipher: AESGCM, key_arn: str, plaintext: bytes, context: Mapping[str, str]) -> WrappedBytes:
        nonce = secrets.token_bytes(12)
        return WrappedBytes(nonce + cipher.encrypt(nonce, plaintext, _bound(key_arn, context)), key_arn, "material-1")

    def _cipher(self, operation: str, key_arn: str) -> AESGCM:
        if self.before is not None:
            self.before(operation)
        self.calls[operation] += 1
        key = self._keys.get(key_arn)
        if key is None:
            # As the edge tells it: a key that once wrapped something and is not found is gone.
            gone = operation in {"Decrypt", "ReEncrypt"}
            failure = KeyFailure.REVOKED if gone else KeyFailure.MISCONFIGURED
            raise self._failure(operation, key_arn, failure, "NotFoundException")
        if key.state in _FAILURES:
            raise self._failure(operation, key_arn, *_FAILURES[key.state])
        return AESGCM(key.material)

    def _failure(self, operation: str, key_arn: str, failure: KeyFailure, code: str) -> KeyAccessError:
        key = self._keys.get(key_arn)
        state = "" if key is None else f" (key state {key.state.value})"
        return KeyAccessError(
            failure,
            f"{operation} as {self.identity} with {key_arn} failed: {failure.value}; AWS answered {code}{state}",
            key_arn=key_arn,
            operation=operation,
            aws_code=code,
        )


def _bound(key_arn: str, context: Mapping[str, str]) -> bytes:
    return json.dumps([key_arn, sorted(context.items())]).encode()
