"""What the ledger's owner may sign, and what would not be true."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.errors import RefusedError
from engine.evidence import Origin
from engine.ledger.sqlite_making import create_sqlite_ledger
from engine.ledger.statements import make_certificate, make_checkpoint, make_evidence
from engine.lifecycle import Confirm, Enable, FinishRewrap, GenerationState, Register, Rotate
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, cloud_state, key_arn, store_altered
from tests.engine.ledger.test_ledger import data_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.evidence import Evidence
    from engine.ledger.sqlite import SqliteLedger
    from engine.lifecycle import Command


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    """A tenant in the middle of its first rotation, with one data key under each generation."""
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    carry(ledger, Register(1, key_arn(1), activated=True), Enable(1, key_arn(1), "Ada", "ab" * 32))
    carry(ledger, FinishRewrap(1, 0, 0, 0), Confirm(1, key_arn(1), "Ada"))
    ledger.add_data_key(data_key(1, generation=1), ACTOR, NOW)
    carry(ledger, Rotate(2, key_arn(2)))
    ledger.add_data_key(data_key(2, generation=2), ACTOR, NOW)
    yield ledger
    ledger.close()


def carry(ledger: SqliteLedger, *commands: Command) -> None:
    for command in commands:
        carry_out(ledger, command, ACTOR, NOW)


def finish(ledger: SqliteLedger) -> None:
    first = data_key(1, generation=1)
    moved = replace(first, generation=2, key_arn=str(key_arn(2)), ciphertext=b"moved", epoch=2)
    assert ledger.replace_wrapping(first, moved, epoch=2)
    carry(ledger, FinishRewrap(2, 0, 0, 0), Confirm(2, key_arn(2), "Ada"))


def evidence(ledger: SqliteLedger) -> Evidence:
    return make_evidence(ledger, Origin.AWS, NOW, timedelta(hours=24))


def test_evidence_tells_where_each_generation_stands_at_this_point_of_the_journal(ledger: SqliteLedger) -> None:
    told = evidence(ledger)
    head = ledger.head()
    assert (told.journal.length, told.journal.hash) == (head.journal_length, head.journal_hash)
    assert (told.enabled, told.revoked, told.current) == (True, False, 2)
    assert told.rotation is not None
    assert (told.rotation.to, told.rotation.epoch) == (2, 2)
    first, second = told.generations
    assert (first.state, first.data_keys, first.integrated) == (GenerationState.RETAINED, 1, True)
    assert (second.state, second.data_keys, second.integrated) == (GenerationState.CURRENT, 1, False)
    assert told.expires_at == NOW + timedelta(hours=24)


@pytest.mark.requirement("EKM-33")
def test_a_certificate_is_given_when_nothing_is_left_and_not_before(ledger: SqliteLedger) -> None:
    with pytest.raises(RefusedError) as caught:
        make_certificate(ledger, 1, Origin.AWS, NOW)
    assert "1 data keys stand under its key" in caught.value.message
    assert "the move to generation 2 is not complete" in caught.value.message
    assert evidence(ledger).generations[0].certificate is None
    finish(ledger)
    certificate = make_certificate(ledger, 1, Origin.AWS, NOW)
    assert (certificate.generation, certificate.moved_to, certificate.data_keys) == (1, 2, 2)
    assert evidence(ledger).generations[0].certificate == certificate


@pytest.mark.parametrize("number", [2, 9])
def test_a_generation_in_use_or_unknown_has_no_certificate(ledger: SqliteLedger, number: int) -> None:
    finish(ledger)
    with pytest.raises(RefusedError):
        make_certificate(ledger, number, Origin.AWS, NOW)


@pytest.mark.parametrize(
    "damage",
    [
        replace(data_key(2, generation=2), verified=False),
        replace(data_key(2, generation=2), key_arn=str(key_arn(1))),
        replace(data_key(2, generation=2), generation=1),
    ],
)
def test_a_data_key_that_is_unproved_or_names_the_old_key_stops_the_certificate(
    ledger: SqliteLedger, damage: object
) -> None:
    finish(ledger)
    store_altered(ledger, damage)  # type: ignore[arg-type]
    with pytest.raises(RefusedError):
        make_certificate(ledger, 1, Origin.AWS, NOW)


def test_a_checkpoint_is_the_journals_end(ledger: SqliteLedger) -> None:
    head = ledger.head()
    checkpoint = make_checkpoint(ledger, Origin.SANDBOX, NOW)
    assert checkpoint.journal.length == head.journal_length
    assert checkpoint.subject.origin is Origin.SANDBOX
