"""Reading a range of a message: only the segments that it touches are fetched and opened.

Each segment is authenticated together with its number and with whether it is the last, so what comes out is
what stood at this place of this message. That nothing is missing behind the range is not proved by reading
the range: who needs that reads to the end, or front to back with `engine.envelope.stream`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engine.envelope.segments import (
    HEADER_BYTES,
    PLAINTEXT_BYTES,
    SEGMENT_BYTES,
    TAG_BYTES,
    Header,
    KeySource,
    SegmentCipher,
    plaintext_size,
    plaintext_start,
    segment_at,
    segment_count,
)
from engine.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator


class RangeSource(Protocol):
    """Ciphertext that can be read at any place."""

    def read_at(self, offset: int, buffer: memoryview, /) -> int:
        """Fill the buffer from this offset on, and say how many bytes there were before the end."""
        ...


class RandomAccessReader:
    """Reads ranges of one message; the segment opened last is kept, so that neighbours cost nothing.

    Args:
        keys: Asked for the data key before each segment.
        associated_data: What the message belongs to.
        source: Gives the ciphertext.
        ciphertext_bytes: The size of the whole ciphertext.
        name: What to call the message in errors.

    Raises:
        DamagedError: No message has this size.
    """

    def __init__(
        self,
        keys: KeySource,
        associated_data: bytes,
        source: RangeSource,
        ciphertext_bytes: int,
        name: str = "the payload",
    ) -> None:
        self.size = plaintext_size(ciphertext_bytes, name)
        self._ciphertext_bytes = ciphertext_bytes
        self._keys = keys
        self._associated_data = associated_data
        self._source = source
        self._name = name
        self._cipher: SegmentCipher | None = None
        self._sealed = memoryview(bytearray(SEGMENT_BYTES))
        self._opened = memoryview(bytearray(PLAINTEXT_BYTES))
        self._opened_number: int | None = None

    def pieces(self, offset: int, length: int) -> Iterator[memoryview]:
        """The plaintext of a range, in pieces of up to 1 MiB; each is valid until the next is asked for.

        Raises:
            DamagedError: A segment is not what was stored, or the range reaches beyond the end.
            KeyAccessError: The data key may not be used any more.
        """
        end = offset + length
        if offset < 0 or length < 0 or end > self.size:
            raise DamagedError(f"{self._name} is damaged: it ends before byte {end} of its content")
        while offset < end:
            number = segment_at(offset)
            opened = self._segment(number)
            start = offset - plaintext_start(number)
            piece = opened[start : start + end - offset]
            yield piece.toreadonly()
            offset += len(piece)

    def read(self, offset: int, length: int) -> bytes:
        """The plaintext of a range as one object. Raises as `pieces`."""
        return b"".join(bytes(piece) for piece in self.pieces(offset, length))

    def close(self) -> None:
        """Wipe the plaintext that is kept, and let go of the message's key."""
        self._opened[:] = bytes(PLAINTEXT_BYTES)
        self._opened_number = None
        if self._cipher is not None:
            self._cipher.forget()

    def _segment(self, number: int) -> memoryview:
        first = HEADER_BYTES if number == 0 else 0
        start = number * SEGMENT_BYTES
        end = min(start + SEGMENT_BYTES, self._ciphertext_bytes)
        opened = self._opened[: end - start - first - TAG_BYTES]
        if self._opened_number != number:
            self._opened_number = None
            cipher = self._header_read()
            sealed = self._sealed[: end - start - first]
            self._read(start + first, sealed)
            cipher.open(number, sealed, opened, last=number == segment_count(self._ciphertext_bytes) - 1)
            self._opened_number = number
        return opened

    def _header_read(self) -> SegmentCipher:
        if self._cipher is None:
            data = bytearray(HEADER_BYTES)
            self._read(0, memoryview(data))
            header = Header.parse(bytes(data), self._name)
            self._cipher = SegmentCipher(self._keys, header, self._associated_data, self._name)
        return self._cipher

    def _read(self, offset: int, buffer: memoryview) -> None:
        if self._source.read_at(offset, buffer) != len(buffer):
            raise DamagedError(f"{self._name} is damaged: it ends before byte {offset + len(buffer)}")
