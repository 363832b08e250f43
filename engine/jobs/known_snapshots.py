"""Which snapshots were once in the vault: what the ledger remembers, and what the job history here tells of.

- Each snapshot is remembered in the ledger behind its commit, so every machine that shares the ledger knows the
  newest one under each data key, and notices where the vault has lost it. Nobody who can change the vault alone can
  hide that.
- A backup that finds the newest one lost says so, and has its own snapshot remembered in that one's place, though its
  number is lower: the loss is told once, and not with every backup until the numbers are where they were.
- Where the ledger remembers nothing, such as behind its recovery, the job history is asked. It tells of every snapshot
  of the jobs on this machine, by workload; it names no copies on legal hold.
- A snapshot that another machine commits at this very moment is not lost: the vault is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.envelope.data_keys import PAYLOAD
from engine.errors import DamagedError, InputError
from engine.jobs.report import Problem, ProblemKind
from engine.jobs.snapshot_names import SnapshotId

if TYPE_CHECKING:
    from engine.jobs.operation import JobContext
    from engine.ledger.interface import DataKey


@dataclass(frozen=True, slots=True)
class LostSnapshot:
    """A snapshot that was there and is there no more, newer than all that are.

    Attributes:
        snapshot: Its id.
        teller: Who tells of it, in words.
    """

    snapshot: SnapshotId
    teller: str

    def behind(self, found: SnapshotId | None) -> str:
        """In words, beside the newest one that is there."""
        newer = "" if found is None else f", newer than {found},"
        return f"{self.teller} tells of snapshot {self.snapshot}{newer} and the vault does not have it"

    def problem(self, purpose: str, found: SnapshotId | None) -> Problem:
        """What a job that writes the next snapshot says of it."""
        reason = f"a {purpose} snapshot before is lost: {self.behind(found)}"
        return Problem("", ProblemKind.DAMAGED, reason)


def remember(context: JobContext, record: DataKey, snapshot: SnapshotId, lost: LostSnapshot | None) -> None:
    """Remember a snapshot that was committed, in the place of one that was found lost.

    Raises:
        MachineError, AwsError: The ledger cannot; the snapshot is there.
    """
    instead = None if lost is None else lost.snapshot.text
    context.ledger.remember_snapshot(record.data_key_id, snapshot.number, snapshot.text, instead)


def told_ids(context: JobContext, record: DataKey) -> frozenset[str]:
    """The ids of snapshots of a workload that were committed, as far as they are known."""
    told = frozenset(context.told().get(record.workload, ()))
    newest = context.ledger.newest_snapshot(record.data_key_id)
    return told if newest is None else told | {newest}


def find_lost(context: JobContext, record: DataKey, found: SnapshotId | None) -> LostSnapshot | None:
    """The newest snapshot that is known and lost.

    Args:
        context: What the job works with.
        record: The data key that it was under.
        found: The newest one that was seen in the vault, or None.
    """
    remembered = context.ledger.newest_snapshot(record.data_key_id)
    if remembered is not None:
        known, teller = {remembered}, "the ledger"
    else:
        told = context.told().get(record.workload, ()) if record.purpose == PAYLOAD else ()
        known, teller = set(told), "the job history"
    least = 0 if found is None else found.number
    newer = {one for text in known if (one := SnapshotId.parse(text)) is not None and one.number > least}
    lost = newer - set(context.vault.snapshots(record)) if newer else newer
    if not lost:
        return None
    return LostSnapshot(max(lost, key=lambda one: one.number), teller)


def find_snapshot(context: JobContext, record: DataKey, wanted: str) -> SnapshotId:
    """Find a snapshot to read; arguments as `Vault.find_snapshot`.

    Raises:
        InputError: There is none such.
        DamagedError: There is none at all any more.
    """
    try:
        return context.vault.find_snapshot(record, wanted)
    except InputError as error:
        lost = find_lost(context, record, None)
        if lost is None or context.vault.snapshots(record):
            raise
        raise DamagedError(
            f"{error.message}: {lost.behind(None)}", "bring the vault back from a copy of it, or restore from there"
        ) from error
