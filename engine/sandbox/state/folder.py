"""The folder that a sandbox keeps its state in: one SQLite file, one lock.

- A change is one transaction, committed before its call is answered, so a process that is killed at any
  instant leaves the state after the last complete call. (SQLite in WAL mode; what the operating system has
  taken over survives the process. The sandbox does not promise to survive the machine.)
- The lock is held as long as the sandbox runs; a second one on the same folder is refused.
- The folder holds key material and credentials: it is for its owner alone (0700), as are its files.
- Values are split into parts, since SQLite holds no value of more than a gigabyte.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engine.errors import DamagedError, InputError, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_FORMAT = 1
_PART = 16 * 1024 * 1024  # bytes
_SCHEMA = "CREATE TABLE entries (name TEXT, part INTEGER, value BLOB NOT NULL, PRIMARY KEY (name, part)) WITHOUT ROWID"
_PRIVATE = 0o700


class StateFolder:
    """Named values in a folder. Safe to use from several threads.

    Args:
        path: The folder; it is made where it is missing.

    Raises:
        MachineError: The folder cannot be made or written, or another sandbox uses it.
        DamagedError: Its file is not a database.
        InputError: Another version of the sandbox wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            self._guard = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MachineError(f"cannot keep a state in {path}: {error.strerror or error}") from error
        try:
            self._take_lock()
            self._database = self._open(path / "state.db")
        except BaseException:
            os.close(self._guard)
            raise

    def read(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Every value whose name begins so, in the order of the names. Raises `DamagedError`."""
        rows = self._database.execute(
            "SELECT name, value FROM entries WHERE name >= ? AND name < ? ORDER BY name, part",
            (prefix, prefix + "\U0010ffff"),
        )
        name, parts = None, list[bytes]()
        while (row := self._next(rows)) is not None:
            found, value = row
            if not isinstance(value, bytes):
                raise DamagedError(f"the state in {self.path} holds a value of another type under {found!r}")
            if found != name:
                if name is not None:
                    yield name, b"".join(parts)
                name, parts = found, []
            parts.append(value)
        if name is not None:
            yield name, b"".join(parts)

    def _next(self, rows: sqlite3.Cursor) -> Any:
        try:
            return rows.fetchone()
        except sqlite3.Error as error:
            raise DamagedError(f"the state in {self.path} cannot be read: {error}") from error

    def names(self, prefix: str) -> tuple[str, ...]:
        """The names that begin so."""
        with self._lock:
            rows = self._database.execute(
                "SELECT DISTINCT name FROM entries WHERE name >= ? AND name < ?", (prefix, prefix + "\U0010ffff")
            )
            return tuple(name for (name,) in rows)

    def write(self, changes: Mapping[str, bytes | None]) -> None:
        """Write all of the changes or none; None takes a value away.

        Raises:
            MachineError: The disk does not take it; nothing was written then.
        """
        if not changes:
            return
        with self._lock:
            try:
                with self._database:
                    self._database.executemany("DELETE FROM entries WHERE name = ?", [(name,) for name in changes])
                    self._database.executemany("INSERT INTO entries VALUES (?, ?, ?)", _parts(changes))
            except sqlite3.Error as error:
                raise MachineError(f"the state in {self.path} cannot be written: {error}") from error

    def close(self) -> None:
        """Leave the folder to the next; a second time does nothing."""
        with self._lock:
            if self._guard >= 0:
                self._database.close()
                os.close(self._guard)
                self._guard = -1

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise MachineError(
                f"another sandbox is using the state in {self.path}", "stop it, or give this one a folder of its own"
            ) from error

    def _open(self, file: Path) -> sqlite3.Connection:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # Every write is behind this object's lock, and a reader never runs beside one.
        database = sqlite3.connect(file, check_same_thread=False)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version == 0:
                with database:
                    database.execute("BEGIN IMMEDIATE")
                    database.execute(_SCHEMA)
                    database.execute(f"PRAGMA user_version = {_FORMAT}")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                database.close()
            raise DamagedError(f"the state in {self.path} cannot be read: {error}") from error
        if version not in {0, _FORMAT}:
            database.close()
            raise InputError(
                f"the state in {self.path} is of another version of the sandbox ({version}, not {_FORMAT})",
                "give this sandbox a folder of its own",
            )
        return database


def _parts(changes: Mapping[str, bytes | None]) -> Iterator[tuple[str, int, bytes]]:
    for name, value in changes.items():
        if value is not None:
            for part in range(max(1, -(-len(value) // _PART))):
                yield name, part, value[part * _PART : (part + 1) * _PART]
