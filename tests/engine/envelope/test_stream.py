"""Streams of payloads: what goes in comes out, and nothing but exactly what went in ever does."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.envelope.segments import (
    FIRST_PLAINTEXT_BYTES,
    HEADER_BYTES,
    PLAINTEXT_BYTES,
    SEGMENT_BYTES,
    HeldKey,
    Message,
    ciphertext_size,
    plaintext_size,
    segment_at,
)
from engine.envelope.stream import DecryptingReader, EncryptingWriter
from engine.errors import DamagedError
from tests.engine.envelope.payloads import ADJACENT_SIZES, CONTEXT, KEY, SIZES, content, encrypted, reading

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def taken_before_refusal(ciphertext: bytes, **changed: bytes) -> bytes:
    """What a reader gave out before it refused; it must refuse, and go on refusing."""
    reader = reading(ciphertext, **changed)
    taken = bytearray()

    def take_all() -> None:
        for piece in reader.segments():
            taken.extend(piece)

    with pytest.raises(DamagedError):
        take_all()
    with pytest.raises(DamagedError):
        reader.read(1)
    return bytes(taken)


@pytest.mark.parametrize("size", SIZES)
def test_what_goes_in_comes_out_and_sizes_are_as_told(size: int) -> None:
    plaintext = content(size)
    ciphertext = encrypted(plaintext)
    assert len(ciphertext) == ciphertext_size(size)
    assert plaintext_size(len(ciphertext), "it") == size
    assert reading(ciphertext).read() == plaintext


@pytest.mark.parametrize(("smaller", "larger"), ADJACENT_SIZES)
def test_each_byte_more_makes_a_larger_message(smaller: int, larger: int) -> None:
    assert ciphertext_size(smaller) < ciphertext_size(larger)


@pytest.mark.parametrize("size", [0, 1, 39, 40, HEADER_BYTES + 15, SEGMENT_BYTES + 1, SEGMENT_BYTES + 15])
def test_sizes_that_no_message_has_are_refused(size: int) -> None:
    with pytest.raises(DamagedError):
        plaintext_size(size, "it")


@settings(max_examples=40, deadline=None)
@given(
    size=st.sampled_from(SIZES) | st.integers(0, 3 * SEGMENT_BYTES),
    cuts=st.lists(st.integers(1, 2 * SEGMENT_BYTES), max_size=8),
    reads=st.integers(1, 2 * SEGMENT_BYTES),
)
def test_however_it_is_written_and_read_the_content_is_the_same(size: int, cuts: list[int], reads: int) -> None:
    plaintext = content(size)
    sink = io.BytesIO()
    writer = EncryptingWriter(HeldKey(KEY), CONTEXT, sink)
    rest = memoryview(plaintext)
    for cut in cuts:
        assert writer.write(rest[:cut]) == len(rest[:cut])
        rest = rest[cut:]
    while rest:
        room = writer.room()
        count = min(len(room), len(rest), 700_001)
        room[:count] = rest[:count]
        writer.advance(count)
        rest = rest[count:]
    writer.close()
    assert (writer.plaintext_bytes, writer.ciphertext_bytes) == (size, len(sink.getvalue()))
    reader = reading(sink.getvalue())
    taken = bytearray()
    while piece := reader.read(reads):
        taken += piece
    assert taken == plaintext


def test_two_messages_of_the_same_content_have_nothing_in_common() -> None:
    first, second = encrypted(content(100)), encrypted(content(100))
    assert first[1:33] != second[1:33]
    assert first[40:] != second[40:]


@settings(max_examples=60, deadline=None)
@given(size=st.sampled_from(SIZES), data=st.data())
def test_any_flipped_bit_is_refused_before_its_segment_comes_out(size: int, data: st.DataObject) -> None:
    plaintext = content(size)
    ciphertext = bytearray(encrypted(plaintext))
    place = data.draw(st.integers(0, len(ciphertext) - 1))
    ciphertext[place] ^= 1 << data.draw(st.integers(0, 7))
    taken = taken_before_refusal(bytes(ciphertext))
    assert plaintext.startswith(taken)
    assert len(taken) <= max(0, place // SEGMENT_BYTES * PLAINTEXT_BYTES - HEADER_BYTES)


@settings(max_examples=60, deadline=None)
@given(size=st.sampled_from(SIZES), data=st.data())
def test_any_truncation_is_refused(size: int, data: st.DataObject) -> None:
    plaintext = content(size)
    ciphertext = encrypted(plaintext)
    borders = range(SEGMENT_BYTES, len(ciphertext), SEGMENT_BYTES)
    kept = data.draw(st.integers(0, len(ciphertext) - 1) | st.sampled_from([*borders, 0, HEADER_BYTES]))
    taken = taken_before_refusal(ciphertext[:kept] if kept < len(ciphertext) else ciphertext[:-1])
    assert plaintext.startswith(taken)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("extra", [1, 15, 16, 17, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 16])
def test_any_extension_is_refused(size: int, extra: int) -> None:
    plaintext = content(size)
    taken = taken_before_refusal(encrypted(plaintext) + content(extra, seed=2))
    assert plaintext.startswith(taken)
    assert len(taken) < max(size, 1)


def test_a_message_continued_with_its_own_segments_is_refused() -> None:
    ciphertext = encrypted(content(3 * SEGMENT_BYTES))
    assert taken_before_refusal(ciphertext + ciphertext[SEGMENT_BYTES : 2 * SEGMENT_BYTES])


@pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 2), (0, 2)])
def test_segments_cannot_change_places(one: int, other: int) -> None:
    ciphertext = encrypted(content(4 * SEGMENT_BYTES))
    segments = [ciphertext[start : start + SEGMENT_BYTES] for start in range(0, len(ciphertext), SEGMENT_BYTES)]
    segments[one], segments[other] = segments[other], segments[one]
    taken = taken_before_refusal(b"".join(segments))
    assert len(taken) <= max(0, one * PLAINTEXT_BYTES - HEADER_BYTES)


def test_a_segment_cannot_be_left_out() -> None:
    ciphertext = encrypted(content(4 * SEGMENT_BYTES))
    taken_before_refusal(ciphertext[:SEGMENT_BYTES] + ciphertext[2 * SEGMENT_BYTES :])


def test_a_segment_of_another_message_is_refused() -> None:
    plaintext = content(2 * SEGMENT_BYTES)
    first, second = encrypted(plaintext), encrypted(plaintext)
    taken_before_refusal(first[:SEGMENT_BYTES] + second[SEGMENT_BYTES:])


@pytest.mark.parametrize("size", [0, 1, FIRST_PLAINTEXT_BYTES + 1])
def test_another_key_or_another_context_gives_out_nothing(size: int) -> None:
    ciphertext = encrypted(content(size))
    assert taken_before_refusal(ciphertext, key=bytes(32)) == b""
    assert taken_before_refusal(ciphertext, associated_data=CONTEXT + b"!") == b""


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_an_abandoned_stream_never_looks_complete(size: int, told: bool) -> None:
    sink = io.BytesIO()
    writer = EncryptingWriter(HeldKey(KEY), CONTEXT, sink)
    writer.write(content(size))
    if told:
        writer.abandon()
    taken_before_refusal(sink.getvalue())


def test_a_stream_that_fails_midway_is_not_completed() -> None:
    sink = io.BytesIO()

    def write_and_fail() -> None:
        with EncryptingWriter(HeldKey(KEY), CONTEXT, sink) as writer:
            writer.write(content(SEGMENT_BYTES * 2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    taken_before_refusal(sink.getvalue())


def test_a_closed_stream_takes_nothing_more() -> None:
    sink = io.BytesIO()
    writer = EncryptingWriter(HeldKey(KEY), CONTEXT, sink)
    writer.write(b"all of it")
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"more")
    assert reading(sink.getvalue()).read() == b"all of it"


class Halting(io.RawIOBase):
    """Takes and gives a few bytes at a time, as pipes and sockets do."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__()
        self.data = bytearray(data)

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]
        self.data += data[:65_537]
        return len(data[:65_537])

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        count = min(len(buffer), len(self.data), 65_537)
        buffer[:count] = self.data[:count]
        del self.data[:count]
        return count


def test_a_sink_and_a_source_may_take_and_give_little_at_a_time() -> None:
    plaintext = content(FIRST_PLAINTEXT_BYTES + PLAINTEXT_BYTES)
    sink = Halting()
    with EncryptingWriter(HeldKey(KEY), CONTEXT, sink) as writer:
        writer.write(plaintext)
    assert DecryptingReader(HeldKey(KEY), CONTEXT, Halting(bytes(sink.data))).read() == plaintext


def test_offsets_lie_in_the_segments_that_they_are_said_to_lie_in() -> None:
    for border, number in ((FIRST_PLAINTEXT_BYTES, 1), (FIRST_PLAINTEXT_BYTES + PLAINTEXT_BYTES, 2)):
        assert (segment_at(border - 1), segment_at(border)) == (number - 1, number)


class Renewed(HeldKey):
    """A key from which a message's cipher is derived anew for every segment, as after a lease has run out."""

    def __init__(self) -> None:
        super().__init__(KEY)
        self.uses = 0

    def message_cipher(self, message: Message) -> AESGCM:
        self.uses += 1
        self.forget(message)
        return super().message_cipher(message)


def test_a_key_that_is_fetched_anew_in_the_midst_of_a_message_continues_it() -> None:
    plaintext, sink, keys = content(3 * SEGMENT_BYTES), io.BytesIO(), Renewed()
    with EncryptingWriter(keys, CONTEXT, sink) as writer:
        writer.write(plaintext)
    assert reading(sink.getvalue()).read() == plaintext
    assert DecryptingReader(keys, CONTEXT, io.BytesIO(sink.getvalue())).read() == plaintext
    assert keys.uses == 8
