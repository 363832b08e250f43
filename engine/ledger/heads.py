"""A stored head, held against the journal entry that tells of it."""

from __future__ import annotations

from engine.errors import DamagedError
from engine.ledger.interface import Head
from engine.ledger.journal import read_entry
from engine.ledger.state_document import decode_state, state_hash


def read_head(
    version: int, encoded: bytes, journal_length: int, journal_hash: str, last_entry: bytes | None, hint: str
) -> Head:
    """Read a stored head.

    Args:
        version: Its version.
        encoded: Its state, encoded.
        journal_length: How many entries it says the journal has.
        journal_hash: The last one's hash, as it says.
        last_entry: The bytes of the entry of that number, or None where there is none.
        hint: How a ledger of this kind is brought back.

    Raises:
        DamagedError: The journal tells of another head.
    """
    entry = read_entry(last_entry, journal_length) if last_entry is not None else None
    if entry is None or entry.hash != journal_hash or entry.state_sha256 != state_hash(encoded):
        raise DamagedError("the ledger's head is not the one that its journal tells of", hint)
    return Head(version, decode_state(encoded), journal_length, journal_hash)
