"""The payload format, segment by segment: Tink's streaming AEAD AES256_GCM_HKDF_1MB, without a prefix.

Anyone who has the data key can read a payload with a public implementation of that format (a RAW keyset).

- A message begins with a header of 40 bytes: the byte 0x28, a salt of 32 bytes, a nonce prefix of 7 bytes.
- Each message has a key of its own: `HKDF-SHA256(data key, salt, info = associated data)`, 32 bytes. So one
  data key serves a whole workload, and what a message belongs to is bound to it as associated data.
- The plaintext is cut into segments. Each is sealed with AES-256-GCM under the nonce `prefix | segment number
  (4 bytes, big-endian) | 1 for the last segment, else 0`, so that none can be moved, left out or added behind
  the end. A sealed segment is 2^20 bytes with its tag of 16; the first shares them with the header; the last
  may be shorter. An empty message is one empty segment.
- The message's cipher is asked for before each segment, so that a source of keys can end its use in the midst
  of a message (EKM-46).

Source: Tink's documentation, "AES-GCM-HKDF Streaming AEAD".
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.errors import DamagedError, MachineError

SEGMENT_BYTES = 1 << 20
TAG_BYTES = 16
SALT_BYTES = 32
NONCE_PREFIX_BYTES = 7
HEADER_BYTES = 1 + SALT_BYTES + NONCE_PREFIX_BYTES
FIRST_PLAINTEXT_BYTES = SEGMENT_BYTES - HEADER_BYTES - TAG_BYTES
PLAINTEXT_BYTES = SEGMENT_BYTES - TAG_BYTES
KEY_BYTES = 32
_MOST_SEGMENTS = 1 << 32


@dataclass(frozen=True, slots=True)
class Message:
    """What the key of one message is derived from, beside the data key.

    Attributes:
        salt: Random, from its header.
        associated_data: What it belongs to; bound to it, not stored in it.
    """

    salt: bytes
    associated_data: bytes


class KeySource(Protocol):
    """Keeps a data key and what is derived from it, all in one place, so that all of it ends at once."""

    def message_cipher(self, message: Message) -> AESGCM:
        """The cipher of a message, for one segment; the caller keeps it no longer than that.

        Raises:
            KeyAccessError: The data key may not be used any more.
        """
        ...

    def cipher_at_hand(self, message: Message) -> AESGCM | None:
        """As `message_cipher`, or None where the data key would have to be unwrapped for it."""
        ...

    def forget(self, message: Message) -> None:
        """Let go of the cipher of a message that is over."""
        ...


class HeldKey:
    """A data key that the caller holds for as long as it wants."""

    def __init__(self, data_key: bytes | bytearray) -> None:
        self._data_key = data_key
        self._ciphers: dict[Message, AESGCM] = {}

    def message_cipher(self, message: Message) -> AESGCM:
        """The cipher of a message."""
        if message not in self._ciphers:
            self._ciphers[message] = derived_cipher(self._data_key, message)
        return self._ciphers[message]

    def cipher_at_hand(self, message: Message) -> AESGCM | None:
        """The cipher of a message, which is always at hand."""
        return self.message_cipher(message)

    def forget(self, message: Message) -> None:
        """Let go of the cipher of a message."""
        self._ciphers.pop(message, None)


def derived_cipher(data_key: bytes | bytearray, message: Message) -> AESGCM:
    """The cipher of a message; the key that it is made with is wiped."""
    message_key = bytearray(KEY_BYTES)
    derivation = HKDF(SHA256(), KEY_BYTES, message.salt, message.associated_data)
    derivation.derive_into(data_key, message_key)
    cipher = AESGCM(message_key)
    message_key[:] = bytes(KEY_BYTES)
    return cipher


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one message; both parts are random and public."""

    salt: bytes
    nonce_prefix: bytes

    @classmethod
    def random(cls) -> Header:
        """The header of a new message."""
        return cls(secrets.token_bytes(SALT_BYTES), secrets.token_bytes(NONCE_PREFIX_BYTES))

    @classmethod
    def parse(cls, data: bytes, name: str) -> Header:
        """Read the header of a stored message; `name` is what to call the message.

        Raises:
            DamagedError: It is too short, or does not begin with its own length.
        """
        if len(data) != HEADER_BYTES or data[0] != HEADER_BYTES:
            raise DamagedError(f"{name} is damaged: it does not begin with a header of {HEADER_BYTES} bytes")
        return cls(bytes(data[1 : 1 + SALT_BYTES]), bytes(data[1 + SALT_BYTES :]))

    def encode(self) -> bytes:
        """The 40 bytes."""
        return bytes([HEADER_BYTES]) + self.salt + self.nonce_prefix


class SegmentCipher:
    """Seals and opens the segments of one message.

    Args:
        keys: Asked for the data key before each segment.
        header: The message's header.
        associated_data: What the message belongs to; bound to it, not stored in it.
        name: What to call the message in errors.
    """

    def __init__(self, keys: KeySource, header: Header, associated_data: bytes, name: str) -> None:
        self._keys = keys
        self._nonce_prefix = header.nonce_prefix
        self._message = Message(header.salt, associated_data)
        self._name = name

    def seal(self, number: int, plaintext: memoryview, into: memoryview, *, last: bool) -> None:
        """Seal one segment into a buffer of exactly 16 bytes more; the two must not overlap."""
        self._keys.message_cipher(self._message).encrypt_into(self._nonce(number, last=last), plaintext, None, into)

    def open(self, number: int, ciphertext: memoryview, into: memoryview, *, last: bool) -> None:
        """Open one segment into a buffer of exactly 16 bytes less; the two must not overlap.

        Raises:
            DamagedError: It is not what was sealed, at this place, for this message. The buffer's content
                is then without meaning and must not be used.
        """
        self._open(self._keys.message_cipher(self._message), number, ciphertext, into, last=last)

    def open_at_hand(self, number: int, ciphertext: memoryview, into: memoryview, *, last: bool) -> bool:
        """As `open`, but False where the data key would have to be unwrapped for it."""
        cipher = self._keys.cipher_at_hand(self._message)
        if cipher is not None:
            self._open(cipher, number, ciphertext, into, last=last)
        return cipher is not None

    def check(self) -> None:
        """Make sure that the data key may be used now; raises `KeyAccessError` where it may not."""
        self._keys.message_cipher(self._message)

    def forget(self) -> None:
        """Let go of the message's key."""
        self._keys.forget(self._message)

    def _open(self, cipher: AESGCM, number: int, ciphertext: memoryview, into: memoryview, *, last: bool) -> None:
        try:
            cipher.decrypt_into(self._nonce(number, last=last), ciphertext, None, into)
        except InvalidTag as error:
            raise DamagedError(
                f"{self._name} is damaged: segment {number} is not what was stored there",
                "another snapshot may hold the same data",
            ) from error

    def _nonce(self, number: int, *, last: bool) -> bytes:
        if number >= _MOST_SEGMENTS:
            raise MachineError(f"{self._name} is too large: a payload has at most {_MOST_SEGMENTS} segments")
        return self._nonce_prefix + number.to_bytes(4, "big") + (b"\x01" if last else b"\x00")


def plaintext_room(number: int) -> int:
    """How many bytes of plaintext fit in the segment of this number, counted from 0."""
    return PLAINTEXT_BYTES if number else FIRST_PLAINTEXT_BYTES


def plaintext_start(number: int) -> int:
    """The offset in the plaintext at which the segment of this number begins."""
    return number * PLAINTEXT_BYTES - HEADER_BYTES if number else 0


def segment_at(offset: int) -> int:
    """The number of the segment that holds the plaintext byte at this offset."""
    return (offset + HEADER_BYTES) // PLAINTEXT_BYTES


def ciphertext_size(plaintext_size: int) -> int:
    """How many bytes a message of so many bytes of plaintext takes."""
    segments = segment_at(max(plaintext_size - 1, 0)) + 1
    return HEADER_BYTES + plaintext_size + segments * TAG_BYTES


def segment_count(ciphertext_bytes: int) -> int:
    """How many segments a message of so many bytes has."""
    return max(1, -(-ciphertext_bytes // SEGMENT_BYTES))


def plaintext_size(ciphertext_bytes: int, name: str) -> int:
    """How many bytes of plaintext a message of so many bytes holds; `name` is what to call it.

    Raises:
        DamagedError: No message has this size.
    """
    segments = segment_count(ciphertext_bytes)
    in_last = ciphertext_bytes - (segments - 1) * SEGMENT_BYTES - (HEADER_BYTES if segments == 1 else 0)
    if in_last < TAG_BYTES:
        raise DamagedError(f"{name} is damaged: it ends in the midst of a segment, after {ciphertext_bytes} bytes")
    return ciphertext_bytes - HEADER_BYTES - segments * TAG_BYTES
