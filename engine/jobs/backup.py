"""Backups: each workload of a source into a new snapshot of its own (EKM-01, EKM-02, EKM-41, EKM-47).

- What did not change since the workload's last snapshot is not stored again; the new snapshot refers to it.
- A workload on legal hold goes, in the same pass, into a second snapshot under the service's own key (EKM-43).
  A workload is on legal hold when the caller says so, and from then on for as long as its data key for
  that purpose exists: the ledger remembers it.
- Both snapshots appear when everything is durable. If either cannot be made, the operation fails and nothing
  of it appears. The ledger remembers them last; where it cannot, the operation fails though they are there.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from engine.catalogue import APPLICATIONS, WorkflowKind
from engine.envelope.data_keys import LEGAL_HOLD, PAYLOAD
from engine.errors import DamagedError, InputError
from engine.jobs.entries import Omission
from engine.jobs.known_snapshots import find_lost, remember, told_ids
from engine.jobs.operation import JobContext, OperationKey, writing_key
from engine.jobs.progress import Planned, Progressed
from engine.jobs.report import JobReport, Outcome, Problem, ProblemKind, WorkloadResult
from engine.jobs.running import check_workflow, run_job
from engine.jobs.snapshot_reader import EarlierFiles
from engine.jobs.source_files import is_unchanged, store_file
from engine.jobs.source_tree import FoundFile, walk
from engine.jobs.workloads import FILES, find_workloads, folder_identity
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime
    from pathlib import Path

    from engine.catalogue import Workflow
    from engine.jobs.entries import Entry
    from engine.jobs.known_snapshots import LostSnapshot
    from engine.jobs.snapshot_writer import SnapshotWriter
    from engine.jobs.workloads import Workload


_SHOWN = 5
_TOLD_BYTES, _TOLD_FILES = 1 << 19, 16  # progress is told whenever so much is done


def backup(
    context: JobContext,
    workflow: Workflow,
    source: Path,
    workloads: Collection[str] | None = None,
    legal_hold: Collection[str] = (),
) -> JobReport:
    """Back a source up.

    Args:
        context: What the job works with.
        workflow: A backup of the catalogue. It covers the workloads of its product's applications, and `files`.
        source: The folder.
        workloads: The labels of those to back up; None for all that the workflow covers.
        legal_hold: The labels of those that come on legal hold with this backup.

    Returns:
        A result for each workload.

    Raises:
        InputError: The workflow is not the tenant's, the source cannot be read, or a name for legal hold is not
            one of the workloads; no key was touched.
    """
    check_workflow(context, workflow, WorkflowKind.BACKUP)
    found = {workload.label: workload for workload in find_workloads(source)}
    covered = [label for label, workload in found.items() if workload.product in {None, workflow.product}]
    chosen = covered if workloads is None else list(dict.fromkeys(workloads))
    for label in legal_hold:
        if label not in chosen:
            raise InputError(f"{printable(label)!r} cannot come on legal hold: it is not part of this backup")

    def operate(label: str) -> WorkloadResult:
        if label not in covered:
            raise InputError(
                f"{workflow.title} has no workload {printable(label)!r} in {printable(str(source))!r}",
                f"it has: {', '.join(covered[:10])}" if covered else None,
            )
        return _back_up(context, source, found[label], held=label in legal_hold)

    if workloads is not None:
        return run_job(context, workflow, chosen, operate)
    not_covered = tuple(label for label in found if label not in covered)
    return run_job(context, workflow, chosen, operate, not_covered, _notes(context, workflow, covered))


def _notes(context: JobContext, workflow: Workflow, covered: Collection[str]) -> tuple[str, ...]:
    """What was backed up before and is not in the source now: deleted there perhaps, or a disk that is not mounted."""
    applications = {FILES, *(app.name for app in APPLICATIONS if app.product is workflow.product)}
    known = (key.workload for key in context.ledger.data_keys(PAYLOAD))
    gone = [label for label in known if label.partition("/")[0] in applications and label not in covered]
    if not gone:
        return ()
    more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
    shown = ", ".join(gone[:_SHOWN])
    return (f"not in this source, though backed up before: {shown}{more}; their snapshots stay as they are",)


def _back_up(context: JobContext, source: Path, workload: Workload, *, held: bool) -> WorkloadResult:
    held = held or context.ledger.find_data_key(workload.label, LEGAL_HOLD) is not None
    at = context.clock()
    with ExitStack() as stack:
        keys = [
            stack.enter_context(writing_key(context, workload.label, purpose))
            for purpose in ((PAYLOAD, LEGAL_HOLD) if held else (PAYLOAD,))
        ]
        copies = [_begin(context, stack, key, at, os.path.realpath(source)) for key in keys]
        if context.measured:
            context.plan(Planned(begun=1, bytes=_size(source, workload, _left_out(context))))
        problems = _store(context, source, workload, copies, at)
        # The legal hold copy first: a workload's snapshot is then never newer than what is held of it.
        for copy in reversed(copies):
            copy.commit(context.clock())
        for copy in copies:
            copy.remember(context)
        payload = copies[0]
        problems += [problem for copy in copies for problem in copy.problems()]
        grave = any(problem.kind is not ProblemKind.NOTE for problem in problems)
        return WorkloadResult(
            workload=workload.label,
            outcome=Outcome.WITH_PROBLEMS if grave else Outcome.COMPLETED,
            snapshot=str(payload.writer.snapshot),
            files=payload.writer.totals.files,
            bytes=payload.writer.totals.bytes,
            unchanged=payload.unchanged,
            held=held,
            problems=tuple(problems),
        )


def _begin(context: JobContext, stack: ExitStack, key: OperationKey, at: datetime, source: str) -> _Copy:
    """Begin a snapshot beside the one before it, which is read as far as it can be."""
    vault, record = context.vault, key.record
    vault.collect_leftovers(record, partial(told_ids, context, record))
    reader, damage = None, None
    committed = vault.snapshots(record)
    lost = find_lost(context, record, committed[-1] if committed else None)
    if committed:
        try:
            reader = vault.open_snapshot(record, key.lease, committed[-1])
            stack.callback(reader.close)
        except DamagedError as error:
            damage = error
    writer = vault.begin_snapshot(record, key.lease, at, source)
    stack.callback(writer.abandon)
    return _Copy(key, writer, EarlierFiles(reader, damage), lost)


class _Copy:
    """One snapshot in the making under one data key, and the files of the snapshot before it."""

    def __init__(
        self, key: OperationKey, writer: SnapshotWriter, earlier: EarlierFiles, lost: LostSnapshot | None
    ) -> None:
        self._key = key
        self._earlier = earlier
        self._lost = lost
        self.writer = writer
        self.unchanged = 0

    def keep(self, found: FoundFile) -> bool:
        """Refer to what the snapshot before has of a file, if that is still true and still there."""
        entry = self._earlier.find(found.path)
        if entry is None:
            return False  # it is read: that asks for the key with every segment
        self._key.lease.check()
        if not is_unchanged(entry, found.status) or not self.writer.can_keep(entry):
            return False
        self.writer.add(entry)
        self.unchanged += 1
        return True

    def commit(self, at: datetime) -> None:
        """Let the snapshot appear."""
        self._key.lease.check()
        self.writer.commit(at)

    def remember(self, context: JobContext) -> None:
        """Have the ledger remember the snapshot; if it cannot, the snapshot is there nevertheless."""
        remember(context, self._key.record, self.writer.snapshot, self._lost)

    def problems(self) -> list[Problem]:
        """What was wrong with the snapshots before."""
        damage, purpose, problems = self._earlier.damage, self._key.record.purpose, []
        if damage is not None:
            reason = f"the {purpose} snapshot before is damaged, so files were stored anew: {damage.message}"
            problems.append(Problem("", ProblemKind.DAMAGED, reason))
        if self._lost is not None:
            problems.append(self._lost.problem(purpose, self.writer.previous))
        return problems


def _store(
    context: JobContext, source: Path, workload: Workload, copies: Sequence[_Copy], at: datetime
) -> list[Problem]:
    """Walk a workload into all copies; what had to be left out of them."""
    read_at_ns = int(at.timestamp()) * 1_000_000_000
    omissions: dict[str, Omission] = {}
    label = workload.label
    files = untold = 0

    def advanced(count: int) -> None:
        nonlocal untold
        untold += count
        if untold >= _TOLD_BYTES:
            tell()

    def tell() -> None:
        nonlocal files, untold
        step = Progressed(label, files, untold)
        files = untold = 0
        context.advance(step)

    for found in walk(source, workload, _left_out(context)):
        if isinstance(found, FoundFile):
            to_read = [copy for copy in copies if not copy.keep(found)]
            entries = _read(found, to_read, read_at_ns, advanced)
            files += 1
            advanced(0 if to_read else found.status.st_size)
            if files >= _TOLD_FILES:
                tell()
        else:
            to_read, entries = list(copies), [found] * len(copies)
        for copy, entry in zip(to_read, entries, strict=True):
            copy.writer.add(entry)
            if isinstance(entry, Omission):
                omissions[entry.path] = entry
    tell()
    return [_problem(omission) for omission in omissions.values()]


def _left_out(context: JobContext) -> tuple[int, int] | None:
    """The identity of the vault's folder, which is not backed up into itself."""
    folder = context.vault.local_folder
    return None if folder is None else folder_identity(folder)


def _size(source: Path, workload: Workload, left_out: tuple[int, int] | None) -> int:
    """How many bytes the files of a workload have just now."""
    return sum(found.status.st_size for found in walk(source, workload, left_out) if isinstance(found, FoundFile))


def _read(
    found: FoundFile, copies: Sequence[_Copy], read_at_ns: int, advanced: Callable[[int], None]
) -> Sequence[Entry]:
    """Read a file into the copies that need it; what each of them has of it then."""
    if not copies:
        return ()
    stored = store_file(found, [copy.writer.content for copy in copies], read_at_ns, advanced)
    return [stored] * len(copies) if isinstance(stored, Omission) else stored


def _problem(omission: Omission) -> Problem:
    kind = ProblemKind.NOTE if omission.reason.expected else ProblemKind.MISSING
    return Problem(omission.path, kind, omission.reason.value)
