"""Opening the segments of a range in a thread of its own, a few ahead of whoever takes them.

- Segments come in order. Where one cannot be opened, those before it are given out, then its error is raised.
- The thread never asks for the data key to be unwrapped: that may take long, and is for whoever takes to do, who can
  be interrupted. Where it would have to be, the thread ends.
- What was opened and never taken is wiped.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from engine.envelope.segments import PLAINTEXT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

_BUFFERS = 2  # beside the one whose content is being used
_ZEROS = bytes(PLAINTEXT_BYTES)


class ReadAhead:
    """Opens segments ahead. To be closed.

    Args:
        open_segment: Opens the segment of a number into a buffer, or says that the data key is not at hand; called
            in the thread, and nowhere else meanwhile.
        numbers: The numbers of the segments.
    """

    def __init__(self, open_segment: Callable[[int, memoryview], bool], numbers: range) -> None:
        self._open_segment = open_segment
        self._numbers = numbers
        self._next = numbers.start
        self._free: SimpleQueue[memoryview | None] = SimpleQueue()
        self._opened: SimpleQueue[memoryview | BaseException | None] = SimpleQueue()
        self._buffers = [memoryview(bytearray(PLAINTEXT_BYTES)) for _ in range(_BUFFERS)]
        for buffer in self._buffers:
            self._free.put(buffer)
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def comes_to(self, number: int) -> bool:
        """Whether the segment of this number is the next to be taken."""
        return number == self._next and number in self._numbers

    def take(self, give_back: memoryview) -> memoryview | None:
        """The buffer of the next segment, for one that is not used any more, or None where the data key is not at hand.

        Raises what opening it raised.
        """
        opened = self._opened.get()
        if isinstance(opened, memoryview):
            self._next += 1
            self._buffers = [give_back if buffer is opened else buffer for buffer in self._buffers]
            self._free.put(give_back)
            return opened
        self._opened.put(opened)  # whoever asks again is told again
        if opened is None:
            return None
        raise opened

    def close(self) -> None:
        """Stop, and wipe what was not taken."""
        self._closed = True
        self._free.put(None)
        self._thread.join()
        for buffer in self._buffers:
            buffer[:] = _ZEROS

    def _work(self) -> None:
        for number in self._numbers:
            buffer = self._free.get()
            if buffer is None or self._closed:
                return
            try:
                opened = self._open_segment(number, buffer)
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that takes
                self._opened.put(error)
                return
            self._opened.put(buffer if opened else None)
            if not opened:
                return
