"""Ranges of a payload: exactly the bytes asked for, out of only the segments that hold them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.envelope.segments import FIRST_PLAINTEXT_BYTES, HEADER_BYTES, PLAINTEXT_BYTES, SEGMENT_BYTES
from engine.errors import DamagedError
from tests.engine.envelope.payloads import BORDERS, CONTEXT, KEY, SIZES, content, encrypted, random_access

THREE = content(3 * SEGMENT_BYTES)
SEALED = encrypted(THREE)


@pytest.mark.parametrize("size", SIZES)
def test_the_whole_of_a_message_can_be_read(size: int) -> None:
    plaintext = content(size)
    reader, _ = random_access(encrypted(plaintext))
    assert reader.size == size
    assert reader.read(0, size) == plaintext


@settings(max_examples=80, deadline=None)
@given(
    ranges=st.lists(
        st.tuples(
            st.integers(0, len(THREE))
            | st.builds(lambda border, by: border + by, st.sampled_from(BORDERS[:3]), st.integers(0, 1)),
            st.integers(0, len(THREE)),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_ranges_in_any_order_are_the_plaintexts(ranges: list[tuple[int, int]]) -> None:
    reader, _ = random_access(SEALED)
    for offset, length in ranges:
        expected = THREE[offset : offset + length]
        assert reader.read(offset, len(expected)) == expected


def test_only_the_segments_of_the_range_are_fetched() -> None:
    reader, source = random_access(SEALED)
    reader.read(FIRST_PLAINTEXT_BYTES, PLAINTEXT_BYTES)
    assert source.reads == [(0, HEADER_BYTES), (SEGMENT_BYTES, SEGMENT_BYTES)]


def test_neighbouring_ranges_fetch_their_segment_once() -> None:
    reader, source = random_access(SEALED)
    for offset in range(0, 500_000, 1000):
        assert reader.read(offset, 1000) == THREE[offset : offset + 1000]
    assert len(source.reads) == 2


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, len(SEALED) - 1))
def test_a_flipped_bit_damages_its_own_segment_alone(place: int) -> None:
    altered = bytearray(SEALED)
    altered[place] ^= 1
    reader, _ = random_access(bytes(altered))
    starts = [0, *BORDERS[1:3]]
    for number, start in enumerate(starts):
        if place < HEADER_BYTES or place // SEGMENT_BYTES == number:
            with pytest.raises(DamagedError):
                reader.read(start, 1)
        else:
            assert reader.read(start, 1) == THREE[start : start + 1]


def test_behind_a_damaged_segment_the_one_before_is_not_given_out_in_its_place() -> None:
    altered = bytearray(SEALED)
    altered[SEGMENT_BYTES + 5] ^= 1
    reader, _ = random_access(bytes(altered))
    assert reader.read(0, 10) == THREE[:10]
    for _ in range(2):
        with pytest.raises(DamagedError):
            reader.read(FIRST_PLAINTEXT_BYTES, 10)
    assert reader.read(0, 10) == THREE[:10]


@pytest.mark.parametrize("kept", [SEGMENT_BYTES, 2 * SEGMENT_BYTES, 2 * SEGMENT_BYTES + 100, len(SEALED) - 1])
def test_a_truncated_message_does_not_give_out_its_last_segment(kept: int) -> None:
    reader, _ = random_access(SEALED[:kept])
    with pytest.raises(DamagedError):
        reader.read(reader.size - 1, 1)


@pytest.mark.parametrize("cut", [0, 10, 40, 55])
def test_what_is_too_short_for_a_message_is_refused(cut: int) -> None:
    with pytest.raises(DamagedError):
        random_access(encrypted(b"")[:cut])


@pytest.mark.parametrize(("offset", "length"), [(len(THREE), 1), (0, len(THREE) + 1), (-1, 1), (5, -1)])
def test_a_range_beyond_the_message_is_refused(offset: int, length: int) -> None:
    reader, _ = random_access(SEALED)
    with pytest.raises(DamagedError):
        reader.read(offset, length)


def test_another_key_or_another_context_gives_out_nothing() -> None:
    for reader, _ in (random_access(SEALED, key=bytes(32)), random_access(SEALED, associated_data=CONTEXT[:-1])):
        with pytest.raises(DamagedError):
            reader.read(0, 1)


def test_a_source_that_shrinks_underneath_is_noticed() -> None:
    reader, source = random_access(SEALED)
    source._data = SEALED[: SEGMENT_BYTES + 7]
    with pytest.raises(DamagedError):
        reader.read(FIRST_PLAINTEXT_BYTES, 1)


def test_a_closed_reader_has_wiped_what_it_kept() -> None:
    reader, _ = random_access(encrypted(b"canary"), key=KEY)
    piece = next(reader.pieces(0, 6))
    reader.close()
    assert bytes(piece) == bytes(6)
