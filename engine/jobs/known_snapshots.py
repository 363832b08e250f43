"""Which snapshots were once in the vault: what the job history here tells of, and what the ledger remembers.

- Each snapshot is remembered in the ledger behind its commit, so every machine that shares the ledger knows the
  newest one under each data key, and notices where the vault has lost it. Nobody who can change the vault alone can
  hide that.
- The job history tells of every snapshot of the jobs on this machine, by workload; it names no copies on legal hold.
- A snapshot that another machine commits at this very moment is not lost: the vault is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.envelope.data_keys import PAYLOAD
from engine.errors import DamagedError, InputError
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


def remember(context: JobContext, record: DataKey, snapshot: SnapshotId) -> None:
    """Remember a snapshot that was committed; raises `MachineError` or `AwsError` where the ledger cannot."""
    context.ledger.remember_snapshot(record.data_key_id, snapshot.number, snapshot.text)


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
    told = context.told().get(record.workload, ()) if record.purpose == PAYLOAD else ()
    remembered = context.ledger.newest_snapshot(record.data_key_id)
    known = [(text, "the job history") for text in told]
    known += [] if remembered is None else [(remembered, "the ledger")]
    parsed = [(SnapshotId.parse(text), teller) for text, teller in known]
    least = 0 if found is None else found.number
    newer = [LostSnapshot(one, teller) for one, teller in parsed if one is not None and one.number > least]
    if not newer:
        return None
    there = set(context.vault.snapshots(record))
    lost = [one for one in newer if one.snapshot not in there]
    return max(lost, key=lambda one: one.snapshot.number, default=None)


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
