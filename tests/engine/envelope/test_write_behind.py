"""Writing behind: the same bytes in the same order, no failure lost, and the disk never outrun by much."""

from __future__ import annotations

import io
import resource
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from engine.envelope.segments import PLAINTEXT_BYTES, SEGMENT_BYTES, HeldKey
from engine.envelope.stream import EncryptingWriter
from engine.envelope.write_behind import WriteBehind
from engine.errors import MachineError
from tests.engine.envelope.payloads import CONTEXT, KEY, SIZES, content, reading

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("size", [*SIZES, 9 * SEGMENT_BYTES + 5])
def test_what_was_written_behind_is_the_whole_message(size: int) -> None:
    sink = io.BytesIO()
    behind = WriteBehind(sink)
    with EncryptingWriter(HeldKey(KEY), CONTEXT, behind) as writer:
        writer.write(content(size))
    behind.finish()
    assert len(sink.getvalue()) == writer.ciphertext_bytes
    assert reading(sink.getvalue()).read() == content(size)


def test_a_message_of_one_segment_is_written_without_a_thread() -> None:
    before = threading.active_count()
    behind = WriteBehind(io.BytesIO())
    with EncryptingWriter(HeldKey(KEY), CONTEXT, behind) as writer:
        writer.write(b"little")
    assert threading.active_count() == before
    behind.finish()


class Full(io.RawIOBase):
    """A sink that is full after some segments."""

    def __init__(self, segments: int) -> None:
        super().__init__()
        self.left = segments
        self.refused = 0

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]
        if self.left == 0:
            self.refused += 1
            raise MachineError("the disk is full")
        self.left -= 1
        return len(data)


@pytest.mark.parametrize("segments", [0, 1, 2, 5])
def test_a_failure_is_told_and_nothing_more_is_written(segments: int) -> None:
    sink = Full(segments)
    behind = WriteBehind(sink)
    writer = EncryptingWriter(HeldKey(KEY), CONTEXT, behind)
    with pytest.raises(MachineError, match="full"):
        writer.write(content(50 * PLAINTEXT_BYTES))
    writer.abandon()
    behind.drop()
    assert sink.refused == 1


def test_a_failure_at_the_very_end_is_told_by_the_finish() -> None:
    behind = WriteBehind(Full(2))
    with EncryptingWriter(HeldKey(KEY), CONTEXT, behind) as writer:
        writer.write(content(3 * PLAINTEXT_BYTES - 100))
    with pytest.raises(MachineError, match="full"):
        behind.finish()


@contextmanager
def no_more_memory(bytes_left: int) -> Iterator[None]:
    """This process may map so many bytes more, and a thread that begins would need far more."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    stack_before = threading.stack_size(256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (used + bytes_left, before[1]))
    try:
        yield
    finally:
        threading.stack_size(stack_before)
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("bytes_left", [SEGMENT_BYTES // 2, 16 * SEGMENT_BYTES])
def test_without_memory_for_buffers_or_a_thread_the_message_fails_for_good(bytes_left: int) -> None:
    sink = io.BytesIO()
    behind = WriteBehind(sink)
    behind.write(10)
    with no_more_memory(bytes_left), pytest.raises(MachineError, match="this machine"):
        behind.write(10)
    with pytest.raises(MachineError, match="this machine"):
        behind.write(10)
    with pytest.raises(MachineError, match="this machine"):
        behind.finish()
    behind.drop()
    assert len(sink.getvalue()) == 10


class Held(io.RawIOBase):
    """A sink that takes one segment, and then nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0
        self.waits, self.let_go = threading.Event(), threading.Event()

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]
        if self.taken:
            self.waits.set()
            self.let_go.wait()
        self.taken += 1
        return len(data)


def test_a_slow_sink_holds_the_writer_back() -> None:
    sink = Held()
    behind = WriteBehind(sink)
    handed_over = []

    def write() -> None:
        for number in range(50):
            behind.write(10)
            handed_over.append(number)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    writing.join(0.2)
    assert writing.is_alive()
    assert len(handed_over) < 8, "a few buffers, whatever the size"
    sink.let_go.set()
    writing.join()
    behind.finish()
    assert sink.taken == 50


def test_what_is_dropped_is_not_written_any_more() -> None:
    sink = Held()
    behind = WriteBehind(sink)
    for _ in range(4):
        behind.write(10)
    sink.waits.wait()
    dropping = threading.Thread(target=behind.drop, daemon=True)
    dropping.start()
    dropping.join(0.1)
    assert dropping.is_alive(), "the segment that is being written is waited for"
    sink.let_go.set()
    dropping.join()
    assert sink.taken == 2
