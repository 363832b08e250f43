"""A ledger held against itself, and against checkpoints that were exported earlier.

- The journal is read from its first entry on: each follows from the one before, the head is at its end, and
  nothing stands behind the head. So an altered, dropped, inserted, reordered or truncated entry is found.
- A chain alone does not stop who can rewrite the whole ledger. A checkpoint does: it was signed and kept
  elsewhere, and the journal must still hold its entry, unchanged.
- As many data keys are there as the journal tells of; each record can be read, stands under a key that the
  ledger knows by this number, and the census counts the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.catalogue import Custody
from engine.errors import ConflictError, DamagedError
from engine.ledger.interface import PURPOSES
from engine.ledger.journal import GENESIS, walk_chain
from engine.lifecycle import SERVICE_GENERATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.evidence import Checkpoint
    from engine.ledger.interface import DataKey, Head, Ledger
    from engine.ledger.journal import JournalEntry

CREATED, RECOVERED = "data_key_created", "recovered"
RESTORE = "move the ledger away, then `keyturn ledger recover` brings it back"
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class VerifiedJournal:
    """A journal that was read whole and found intact.

    Attributes:
        head: The head at its end.
        entries: How many entries there were.
        data_keys: How many data keys they tell of.
    """

    head: Head
    entries: int
    data_keys: int


def verify_journal(ledger: Ledger, checkpoints: Sequence[Checkpoint] = ()) -> VerifiedJournal:
    """Read the whole journal, and hold it against its head and checkpoints.

    Args:
        ledger: The ledger.
        checkpoints: Points of its journal that were exported earlier, their signatures checked.

    Raises:
        DamagedError: An entry is altered, missing, inserted or out of place, or the journal does not hold a
            checkpoint's entry any more.
    """
    wanted = {checkpoint.journal.length for checkpoint in checkpoints}
    before = ledger.head()
    hashes: dict[int, str] = {}
    entries = data_keys = 0
    for entry in walk_chain(ledger.journal()):
        entries = entry.number
        data_keys += told_data_keys(entry)
        if entries in wanted or entries == before.journal_length:
            hashes[entries] = entry.hash
    if hashes.get(before.journal_length) != before.journal_hash:
        raise DamagedError(
            f"the journal ends at entry {entries}, but the head says {before.journal_length} with another hash",
            RESTORE,
        )
    # Others may append while we read; then the head has gone on, too.
    after = ledger.head()
    if entries > after.journal_length:
        raise DamagedError(f"{entries - after.journal_length} journal entries stand behind the head's", RESTORE)
    for checkpoint in checkpoints:
        _hold_against(checkpoint, entries, hashes)
    return VerifiedJournal(before, entries, data_keys)


def _hold_against(checkpoint: Checkpoint, entries: int, hashes: Mapping[int, str]) -> None:
    point = checkpoint.journal
    when = f"the checkpoint of {checkpoint.issued_at:%Y-%m-%d %H:%M} UTC"
    if point.length > entries:
        raise DamagedError(
            f"{when} saw {point.length} journal entries, but the journal ends at entry {entries}: it was cut off,"
            " or brought back from an older copy",
            "move the ledger away, then `keyturn ledger recover --from` a newer backup",
        )
    if hashes.get(point.length) != point.hash:
        raise DamagedError(
            f"the journal was rewritten: its entry {point.length} is not the one that {when} saw", RESTORE
        )


def verify_data_keys(ledger: Ledger, journal: VerifiedJournal) -> int:
    """Read every data key's record, and hold them against the journal, the head and the census.

    Args:
        ledger: The ledger.
        journal: What its journal told just now.

    Returns:
        How many there are.

    Raises:
        DamagedError: One is missing, cannot be read, or stands under a key that is not its generation's.
        ConflictError: Others make or move data keys all the time.
    """
    head, found, told = ledger.head(), 0, 0
    for _ in range(_ATTEMPTS):
        found, counted = _count(ledger, head)
        census = Counter({(row.generation, row.key_arn): row.data_keys for row in ledger.census().rows})
        told = journal.data_keys + sum(map(told_data_keys, ledger.journal(journal.entries)))
        if found == told and census == counted:
            return found
        after = ledger.head()
        if found < journal.data_keys or (found != told and after == head):
            raise DamagedError(f"the journal tells of {told} data keys, but the ledger has {found}", RESTORE)
        head = after
    if head.state.rotation is not None or found != told:
        raise ConflictError(
            "compare-and-swap", "data keys are being made or moved all the time", hint="wait for the other commands"
        )
    raise DamagedError("the census and the data keys' records do not agree", RESTORE)


def _count(ledger: Ledger, head: Head) -> tuple[int, Counter[tuple[int, str]]]:
    """How many data keys there are, and how many of customer custody under each key."""
    found = 0
    counted: Counter[tuple[int, str]] = Counter()
    for purpose in PURPOSES:
        for data_key in ledger.data_keys(purpose):
            found += 1
            if not _is_known(data_key, head):
                head = ledger.head()  # its generation may be newer than the head that we know
                if not _is_known(data_key, head):
                    raise _misplaced(data_key, head)
            if data_key.custody is Custody.CUSTOMER:
                counted[data_key.generation, data_key.key_arn] += 1
    return found, counted


def told_data_keys(entry: JournalEntry) -> int:
    """Of how many data keys an entry tells for the first time."""
    if entry.event == CREATED:
        return 1
    told = entry.details.get("data_keys") if entry.event == RECOVERED else 0
    return told if isinstance(told, int) else 0


def _is_known(data_key: DataKey, head: Head) -> bool:
    if data_key.generation == SERVICE_GENERATION:
        return True
    generation = head.state.find(data_key.generation)
    return generation is not None and str(generation.key_arn) == data_key.key_arn


def _misplaced(data_key: DataKey, head: Head) -> DamagedError:
    generation = head.state.find(data_key.generation)
    known = "unknown to the ledger" if generation is None else str(generation.key_arn)
    return DamagedError(
        f"the data key of workload {data_key.workload!r} stands under {data_key.key_arn}, but generation"
        f" {data_key.generation} is {known}",
        RESTORE,
    )


def checked_entries(ledger: Ledger, head: Head) -> Iterator[JournalEntry]:
    """The journal as of a head and nothing that came later, its chain checked behind the last entry.

    Raises:
        DamagedError: An entry is altered, missing, inserted or out of place.
    """
    length, last_hash = 0, GENESIS
    for entry in walk_chain(entry for entry in ledger.journal() if entry.number <= head.journal_length):
        length, last_hash = entry.number, entry.hash
        yield entry
    if (length, last_hash) != (head.journal_length, head.journal_hash):
        raise DamagedError(
            f"the journal ends at entry {length}, but the head says {head.journal_length} with another hash", RESTORE
        )
