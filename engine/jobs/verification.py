"""Reading all of a vault, to say what of it could be restored: without writing, and without believing a record.

- Every data key is unwrapped, every snapshot's commit record and manifest read to its authenticated end, every pack
  that one refers to read whole and once. What is damaged is named by workload, snapshot and path; all else is
  proved to be what was stored.
- What is missing is found as well: the numbers of a workload's snapshots have no gap; each snapshot that the job
  history tells of, and the newest one that the ledger remembers, are there; each data key has its wrapped-key record
  under the key that wraps it now, from which a lost ledger is recovered. One under an earlier key is not enough: that
  key may be deleted. Each snapshot of a workload on legal hold has the copy that was made with it, at its time.
- Content of a backup that did not end is told, and is no damage: the next backup of the workload collects it.
- A data key that may not be used now leaves its workload unread: that is told apart from damage.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engine.errors import DamagedError, ExitCode, KeyturnError, without_frames
from engine.jobs.entries import FileEntry
from engine.jobs.operation import JobContext, OperationKey, existing_key
from engine.jobs.pack_check import PackCheck, check_pack
from engine.jobs.progress import Planned, Progressed
from engine.jobs.snapshot_names import SnapshotId
from engine.ledger.interface import LEGAL_HOLD, PAYLOAD, PURPOSES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from engine.jobs.entries import Entry
    from engine.jobs.snapshot_names import PackName
    from engine.jobs.snapshot_reader import SnapshotReader
    from engine.ledger.interface import DataKey


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not what was stored, or not there.

    Attributes:
        snapshot: The id of the snapshot, or empty where the workload as a whole is meant.
        path: The file, or empty where the snapshot as a whole is meant.
        reason: What is wrong with it.
    """

    snapshot: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class VerifiedWorkload:
    """What became of reading the snapshots of one workload, for one purpose.

    Attributes:
        workload: Its label.
        purpose: The purpose of its data key.
        snapshots: How many were read.
        files: How many files these have, one of several snapshots counted for each.
        bytes: How many bytes of content were read.
        unfinished: How many backups did not end, and left something.
        damage: What is damaged or missing.
        error: Why it could not be read, or not to the end; None where it was.
    """

    workload: str
    purpose: str
    snapshots: int = 0
    files: int = 0
    bytes: int = 0
    unfinished: int = 0
    damage: tuple[Damage, ...] = ()
    error: KeyturnError | None = None


@dataclass(frozen=True, slots=True)
class VaultVerification:
    """What became of reading a vault.

    Attributes:
        location: The vault.
        workloads: One for each data key.
        damage: What is wrong with the vault apart from any workload.
    """

    location: str
    workloads: tuple[VerifiedWorkload, ...]
    damage: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """Damage first: what could not be read for its key may be read another time."""
        if self.damage or any(verified.damage for verified in self.workloads):
            return ExitCode.DAMAGED
        codes = [verified.error.exit_code for verified in self.workloads if verified.error is not None]
        return ExitCode.DAMAGED if ExitCode.DAMAGED in codes else max(codes, default=ExitCode.DONE)


def verify_vault(context: JobContext, told: Mapping[str, Collection[str]]) -> VaultVerification:
    """Read a vault whole.

    Args:
        context: What it works with; its events are told nothing.
        told: The ids of the snapshots that the job history tells of, by workload.

    Raises:
        DamagedError: The ledger is damaged.
        MachineError, AwsError: The store cannot be listed.
    """
    # The ledger first: a rotation that runs meanwhile keeps a record in the vault before the ledger knows of it.
    keys = [key for purpose in PURPOSES for key in context.ledger.data_keys(purpose)]
    recorded, damage = _key_records(context)
    context.plan(Planned(workloads=len(keys)))
    known = {key.data_key_id for key in keys}
    unknown = {record.data_key_id: record.workload for record in recorded if record.data_key_id not in known}
    damage += [
        f"the ledger does not know the data key {data_key_id} of workload {workload!r}"
        for data_key_id, workload in sorted(unknown.items())
        if context.ledger.data_key(data_key_id) is None
    ]
    verified = [_verify_data_key(context, key, _Recorded.of(key) in recorded) for key in keys]
    remembered = [context.ledger.newest_snapshot(key.data_key_id) for key in keys]
    there = {s.text for key in keys for s in context.vault.snapshots(key)}
    verified = [_with_held(context, key, found) for key, found in zip(keys, verified, strict=True)]
    verified = [
        _with_told(found, told.get(found.workload, ()), newest, there)
        for found, newest in zip(verified, remembered, strict=True)
    ]
    return VaultVerification(context.vault.location, tuple(verified), tuple(damage))


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What a wrapped-key record is of. Not its ciphertext: wrapped again under the same key, it is another."""

    data_key_id: str
    workload: str
    generation: int
    key_arn: str
    commitment: bytes

    @classmethod
    def of(cls, key: DataKey) -> _Recorded:
        return cls(key.data_key_id, key.workload, key.generation, key.key_arn, key.commitment)


def _key_records(context: JobContext) -> tuple[set[_Recorded], list[str]]:
    """What the vault has records of, and the records that are damaged."""
    recorded: set[_Recorded] = set()
    damage: list[str] = []
    for found in context.vault.examined_key_records():
        if isinstance(found, DamagedError):
            damage.append(found.message)
        else:
            recorded.add(_Recorded.of(found.data_key))
    return recorded, damage


def _with_told(
    found: VerifiedWorkload, told: Collection[str], remembered: str | None, there: Collection[str]
) -> VerifiedWorkload:
    """Add the snapshots that are not there and that the job history or the ledger tells of.

    The history names no copies on legal hold; one that the ledger tells of is named already where that of a snapshot
    of its time is.
    """
    named = {damage.snapshot for damage in found.damage}
    held = found.purpose == LEGAL_HOLD
    times = {snapshot.at for text in named if held and (snapshot := SnapshotId.parse(text)) is not None}
    history = set(told) if found.purpose == PAYLOAD else set[str]()
    newest = None if remembered is None else SnapshotId.parse(remembered)
    known = history if newest is None or newest.at in times else history | {newest.text}
    missing = sorted(known - set(there) - named)
    if not missing:
        return found
    lost = [
        Damage(one, "", f"is missing: the {'job history' if one in history else 'ledger'} tells of it")
        for one in missing
    ]
    return replace(found, damage=(*found.damage, *lost))


def _with_held(context: JobContext, key: DataKey, found: VerifiedWorkload) -> VerifiedWorkload:
    """Add to a workload on legal hold the copies that are not there, though snapshots behind the first have theirs."""
    payload = context.ledger.find_data_key(key.workload, PAYLOAD) if key.purpose == LEGAL_HOLD else None
    if payload is None:
        return found
    snapshots = context.vault.snapshots(payload)  # first: a backup commits the copy before the snapshot
    times = {copy.at for copy in context.vault.snapshots(key)}
    first = min((snapshot.number for snapshot in snapshots if snapshot.at in times), default=None)
    lost = [s for s in snapshots if first is not None and s.number > first and s.at not in times]
    damage = [Damage(one.text, "", f"the copy that was made with snapshot {one} is missing") for one in lost]
    return replace(found, damage=(*found.damage, *damage))


def _verify_data_key(context: JobContext, record: DataKey, recorded: bool) -> VerifiedWorkload:
    reading = _Reading(context, record)
    try:
        reading.read(recorded=recorded)
    except KeyturnError as error:
        return reading.result(error)
    finally:
        context.plan(Planned(ended=1))
    return reading.result(None)


@dataclass(slots=True)
class _Reading:
    """Reads the snapshots of one data key, and counts."""

    context: JobContext
    record: DataKey
    packs: dict[PackName, PackCheck] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)
    snapshots: int = 0
    files: int = 0
    bytes: int = 0
    unfinished: int = 0

    def read(self, *, recorded: bool) -> None:
        """Read all of them; raises where the data key may not be used."""
        vault = self.context.vault
        snapshots = vault.snapshots(self.record)
        if snapshots and not recorded:
            self.damage.append(
                Damage("", "", "its wrapped-key record is missing: a lost ledger could not be recovered")
            )
        numbers = {snapshot.number for snapshot in snapshots}
        begun = [snapshot.number for snapshot in vault.uncommitted(self.record)]
        lost = set(range(1, max([*numbers, *begun], default=0))) - numbers
        for number in sorted(lost):
            self.damage.append(Damage("", "", f"the commit record of snapshot {number} is missing"))
        self.unfinished = len([number for number in begun if number not in lost])
        if not snapshots:
            return  # nothing was ever stored under it
        with existing_key(self.context, self.record.workload, self.record.purpose) as key:
            for snapshot in snapshots:
                try:
                    self._read_snapshot(key, snapshot)
                except DamagedError as error:
                    self.damage.append(Damage(snapshot.text, "", error.message))

    def _read_snapshot(self, key: OperationKey, snapshot: SnapshotId) -> None:
        with closing(self.context.vault.open_snapshot(self.record, key.lease, snapshot)) as reader:
            for entry in reader.entries():
                key.lease.check()
                self._check(reader, snapshot, entry)
        self.snapshots += 1

    def _check(self, reader: SnapshotReader, snapshot: SnapshotId, entry: Entry) -> None:
        if not isinstance(entry, FileEntry):
            return
        self.files += 1
        for part in entry.parts:
            reason = self._pack(reader, part.pack).damage_of(part)
            if reason is not None:
                self.damage.append(Damage(snapshot.text, entry.path, reason))
                return

    def _pack(self, reader: SnapshotReader, pack: PackName) -> PackCheck:
        """What became of a pack, which is read the first time that something refers to it."""
        found = self.packs.get(pack)
        if found is None:
            try:
                found = check_pack(reader.pack(pack), self._advanced)
            except DamagedError as error:
                found = PackCheck(0, unusable=error.message)
            self.packs[pack] = found
        return found

    def _advanced(self, count: int) -> None:
        self.bytes += count
        self.context.advance(Progressed(self.record.workload, bytes=count))

    def result(self, error: KeyturnError | None) -> VerifiedWorkload:
        """What became of it."""
        return VerifiedWorkload(
            self.record.workload,
            self.record.purpose,
            self.snapshots,
            self.files,
            self.bytes,
            self.unfinished,
            tuple(self.damage),
            None if error is None else without_frames(error),
        )
