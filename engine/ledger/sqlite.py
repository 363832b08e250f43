"""The embedded ledger: one SQLite file, in write-ahead mode with full synchronisation.

Every change is one transaction that begins by taking the write lock (`BEGIN IMMEDIATE`), so a check and
the write that rests on it cannot be torn apart by another process. The file is made for its owner alone.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from engine.catalogue import Custody
from engine.errors import DamagedError, InputError, MachineError
from engine.ledger.conflicts import has_data_key, lost_race, require_current, superseded
from engine.ledger.heads import read_head
from engine.ledger.interface import Actor, Census, CensusRow, DataKey, Head
from engine.ledger.journal import GENESIS, JournalEntry, make_entry, read_entry
from engine.ledger.state_document import encode_state, state_hash
from engine.times import format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from engine.lifecycle import TenantState, Transition

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4B455954  # "KEYT": tells a ledger from any other SQLite file
_BUSY_MILLISECONDS = 10_000
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_ERROR", "SQLITE_MISMATCH", "SQLITE_CONSTRAINT")
_RESTORE = "bring the ledger back from a backup"

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE head (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  version INTEGER NOT NULL,
  state BLOB NOT NULL,
  rotation_epoch INTEGER,
  journal_length INTEGER NOT NULL,
  journal_hash TEXT NOT NULL
) STRICT;
CREATE TABLE journal (number INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT;
CREATE TABLE data_keys (
  data_key_id TEXT PRIMARY KEY,
  workload TEXT NOT NULL,
  purpose TEXT NOT NULL,
  custody TEXT NOT NULL,
  generation INTEGER NOT NULL,
  key_arn TEXT NOT NULL,
  ciphertext BLOB NOT NULL,
  commitment BLOB NOT NULL,
  key_material_id TEXT,
  epoch INTEGER NOT NULL,
  verified INTEGER NOT NULL,
  set_aside TEXT,
  created_at TEXT NOT NULL,
  UNIQUE (workload, purpose)
) STRICT, WITHOUT ROWID;
CREATE INDEX data_keys_by_key ON data_keys (custody, generation, key_arn, verified, set_aside);
"""

_COLUMNS = (
    "data_key_id, workload, purpose, custody, generation, key_arn, ciphertext, commitment,"
    " key_material_id, epoch, verified, set_aside, created_at"
)

_REPLACE = (
    "UPDATE data_keys SET generation = ?, key_arn = ?, ciphertext = ?, key_material_id = ?, epoch = ?,"
    " verified = ?, set_aside = ? WHERE data_key_id = ? AND generation = ? AND key_arn = ? AND ciphertext = ?"
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
                connection.execute(
                    f"INSERT INTO data_keys ({_COLUMNS}) VALUES ({', '.join('?' * 13)})",  # noqa: S608 - constants
                    _row(data_key),
                )
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
                f"SELECT {_COLUMNS} FROM data_keys WHERE {bounds} AND +custody = ?"  # noqa: S608 - constants
                " AND (generation <> ? OR key_arn <> ? OR verified = 0) ORDER BY data_key_id LIMIT ?",
                (*values, Custody.CUSTOMER.value, target_generation, target_arn, limit),
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
        """Count the data keys of customer custody."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT generation, key_arn, COUNT(*), SUM(1 - verified), COUNT(set_aside) FROM data_keys"
                " WHERE custody = ? GROUP BY generation, key_arn ORDER BY generation, key_arn",
                (Custody.CUSTOMER.value,),
            ).fetchall()
        return Census(tuple(CensusRow(*row) for row in rows))

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
        with self._lock, _translated(self._path):
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self._path):
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
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch(mode=0o600, exist_ok=False)
        try:
            _build(temporary, state, actor, at)
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            for suffix in ("", "-wal", "-shm"):
                temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)
        _synchronise(path.parent)
    except OSError as error:
        raise MachineError(f"the ledger {str(path)!r} cannot be made: {error.strerror}") from error
    return open_sqlite_ledger(path)


def _build(path: Path, state: TenantState, actor: Actor, at: datetime) -> None:
    with _translated(path):
        connection = _connect(path)
        connection.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.strip().removesuffix(";").split(";\n"):
            connection.execute(statement)
        encoded = encode_state(state)
        connection.execute("INSERT INTO head VALUES (1, 0, ?, ?, 0, ?)", (encoded, _epoch(state), GENESIS))
        details = {"tenant": state.tenant, "account_id": state.account_id, "region": state.region}
        _append(connection, Head(0, state, 0, GENESIS), "created", details, actor, at, state_hash(encoded))
        connection.commit()
        connection.close()  # the last connection moves everything from the write-ahead log into the file


def _synchronise(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_sqlite_ledger(path: Path) -> SqliteLedger:
    """Open an existing ledger.

    Raises:
        InputError: There is none.
        DamagedError: The file is not a ledger, or of a version that this one does not know.
        MachineError: It cannot be opened.
    """
    if not path.exists():
        raise InputError(f"there is no ledger at {str(path)!r}")
    with _translated(path):
        connection = _connect(path)
        application_id = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application_id != APPLICATION_ID:
        connection.close()
        raise DamagedError(f"{str(path)!r} is not a ledger of Keyturn", "look at `ledger` in the declaration")
    if version != SCHEMA_VERSION:
        connection.close()
        raise DamagedError(
            f"the ledger {str(path)!r} has schema version {version}; this version of Keyturn reads {SCHEMA_VERSION}",
            "use the version of Keyturn that wrote it, or a newer one",
        )
    return SqliteLedger(path, connection)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        connection.close()
        raise MachineError(
            f"the file system of {str(path)!r} does not carry SQLite's write-ahead log",
            "keep the ledger on a local disk",
        )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn every error of SQLite into ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise MachineError(
                f"the ledger {str(path)!r} is locked by another process", "wait for the other command and try again"
            ) from error
        if name.startswith("SQLITE_FULL"):
            raise MachineError(f"the disk is full: the ledger {str(path)!r} cannot be written") from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise MachineError(f"the ledger {str(path)!r} cannot be opened for writing") from error
        if name.startswith(_DAMAGE):
            raise DamagedError(f"the ledger {str(path)!r} is damaged: {error}", _RESTORE) from error
        raise MachineError(f"the ledger {str(path)!r} cannot be used: {error} ({name or 'SQLite'})") from error


def _epoch(state: TenantState) -> int | None:
    return None if state.rotation is None else state.rotation.epoch


def _head(connection: sqlite3.Connection) -> Head:
    row = connection.execute("SELECT version, state, journal_length, journal_hash FROM head").fetchone()
    if row is None:
        raise DamagedError("the ledger has no head", _RESTORE)
    version, encoded, length, last_hash = row
    last = connection.execute("SELECT entry FROM journal WHERE number = ?", (length,)).fetchone()
    return read_head(version, encoded, length, last_hash, None if last is None else last[0], _RESTORE)


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
