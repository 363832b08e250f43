"""What a restore or download is asked for: which workloads, and which entries of one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.catalogue import APPLICATIONS, Custody
from engine.envelope.data_keys import LEGAL_HOLD, PAYLOAD
from engine.errors import InputError
from engine.jobs.entries import FolderEntry, order
from engine.jobs.known_snapshots import find_lost
from engine.jobs.report import Outcome, Problem, ProblemKind
from engine.jobs.vault import LATEST
from engine.jobs.workloads import FILES, LOOSE, is_file_name, parse_label
from engine.printing import printable

if TYPE_CHECKING:
    from engine.catalogue import Workflow
    from engine.jobs.entries import Entry
    from engine.jobs.operation import JobContext
    from engine.jobs.report import WorkloadResult
    from engine.jobs.snapshot_names import SnapshotId
    from engine.jobs.workloads import Workload
    from engine.ledger.interface import DataKey


def purpose_of(workflow: Workflow) -> str:
    """The purpose of the data keys that a workflow reads under: legal hold's own copies have their own (EKM-43)."""
    return LEGAL_HOLD if workflow.custody is Custody.SERVICE else PAYLOAD


def chosen_workloads(context: JobContext, workflow: Workflow, named: tuple[str, ...] | None) -> tuple[str, ...]:
    """The labels of the workloads to bring back, each once.

    Args:
        context: What the job works with.
        workflow: A restore or download of the catalogue.
        named: Those that are asked for; None for all that have a data key and that the workflow covers.

    Returns:
        The labels; what lies loose comes last, for it brings the folder that it shares with others its
        permissions and time.
    """
    if named is not None:
        labels = tuple(dict.fromkeys(named))
    else:
        applications = set(workflow.applications) or {
            FILES,
            *(app.name for app in APPLICATIONS if app.product is workflow.product),
        }
        # From the ledger, so that a damaged record in the vault stops no restore.
        found = (key.workload for key in context.ledger.data_keys(purpose_of(workflow)))
        labels = tuple(sorted(label for label in found if label.partition("/")[0] in applications))
    return tuple(sorted(labels, key=lambda label: label.endswith(f"/{LOOSE}")))


def covered_workload(workflow: Workflow, label: str) -> Workload:
    """The workload of a label.

    Raises:
        InputError: It is no label, or of a workload that the workflow does not cover (EKM-50).
    """
    workload = parse_label(label)
    if workload.product not in {None, workflow.product}:
        raise InputError(f"workload {workload.label!r} is not one of {workflow.product.title}")
    if workflow.applications and workload.application not in workflow.applications:
        raise InputError(
            f"{workflow.title} is not for workload {workload.label!r} [EKM-50]",
            f"it is for: {', '.join(workflow.applications)}",
        )
    return workload


def told_of_newer(
    context: JobContext, record: DataKey, wanted: str, found: SnapshotId, result: WorkloadResult
) -> WorkloadResult:
    """What became of a workload, and that the latest snapshot is not the newest, where that is known.

    Args:
        context: What the job works with.
        record: The data key that was read under.
        wanted: The snapshot that was asked for.
        found: The one that it is.
        result: What became of the workload.
    """
    if wanted != LATEST:
        return result
    lost = find_lost(context, record, found)
    if lost is None:
        return result
    problems = (*result.problems, Problem("", ProblemKind.DAMAGED, lost.behind(found)))
    return replace(result, outcome=Outcome.WITH_PROBLEMS, problems=problems)


class Selection:
    """Which entries were chosen: those at or below one of the paths, and the folders on the way to it.

    Args:
        paths: From the workload's folder; empty for all of it.

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


def check_paths(paths: tuple[str, ...], workloads: tuple[str, ...] | None) -> None:
    """Refuse paths that cannot be, before any key is touched.

    Raises:
        InputError: A path is none, or it does not say of which one workload.
    """
    if paths and (workloads is None or len(workloads) != 1):
        raise InputError("paths can be chosen from one workload at a time", "name the one workload that they are in")
    Selection(paths)
