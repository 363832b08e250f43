"""Events of jobs, one as a job begins and one for each of its workloads, for a SIEM.

The vocabulary is the vendor's public one (Druva developer portal, "inSync SIEM Events", schema version 1.0, and
"Events API": the states of backups, restores and downloads; that a job is running it says of jobs elsewhere):
`eventCategory`, `topicName`, `eventType`, a syslog severity of 0 to 7, `identityType` SERVICE, ADMIN, API or USER,
times in RFC 3339 in UTC. What the vendor's `eventDetails` says in a sentence stands besides in fields of our own
under `keyturn`.

An event holds no name, path or content of a file, and nothing secret.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Protocol, assert_never

from engine.catalogue import Custody, StartedBy, WorkflowKind
from engine.errors import KeyAccessError, MachineError
from engine.jobs.report import Outcome
from engine.times import format_time

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from engine.catalogue import Workflow
    from engine.jobs.report import WorkloadResult
    from engine.ledger.actor import Actor

SCHEMA_VERSION = "1.0"


class EventState(Enum):
    """The vendor's words for how a job stands or ended."""

    RUNNING = "Running"
    SUCCESS = "Success"
    WITH_ERRORS = "Backed up with errors"
    FAILED = "Failed"
    CANCELED = "Canceled"


class Severity(IntEnum):
    """Syslog's severities (RFC 5424) that jobs use."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6


_SEVERITIES = {
    EventState.RUNNING: Severity.INFORMATIONAL,
    EventState.SUCCESS: Severity.INFORMATIONAL,
    EventState.WITH_ERRORS: Severity.WARNING,
    EventState.FAILED: Severity.ERROR,
    EventState.CANCELED: Severity.NOTICE,
}
_TYPES = {
    WorkflowKind.BACKUP: "Backup",
    WorkflowKind.RESTORE: "Restore",
    WorkflowKind.DOWNLOAD: "Download",
    WorkflowKind.DISCOVERY: "Discovery",
    WorkflowKind.CONFIGURATION: "Configuration",
}
_IDENTITIES = {StartedBy.SCHEDULE: "SERVICE", StartedBy.ADMINISTRATOR: "ADMIN", StartedBy.USER: "USER"}


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What happened to a job as it began, or to one workload of it.

    Attributes:
        at: When, UTC.
        tenant: The tenant.
        job_id: The job's id.
        workflow: What the job was.
        workload: The workload's label; None where the job as a whole is meant.
        actor: Who ran it.
        state: How it stands or ended.
        result: What became of it; None where it was canceled, and for the job as a whole.
        workloads: How many workloads the job has, where the job as a whole is meant.
    """

    at: datetime
    tenant: str
    job_id: str
    workflow: Workflow
    workload: str | None
    actor: Actor
    state: EventState
    result: WorkloadResult | None
    workloads: int = 0

    def encode(self) -> bytes:
        """The event as one line of JSON."""
        about = f"{self.workloads} workloads" if self.workload is None else self.workload
        document = {
            "eventCategory": "EVENT",
            "uniqueID": str(uuid.uuid4()),
            "topicName": "WebDAV" if self.workflow.custody is Custody.SERVICE else "Backup And Restore",
            "eventType": _TYPES[self.workflow.kind],
            "timeStamp": format_time(self.at),
            "tenantID": self.tenant,
            "severity": str(int(_SEVERITIES[self.state])),
            "identityType": _IDENTITIES[self.workflow.started_by],
            "identityID": self.actor.identity,
            "eventDetails": f"{self.workflow.title} of {about}: {self.state.value}",
            "schemaVersion": SCHEMA_VERSION,
            "keyturn": self._details(),
        }
        return json.dumps(document, ensure_ascii=True).encode("ascii") + b"\n"

    def _details(self) -> dict[str, str | int | bool | None]:
        details: dict[str, str | int | bool | None] = {
            "job": self.job_id,
            "workload": self.workload,
            "workflow": self.workflow.title,
            "status": self.state.value,
            "command": self.actor.command,
            "version": self.actor.version,
        }
        if self.workload is None:
            details["workloads"] = self.workloads
        if self.result is not None:
            error = self.result.error
            details |= {
                "snapshot": self.result.snapshot,
                "files": self.result.files,
                "bytes": self.result.bytes,
                "unchanged": self.result.unchanged,
                "problems": len(self.result.problems),
                "legalHold": self.result.held,
                "error": None if error is None else type(error).__name__,
            }
            if isinstance(error, KeyAccessError):
                details |= {
                    "keyFailure": error.failure.value,
                    "keyArn": error.key_arn,
                    "awsCode": error.aws_code,
                    "requestId": error.request_id,
                }
        return details


def state_of(workflow: Workflow, result: WorkloadResult) -> EventState:
    """The vendor's word for a result; between success and failure it has one for backups alone."""
    match result.outcome:
        case Outcome.COMPLETED:
            return EventState.SUCCESS
        case Outcome.WITH_PROBLEMS:
            return EventState.WITH_ERRORS if workflow.kind is WorkflowKind.BACKUP else EventState.FAILED
        case Outcome.FAILED:
            return EventState.FAILED
        case _:
            assert_never(result.outcome)


class EventLog(Protocol):
    """Takes events."""

    def record(self, event: JobEvent) -> None:
        """Keep an event.

        Raises:
            MachineError: It cannot be kept.
        """
        ...


class NoEvents:
    """Keeps none."""

    def record(self, event: JobEvent) -> None:
        """Keep nothing."""


class JsonLinesEvents:
    """Appends events to a file, one line each; several processes may share it.

    Args:
        path: The file; it and its folder are made if need be, for their owner alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def record(self, event: JobEvent) -> None:
        """Append an event, durably."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # One write call each: appended lines of several processes do not mix. What a machine that went
                # down left of a line stays a line of its own.
                line = event.encode()
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    line = b"\n" + line
                if os.write(descriptor, line) != len(line):
                    raise MachineError(f"the disk is full: the event log {str(self._path)!r} cannot be written")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise MachineError(f"the event log {str(self._path)!r} cannot be written: {error.strerror}") from error
