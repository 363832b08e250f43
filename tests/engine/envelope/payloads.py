"""What the tests of payload streams share: keys, sizes at every border, and encrypting in memory."""

from __future__ import annotations

import io
import random
from itertools import pairwise

from engine.envelope.random_access import RandomAccessReader
from engine.envelope.segments import FIRST_PLAINTEXT_BYTES, PLAINTEXT_BYTES, HeldKey
from engine.envelope.stream import DecryptingReader, EncryptingWriter

KEY = bytes(range(32))
CONTEXT = b"tenant northwind, workload exchange_online/anna"

BORDERS = [0] + [FIRST_PLAINTEXT_BYTES + count * PLAINTEXT_BYTES for count in range(3)]
# The empty message, one byte, and each border of the first three segments with its two neighbours.
SIZES = sorted({size for border in BORDERS for size in (border - 1, border, border + 1) if size >= 0} | {12345})
ADJACENT_SIZES = list(pairwise(SIZES))


def content(size: int, seed: int = 1) -> bytes:
    """Bytes that do not repeat."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - content, not a secret


def encrypted(plaintext: bytes, key: bytes = KEY, associated_data: bytes = CONTEXT) -> bytes:
    """A whole message."""
    sink = io.BytesIO()
    with EncryptingWriter(HeldKey(key), associated_data, sink) as writer:
        writer.write(plaintext)
    return sink.getvalue()


def reading(ciphertext: bytes, key: bytes = KEY, associated_data: bytes = CONTEXT) -> DecryptingReader:
    """A reader of a whole message."""
    return DecryptingReader(HeldKey(key), associated_data, io.BytesIO(ciphertext))


class InMemory:
    """A ciphertext that can be read at any place, and that remembers where it was read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.reads: list[tuple[int, int]] = []

    def read_at(self, offset: int, buffer: memoryview, /) -> int:
        self.reads.append((offset, len(buffer)))
        piece = self._data[offset : offset + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)


def random_access(
    ciphertext: bytes, key: bytes = KEY, associated_data: bytes = CONTEXT
) -> tuple[RandomAccessReader, InMemory]:
    """A reader of ranges, and what it reads from."""
    source = InMemory(ciphertext)
    return RandomAccessReader(HeldKey(key), associated_data, source, len(ciphertext)), source
