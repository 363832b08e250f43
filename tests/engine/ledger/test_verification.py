"""Whatever is done to a stored journal or to the data keys' records is found, on every kind of ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.errors import ConflictError, DamagedError
from engine.evidence import Origin
from engine.ledger.journal import GENESIS, make_entry
from engine.ledger.statements import make_checkpoint
from engine.ledger.verification import verify_data_keys, verify_journal
from engine.lifecycle import Confirm, FinishRewrap, Revoke
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, cloud_state, key_arn
from tests.engine.ledger.test_ledger import data_key, enable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.ledger.interface import Ledger
    from tests.ledger_stores import LedgerStore


@pytest.fixture
def ledger(store: LedgerStore) -> Iterator[Ledger]:
    """A tenant that is enabled, with two data keys of which one has moved."""
    ledger = store.create(cloud_state())
    for number in (1, 2):
        ledger.add_data_key(data_key(number), ACTOR, NOW)
    enable(ledger)
    old = data_key(1)
    assert ledger.replace_wrapping(old, replace(old, generation=1, key_arn=str(key_arn(1)), ciphertext=b"new"), 1)
    yield ledger
    ledger.close()


def raws(ledger: Ledger) -> list[bytes]:
    return [entry.raw for entry in ledger.journal()]


def is_found(ledger: Ledger, store: LedgerStore, changed: list[bytes], intact: list[bytes]) -> None:
    """Put an altered journal in the place of the intact one, and see it found; then put that back."""
    store.put_entries(changed)
    with pytest.raises(DamagedError):
        verify_journal(ledger)
    store.put_entries(intact)


def flip_bytes(ledger: Ledger, store: LedgerStore, positions: int) -> int:
    """Flip a bit at so many positions of each entry, one at a time; how many were found, which is all of them."""
    intact, found = raws(ledger), 0
    for number, raw in enumerate(intact, start=1):
        for position in range(0, len(raw), max(1, len(raw) // positions)):
            store.put_entry(number, bytes((*raw[:position], raw[position] ^ 0x01, *raw[position + 1 :])))
            with pytest.raises(DamagedError):
                verify_journal(ledger)
            found += 1
        store.put_entry(number, raw)
    assert verify_journal(ledger).entries == len(intact)
    return found


def test_an_intact_ledger_is_verified_whole(ledger: Ledger) -> None:
    verified = verify_journal(ledger, [make_checkpoint(ledger, Origin.AWS, NOW)])
    assert (verified.entries, verified.data_keys, verified.head) == (5, 2, ledger.head())
    assert verify_data_keys(ledger, verified) == 2


def test_a_flipped_byte_is_found_in_every_entry(ledger: Ledger, store: LedgerStore) -> None:
    """At nine positions of each entry and more; at every position in a long run, and in memory by `test_journal`."""
    assert flip_bytes(ledger, store, positions=9) >= 45


@pytest.mark.soak
def test_a_flipped_byte_is_found_at_every_position_of_every_entry(ledger: Ledger, store: LedgerStore) -> None:
    assert flip_bytes(ledger, store, positions=1_000_000) == sum(map(len, raws(ledger)))


@pytest.mark.parametrize("index", range(5))
def test_a_dropped_repeated_or_inserted_entry_is_found_at_every_position(
    ledger: Ledger, store: LedgerStore, index: int
) -> None:
    intact = raws(ledger)
    previous = list(ledger.journal())[index - 1].hash if index else GENESIS
    inserted = make_entry(index + 1, previous, "inserted", {}, ACTOR, NOW, "ab" * 32).raw
    is_found(ledger, store, intact[:index] + intact[index + 1 :], intact)
    is_found(ledger, store, [*intact[: index + 1], *intact[index:]], intact)
    is_found(ledger, store, [*intact[:index], inserted, *intact[index:]], intact)
    is_found(ledger, store, [*intact[:index], inserted, *intact[index + 1 :]], intact)


def test_every_exchange_of_two_entries_is_found(ledger: Ledger, store: LedgerStore) -> None:
    intact = raws(ledger)
    for first in range(5):
        for second in range(first + 1, 5):
            changed = list(intact)
            changed[first], changed[second] = changed[second], changed[first]
            is_found(ledger, store, changed, intact)


@pytest.mark.parametrize("kept", range(5))
def test_a_journal_that_is_cut_off_is_found_at_every_length(ledger: Ledger, store: LedgerStore, kept: int) -> None:
    is_found(ledger, store, raws(ledger)[:kept], raws(ledger))


def test_an_entry_that_was_put_behind_the_head_is_found(ledger: Ledger, store: LedgerStore) -> None:
    head, intact = ledger.head(), raws(ledger)
    more = make_entry(6, head.journal_hash, "invented", {}, ACTOR, NOW, "ab" * 32)
    store.put_entries([*intact, more.raw])
    with pytest.raises(DamagedError, match="behind the head"):
        verify_journal(ledger)


def test_a_ledger_that_was_rewritten_or_brought_back_as_a_whole_does_not_fit_an_earlier_checkpoint(
    ledger: Ledger, store: LedgerStore
) -> None:
    early = make_checkpoint(ledger, Origin.AWS, NOW)
    carry_out(ledger, FinishRewrap(1, 0, 0, 0), ACTOR, NOW)
    carry_out(ledger, Confirm(1, key_arn(1), "Ada"), ACTOR, NOW)
    late = make_checkpoint(ledger, Origin.AWS, NOW)
    assert verify_journal(ledger, [early, late]).entries == 7
    ledger.close()
    store.delete()
    other = store.create(cloud_state())
    for number in (1, 2):
        other.add_data_key(data_key(number), ACTOR, NOW)
    enable(other)
    verify_journal(other, [early])  # the same entries at the same time are the same journal
    with pytest.raises(DamagedError, match="saw 7 journal entries, but the journal ends at entry 5"):
        verify_journal(other, [early, late])
    carry_out(other, Revoke("Ada"), ACTOR, NOW)
    carry_out(other, Confirm(1, key_arn(1), "Bob"), ACTOR, NOW)
    with pytest.raises(DamagedError, match="the journal was rewritten: its entry 7"):
        verify_journal(other, [late])
    other.close()


@pytest.mark.parametrize(
    "altered",
    [
        replace(data_key(2), generation=1, key_arn=str(key_arn(9))),
        replace(data_key(2), generation=7, key_arn=str(key_arn(7))),
    ],
)
def test_a_record_under_a_key_that_is_not_its_generations_is_found(
    ledger: Ledger, store: LedgerStore, altered: object
) -> None:
    store.alter(altered)  # type: ignore[arg-type]
    with pytest.raises(DamagedError, match="stands under"):
        verify_data_keys(ledger, verify_journal(ledger))


def test_a_lost_record_is_found(ledger: Ledger, store: LedgerStore) -> None:
    store.lose(data_key(2))
    with pytest.raises(DamagedError):
        verify_data_keys(ledger, verify_journal(ledger))


def test_a_ledger_that_is_only_busy_is_not_said_to_be_damaged(ledger: Ledger) -> None:
    for command in (FinishRewrap(1, 0, 0, 0), Confirm(1, key_arn(1), "Ada")):
        carry_out(ledger, command, ACTOR, NOW)

    class Busy:
        """Somebody makes a data key each time that all of them were read."""

        made = 2

        def __getattr__(self, name: str) -> object:
            return getattr(ledger, name)

        def data_keys(self, purpose: str) -> object:
            yield from ledger.data_keys(purpose)
            self.made += 1
            ledger.add_data_key(replace(data_key(self.made), generation=1, key_arn=str(key_arn(1))), ACTOR, NOW)

    with pytest.raises(ConflictError, match="all the time"):
        verify_data_keys(Busy(), verify_journal(ledger))  # type: ignore[arg-type]
