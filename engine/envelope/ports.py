"""What envelope encryption asks of others: of a key management service, so that a simulator can stand in; of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.kms import KeyDetails, WrappedBytes


class Sink(Protocol):
    """Where the ciphertext goes: a file or anything like one."""

    def write(self, data: memoryview, /) -> int:
        """Take bytes, and say how many of them were taken."""
        ...


class DataKeyService(Protocol):
    """The calls on data keys; `engine.kms.Kms` is the one that talks to AWS.

    Every method raises `KeyAccessError` where the service says no or cannot be reached.
    """

    @property
    def identity(self) -> str:
        """Who calls, for messages."""
        ...

    def describe(self, key_id: str) -> KeyDetails:
        """Describe a key, by its ARN or alias."""
        ...

    def generate_data_key(self, key_arn: str, context: Mapping[str, str]) -> tuple[bytearray, WrappedBytes]:
        """Make a data key of 32 bytes under a key; the plaintext is the caller's to wipe."""
        ...

    def wrap(self, key_arn: str, plaintext: bytes, context: Mapping[str, str]) -> WrappedBytes:
        """Wrap a data key under a key."""
        ...

    def unwrap(self, key_arn: str, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Unwrap a data key; the plaintext is the caller's to wipe."""
        ...

    def rewrap(
        self, source_arn: str, destination_arn: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> WrappedBytes:
        """Move a wrapped data key from one key to another."""
        ...
