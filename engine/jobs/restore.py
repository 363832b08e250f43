"""Restores and downloads: out of a snapshot into a folder (EKM-42 to EKM-45, EKM-48, EKM-49).

- A restore in place writes into the source's folder, which the snapshot knows where none is named; one as a copy
  into another; a download into a folder of the device that it is for. Each workload lies there as it lay in the
  source; a download of mailboxes makes one mBox file of each workload instead (`engine.jobs.mailboxes`).
- Only authenticated content reaches a file's own name, nothing is overwritten silently, and nothing is written
  outside the folder; a workload that is told as restored is on the disk (`engine.jobs.destination`).
- A file that is damaged in the vault is told, and the others are restored.
- A legal hold download reads the copy under the service's own key, and never touches the customer's (EKM-43).
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from engine.catalogue import Delivery, Mode, WorkflowKind
from engine.errors import DamagedError, InputError, RefusedError
from engine.jobs.destination import Destination, Written
from engine.jobs.entries import FileEntry, FolderEntry, LinkEntry, Omission, order
from engine.jobs.known_snapshots import find_snapshot
from engine.jobs.mailboxes import PROPRIETARY, download_mailbox
from engine.jobs.operation import JobContext, OperationKey, existing_key
from engine.jobs.own_places import own_places, refuse_inside
from engine.jobs.progress import Planned, Progressed
from engine.jobs.report import JobReport, Outcome, Problem, ProblemKind, WorkloadResult
from engine.jobs.running import check_workflow, run_job
from engine.jobs.selection import Selection, check_paths, chosen_workloads, covered_workload, purpose_of, told_of_newer
from engine.jobs.vault import LATEST
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.catalogue import Workflow
    from engine.jobs.entries import Entry
    from engine.jobs.snapshot_names import SnapshotId
    from engine.jobs.snapshot_reader import SnapshotReader
    from engine.jobs.workloads import Workload


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """What to bring back, and where to.

    Attributes:
        destination: The folder; None for a restore in place into the folder that the snapshot was taken of.
        workloads: The labels of the workloads; None for all that the workflow covers.
        snapshot: `latest`, or the id or number of a snapshot.
        paths: Files or folders of the one workload that is named; empty for all of it.
        overwrite: Whether files that are there with other content may be replaced.
    """

    destination: Path | None
    workloads: tuple[str, ...] | None = None
    snapshot: str = LATEST
    paths: tuple[str, ...] = ()
    overwrite: bool = False


def restore(context: JobContext, workflow: Workflow, request: RestoreRequest) -> JobReport:
    """Restore from snapshots.

    Args:
        context: What the job works with.
        workflow: A restore of the catalogue; its mode says whether it is in place or as a copy.
        request: What to restore, and where to.

    Returns:
        A result for each workload.

    Raises:
        InputError: The workflow is not the tenant's, or the request cannot be; no key was touched.
    """
    return _run(context, workflow, WorkflowKind.RESTORE, request)


def download(context: JobContext, workflow: Workflow, request: RestoreRequest) -> JobReport:
    """Download files, or mailboxes made of them, from snapshots; also those on legal hold. As `restore`.

    Downloads behind a link are `engine.jobs.links.download_links`.
    """
    return _run(context, workflow, WorkflowKind.DOWNLOAD, request)


def _run(context: JobContext, workflow: Workflow, kind: WorkflowKind, request: RestoreRequest) -> JobReport:
    check_workflow(context, workflow, kind)
    check_paths(request.paths, request.workloads)
    if workflow.delivery is Delivery.LINK:
        raise InputError(f"{workflow.title} goes through a link, and into no folder")
    if request.destination is None and workflow.mode is not Mode.IN_PLACE:
        raise InputError(f"{workflow.title} needs a folder to write into")
    made: set[tuple[int, int]] = set()

    def operate(label: str) -> WorkloadResult:
        workload = covered_workload(workflow, label)
        with existing_key(context, workload.label, purpose_of(workflow)) as key:
            snapshot = find_snapshot(context, key.record, request.snapshot)
            with closing(context.vault.open_snapshot(key.record, key.lease, snapshot)) as reader:
                if context.measured:
                    context.plan(Planned(begun=1, bytes=_size(context, key, snapshot, request.paths)))
                folder = request.destination or Path(reader.header.source)
                _refuse_copy_into_source(workflow, reader, folder)
                refuse_inside(context.vault.local_folder, folder)
                own = own_places(context.vault.local_folder, context.own_files)
                with Destination(folder, overwrite=request.overwrite, made=made, own=own) as destination:
                    if workflow.delivery is Delivery.MAILBOX:
                        result = download_mailbox(context, workload, key, snapshot, request.paths, destination)
                    else:
                        result = _bring_back(context, workload, reader, key, request.paths, destination)
                return told_of_newer(context, key.record, request.snapshot, snapshot, result)

    notes = (PROPRIETARY,) if workflow.delivery is Delivery.MAILBOX else ()
    labels = chosen_workloads(context, workflow, request.workloads)
    return run_job(context, workflow, labels, operate, notes=notes)


def _size(context: JobContext, key: OperationKey, snapshot: SnapshotId, paths: tuple[str, ...]) -> int:
    """How many bytes the chosen files of a snapshot have."""
    selection = Selection(paths)
    with closing(context.vault.open_snapshot(key.record, key.lease, snapshot)) as reader:
        return sum(e.size for e in reader.entries() if isinstance(e, FileEntry) and selection.takes(e))


def _refuse_copy_into_source(workflow: Workflow, reader: SnapshotReader, destination: Path) -> None:
    if workflow.mode is Mode.COPY and reader.header.source == os.path.realpath(destination):
        raise RefusedError(
            "restore-mode",
            f"{printable(str(destination))!r} is the source itself, and the restore is to make a copy",
            ("EKM-44",),
            "name another folder, or restore in place",
        )


def _bring_back(
    context: JobContext,
    workload: Workload,
    reader: SnapshotReader,
    key: OperationKey,
    paths: tuple[str, ...],
    destination: Destination,
) -> WorkloadResult:
    selection = Selection(paths)
    restored = _Restored(context, workload, reader, destination)
    for entry in reader.entries():
        if selection.takes(entry):
            key.lease.check()
            restored.bring_back(entry)
    for path in selection.not_found():
        restored.problems.append(Problem(path, ProblemKind.MISSING, "is not in this snapshot"))
    return restored.result(str(reader.header.snapshot))


class _Restored:
    """Counts what is brought back of one workload."""

    def __init__(
        self, context: JobContext, workload: Workload, reader: SnapshotReader, destination: Destination
    ) -> None:
        self._context = context
        self._folder = workload.folder
        self._label = workload.label
        self._reader = reader
        self._destination = destination
        self._files = self._bytes = self._unchanged = 0
        self.problems: list[Problem] = []

    def bring_back(self, entry: Entry) -> None:
        """Write one entry, or note why not."""
        place = (*self._folder, *order(entry.path))
        try:
            match entry:
                case FileEntry():
                    written = self._destination.file(place, entry, partial(self._pieces, entry))
                    self._count(entry, written)
                case FolderEntry():
                    written = self._destination.folder(place, entry)
                case LinkEntry():
                    written = self._destination.link(place, entry)
                case Omission():
                    reason = f"is not in the snapshot, because it {entry.reason.value}"
                    self.problems.append(Problem(entry.path, ProblemKind.NOTE, reason))
                    return
                case _:
                    assert_never(entry)
        except DamagedError as error:
            self.problems.append(Problem(entry.path, ProblemKind.DAMAGED, error.message))
            return
        if written is Written.OWN:
            self.problems.append(Problem(entry.path, ProblemKind.NOTE, written.value))
        elif written in {Written.DIFFERENT, Written.IN_THE_WAY}:
            self.problems.append(Problem(entry.path, ProblemKind.LEFT_ALONE, written.value))

    def result(self, snapshot: str) -> WorkloadResult:
        """What became of the workload."""
        grave = any(problem.kind is not ProblemKind.NOTE for problem in self.problems)
        return WorkloadResult(
            workload=self._label,
            outcome=Outcome.WITH_PROBLEMS if grave else Outcome.COMPLETED,
            snapshot=snapshot,
            files=self._files,
            bytes=self._bytes,
            unchanged=self._unchanged,
            problems=tuple(self.problems),
        )

    def _pieces(self, entry: FileEntry) -> Iterator[memoryview]:
        for piece in self._reader.content(entry):
            yield piece
            self._context.advance(Progressed(self._label, bytes=len(piece)))

    def _count(self, entry: FileEntry, written: Written) -> None:
        if written in {Written.WRITTEN, Written.IDENTICAL}:
            self._files += 1
            self._bytes += entry.size
            self._unchanged += written is Written.IDENTICAL
            self._context.advance(Progressed(self._label, files=1))
