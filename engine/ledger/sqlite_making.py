"""Making, opening and restoring a SQLite ledger: whole, or not at all.

A file appears under its name when everything is in it; no crash and no second maker leaves half a ledger there.
"""

from __future__ import annotations

import os
import secrets
from contextlib import closing
from typing import TYPE_CHECKING

from engine.durable import synchronise
from engine.errors import DamagedError, InputError, MachineError
from engine.ledger.conflicts import not_empty
from engine.ledger.interface import Head
from engine.ledger.journal import GENESIS
from engine.ledger.sqlite import SqliteLedger
from engine.ledger.sqlite_connection import connect, translated
from engine.ledger.sqlite_rows import INSERT, append_entry, encode_row, rotation_epoch
from engine.ledger.sqlite_schema import make_schema, require_schema
from engine.ledger.state_document import encode_state, state_hash

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from engine.ledger.actor import Actor
    from engine.ledger.contents import LedgerContents
    from engine.lifecycle import TenantState


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
                    *(head.version, encode_state(head.state), rotation_epoch(head.state)),
                    *(head.journal_length, head.journal_hash),
                ),
            )
            entries = ((entry.number, entry.raw) for entry in contents.entries())
            connection.executemany("INSERT INTO journal VALUES (?, ?)", entries)
            connection.executemany(INSERT, map(encode_row, contents.data_keys()))
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
        connection.execute("INSERT INTO head VALUES (1, 0, ?, ?, 0, ?)", (encoded, rotation_epoch(state), GENESIS))
        details = {"tenant": state.tenant, "account_id": state.account_id, "region": state.region}
        append_entry(connection, Head(0, state, 0, GENESIS), "created", details, actor, at, state_hash(encoded))
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
