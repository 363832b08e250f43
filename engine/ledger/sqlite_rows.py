"""What a SQLite ledger holds, as rows, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.catalogue import Custody
from engine.errors import DamagedError
from engine.ledger.heads import read_head
from engine.ledger.interface import DataKey, Head
from engine.ledger.journal import JournalEntry, make_entry
from engine.ledger.sqlite_connection import RESTORE
from engine.times import format_time, parse_time

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from datetime import datetime

    from engine.ledger.actor import Actor
    from engine.lifecycle import TenantState

COLUMNS = (
    "data_key_id, workload, purpose, custody, generation, key_arn, ciphertext, commitment,"
    " key_material_id, epoch, verified, set_aside, created_at"
)

INSERT = f"INSERT INTO data_keys ({COLUMNS}) VALUES ({', '.join('?' * 13)})"  # noqa: S608 - constants


def rotation_epoch(state: TenantState) -> int | None:
    """The epoch of the rotation in flight, or None."""
    return None if state.rotation is None else state.rotation.epoch


def head_row(connection: sqlite3.Connection) -> Head:
    """Read the head.

    Raises:
        DamagedError: There is none, or it cannot be read.
    """
    row = connection.execute("SELECT version, state, journal_length, journal_hash FROM head").fetchone()
    if row is None:
        raise DamagedError("the ledger has no head", RESTORE)
    version, encoded, length, last_hash = row
    last = connection.execute("SELECT entry FROM journal WHERE number = ?", (length,)).fetchone()
    return read_head(version, encoded, length, last_hash, None if last is None else last[0], RESTORE)


def append_entry(
    connection: sqlite3.Connection,
    head: Head,
    event: str,
    details: Mapping[str, Any],
    actor: Actor,
    at: datetime,
    state_sha256: str,
) -> JournalEntry:
    """Append an entry to the journal and let the head point to it, within the caller's transaction."""
    entry = make_entry(head.journal_length + 1, head.journal_hash, event, details, actor, at, state_sha256)
    connection.execute("INSERT INTO journal VALUES (?, ?)", (entry.number, entry.raw))
    connection.execute("UPDATE head SET journal_length = ?, journal_hash = ?", (entry.number, entry.hash))
    return entry


def encode_row(data_key: DataKey) -> tuple[Any, ...]:
    """The values of a data key, in the order of `COLUMNS`."""
    return (
        *(data_key.data_key_id, data_key.workload, data_key.purpose, data_key.custody.value),
        *(data_key.generation, data_key.key_arn, data_key.ciphertext, data_key.commitment),
        *(data_key.key_material_id, data_key.epoch, int(data_key.verified), data_key.set_aside),
        format_time(data_key.created_at),
    )


def read_row(row: tuple[Any, ...]) -> DataKey:
    """Read a data key from its values, in the order of `COLUMNS`.

    Raises:
        DamagedError: It is none.
    """
    try:
        return DataKey(
            data_key_id=row[0],
            workload=row[1],
            purpose=row[2],
            custody=Custody(row[3]),
            generation=row[4],
            key_arn=row[5],
            ciphertext=row[6],
            commitment=row[7],
            key_material_id=row[8],
            epoch=row[9],
            verified=bool(row[10]),
            set_aside=row[11],
            created_at=parse_time(row[12]),
        )
    except ValueError as error:
        raise DamagedError(f"the record of data key {row[0]!r} cannot be read: {error}") from error
