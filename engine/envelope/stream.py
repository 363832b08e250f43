"""Payloads as streams: encrypted and decrypted front to back, in a few buffers whatever the size.

The format stands in `engine.envelope.segments`. The rules here:

- The writer seals a segment as the last one only when it is closed. A stream that was abandoned, or cut off
  anywhere, therefore never looks complete.
- The reader gives out a segment only after it was authenticated, and knows that it is the last one only from
  the end of the source; so a stream that was cut at a segment's border, or continued behind its end, is
  refused before any byte of the segment concerned comes out.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol, Self

from engine.envelope.segments import (
    HEADER_BYTES,
    PLAINTEXT_BYTES,
    SEGMENT_BYTES,
    TAG_BYTES,
    Header,
    KeySource,
    SegmentCipher,
    plaintext_room,
)
from engine.envelope.write_behind import WriteBehind, write_all
from engine.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from types import TracebackType

    from typing_extensions import Buffer

    from engine.envelope.ports import Sink

_ZEROS = bytes(PLAINTEXT_BYTES)
_READ_BYTES = 1 << 18  # what is copied in larger pieces goes past the processor's caches, and is fetched again


class Source(Protocol):
    """Where the ciphertext comes from: a file or anything like one."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Put bytes into the buffer and say how many; 0 at the end."""
        ...


class EncryptingWriter:
    """Encrypts what is written to it.

    Bytes can be written, or put straight into the segment that is being filled: into the start of `room()`,
    told by `advance()`. Whole segments of what is written are sealed where they lie. As a context manager it closes
    itself, or abandons the stream on an exception.

    Args:
        keys: Asked for the data key before each segment.
        associated_data: What the message belongs to; the reader must bring the same.
        sink: Takes the ciphertext; it is not closed, and one that writes behind is not finished.
        name: What to call the message in errors.
    """

    def __init__(
        self, keys: KeySource, associated_data: bytes, sink: Sink | WriteBehind, name: str = "the payload"
    ) -> None:
        header = Header.random()
        self._cipher = SegmentCipher(keys, header, associated_data, name)
        self._sink: WriteBehind | _WriteAtOnce = sink if isinstance(sink, WriteBehind) else _WriteAtOnce(sink)
        # A full segment waits until more bytes come, or the close that makes it the last; the next fills meanwhile.
        self._filling, self._waiting = memoryview(bytearray(PLAINTEXT_BYTES)), memoryview(bytearray(PLAINTEXT_BYTES))
        self._sink.lend()[:HEADER_BYTES] = header.encode()
        self._number = 0
        self._filled = 0
        self._one_waits = False
        self._open = True
        self.plaintext_bytes = 0
        self.ciphertext_bytes = 0

    def room(self) -> memoryview:
        """The rest of the segment that is being filled, never empty; put bytes at its start, then `advance`."""
        if self._filled == plaintext_room(self._number + self._one_waits):
            self._filling, self._waiting = self._waiting, self._filling
            self._one_waits, self._filled = True, 0
        return self._filling[self._filled : plaintext_room(self._number + self._one_waits)]

    def advance(self, count: int) -> None:
        """Say that `count` bytes were put at the start of `room()`."""
        self._check_open()
        if count == 0:
            return
        self._seal_waiting()
        self._filled += count
        self.plaintext_bytes += count

    def write(self, data: Buffer) -> int:
        """Encrypt bytes; all of them are taken."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            room = self.room()
            count = min(len(room), len(view) - done)
            if self._filled == 0 and count < len(view) - done:  # a whole segment, and certainly not the last
                self._seal_waiting()
                self._seal(view[done : done + count], last=False)
                self.plaintext_bytes += count
            else:
                room[:count] = view[done : done + count]
                self.advance(count)
            done += count
        return done

    def close(self) -> None:
        """Seal the last segment. Without this the stream is not complete, and a reader refuses it."""
        if not self._open:
            return
        last = self._waiting if self._one_waits else self._filling
        count = plaintext_room(self._number) if self._one_waits else self._filled
        try:
            self._seal(last[:count], last=True)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leave the stream incomplete, and wipe what was not sealed yet."""
        self._open = False
        self._cipher.forget()
        for buffer in (self._filling, self._waiting):
            buffer[:] = _ZEROS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _check_open(self) -> None:
        if not self._open:
            raise ValueError("the stream is closed")

    def _seal_waiting(self) -> None:
        if self._one_waits:
            self._seal(self._waiting[: plaintext_room(self._number)], last=False)
            self._one_waits = False

    def _seal(self, plaintext: memoryview, *, last: bool) -> None:
        self._check_open()
        start = 0 if self._number else HEADER_BYTES
        end = start + len(plaintext) + TAG_BYTES
        self._cipher.seal(self._number, plaintext, self._sink.lend()[start:end], last=last)
        self._number += 1
        self.ciphertext_bytes += end
        self._sink.write(end)


class _WriteAtOnce:
    """Gives each segment to the sink as it comes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = memoryview(bytearray(SEGMENT_BYTES))

    def lend(self) -> memoryview:
        """A buffer of a segment's size."""
        return self._buffer

    def write(self, count: int) -> None:
        """Write what stands in its first bytes."""
        write_all(self._sink, self._buffer[:count])


class DecryptingReader(io.RawIOBase):
    """Gives out the plaintext of a message, each segment only after it was authenticated.

    Args:
        keys: Asked for the data key before each segment.
        associated_data: What the message belongs to.
        source: Gives the ciphertext, from its first byte; it is not closed.
        name: What to call the message in errors.

    Every reading method raises `DamagedError` where the message is not exactly what was stored, and
    `KeyAccessError` where the data key may not be used any more.
    """

    def __init__(self, keys: KeySource, associated_data: bytes, source: Source, name: str = "the payload") -> None:
        super().__init__()
        self._keys = keys
        self._associated_data = associated_data
        self._source = source
        self._name = name
        self._segments = self._opened_segments()
        self._rest = memoryview(b"")
        self._failure: Exception | None = None

    def segments(self) -> Iterator[memoryview]:
        """The plaintext in pieces of up to 1 MiB; each is valid until the next one is asked for."""
        while (piece := self._next_segment()) is not None:
            yield piece

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        """Put up to `len(buffer)` bytes of plaintext into the buffer; 0 at the authenticated end."""
        if not self._rest:
            self._rest = self._next_segment() or self._rest
        view = memoryview(buffer).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Wipe the plaintext that is kept, and let go of the message's key."""
        self._segments.close()
        super().close()

    def _next_segment(self) -> memoryview | None:
        if self._failure is not None:
            raise self._failure  # a failed stream must never be taken for one that has ended
        try:
            return next(self._segments, None)
        except Exception as error:
            self._failure = error
            raise

    def _opened_segments(self) -> Generator[memoryview]:
        # One byte more than a segment is read: only where it is there is the segment not the last.
        sealed, plaintext = memoryview(bytearray(SEGMENT_BYTES + 1)), memoryview(bytearray(PLAINTEXT_BYTES))
        held = self._fill(sealed)
        header = Header.parse(bytes(sealed[: min(held, HEADER_BYTES)]), self._name)
        cipher = SegmentCipher(self._keys, header, self._associated_data, self._name)
        number, start, last = 0, HEADER_BYTES, False
        try:
            while not last:
                last = held <= SEGMENT_BYTES
                end = min(held, SEGMENT_BYTES)
                count = end - start - TAG_BYTES
                if count < 0:
                    raise DamagedError(f"{self._name} is damaged: it ends in the midst of segment {number}")
                cipher.open(number, sealed[start:end], plaintext[:count], last=last)
                yield plaintext[:count].toreadonly()
                if not last:
                    sealed[0] = sealed[SEGMENT_BYTES]
                    held = 1 + self._fill(sealed[1:])
                number, start = number + 1, 0
        finally:
            cipher.forget()
            plaintext[:] = _ZEROS

    def _fill(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer) and (count := self._source.readinto(buffer[filled : filled + _READ_BYTES])):
            filled += count
        return filled
