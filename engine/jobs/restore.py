"""Restores and downloads: out of a snapshot into a folder (EKM-42 to EKM-45, EKM-48, EKM-49).

- A restore in place writes into the source's folder, one as a copy into another; a download writes into a
  folder of the device that it is for. Each workload lies there as it lay in the source.
- Only authenticated content reaches a file's own name, nothing is overwritten silently, and nothing is written
  outside the folder (`engine.jobs.destination`).
- A file that is damaged in the vault is told, and the others are restored.
- A legal hold download reads the copy under the service's own key, and never touches the customer's (EKM-43).
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, assert_never

from engine.catalogue import APPLICATIONS, Custody, WorkflowKind
from engine.envelope.data_keys import LEGAL_HOLD, PAYLOAD
from engine.errors import DamagedError, InputError, RefusedError
from engine.jobs.destination import Destination, Written
from engine.jobs.entries import FileEntry, FolderEntry, LinkEntry, Omission, order
from engine.jobs.operation import JobContext, OperationKey, existing_key
from engine.jobs.progress import Progressed
from engine.jobs.report import JobReport, Outcome, Problem, ProblemKind, WorkloadResult
from engine.jobs.running import check_workflow, run_job
from engine.jobs.vault import LATEST
from engine.jobs.workloads import FILES, LOOSE, Workload, is_file_name, parse_label
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.catalogue import Workflow
    from engine.jobs.entries import Entry
    from engine.jobs.snapshot_reader import SnapshotReader


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """What to bring back, and where to.

    Attributes:
        destination: The folder.
        workloads: The labels of the workloads; None for all that the workflow covers.
        snapshot: `latest`, or the id or number of a snapshot.
        paths: Files or folders of the one workload that is named; empty for all of it.
        overwrite: Whether files that are there with other content may be replaced.
    """

    destination: Path
    workloads: tuple[str, ...] | None = None
    snapshot: str = LATEST
    paths: tuple[str, ...] = ()
    overwrite: bool = False


def restore(context: JobContext, workflow: Workflow, request: RestoreRequest) -> JobReport:
    """Restore from snapshots.

    Args:
        context: What the job works with.
        workflow: A restore of the catalogue; its variant says whether it is in place or as a copy.
        request: What to restore, and where to.

    Returns:
        A result for each workload.

    Raises:
        InputError: The workflow is not the tenant's, or the request cannot be; no key was touched.
    """
    return _run(context, workflow, WorkflowKind.RESTORE, request)


def download(context: JobContext, workflow: Workflow, request: RestoreRequest) -> JobReport:
    """Download files from snapshots; also those on legal hold. As `restore`."""
    return _run(context, workflow, WorkflowKind.DOWNLOAD, request)


def _run(context: JobContext, workflow: Workflow, kind: WorkflowKind, request: RestoreRequest) -> JobReport:
    check_workflow(context, workflow, kind)
    if workflow.variant.startswith("PST"):
        raise RefusedError(
            "open-formats",
            f"{workflow.title} is not available: only files are written, in the format in which they were backed up",
            ("EKM-42",),
            "choose another download, such as `restore download`",
        )
    if request.paths and (request.workloads is None or len(request.workloads) != 1):
        raise InputError("paths can be chosen from one workload at a time", "name the one workload that they are in")
    _Selection(request.paths)
    purpose = LEGAL_HOLD if workflow.custody is Custody.SERVICE else PAYLOAD
    labels = request.workloads if request.workloads is not None else _all_workloads(context, workflow, purpose)

    made: set[tuple[int, int]] = set()

    def operate(label: str) -> WorkloadResult:
        workload = parse_label(label)
        if workload.product not in {None, workflow.product}:
            raise InputError(f"workload {workload.label!r} is not one of {workflow.product.title}")
        with existing_key(context, workload.label, purpose) as key:
            snapshot = context.vault.find_snapshot(key.record, request.snapshot)
            with closing(context.vault.open_snapshot(key.record, key.lease, snapshot)) as reader:
                _refuse_copy_into_source(workflow, reader, request.destination)
                return _bring_back(context, workload, reader, key, request, made)

    try:
        # What lies loose comes last: it brings the folder that it shares with others its permissions and time.
        ordered = sorted(dict.fromkeys(labels), key=lambda label: label.endswith(f"/{LOOSE}"))
        return run_job(context, workflow, ordered, operate)
    finally:
        os.sync()  # what is reported as restored is on the disk


def _all_workloads(context: JobContext, workflow: Workflow, purpose: str) -> tuple[str, ...]:
    """The labels of the workloads that the vault has keys of and the workflow covers."""
    applications = {FILES, *(app.name for app in APPLICATIONS if app.product is workflow.product)}
    keys = (record.data_key for record in context.vault.key_records())
    labels = (key.workload for key in keys if key.purpose == purpose)
    return tuple(sorted(label for label in labels if label.partition("/")[0] in applications))


def _refuse_copy_into_source(workflow: Workflow, reader: SnapshotReader, destination: Path) -> None:
    if workflow.variant.endswith("as a copy") and reader.header.source == os.path.realpath(destination):
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
    request: RestoreRequest,
    made: set[tuple[int, int]],
) -> WorkloadResult:
    selection = _Selection(request.paths)
    with Destination(request.destination, overwrite=request.overwrite, made=made) as destination:
        restored = _Restored(context, workload, reader, destination)
        for entry in reader.entries():
            if selection.takes(entry):
                key.lease.check()
                restored.bring_back(entry)
    for path in selection.not_found():
        restored.problems.append(Problem(path, ProblemKind.MISSING, "is not in this snapshot"))
    return restored.result(str(reader.header.snapshot))


class _Selection:
    """Which entries were chosen: those at or below one of the paths, and the folders on the way to it.

    Raises:
        InputError: A path is none.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._wanted = {path: order(path.strip("/")) for path in paths}
        self._found: set[str] = set()
        for path, place in self._wanted.items():
            if not place or not all(is_file_name(name) for name in place):
                raise InputError(f"{printable(path)!r} is not a path inside a workload", "such as Inbox/2024.eml")

    def takes(self, entry: Entry) -> bool:
        """Whether an entry was chosen."""
        if not self._wanted:
            return True
        place, taken = order(entry.path), False
        for path, wanted in self._wanted.items():
            if place[: len(wanted)] == wanted:
                self._found.add(path)
                taken = True
            elif isinstance(entry, FolderEntry) and wanted[: len(place)] == place:
                taken = True
        return taken

    def not_found(self) -> list[str]:
        """The paths at which there was nothing."""
        return [path for path in self._wanted if path not in self._found]


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
        if written in {Written.DIFFERENT, Written.IN_THE_WAY}:
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
            self._context.progress(Progressed(self._label, bytes=len(piece)))

    def _count(self, entry: FileEntry, written: Written) -> None:
        if written in {Written.WRITTEN, Written.IDENTICAL}:
            self._files += 1
            self._bytes += entry.size
            self._unchanged += written is Written.IDENTICAL
            self._context.progress(Progressed(self._label, files=1))
