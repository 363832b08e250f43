"""What jobs there were, read from the event log: one mechanism for the SIEM and for people.

A job has ended when each of its workloads has; one of which less is known runs still, or was killed. Its state is
the gravest of its workloads'. A line that is no event of a job is never passed over in silence: it is counted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.errors import MachineError
from engine.jobs.events import EventState
from engine.times import parse_time

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_GRAVEST_FIRST = (EventState.CANCELED, EventState.FAILED, EventState.WITH_ERRORS, EventState.SUCCESS)


@dataclass(frozen=True, slots=True)
class PastWorkload:
    """What became of one workload of a job.

    Attributes:
        workload: Its label.
        state: How it ended.
        at: When, UTC.
        snapshot: The id of the snapshot that was written or read, or None.
        files: How many files.
        bytes: How many bytes these have.
        problems: How many files were not treated like the rest.
        error: The kind of error that it failed for, or None.
        key_failure: Why the key could not be used, or None.
        key_arn: The key that could not be used, or None.
    """

    workload: str
    state: EventState
    at: datetime
    snapshot: str | None
    files: int
    bytes: int
    problems: int
    error: str | None
    key_failure: str | None
    key_arn: str | None


@dataclass(slots=True)
class PastJob:
    """A job.

    Attributes:
        job_id: Its id.
        workflow: What it was, in words.
        started_at: When it began, UTC.
        identity: Who ran it.
        workloads: How many workloads it has.
        results: What became of those that ended, in the order in which they did.
    """

    job_id: str
    workflow: str
    started_at: datetime
    identity: str
    workloads: int = 0
    results: list[PastWorkload] = field(default_factory=list)

    @property
    def state(self) -> EventState:
        """How it stands or ended."""
        states = {result.state for result in self.results}
        if EventState.CANCELED not in states and len(self.results) < self.workloads:
            return EventState.RUNNING
        return next((state for state in _GRAVEST_FIRST if state in states), EventState.RUNNING)

    @property
    def ended_at(self) -> datetime | None:
        """When the last of its workloads ended; None where it has not ended."""
        return None if self.state is EventState.RUNNING else self.results[-1].at

    @property
    def failed(self) -> int:
        """How many of its workloads did not succeed."""
        return sum(1 for result in self.results if result.state is not EventState.SUCCESS)


@dataclass(frozen=True, slots=True)
class JobHistory:
    """The jobs, the newest last, and the numbers of the lines that could not be read."""

    jobs: tuple[PastJob, ...]
    unreadable: tuple[int, ...]


def read_history(path: Path) -> JobHistory:
    """Read the jobs of an event log; none where there is no log.

    Raises:
        MachineError: It cannot be read.
    """
    jobs: dict[str, PastJob] = {}
    unreadable: list[int] = []
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    _take(jobs, json.loads(line))
                except (ValueError, KeyError, TypeError, RecursionError):
                    unreadable.append(number)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise MachineError(f"the event log {str(path)!r} cannot be read: {error.strerror}") from error
    return JobHistory(tuple(jobs.values()), tuple(unreadable))


def told_snapshots(path: Path) -> dict[str, set[str]]:
    """The ids of the snapshots that the jobs of an event log wrote or read, by workload. Raises as `read_history`."""
    told: dict[str, set[str]] = {}
    for job in read_history(path).jobs:
        for result in job.results:
            if result.snapshot is not None:
                told.setdefault(result.workload, set()).add(result.snapshot)
    return told


def _take(jobs: dict[str, PastJob], event: dict[str, Any]) -> None:
    details, at = event["keyturn"], parse_time(event["timeStamp"])
    job_id, state = _text(details["job"]), EventState(details["status"])
    job = PastJob(job_id, _text(details["workflow"]), at, _text(event["identityID"]))
    workload = details["workload"]
    if workload is None:
        job.workloads = _number(details["workloads"])
        jobs.setdefault(job_id, job)
        return
    error = details.get("error")
    ended = PastWorkload(
        workload=_text(workload),
        state=state,
        at=at,
        snapshot=_text_or_none(details.get("snapshot")),
        files=_number(details.get("files", 0)),
        bytes=_number(details.get("bytes", 0)),
        problems=_number(details.get("problems", 0)),
        error=_text_or_none(error),
        key_failure=_text_or_none(details.get("keyFailure")),
        key_arn=_text_or_none(details.get("keyArn")),
    )
    jobs.setdefault(job_id, job).results.append(ended)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a number")
    return value
