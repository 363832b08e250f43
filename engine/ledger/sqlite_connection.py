"""Connections to a SQLite file as a ledger needs them, and SQLite's errors in our words.

- Write-ahead log with full synchronisation: what is committed survives a crash of the machine.
- A locked file, a full or read-only disk, a failing one and a damaged file are each said as such.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import DamagedError, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_MILLISECONDS = 10_000
RESTORE = "move the file away with its -wal and -shm, then `keyturn ledger recover` brings the ledger back"
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT", "SQLITE_ERROR", "SQLITE_MISMATCH", "SQLITE_CONSTRAINT")


def connect(path: Path) -> sqlite3.Connection:
    """Connect to a file, made where there is none.

    Raises:
        MachineError: Its file system does not carry a write-ahead log, or it cannot be written.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        connection.close()
        raise MachineError(
            f"the file system of {str(path)!r} does not carry SQLite's write-ahead log",
            "keep the ledger on a local disk that can be written to",
        )
    connection.execute("PRAGMA synchronous = FULL")
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
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
            raise MachineError(
                f"the disk is full: the ledger {str(path)!r} cannot be written",
                "nothing was changed; make room and run the command again",
            ) from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise MachineError(
                f"the ledger {str(path)!r} cannot be opened for writing",
                "its disk is read-only, or the permissions of the file or its folder do not allow it",
            ) from error
        if name.startswith("SQLITE_IOERR"):
            raise MachineError(
                f"the disk of the ledger {str(path)!r} fails: {error} ({name})",
                "nothing was changed; look at the disk and its free space, then run the command again",
            ) from error
        # Without a code of SQLite's it is Python that cannot take what is stored: text that is not UTF-8.
        if name.startswith(_DAMAGE) or (not name and isinstance(error, sqlite3.OperationalError)):
            raise DamagedError(f"the ledger {str(path)!r} is damaged: {error}", RESTORE) from error
        raise MachineError(f"the ledger {str(path)!r} cannot be used: {error} ({name or 'SQLite'})") from error
