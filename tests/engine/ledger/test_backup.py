"""A backup brings head, journal and data keys of a ledger back, into either kind; what was altered is found."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.errors import ConflictError, DamagedError, InputError, KeyturnError
from engine.ledger.backup import read_backup, write_backup
from engine.ledger.dynamodb_items import journal_key
from engine.ledger.dynamodb_making import restore_dynamodb_ledger
from engine.ledger.sqlite_making import restore_sqlite_ledger
from engine.ledger.verification import verify_data_keys, verify_journal
from engine.lifecycle import Confirm, FinishRewrap, Revoke
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, cloud_state, key_arn
from tests.engine.ledger.test_ledger import data_key, enable, everything, reopened
from tests.ledger_stores import KINDS, TENANT, DynamoDbStore, LedgerStore, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.ledger.contents import LedgerContents
    from engine.ledger.interface import DataKey, Ledger


def filled(store: LedgerStore) -> Ledger:
    """A tenant in the middle of its first move: one data key moved, one set aside, one under the service's key."""
    ledger = store.create(cloud_state())
    for number in (1, 2):
        ledger.add_data_key(data_key(number), ACTOR, NOW)
    enable(ledger)
    old = data_key(1)
    assert ledger.replace_wrapping(old, replace(old, generation=1, key_arn=str(key_arn(1)), ciphertext=b"new"), 1)
    assert ledger.replace_wrapping(data_key(2), replace(data_key(2), set_aside="tampered"), 1)
    return ledger


def backed_up(ledger: Ledger, path: Path) -> LedgerContents:
    with path.open("w+b") as stream:
        summary = write_backup(ledger, stream, "0", NOW)
    contents = read_backup(path)
    assert contents.source == summary.sha256
    assert (summary.entries, summary.data_keys) == (contents.head.journal_length, len(list(contents.data_keys())))
    return contents


def restore(store: LedgerStore, contents: LedgerContents) -> None:
    if isinstance(store, SqliteStore):
        restore_sqlite_ledger(store.path, contents)
    else:
        assert isinstance(store, DynamoDbStore)
        restore_dynamodb_ledger(store.connect(), contents)


def all_data_keys(ledger: Ledger) -> list[object]:
    return [*ledger.data_keys("payload"), *ledger.data_keys("legal_hold")]


@pytest.mark.requirement("EKM-34")
@pytest.mark.parametrize("into", KINDS)
def test_a_deleted_ledger_comes_back_as_it_was_in_either_kind(
    store: LedgerStore, into: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    ledger = filled(store)
    before, keys = everything(ledger), all_data_keys(ledger)
    contents = backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    store.delete()
    other: LedgerStore = request.getfixturevalue(into)
    assert other.open() is None
    restore(other, contents)
    again = reopened(other)
    assert everything(again) == before
    assert all_data_keys(again) == keys
    assert verify_data_keys(again, verify_journal(again)) == 2
    carry_out(again, Revoke("Ada"), ACTOR, NOW)
    again.close()


def test_recovery_never_overwrites_a_ledger(store: LedgerStore, tmp_path: Path) -> None:
    ledger = filled(store)
    contents = backed_up(ledger, tmp_path / "ledger.backup")
    carry_out(ledger, Revoke("Ada"), ACTOR, NOW)
    before = everything(ledger)
    with pytest.raises(ConflictError, match="never overwrites"):
        restore(store, contents)
    assert everything(ledger) == before
    ledger.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_recovery_that_was_broken_off_leaves_no_ledger_and_is_begun_again(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store: LedgerStore = request.getfixturevalue(kind)
    ledger = filled(store)
    before = everything(ledger)
    contents = backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    store.delete()

    def broken() -> object:
        yield data_key(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(store, replace(contents, data_keys=broken))  # type: ignore[arg-type]
    assert store.open() is None
    if isinstance(store, DynamoDbStore):
        with pytest.raises(ConflictError, match="from another source"):
            restore(store, replace(contents, source="ab" * 32))
        with pytest.raises(ConflictError, match="is being recovered"):
            store.create(cloud_state())
    restore(store, contents)
    assert everything(reopened(store)) == before


@pytest.mark.requirement("EKM-34")
def test_a_recovery_that_another_run_overtook_writes_nothing_more(
    sqlite_store: SqliteStore, dynamodb_store: DynamoDbStore, tmp_path: Path
) -> None:
    ledger = filled(sqlite_store)
    contents = backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    recovered: list[Ledger] = []

    def overtaken() -> Iterator[DataKey]:
        restore(dynamodb_store, contents)
        recovered.append(reopened(dynamodb_store))
        old = data_key(2)
        moved = replace(old, generation=1, key_arn=str(key_arn(1)), ciphertext=b"newer")
        assert recovered[0].replace_wrapping(old, moved, 1)
        yield from contents.data_keys()

    with pytest.raises(ConflictError, match="goes on alone"):
        restore(dynamodb_store, replace(contents, data_keys=overtaken))
    again = recovered[0].data_key(data_key(2).data_key_id)
    assert again is not None
    assert again.generation == 1, "the wrapping went back to the older key"
    assert verify_data_keys(recovered[0], verify_journal(recovered[0])) == 2


def test_remains_of_a_ledger_without_its_head_are_not_overwritten(
    dynamodb_store: DynamoDbStore, sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    ledger = filled(sqlite_store)
    contents = backed_up(ledger, tmp_path / "ledger.backup")
    item = {**journal_key(TENANT, 1), "entry": {"B": b"something"}}
    dynamodb_store.client().put_item(TableName=dynamodb_store.table, Item=item)
    with pytest.raises(DamagedError, match="without a head"):
        restore(dynamodb_store, contents)
    assert dynamodb_store.open() is None
    ledger.close()


def test_no_line_can_be_flipped_dropped_repeated_or_exchanged(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "ledger.backup"
    ledger = filled(sqlite_store)
    backed_up(ledger, path)
    ledger.close()
    intact = path.read_bytes()
    lines = intact.splitlines(keepends=True)
    changed = [b"".join(lines[:index] + lines[index + 1 :]) for index in range(len(lines))]
    changed += [b"".join([*lines[: index + 1], *lines[index:]]) for index in range(len(lines))]
    changed += [b"".join([*lines[:index], lines[index + 1], lines[index], *lines[index + 2 :]]) for index in range(6)]
    changed += [
        bytes((*intact[:position], intact[position] ^ 0x01, *intact[position + 1 :]))
        for position in range(0, len(intact), 7)
    ]
    changed += [intact[:length] for length in range(0, len(intact), 97)]
    for data in changed:
        path.write_bytes(data)
        with pytest.raises((DamagedError, InputError)):
            read_backup(path)


def test_a_backup_of_a_damaged_ledger_is_refused(store: LedgerStore, tmp_path: Path) -> None:
    ledger = filled(store)
    raws = [entry.raw for entry in ledger.journal()]
    store.put_entries([raws[0], raws[2], raws[1], *raws[3:]])
    with pytest.raises(DamagedError), (tmp_path / "ledger.backup").open("w+b") as stream:
        write_backup(ledger, stream, "0", NOW)
    ledger.close()


@pytest.mark.requirement("EKM-34")
def test_a_ledger_that_has_lost_a_data_key_is_told_and_not_backed_up(store: LedgerStore, tmp_path: Path) -> None:
    ledger = filled(store)
    store.lose(data_key(2))
    with pytest.raises(DamagedError, match="data key"), (tmp_path / "ledger.backup").open("w+b") as stream:
        write_backup(ledger, stream, "0", NOW)
    ledger.close()


@pytest.mark.parametrize("content", ["", "{}\n", "[]\n", "plain text\n", '{"kind": "another"}\n'])
def test_another_file_is_no_backup(tmp_path: Path, content: str) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(KeyturnError):
        read_backup(path)
    with pytest.raises(InputError):
        read_backup(tmp_path / "missing")


def test_a_backup_holds_no_more_than_wrapped_keys(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    ledger = filled(sqlite_store)
    backed_up(ledger, tmp_path / "ledger.backup")
    ledger.close()
    kinds = [set(json.loads(line)) for line in (tmp_path / "ledger.backup").read_text().splitlines()]
    assert kinds[0] == {"kind", "tenant", "made_at", "version"}
    assert all(kind in ({"data_key"}, {"entry"}, {"head"}, {"end"}) for kind in kinds[1:])


def test_data_keys_that_are_made_while_a_backup_is_taken_are_in_it_with_their_entries(
    sqlite_store: SqliteStore, tmp_path: Path
) -> None:
    ledger = filled(sqlite_store)

    class Busy:
        """Somebody else makes a data key that sorts before those that were read already."""

        def __getattr__(self, name: str) -> object:
            return getattr(ledger, name)

        def data_keys(self, purpose: str) -> object:
            yield from ledger.data_keys(purpose)
            if purpose == "payload":
                late = replace(data_key(7, generation=1), workload="a/first", created_at=NOW + timedelta(days=1))
                ledger.add_data_key(late, ACTOR, NOW)

    contents = backed_up(Busy(), tmp_path / "ledger.backup")  # type: ignore[arg-type]
    assert {key.workload for key in contents.data_keys()} >= {"a/first"}
    assert contents.head == ledger.head()
    ledger.close()


def test_a_backup_is_taken_at_one_point_or_not_at_all(sqlite_store: SqliteStore, tmp_path: Path) -> None:
    ledger = filled(sqlite_store)

    class Changing:
        """A transition comes each time that the data keys are read."""

        def __init__(self, times: int) -> None:
            self.times = times

        def __getattr__(self, name: str) -> object:
            return getattr(ledger, name)

        def data_keys(self, purpose: str) -> object:
            yield from ledger.data_keys(purpose)
            if self.times and purpose == "payload":
                self.times -= 1
                move = FinishRewrap(1, 0, 0, 0) if self.times else Confirm(1, key_arn(1), "Ada")
                carry_out(ledger, move, ACTOR, NOW)

    contents = backed_up(Changing(1), tmp_path / "ledger.backup")  # type: ignore[arg-type]
    assert contents.head == ledger.head()
    ledger.close()
