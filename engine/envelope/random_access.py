"""Reading a range of a message: only the segments that it touches are fetched and opened.

Each segment is authenticated together with its number and with whether it is the last, so what comes out is
what stood at this place of this message. That nothing is missing behind the range is not proved by reading
the range: who needs that reads to the end, or front to back with `engine.envelope.stream`.

The segments of a long range are opened a few ahead, in a thread, while the data key is at hand. What was opened ahead
comes out only while the data key may still be used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engine.envelope.read_ahead import ReadAhead
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

_LONG = 4  # segments: a thread costs as much as opening one
_ZEROS = bytes(PLAINTEXT_BYTES)


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
        self._ahead: ReadAhead | None = None

    def pieces(self, offset: int, length: int) -> Iterator[memoryview]:
        """The plaintext of a range, in pieces of up to 1 MiB; each is valid until the next is asked for.

        Raises:
            DamagedError: A segment is not what was stored, or the range reaches beyond the end.
            KeyAccessError: The data key may not be used any more.
        """
        end = offset + length
        if offset < 0 or length < 0 or end > self.size:
            raise DamagedError(f"{self._name} is damaged: it ends before byte {end} of its content")
        try:
            while offset < end:
                number = segment_at(offset)
                opened = self._segment(number, segment_at(end - 1) + 1)
                start = offset - plaintext_start(number)
                piece = opened[start : start + end - offset]
                yield piece.toreadonly()
                offset += len(piece)
        finally:
            self._stop_ahead()

    def read(self, offset: int, length: int) -> bytes:
        """The plaintext of a range as one object. Raises as `pieces`."""
        return b"".join(bytes(piece) for piece in self.pieces(offset, length))

    def close(self) -> None:
        """Wipe the plaintext that is kept, and let go of the message's key."""
        self._stop_ahead()
        self._opened[:] = _ZEROS
        self._opened_number = None
        if self._cipher is not None:
            self._cipher.forget()

    def _segment(self, number: int, behind: int) -> memoryview:
        """The segment of this number, where those before `behind` are wanted next."""
        if self._opened_number != number:
            self._opened_number = None
            taken = self._take_ahead(number, behind)
            if taken is None:
                self._open(number, self._opened)
            else:
                self._opened = taken
                self._header_read().check()
            self._opened_number = number
        return self._opened[: self._plaintext_bytes(number)]

    def _take_ahead(self, number: int, behind: int) -> memoryview | None:
        """The segment of this number as it was opened ahead, or None where it was not, and nothing is being read."""
        if self._ahead is None or not self._ahead.comes_to(number):
            self._stop_ahead()  # another range was begun meanwhile
            if behind - number < _LONG:
                return None
            self._header_read()
            self._ahead = ReadAhead(self._open_at_hand, range(number, behind))
        taken = self._ahead.take(self._opened)
        if taken is None:
            self._stop_ahead()
        return taken

    def _stop_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _open(self, number: int, into: memoryview) -> None:
        cipher, sealed = self._header_read(), self._read_sealed(number)
        cipher.open(number, sealed, into[: len(sealed) - TAG_BYTES], last=self._is_last(number))

    def _open_at_hand(self, number: int, into: memoryview) -> bool:
        cipher, sealed = self._header_read(), self._read_sealed(number)
        return cipher.open_at_hand(number, sealed, into[: len(sealed) - TAG_BYTES], last=self._is_last(number))

    def _read_sealed(self, number: int) -> memoryview:
        """Read a segment as it is stored; one thread at a time does."""
        sealed = self._sealed[: self._plaintext_bytes(number) + TAG_BYTES]
        self._read(number * SEGMENT_BYTES + (0 if number else HEADER_BYTES), sealed)
        return sealed

    def _is_last(self, number: int) -> bool:
        return number == segment_count(self._ciphertext_bytes) - 1

    def _plaintext_bytes(self, number: int) -> int:
        start = number * SEGMENT_BYTES + (0 if number else HEADER_BYTES)
        return min((number + 1) * SEGMENT_BYTES, self._ciphertext_bytes) - start - TAG_BYTES

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
