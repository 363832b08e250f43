"""The journal: what happened to a tenant's keys, each entry bound to the one before.

An entry is a JSON object in canonical form (RFC 8785), stored byte for byte; its hash is the SHA-256 of
those bytes, and the next entry carries it as `previous`. So a flipped byte, a dropped, reordered or
inserted entry is found by reading the chain; a truncation is found by the head, which carries the
journal's length and last hash. A chain alone does not stop who can rewrite the whole ledger: for that
there are signed checkpoints, kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import rfc8785

from engine.errors import DamagedError
from engine.kms.requests import KmsRequests
from engine.times import format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from engine.ledger.actor import Actor

GENESIS = "0" * 64

JsonValue = str | int | None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry.

    Attributes:
        number: Counted from 1, without a gap.
        at: When, UTC.
        event: What happened, such as `enabled`.
        details: What belongs to it.
        identity: Who did it.
        command: With which command.
        version: Of which version of Keyturn.
        kms_requests: The requests to AWS KMS that it rests on; entries of earlier versions name none.
        state_sha256: The hash of the head's state after it, as hexadecimal digits.
        previous: The hash of the entry before, `GENESIS` for the first.
        raw: The canonical bytes.
    """

    number: int
    at: datetime
    event: str
    details: Mapping[str, JsonValue]
    identity: str
    command: str
    version: str
    kms_requests: KmsRequests
    state_sha256: str
    previous: str
    raw: bytes

    @property
    def hash(self) -> str:
        """The entry's own hash, as hexadecimal digits."""
        return hashlib.sha256(self.raw).hexdigest()


def make_entry(
    number: int,
    previous: str,
    event: str,
    details: Mapping[str, JsonValue],
    actor: Actor,
    at: datetime,
    state_sha256: str,
) -> JournalEntry:
    """Make the entry that comes behind `previous`."""
    requests = actor.kms_requests()
    raw = rfc8785.dumps(
        {
            "number": number,
            "at": format_time(at),
            "event": event,
            "details": {name: value for name, value in details.items() if value is not None},
            "identity": actor.identity,
            "command": actor.command,
            "version": actor.version,
            "kms_requests": {"count": requests.count, "ids": list(requests.ids)},
            "state_sha256": state_sha256,
            "previous": previous,
        }
    )
    return read_entry(raw, number)


def read_entry(raw: bytes, number: int) -> JournalEntry:
    """Read a stored entry.

    Raises:
        DamagedError: It is not the canonical form of an entry of this number.
    """
    try:
        document: dict[str, Any] = json.loads(raw)
        entry = JournalEntry(
            number=document["number"],
            at=parse_time(document["at"]),
            event=document["event"],
            details=document["details"],
            identity=document["identity"],
            command=document["command"],
            version=document["version"],
            kms_requests=_kms_requests(document.get("kms_requests")),
            state_sha256=document["state_sha256"],
            previous=document["previous"],
            raw=raw,
        )
        canonical = rfc8785.dumps(document)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"journal entry {number} cannot be read: {error}") from error
    if entry.number != number:
        raise DamagedError(f"journal entry {number} carries the number {entry.number}")
    if canonical != raw:
        raise DamagedError(f"journal entry {number} is not in canonical form")
    if not _is_well_formed(entry):
        raise DamagedError(f"journal entry {number} is not in an entry's form")
    return entry


def _is_well_formed(entry: JournalEntry) -> bool:
    texts = (entry.event, entry.identity, entry.command, entry.version, entry.state_sha256, entry.previous)
    return all(isinstance(text, str) for text in texts) and isinstance(entry.details, dict)


def _kms_requests(document: dict[str, Any] | None) -> KmsRequests:
    if document is None:
        return KmsRequests()
    return KmsRequests(document["count"], tuple(document["ids"]))


def walk_chain(entries: Iterable[JournalEntry]) -> Iterator[JournalEntry]:
    """Pass entries on, from the first one, as long as each follows from the one before.

    Raises:
        DamagedError: An entry is altered, missing, inserted or out of place; the first such is named.
    """
    previous = GENESIS
    for number, entry in enumerate(entries, start=1):
        if entry.number != number:
            raise DamagedError(f"journal entry {number} is missing: entry {entry.number} stands in its place")
        if entry.previous != previous:
            raise DamagedError(f"journal entry {number} does not follow from entry {number - 1}")
        previous = entry.hash
        yield entry


def verify_chain(entries: Iterable[JournalEntry], length: int, last_hash: str) -> int:
    """Hold the whole journal against its own chain and the head.

    Args:
        entries: From the first on.
        length: How many the head says there are.
        last_hash: The last one's hash, as the head says.

    Returns:
        How many entries were read.

    Raises:
        DamagedError: An entry is altered, missing, inserted or out of place; the first such is named.
    """
    previous, number = GENESIS, 0
    for entry in walk_chain(entries):
        previous, number = entry.hash, entry.number
    if number != length or previous != last_hash:
        raise DamagedError(f"the journal ends at entry {number}, but the head says {length} with another hash")
    return number
