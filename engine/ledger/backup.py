"""A complete export of a ledger in one file, and reading it back.

The file has one JSON object a line, in canonical form (RFC 8785):

    {"kind": "keyturn ledger backup 1", "tenant": …, "made_at": …, "version": …}
    {"data_key": {…}}            one for each wrapped data key
    {"entry": "…"}               one for each journal entry, its bytes as text
    {"head": {"version", "state", "journal_length", "journal_hash"}}
    {"end": {"lines": …, "sha256": …}}      of all lines before

- It speaks of one point: no transition came between the data keys and the head, and every data key that the
  journal tells of is in it; a ledger that has lost one is told, not backed up. Data keys may be moved meanwhile;
  either wrapping opens.
- The newest snapshots that the ledger remembers are not in it: they would be those of its day (ADR 18).
- It holds wrapped data keys only, nothing secret; but who can change it can make a recovery useless.
- It is read whole before anything is made of it: a missing, altered or repeated line is found by the hash at
  the end, and the journal by its own chain and the head.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import rfc8785

from engine.errors import ConflictError, DamagedError, InputError
from engine.ledger.contents import LedgerContents
from engine.ledger.data_key_document import data_key_document, read_data_key_document
from engine.ledger.heads import read_head
from engine.ledger.interface import PURPOSES, Head
from engine.ledger.journal import read_entry, verify_chain
from engine.ledger.state_document import encode_state
from engine.ledger.verification import CREATED, RESTORE, checked_entries, told_data_keys
from engine.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from engine.ledger.interface import DataKey, Ledger
    from engine.ledger.journal import JournalEntry

KIND = "keyturn ledger backup 1"
_ATTEMPTS = 10
_OTHER = "take another backup"


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds.

    Attributes:
        entries: How many journal entries.
        data_keys: How many wrapped data keys.
        sha256: The hash of all lines but the last, as hexadecimal digits.
    """

    entries: int
    data_keys: int
    sha256: str


class _Writer:
    """Writes lines, and hashes them."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.lines = 0

    def line(self, document: dict[str, Any]) -> None:
        data = rfc8785.dumps(document) + b"\n"
        self._stream.write(data)
        self._hash.update(data)
        self.lines += 1

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def write_backup(ledger: Ledger, stream: BinaryIO, version: str, at: datetime) -> BackupSummary:
    """Write a backup of a ledger.

    Args:
        ledger: The ledger.
        stream: Where to; it is written from its beginning.
        version: The version of Keyturn.
        at: Now, UTC.

    Raises:
        ConflictError: The ledger keeps changing.
        DamagedError: The ledger is damaged: nothing that it holds is a backup.
    """
    for _ in range(_ATTEMPTS):
        stream.seek(0)
        stream.truncate()
        summary = _write_once(ledger, stream, version, at)
        if summary is not None:
            return summary
    raise ConflictError("compare-and-swap", "the ledger keeps changing", hint="wait for the other commands to end")


def _write_once(ledger: Ledger, stream: BinaryIO, version: str, at: datetime) -> BackupSummary | None:
    """Write it, or give up where a transition came in between."""
    before = ledger.head()
    writer = _Writer(stream)
    header = {"tenant": before.state.tenant, "made_at": format_time(at), "version": version}
    writer.line({"kind": KIND, **header})
    written: set[str] = set()

    def write(data_key: DataKey) -> None:
        if data_key.data_key_id not in written:
            written.add(data_key.data_key_id)
            writer.line({"data_key": {**data_key_document(data_key), "set_aside": data_key.set_aside}})

    for purpose in PURPOSES:
        for data_key in ledger.data_keys(purpose):
            write(data_key)
    head = ledger.head()
    if head.version != before.version:
        return None
    for entry in ledger.journal(before.journal_length):
        if entry.event == CREATED and entry.number <= head.journal_length:
            write(_made_meanwhile(ledger, entry))
    told = 0
    for entry in checked_entries(ledger, head):
        told += told_data_keys(entry)
        writer.line({"entry": entry.raw.decode("utf-8")})
    if len(written) != told:
        raise DamagedError(f"the journal tells of {told} data keys, but the ledger has {len(written)}", RESTORE)
    writer.line(
        {
            "head": {
                "version": head.version,
                "state": encode_state(head.state).decode("utf-8"),
                "journal_length": head.journal_length,
                "journal_hash": head.journal_hash,
            }
        }
    )
    sha256, lines = writer.sha256, writer.lines
    writer.line({"end": {"lines": lines, "sha256": sha256}})
    return BackupSummary(head.journal_length, len(written), sha256)


def _made_meanwhile(ledger: Ledger, entry: JournalEntry) -> DataKey:
    found = ledger.find_data_key(str(entry.details.get("workload")), str(entry.details.get("purpose")))
    if found is None:
        raise DamagedError(f"the ledger has lost the data key that journal entry {entry.number} tells of")
    return found


def read_backup(path: Path) -> LedgerContents:
    """Read a backup, whole, and say what it holds; the file is read again where its contents are asked for.

    Raises:
        InputError: It is missing, or no backup.
        DamagedError: It is not what was written.
    """
    name = f"the backup {str(path)!r}"
    hashed, head_document, end = hashlib.sha256(), None, None
    lines = entries = 0
    for data, document in _lines(path, name):
        if end is not None:
            raise DamagedError(f"{name} goes on behind its end", _OTHER)
        if lines == 0 and document.get("kind") != KIND:
            raise InputError(f"{name} is no backup of a ledger, or of another version of Keyturn")
        if "end" in document:
            end = document["end"]
            continue
        head_document = document.get("head", head_document)
        entries += "entry" in document
        hashed.update(data)
        lines += 1
    if end is None or end != {"lines": lines, "sha256": hashed.hexdigest()}:
        raise DamagedError(f"{name} is damaged: it is cut off, or not what was written", _OTHER)

    def journal() -> Iterator[JournalEntry]:
        numbered = enumerate(_parts(path, name, "entry"), start=1)
        return (read_entry(raw.encode("utf-8"), number) for number, raw in numbered)

    def data_keys() -> Iterator[DataKey]:
        return (_data_key(document, name) for document in _parts(path, name, "data_key"))

    head = _head(head_document, journal, name)
    verify_chain(journal(), head.journal_length, head.journal_hash)
    for _ in data_keys():
        pass  # each can be read
    return LedgerContents(hashed.hexdigest(), head, journal, data_keys)


def _lines(path: Path, name: str) -> Iterator[tuple[bytes, dict[str, Any]]]:
    try:
        with path.open("rb") as stream:
            for data in stream:
                document = json.loads(data)
                if not isinstance(document, dict):
                    raise InputError(f"{name} is no backup of a ledger")
                yield data, document
    except FileNotFoundError as error:
        raise InputError(f"{name} does not exist") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DamagedError(f"{name} is damaged, or none: a line of it is not JSON", _OTHER) from error


def _parts(path: Path, name: str, part: str) -> Iterator[Any]:
    return (document[part] for _, document in _lines(path, name) if part in document)


def _head(document: Any, journal: Callable[[], Iterator[JournalEntry]], name: str) -> Head:
    last = None
    for entry in journal():
        last = entry.raw
    try:
        return read_head(
            int(document["version"]),
            str(document["state"]).encode("utf-8"),
            int(document["journal_length"]),
            str(document["journal_hash"]),
            last,
            _OTHER,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{name} has no head that can be read", _OTHER) from error


def _data_key(document: Any, name: str) -> DataKey:
    try:
        return read_data_key_document(document)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{name} has a record of a data key that cannot be read: {error}", _OTHER) from error
