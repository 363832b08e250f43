"""Writing in a thread of its own, a few segments behind: encrypting goes on while the disk or the network takes them.

- What was handed over is written in its order. `finish` returns when all of it was taken; nothing counts before.
- Where the sink fails, or this machine has no memory or thread for it, nothing more is given to it, and whoever hands
  over the next bytes, or finishes, is told each time: a message that lacks a segment is never taken for a whole one.
- Only ciphertext waits here, in a few buffers that are used again and again.
- A message of a single segment needs no thread: the first segment is written at once.
"""

from __future__ import annotations

import mmap
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from engine.envelope.segments import SEGMENT_BYTES
from engine.errors import MachineError

if TYPE_CHECKING:
    from engine.envelope.ports import Sink

_BUFFERS = 4


class WriteBehind:
    """Takes the segments of one message for a sink. To be ended by `finish` or `drop`.

    Args:
        sink: Takes the bytes; used by one thread at a time.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._lent = _buffer()
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._handed_over: SimpleQueue[memoryview | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._begun = False
        self._dropped = False
        self._failure: BaseException | None = None

    def lend(self) -> memoryview:
        """A buffer of a segment's size, to be filled from its start."""
        return self._lent

    def write(self, count: int) -> None:
        """Hand over what stands in the first `count` bytes of the buffer that was lent.

        Raises:
            KeyturnError: The sink could not take what it was given, now or before.
        """
        self._raise_failure()
        if not self._begun:
            self._begun = True
            self._give(self._lent[:count])
        else:
            if self._thread is None:
                self._begin_thread()
            self._handed_over.put(self._lent[:count])
            self._lent = self._free.get()
        self._raise_failure()

    def finish(self) -> None:
        """Wait until everything is written. Raises as `write`."""
        self._end()
        self._raise_failure()

    def drop(self) -> None:
        """Write nothing more; harmless behind `finish`."""
        self._dropped = True
        self._end()

    def _end(self) -> None:
        if self._thread is not None:
            self._handed_over.put(None)
            self._thread.join()
            self._thread = None

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _begin_thread(self) -> None:
        try:
            for _ in range(_BUFFERS - 1):
                self._free.put(_buffer())
            thread = threading.Thread(target=self._work, daemon=True)
            thread.start()
        except RuntimeError as error:
            self._failure = MachineError(f"this machine does not let us: {error}")
            raise self._failure from error
        except MachineError as error:
            self._failure = error
            raise
        self._thread = thread

    def _work(self) -> None:
        while (data := self._handed_over.get()) is not None:
            self._give(data)
            self._free.put(memoryview(data.obj))

    def _give(self, data: memoryview) -> None:
        if self._failure is None and not self._dropped:
            try:
                write_all(self._sink, data)
            except BaseException as error:  # noqa: BLE001 - raised again by whoever hands over, or finishes
                self._failure = error


def _buffer() -> memoryview:
    """A buffer that begins with a page of memory: files can take it without a copy."""
    try:
        return memoryview(mmap.mmap(-1, SEGMENT_BYTES))
    except OSError as error:
        raise MachineError(f"this machine has no memory left: {error.strerror}") from error


def write_all(sink: Sink, data: memoryview) -> None:
    """Give all of it to a sink, however little it takes at a time."""
    while data:
        data = data[sink.write(data) :]
