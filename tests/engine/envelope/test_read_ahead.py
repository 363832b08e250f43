"""Ranges of many segments are opened ahead: the same bytes, the same refusals, and nothing left behind."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.envelope.random_access import RandomAccessReader
from engine.envelope.segments import PLAINTEXT_BYTES, SEGMENT_BYTES, HeldKey, plaintext_start
from engine.errors import DamagedError, KeyAccessError, KeyFailure
from tests.engine.envelope.payloads import CONTEXT, KEY, InMemory, content, encrypted, random_access

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from engine.envelope.segments import Message

MANY = content(9 * SEGMENT_BYTES + 77)
SEALED = encrypted(MANY)


@settings(max_examples=30, deadline=None)
@given(
    ranges=st.lists(
        st.tuples(st.integers(0, len(MANY)), st.integers(0, len(MANY)), st.booleans()), min_size=1, max_size=4
    )
)
def test_any_long_ranges_read_to_their_end_or_not_are_the_plaintexts(ranges: list[tuple[int, int, bool]]) -> None:
    reader, _ = random_access(SEALED)
    left_open = []
    for offset, length, whole in ranges:
        expected = MANY[offset : offset + length]
        if whole:
            assert reader.read(offset, len(expected)) == expected
        else:
            pieces = reader.pieces(offset, len(expected))
            left_open.append(pieces)
            assert expected.startswith(bytes(next(pieces, b"")))
    reader.close()


def test_before_a_damaged_segment_everything_comes_out_and_behind_it_nothing() -> None:
    altered = bytearray(SEALED)
    altered[6 * SEGMENT_BYTES + 5] ^= 1
    reader, _ = random_access(bytes(altered))
    taken = bytearray()

    def take() -> None:
        for piece in reader.pieces(0, len(MANY)):
            taken.extend(piece)

    with pytest.raises(DamagedError, match="segment 6"):
        take()
    assert taken == MANY[: plaintext_start(6)]
    rest = plaintext_start(7)
    assert reader.read(rest, len(MANY) - rest) == MANY[rest:]


class Revocable(HeldKey):
    """A key that can be taken away."""

    def __init__(self) -> None:
        super().__init__(KEY)
        self.revoked = False

    def message_cipher(self, message: Message) -> AESGCM:
        if self.revoked:
            raise KeyAccessError(KeyFailure.REVOKED, "disabled", key_arn="arn", operation="Decrypt")
        return super().message_cipher(message)


def test_what_was_opened_ahead_does_not_come_out_once_the_key_may_not_be_used() -> None:
    keys, source = Revocable(), InMemory(SEALED)
    reader = RandomAccessReader(keys, CONTEXT, source, len(SEALED))
    pieces = reader.pieces(0, len(MANY))
    next(pieces)
    opened_ahead = threading.Event()
    while len(source.reads) < 4:  # the header, the first segment, and two more
        opened_ahead.wait(0.01)
    keys.revoked = True
    with pytest.raises(KeyAccessError):
        next(pieces)
    reader.close()


class Expiring(Revocable):
    """A key that has to be unwrapped again, by whoever reads and by no thread of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.at_hand = True
        self.unwrapped_in: list[threading.Thread] = []

    def message_cipher(self, message: Message) -> AESGCM:
        if not self.at_hand:
            self.unwrapped_in.append(threading.current_thread())
            self.at_hand = True
        return super().message_cipher(message)

    def cipher_at_hand(self, message: Message) -> AESGCM | None:
        return super().message_cipher(message) if self.at_hand else None


class Slow(InMemory):
    """A source that is slower than whoever takes what was read."""

    def read_at(self, offset: int, buffer: memoryview, /) -> int:
        threading.Event().wait(0.01)
        return super().read_at(offset, buffer)


def test_whoever_reads_unwraps_the_key_again_and_no_other_thread() -> None:
    """The unwrapping may wait for an outage of KMS to end: only then can it be interrupted."""
    keys = Expiring()
    reader = RandomAccessReader(keys, CONTEXT, Slow(SEALED), len(SEALED))
    taken = bytearray()
    for number, piece in enumerate(reader.pieces(0, len(MANY))):
        taken += piece
        keys.at_hand = number % 3 != 0
    reader.close()
    assert taken == MANY
    assert set(keys.unwrapped_in) == {threading.current_thread()}


def test_ranges_that_are_read_in_turns_are_each_the_plaintexts() -> None:
    reader, _ = random_access(SEALED)
    half = len(MANY) // 2
    ranges = [reader.pieces(0, half + 100), reader.pieces(half, len(MANY) - half)]
    taken = [bytearray(), bytearray()]
    for _ in range(10):
        for pieces, so_far in zip(ranges, taken, strict=True):
            so_far.extend(next(pieces, b""))
    reader.close()
    assert taken == [MANY[: half + 100], MANY[half:]]


def test_no_thread_and_no_plaintext_stays_behind() -> None:
    before = threading.active_count()
    reader, source = random_access(SEALED)
    pieces = reader.pieces(0, len(MANY))
    next(pieces)
    ahead = reader._ahead
    assert ahead is not None
    while len(source.reads) < 4:
        threading.Event().wait(0.01)
    pieces.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    assert all(bytes(buffer) == bytes(PLAINTEXT_BYTES) for buffer in ahead._buffers)


def test_only_a_few_segments_are_opened_ahead() -> None:
    reader, source = random_access(SEALED)
    pieces = reader.pieces(0, len(MANY))
    next(pieces)
    threading.Event().wait(0.1)
    assert len(source.reads) <= 4
    assert b"".join(bytes(piece) for piece in pieces) == MANY[plaintext_start(1) :]
