"""The embedded ledger: one SQLite file, in write-ahead mode with full synchronisation.

Every change is one transaction that begins by taking the write lock (`BEGIN IMMEDIATE`), so a check and
the write that rests on it cannot be torn apart by another process. The file is made for its owner alone.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.catalogue import Custody
from engine.ledger.conflicts import has_data_key, lost_race, require_current, superseded
from engine.ledger.interface import Census, CensusRow, DataKey, Head
from engine.ledger.journal import JournalEntry, read_entry
from engine.ledger.sqlite_connection import translated
from engine.ledger.sqlite_rows import COLUMNS, INSERT, append_entry, encode_row, head_row, read_row, rotation_epoch
from engine.ledger.state_document import encode_state, state_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from engine.ledger.actor import Actor
    from engine.lifecycle import Transition

_REPLACE = (
    "UPDATE data_keys SET generation = ?, key_arn = ?, ciphertext = ?, key_material_id = ?, epoch = ?,"
    " verified = ?, set_aside = ? WHERE data_key_id = ? AND generation = ? AND key_arn = ? AND ciphertext = ?"
)

_REMEMBER = (
    "INSERT INTO newest_snapshots VALUES (?, ?, ?) ON CONFLICT (data_key_id) DO UPDATE"
    " SET number = excluded.number, snapshot = excluded.snapshot WHERE excluded.number >= number OR snapshot = ?"
)


class SqliteLedger:
    """A ledger in one SQLite file; one instance may be used by several threads."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `create_sqlite_ledger` or `open_sqlite_ledger`."""
        self._path = path
        self._connection = connection
        self._lock = threading.RLock()

    @property
    def location(self) -> str:
        """Where it is, as the declaration names it."""
        return f"sqlite:///{self._path}"

    def head(self) -> Head:
        """The head as of now."""
        with self._reading() as connection:
            return head_row(connection)

    def commit(self, expected: Head, transition: Transition, actor: Actor, at: datetime) -> Head:
        """Store a transition and its journal entry in one step, or raise `ConflictError`."""
        with self._writing() as connection:
            head = head_row(connection)
            if head.version != expected.version:
                raise lost_race(head.state.tenant)
            encoded = encode_state(transition.state)
            entry = append_entry(connection, head, transition.event, transition.details, actor, at, state_hash(encoded))
            connection.execute(
                "UPDATE head SET version = version + 1, state = ?, rotation_epoch = ?",
                (encoded, rotation_epoch(transition.state)),
            )
            return Head(head.version + 1, transition.state, entry.number, entry.hash)

    def add_data_key(self, data_key: DataKey, actor: Actor, at: datetime) -> None:
        """Take in a new data key and journal it, or raise `ConflictError`."""
        with self._writing() as connection:
            head = head_row(connection)
            require_current(head.state, data_key)
            try:
                connection.execute(INSERT, encode_row(data_key))
            except sqlite3.IntegrityError as error:
                raise has_data_key(data_key) from error
            details = {
                "workload": data_key.workload,
                "purpose": data_key.purpose,
                "generation": data_key.generation,
                "key_arn": data_key.key_arn,
            }
            encoded_hash = state_hash(encode_state(head.state))
            append_entry(connection, head, "data_key_created", details, actor, at, encoded_hash)

    def find_data_key(self, workload: str, purpose: str) -> DataKey | None:
        """The data key of a workload for a purpose, or None."""
        return self._one("WHERE workload = ? AND purpose = ?", workload, purpose)

    def data_key(self, data_key_id: str) -> DataKey | None:
        """The data key of this id, or None."""
        return self._one("WHERE data_key_id = ?", data_key_id)

    def data_keys(self, purpose: str) -> Iterator[DataKey]:
        """Every data key for a purpose, in the order of their workloads."""
        after = ""  # no workload's label is empty
        while True:
            with self._reading() as connection:
                rows = connection.execute(
                    f"SELECT {COLUMNS} FROM data_keys WHERE purpose = ? AND workload > ?"  # noqa: S608 - constants
                    " ORDER BY workload LIMIT 50",
                    (purpose, after),
                ).fetchall()
            if not rows:
                return
            page = [read_row(row) for row in rows]
            yield from page
            after = page[-1].workload

    def data_keys_to_move(
        self, target_generation: int, target_arn: str, after: str | None, limit: int, up_to: str | None = None
    ) -> tuple[DataKey, ...]:
        """A page of the data keys of customer custody that are not under the target's key and proved there."""
        # `+custody`: by its index, each page would read and sort all that is left instead of walking on by id.
        bounds, values = "data_key_id > ?", [after or ""]
        if up_to is not None:
            bounds, values = f"{bounds} AND data_key_id <= ?", [*values, up_to]
        with self._reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM data_keys WHERE {bounds} AND +custody <> ?"  # noqa: S608 - constants
                " AND (generation <> ? OR key_arn <> ? OR verified = 0) ORDER BY data_key_id LIMIT ?",
                (*values, Custody.SERVICE.value, target_generation, target_arn, limit),
            ).fetchall()
        return tuple(read_row(row) for row in rows)

    def replace_wrapping(self, old: DataKey, new: DataKey, epoch: int) -> bool:
        """Put `new` in the place of exactly `old`; False where it is not there any more."""
        return self.replace_wrappings(((old, new),), epoch)[0]

    def replace_wrappings(self, replacements: Sequence[tuple[DataKey, DataKey]], epoch: int) -> tuple[bool, ...]:
        """Put each `new` in the place of exactly its `old`, all in one transaction."""
        with self._writing() as connection:
            if connection.execute("SELECT rotation_epoch FROM head").fetchone() != (epoch,):
                raise superseded(epoch)
            cursor = connection.cursor()
            stored = []
            for old, new in replacements:
                cursor.execute(
                    _REPLACE,
                    (
                        *(new.generation, new.key_arn, new.ciphertext, new.key_material_id, new.epoch),
                        *(int(new.verified), new.set_aside),
                        *(old.data_key_id, old.generation, old.key_arn, old.ciphertext),
                    ),
                )
                stored.append(cursor.rowcount == 1)
            return tuple(stored)

    def census(self) -> Census:
        """Count the data keys of customer custody; one whose custody is damaged may be of it, and counts."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT custody, generation, key_arn, COUNT(*), SUM(1 - verified), COUNT(set_aside) FROM data_keys"
                " GROUP BY custody, generation, key_arn"  # in the order of the index, so nothing is sorted
            ).fetchall()
        counted: dict[tuple[int, str], tuple[int, int, int]] = {}
        for custody, generation, key_arn, *numbers in rows:
            if custody != Custody.SERVICE.value:
                so_far = counted.get((generation, key_arn), (0, 0, 0))
                total, unverified, set_aside = (a + b for a, b in zip(so_far, numbers, strict=True))
                counted[generation, key_arn] = total, unverified, set_aside
        return Census(tuple(CensusRow(*key, *counted[key]) for key in sorted(counted)))

    def remember_snapshot(self, data_key_id: str, number: int, snapshot: str, lost: str | None = None) -> None:
        """Remember a snapshot as the newest one under a data key, unless one of a higher number is."""
        with self._writing() as connection:
            connection.execute(_REMEMBER, (data_key_id, number, snapshot, lost))

    def newest_snapshot(self, data_key_id: str) -> str | None:
        """The id of the newest snapshot that was ever remembered under a data key, or None."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT snapshot FROM newest_snapshots WHERE data_key_id = ?", (data_key_id,)
            ).fetchone()
        return None if row is None else str(row[0])

    def journal(self, after: int = 0) -> Iterator[JournalEntry]:
        """The entries behind number `after`, in order."""
        while True:
            with self._reading() as connection:
                rows = connection.execute(
                    "SELECT number, entry FROM journal WHERE number > ? ORDER BY number LIMIT 1000", (after,)
                ).fetchall()
            if not rows:
                return
            for number, raw in rows:
                yield read_entry(raw, number)
                after = number

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _one(self, where: str, *values: str) -> DataKey | None:
        with self._reading() as connection:
            row = connection.execute(f"SELECT {COLUMNS} FROM data_keys {where}", values).fetchone()  # noqa: S608 - constants
        return None if row is None else read_row(row)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path):
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()
