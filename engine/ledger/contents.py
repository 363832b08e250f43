"""All that a ledger holds at one point of its journal, to be written elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.ledger.interface import DataKey, Head
    from engine.ledger.journal import JournalEntry


@dataclass(frozen=True, slots=True)
class LedgerContents:
    """What a ledger holds.

    Attributes:
        source: What it was taken from, as hexadecimal digits: the same text for the same source.
        head: The head.
        entries: Gives the journal up to the head, from the first entry on.
        data_keys: Gives every wrapped data key.
    """

    source: str
    head: Head
    entries: Callable[[], Iterator[JournalEntry]]
    data_keys: Callable[[], Iterator[DataKey]]
