"""The demonstration's backups and restores of one source, whatever folder a person points at.

Each product's workloads are backed up by that product's jobs. What a backup leaves out and says so (a file that
cannot be read, a pipe) is left out of the comparison too; it is shown, not hidden.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.demonstration.compare import differences
from engine.catalogue import LEGAL_HOLD_DOWNLOAD, WORKFLOWS, Product
from engine.errors import InputError
from engine.jobs.workloads import Workload, find_workloads
from engine.printing import printable

if TYPE_CHECKING:
    from cli.demonstration.stage import Stage

VENDOR = ("--vendor-profile", "vendor")
_LEFT_OUT = (0, 3)  # done, or done but for files that could not be read
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Job:
    product: Product
    workloads: tuple[Workload, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        labels = tuple(f"--workload={workload.label}" for workload in self.workloads)
        return ("--product", self.product.value, *labels, *VENDOR)


class Backups:
    """The workloads of a source, and the jobs for them.

    Args:
        stage: Where the commands run.
        source: The folder; nothing in it is changed.

    Raises:
        InputError: There is nothing in it.
    """

    def __init__(self, stage: Stage, source: Path) -> None:
        self._stage, self.source = stage, source
        found = find_workloads(source)
        if not found:
            raise InputError(f"the folder {str(source)!r} holds nothing to back up")
        self.count = len(found)
        self._jobs = tuple(
            _Job(product, mine)
            for product in Product
            if (mine := tuple(w for w in found if (w.product or Product.MICROSOFT_365) is product))
        )
        self._left_out: set[Path] = set()
        candidates = [w for job in self._jobs if _has(job.product, LEGAL_HOLD_DOWNLOAD) for w in job.workloads]
        self.held = min(candidates, key=lambda workload: workload.loose, default=None)

    def back_up(self, *, legal_hold: bool = False) -> None:
        """Back everything up, and with `legal_hold` put one workload on legal hold."""
        for job in self._jobs:
            hold = self.held if legal_hold and self.held in job.workloads else None
            marked = () if hold is None else ("--legal-hold", hold.label)
            ended = self._stage.keyturn(
                *("run", "backup", "--source", str(self.source), "--json", *marked, *job.arguments), expect=_LEFT_OUT
            )
            self._tell(job, json.loads(ended.stdout))

    def restore(self, to: Path) -> list[str]:
        """Restore everything into a new folder; returns what is not as it was."""
        for job in self._jobs:
            way = "restore" if _has(job.product, "restore, as a copy") else "download"
            self._stage.keyturn("run", way, "--to", str(to), *job.arguments)
        return differences(self.source, to, self._left_out)

    def _tell(self, job: _Job, document: dict[str, list[dict[str, object]]]) -> None:
        folders = {workload.label: Path(*workload.folder) for workload in job.workloads}
        results = document["results"]
        files = sum(int(str(result["files"])) for result in results)
        self._stage.say(f"{job.product.title}: {len(results)} workloads, {files} files")
        left_out = []
        for result in results:
            problems = result["problems"]
            assert isinstance(problems, list)  # noqa: S101 - our own document
            folder = folders[str(result["workload"])]
            left_out += [(folder / problem["path"], problem["reason"]) for problem in problems]
        for path, reason in left_out[:_SHOWN]:
            self._stage.say(f"left out: {printable(str(path))} {reason}")
        if len(left_out) > _SHOWN:
            self._stage.say(f"left out: {len(left_out) - _SHOWN} more")
        self._left_out |= {path for path, _ in left_out}


def _has(product: Product, variant: str) -> bool:
    return any(workflow.product is product and workflow.variant == variant for workflow in WORKFLOWS)
