"""The embedded ledger: one SQLite file, in write-ahead mode with full synchronisation.

Every change is one transaction that begins by taking the write lock (`BEGIN IMMEDIATE`), so a check and
the write that rests on it cannot be torn apart by another process. The file is made for its owner alone.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from engine.catalogue import Custody
from engine.durable import synchronise
from engine.errors import DamagedError, InputError, MachineError
from engine.ledger.conflicts import has_data_key, lost_race, not_empty, require_current, superseded
from engine.ledger.heads import read_head
from engine.ledger.interface import Census, CensusRow, DataKey, Head
from engine.ledger.journal import GENESIS, JournalEntry, make_entry, read_entry
from engine.ledger.sqlite_connection import RESTORE, connect, translated
from engine.ledger.sqlite_schema import make_schema, require_schema
from engine.ledger.state_document import encode_state, state_hash
from engine.times import format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from engine.ledger.actor import Actor
    from engine.ledger.contents import LedgerContents
    from engine.lifecycle import TenantState, Transition

_COLUMNS = (
    "data_key_id, workload, purpose, custody, generation, key_arn, ciphertext, commitment,"
    " key_material_id, epoch, verified, set_aside, created_at"
)

_INSERT = f"INSERT INTO data_keys ({_COLUMNS}) VALUES ({', '.join('?' * 13)})"  # noqa: S608 - constants
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
            return _head(connection)

    def commit(self, expected: Head, transition: Transition, actor: Actor, at: datetime) -> Head:
        """Store a transition and its journal entry in one step, or raise `ConflictError`."""
        with self._writing() as connection:
            head = _head(connection)
            if head.version != expected.version:
                raise lost_race(head.state.tenant)
            encoded = encode_state(transition.state)
            entry = _append(connection, head, transition.event, transition.details, actor, at, state_hash(encoded))
            connection.execute(
                "UPDATE head SET version = version + 1, state = ?, rotation_epoch = ?",
                (encoded, _epoch(transition.state)),
            )
            return Head(head.version + 1, transition.state, entry.number, entry.hash)

    def add_data_key(self, data_key: DataKey, actor: Actor, at: datetime) -> None:
        """Take in a new data key and journal it, or raise `ConflictError`."""
        with self._writing() as connection:
            head = _head(connection)
            require_current(head.state, data_key)
            try:
                connection.execute(_INSERT, _row(data_key))
            except sqlite3.IntegrityError as error:
                raise has_data_key(data_key) from error
            details = {
                "workload": data_key.workload,
                "purpose": data_key.purpose,
                "generation": data_key.generation,
                "key_arn": data_key.key_arn,
            }
            encoded_hash = state_hash(encode_state(head.state))
            _append(connection, head, "data_key_created", details, actor, at, encoded_hash)

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
                    f"SELECT {_COLUMNS} FROM data_keys WHERE purpose = ? AND workload > ?"  # noqa: S608 - constants
                    " ORDER BY workload LIMIT 50",
                    (purpose, after),
                ).fetchall()
            if not rows:
                return
            page = [_data_key(row) for row in rows]
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
                f"SELECT {_COLUMNS} FROM data_keys WHERE {bounds} AND +custody <> ?"  # noqa: S608 - constants
                " AND (generation <> ? OR key_arn <> ? OR verified = 0) ORDER BY data_key_id LIMIT ?",
                (*values, Custody.SERVICE.value, target_generation, target_arn, limit),
            ).fetchall()
        return tuple(_data_key(row) for row in rows)

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
            row = connection.execute(f"SELECT {_COLUMNS} FROM data_keys {where}", values).fetchone()  # noqa: S608 - constants
        return None if row is None else _data_key(row)

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


def create_sqlite_ledger(path: Path, state: TenantState, actor: Actor, at: datetime) -> SqliteLedger:
    """Make a new ledger with its first journal entry, or open the one that another process just made.

    It is made whole under another name and then linked into its place, so that no crash and no second maker
    ever leaves half a ledger there.

    Raises:
        MachineError: The folder or file cannot be made.
        DamagedError: A file is there and holds something else.
    """
    _place(path, lambda temporary: _build(temporary, state, actor, at))
    return open_sqlite_ledger(path)


def restore_sqlite_ledger(path: Path, contents: LedgerContents) -> None:
    """Make a ledger with all that another one had.

    Raises:
        MachineError: The folder or file cannot be made.
        ConflictError: There is a ledger already; nothing was changed.
    """

    def build(temporary: Path) -> None:
        with translated(temporary), closing(connect(temporary)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            make_schema(connection)
            head = contents.head
            connection.execute(
                "INSERT INTO head VALUES (1, ?, ?, ?, ?, ?)",
                (
                    *(head.version, encode_state(head.state), _epoch(head.state)),
                    *(head.journal_length, head.journal_hash),
                ),
            )
            entries = ((entry.number, entry.raw) for entry in contents.entries())
            connection.executemany("INSERT INTO journal VALUES (?, ?)", entries)
            connection.executemany(_INSERT, map(_row, contents.data_keys()))
            _commit_whole(connection, temporary)

    if not _place(path, build):
        raise not_empty(f"sqlite:///{path}")


def _place(path: Path, build: Callable[[Path], None]) -> bool:
    """Build a file under another name and link it into its place; False where something is there already."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(mode=0o600, exist_ok=False)
        try:
            build(temporary)
            _require_no_log_without_its_file(path)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
        finally:
            for suffix in ("", "-wal", "-shm"):
                temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)
        synchronise(path.parent)
    except OSError as error:
        raise MachineError(f"the ledger {str(path)!r} cannot be made: {error.strerror}") from error
    return True


def _require_no_log_without_its_file(path: Path) -> None:
    """SQLite would take a log that lies beside a new file for that file's own, and write it over what is there.

    Raises:
        DamagedError: There is one; it holds the last changes of the ledger that it was left behind by.
    """
    for suffix in ("-wal", "-journal"):
        log = path.with_name(path.name + suffix)
        if log.exists() and not path.exists():
            raise DamagedError(
                f"{str(log)!r} was left behind by another ledger, whose last changes it holds",
                "move it away together with the file that it belongs to, and run the command again",
            )


def _build(path: Path, state: TenantState, actor: Actor, at: datetime) -> None:
    with translated(path), closing(connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        make_schema(connection)
        encoded = encode_state(state)
        connection.execute("INSERT INTO head VALUES (1, 0, ?, ?, 0, ?)", (encoded, _epoch(state), GENESIS))
        details = {"tenant": state.tenant, "account_id": state.account_id, "region": state.region}
        _append(connection, Head(0, state, 0, GENESIS), "created", details, actor, at, state_hash(encoded))
        _commit_whole(connection, path)


def _commit_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Commit, and move everything into the file, without which the write-ahead log is let go.

    Closing the last connection would move it, too, but says nothing where it cannot: on a full disk.
    """
    connection.commit()
    connection.execute("PRAGMA busy_timeout = 0")  # nobody else has this file
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise MachineError(f"the ledger {str(path)!r} cannot be made: another process reads it", "try again")


def open_sqlite_ledger(path: Path) -> SqliteLedger:
    """Open an existing ledger; one with an older schema is copied and brought up to date.

    Raises:
        InputError: There is none, or it is one of a newer version of Keyturn.
        DamagedError: The file is not a ledger.
        MachineError: It cannot be opened.
    """
    if not path.exists():
        raise InputError(f"there is no ledger at {str(path)!r}")
    with translated(path):
        connection = connect(path)
        try:
            require_schema(connection, path)
        except BaseException:
            connection.close()
            raise
    return SqliteLedger(path, connection)


def _epoch(state: TenantState) -> int | None:
    return None if state.rotation is None else state.rotation.epoch


def _head(connection: sqlite3.Connection) -> Head:
    row = connection.execute("SELECT version, state, journal_length, journal_hash FROM head").fetchone()
    if row is None:
        raise DamagedError("the ledger has no head", RESTORE)
    version, encoded, length, last_hash = row
    last = connection.execute("SELECT entry FROM journal WHERE number = ?", (length,)).fetchone()
    return read_head(version, encoded, length, last_hash, None if last is None else last[0], RESTORE)


def _append(
    connection: sqlite3.Connection,
    head: Head,
    event: str,
    details: Mapping[str, Any],
    actor: Actor,
    at: datetime,
    state_sha256: str,
) -> JournalEntry:
    entry = make_entry(head.journal_length + 1, head.journal_hash, event, details, actor, at, state_sha256)
    connection.execute("INSERT INTO journal VALUES (?, ?)", (entry.number, entry.raw))
    connection.execute("UPDATE head SET journal_length = ?, journal_hash = ?", (entry.number, entry.hash))
    return entry


def _row(data_key: DataKey) -> tuple[Any, ...]:
    return (
        *(data_key.data_key_id, data_key.workload, data_key.purpose, data_key.custody.value),
        *(data_key.generation, data_key.key_arn, data_key.ciphertext, data_key.commitment),
        *(data_key.key_material_id, data_key.epoch, int(data_key.verified), data_key.set_aside),
        format_time(data_key.created_at),
    )


def _data_key(row: tuple[Any, ...]) -> DataKey:
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
