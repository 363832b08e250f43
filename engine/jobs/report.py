"""What became of a job: one result for each of its workloads.

A job goes on with the workloads that it can. The report says which ones failed and why, which files are
missing from a snapshot, and which were left as they were; and it owns the exit code of the job as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from engine.errors import ExitCode, KeyAccessError, KeyturnError, without_frames

if TYPE_CHECKING:
    from datetime import datetime

    from engine.catalogue import Workflow


class Outcome(Enum):
    """What became of one workload."""

    COMPLETED = "completed"
    WITH_PROBLEMS = "completed with problems"  # done, but for the files that its problems name
    FAILED = "failed"


class ProblemKind(Enum):
    """What a problem is about; it decides the exit code."""

    NOTE = "note"  # left out or changed on purpose, told for completeness
    MISSING = "missing"  # not in the snapshot, for it could not be read
    LEFT_ALONE = "left alone"  # not restored, for something else is in its place
    DAMAGED = "damaged"  # not restored, for it is not what was stored


@dataclass(frozen=True, slots=True)
class Problem:
    """One file or folder that was not treated like the rest.

    Attributes:
        path: From the workload's folder; empty where the workload as a whole is meant.
        kind: What it is about.
        reason: What happened, to be read behind the path.
    """

    path: str
    kind: ProblemKind
    reason: str


@dataclass(frozen=True, slots=True)
class WorkloadResult:
    """What became of one workload.

    Attributes:
        workload: Its label.
        outcome: Completed, with problems, or failed.
        snapshot: The id of the snapshot that was written or read, or None.
        files: How many files are in the snapshot, or were restored.
        bytes: How many bytes these files have.
        unchanged: How many of these files needed not be stored, or written, again.
        held: Whether a legal hold copy was written too.
        found: The labels of the workloads that a discovery found.
        problems: Files that were not treated like the rest.
        error: Why it failed, or None.
    """

    workload: str
    outcome: Outcome
    snapshot: str | None = None
    files: int = 0
    bytes: int = 0
    unchanged: int = 0
    held: bool = False
    found: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: KeyturnError | None = None

    @classmethod
    def failed(cls, workload: str, error: KeyturnError) -> WorkloadResult:
        """The result of a workload that failed."""
        return cls(workload, Outcome.FAILED, error=without_frames(error))


@dataclass(frozen=True, slots=True)
class JobReport:
    """What became of a job.

    Attributes:
        job_id: The job's random id, which its events carry too.
        workflow: What it was.
        started_at: When, UTC.
        ended_at: When, UTC.
        results: One for each workload, in order.
        not_covered: Workloads of the source that belong to another product and were left to its jobs.
        notes: What people should know of the job as a whole.
    """

    job_id: str
    workflow: Workflow
    started_at: datetime
    ended_at: datetime
    results: tuple[WorkloadResult, ...]
    not_covered: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[WorkloadResult, ...]:
        """The workloads that failed."""
        return tuple(result for result in self.results if result.outcome is Outcome.FAILED)

    @property
    def exit_code(self) -> ExitCode:
        """The job's exit code: that of the gravest thing that happened."""
        codes = {code for result in self.results for code in _codes(result)}
        return next((code for code in _GRAVEST_FIRST if code in codes), ExitCode.DONE)


_GRAVEST_FIRST = (ExitCode.AWS, ExitCode.DAMAGED, ExitCode.MACHINE, ExitCode.INPUT, ExitCode.REFUSED)
_OF_PROBLEM = {
    ProblemKind.MISSING: ExitCode.INPUT,
    ProblemKind.LEFT_ALONE: ExitCode.REFUSED,
    ProblemKind.DAMAGED: ExitCode.DAMAGED,
}


def _codes(result: WorkloadResult) -> set[ExitCode]:
    codes = {_OF_PROBLEM[problem.kind] for problem in result.problems if problem.kind in _OF_PROBLEM}
    return codes if result.error is None else {*codes, result.error.exit_code}


def naming(error: KeyturnError, workflow: Workflow, workload: str) -> KeyturnError:
    """The same failure, named for the workflow and workload that it stopped.

    An error of the key keeps its class and all that it knows of the key; others are shown as they are.
    """
    if not isinstance(error, KeyAccessError):
        return error
    return KeyAccessError(
        error.failure,
        f"{workflow.title} of {workload!r} failed for its key: {error.message}",
        hint=error.hint,
        key_arn=error.key_arn,
        operation=error.operation,
        aws_code=error.aws_code,
        request_id=error.request_id,
    )
