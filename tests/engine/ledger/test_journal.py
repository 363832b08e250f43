"""The journal's chain: any flipped byte, dropped, reordered, inserted or truncated entry is found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DamagedError
from engine.ledger.journal import GENESIS, JournalEntry, make_entry, read_entry, verify_chain
from tests.builders import ACTOR, NOW


def chain(length: int) -> list[JournalEntry]:
    entries: list[JournalEntry] = []
    for number in range(1, length + 1):
        previous = entries[-1].hash if entries else GENESIS
        details = {"number": number, "absent": None, "name": "é\u2028"}
        entries.append(make_entry(number, previous, "something", details, ACTOR, NOW, "ab" * 32))
    return entries


ENTRIES = chain(5)
LENGTH, LAST = 5, ENTRIES[-1].hash


def read_all(raws: list[bytes]) -> int:
    return verify_chain((read_entry(raw, number) for number, raw in enumerate(raws, start=1)), LENGTH, LAST)


def test_an_intact_chain_is_read_to_its_end() -> None:
    assert read_all([entry.raw for entry in ENTRIES]) == 5


def test_an_entry_leaves_out_what_is_none_and_reads_back_as_written() -> None:
    assert "absent" not in ENTRIES[0].details
    assert read_entry(ENTRIES[2].raw, 3) == ENTRIES[2]


def test_every_flipped_bit_is_found() -> None:
    raws = [entry.raw for entry in ENTRIES]
    for index, raw in enumerate(raws):
        for position in range(len(raw)):
            for bit in (0x01, 0x20):
                flipped = bytearray(raw)
                flipped[position] ^= bit
                with pytest.raises(DamagedError):
                    read_all([*raws[:index], bytes(flipped), *raws[index + 1 :]])


@given(st.permutations(range(5)), st.integers(0, 5))
def test_every_reordering_and_truncation_is_found(order: list[int], kept: int) -> None:
    raws = [ENTRIES[index].raw for index in order][:kept]
    if order == sorted(order) and kept == 5:
        assert read_all(raws) == 5
    else:
        with pytest.raises(DamagedError):
            read_all(raws)


@pytest.mark.parametrize("index", range(5))
def test_every_dropped_or_repeated_entry_is_found(index: int) -> None:
    raws = [entry.raw for entry in ENTRIES]
    with pytest.raises(DamagedError):
        read_all(raws[:index] + raws[index + 1 :])
    with pytest.raises(DamagedError):
        read_all([*raws[: index + 1], *raws[index:]])


def test_a_chain_that_was_written_anew_does_not_match_the_head() -> None:
    other = chain(4)
    other.append(make_entry(5, other[-1].hash, "something else", {}, ACTOR, NOW, "ab" * 32))
    with pytest.raises(DamagedError):
        read_all([entry.raw for entry in other])


@given(st.binary(max_size=60))
def test_no_stored_bytes_whatsoever_give_anything_but_a_damaged_journal(raw: bytes) -> None:
    with pytest.raises(DamagedError):
        read_entry(raw, 1)


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (b'"number":1,"previous"', b'"number":1e400,"previous"'),
        (b'"details":{', b'"details":{"large":1152921504606846976,'),
        (b'"details":{', b'"details":{"a":NaN,'),
        (b'"details":{', b'"details":{"a":"\\ud800",'),
        (b'"details":{"name":"\xc3\xa9\xe2\x80\xa8","number":1}', b'"details":["name"]'),
        (b'"event":"something"', b'"event":7'),
        (b'"details":{', b'"details":' + b"[" * 100_000),
    ],
)
def test_an_entry_with_values_that_no_entry_has_is_damaged(written: bytes, instead: bytes) -> None:
    raw = ENTRIES[0].raw
    assert written in raw
    with pytest.raises(DamagedError):
        read_entry(raw.replace(written, instead), 1)
