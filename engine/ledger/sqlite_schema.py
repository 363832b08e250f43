"""The schema of a SQLite ledger, step by step, and how an older file is brought up to date.

- The schema's version stands in the file (`user_version`), and what the file is (`application_id`).
- Step n takes the schema from version n to n + 1; the first one makes it. A step is never changed again.
- An older ledger is copied first, beside itself, and then brought up to date in one transaction: it has the
  old schema or the new one, whatever happens. The copy is the owner's alone, and stays.
- A newer one is refused: what this version does not know, it would not keep.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from engine.durable import synchronise
from engine.errors import DamagedError, InputError, MachineError
from engine.ledger.sqlite_connection import translated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

APPLICATION_ID = 0x4B455954  # "KEYT": tells a ledger from any other SQLite file

Step = tuple[str, ...]

_FIRST: Step = (
    """CREATE TABLE head (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  version INTEGER NOT NULL,
  state BLOB NOT NULL,
  rotation_epoch INTEGER,
  journal_length INTEGER NOT NULL,
  journal_hash TEXT NOT NULL
) STRICT""",
    "CREATE TABLE journal (number INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT",
    """CREATE TABLE data_keys (
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
) STRICT, WITHOUT ROWID""",
    "CREATE INDEX data_keys_by_key ON data_keys (custody, generation, key_arn, verified, set_aside)",
)

_SECOND: Step = (
    """CREATE TABLE newest_snapshots (
  data_key_id TEXT PRIMARY KEY,
  number INTEGER NOT NULL,
  snapshot TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
)

STEPS: tuple[Step, ...] = (_FIRST, _SECOND)
SCHEMA_VERSION = len(STEPS)


def make_schema(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> None:
    """Make the schema in an empty file, within the caller's transaction."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    _apply(connection, 0, steps)


def require_schema(connection: sqlite3.Connection, path: Path, steps: Sequence[Step] = STEPS) -> Path | None:
    """Make sure that a file is a ledger with today's schema, and bring an older one up to date.

    Args:
        connection: To the file, outside a transaction.
        path: The file.
        steps: The schema's steps.

    Returns:
        The copy that was made of an older one, or None where it was up to date.

    Raises:
        DamagedError: It is not a ledger.
        InputError: It is one of a newer version of Keyturn.
        MachineError: The copy cannot be made, or the file not be written; it has the old schema then.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise DamagedError(f"{str(path)!r} is not a ledger of Keyturn", "look at `ledger` in the declaration")
    if _version(connection) == len(steps):
        return None
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = _known_version(connection, path, steps)  # another process may have brought it up to date meanwhile
        copy = _copy(path, found) if found < len(steps) else None
        _apply(connection, found, steps)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return copy


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _known_version(connection: sqlite3.Connection, path: Path, steps: Sequence[Step]) -> int:
    found = _version(connection)
    if found < 1:
        raise DamagedError(f"the ledger {str(path)!r} has schema version {found}, which no version wrote")
    if found > len(steps):
        raise InputError(
            f"the ledger {str(path)!r} has schema version {found}; this version of Keyturn reads {len(steps)}",
            "use the version of Keyturn that wrote it, or a newer one",
        )
    return found


def _apply(connection: sqlite3.Connection, found: int, steps: Sequence[Step]) -> None:
    for step in steps[found:]:
        for statement in step:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(steps)}")


def _copy(path: Path, version: int) -> Path:
    """Copy a ledger that nobody can write to meanwhile, whole and durable."""
    copy = path.with_name(f"{path.name}.schema-{version}")
    temporary = path.with_name(f".{copy.name}.{secrets.token_hex(8)}.new")
    try:
        try:
            temporary.touch(mode=0o600, exist_ok=False)
            with (
                translated(temporary),
                closing(sqlite3.connect(path)) as source,
                closing(sqlite3.connect(temporary)) as target,
            ):
                source.backup(target)
            synchronise(temporary)
            temporary.replace(copy)
            synchronise(path.parent)
        finally:
            for suffix in ("", "-wal", "-shm", "-journal"):
                temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(
            f"the ledger {str(path)!r} has an older schema, and no copy of it can be made: {error.strerror}"
        ) from error
    return copy
