"""How the report of a job looks, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.display import note, print_json, show_errors, warn
from engine.catalogue import Delivery, WorkflowKind
from engine.jobs.report import Outcome, ProblemKind
from engine.printing import printable

if TYPE_CHECKING:
    from engine.catalogue import Workflow
    from engine.jobs.report import JobReport, WorkloadResult

_SHOWN_PROBLEMS = 20
_SHOWN_LABELS = 5


def tell_job(report: JobReport) -> None:
    """Tell people what became of a job: what was done on stdout, what went wrong on stderr."""
    click.echo(f"{report.workflow.title}, job {report.job_id}")
    unit = _unit(report.workflow)
    for result in report.results:
        if result.outcome is not Outcome.FAILED:
            click.echo(f"  {_line(result, unit)}")
            for label in result.found:
                click.echo(f"    found {label}")
    for result in report.results:
        _tell_problems(result)
    show_errors([result.error for result in report.failures if result.error is not None])
    for text in report.notes:
        note(text)
    if report.not_covered:
        shown = ", ".join(report.not_covered[:_SHOWN_LABELS])
        more = len(report.not_covered) - _SHOWN_LABELS
        note(f"left to another product's jobs: {shown}{f' and {more} more' if more > 0 else ''}")
    done = len(report.results) - len(report.failures)
    total = sum(result.bytes for result in report.results)
    files = sum(result.files for result in report.results)
    workloads = f"{done} of {len(report.results)} workloads done{_but_for(report, unit)}"
    click.echo(f"{workloads}: {files} {unit}, {total / 1_000_000:.1f} MB")


def print_job(report: JobReport) -> None:
    """Print the report as one JSON document."""
    print_json(
        {
            "job": report.job_id,
            "workflow": report.workflow.title,
            "started_at": report.started_at.isoformat(),
            "ended_at": report.ended_at.isoformat(),
            "results": [_document(result) for result in report.results],
            "not_covered": list(report.not_covered),
            "notes": list(report.notes),
        }
    )


def _but_for(report: JobReport, unit: str) -> str:
    """What the workloads that are done lack; nothing is done silently by halves."""
    # A problem without a path is no file's: it says what else was wrong with the workload.
    kinds = [problem.kind for result in report.results for problem in result.problems if problem.path]
    left_alone = kinds.count(ProblemKind.LEFT_ALONE)
    lacking = kinds.count(ProblemKind.MISSING) + kinds.count(ProblemKind.DAMAGED)
    could_not = "be stored" if report.workflow.kind is WorkflowKind.BACKUP else "be restored"
    parts = []
    if lacking:
        parts.append(f"{_counted(lacking, unit)} that could not {could_not}")
    if left_alone:
        parts.append(f"{_counted(left_alone, unit)} that {'was' if left_alone == 1 else 'were'} left alone")
    return f", but for {' and '.join(parts)}" if parts else ""


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit.removesuffix('s') if count == 1 else unit}"


def _unit(workflow: Workflow) -> str:
    """What the job counts."""
    if workflow.kind is WorkflowKind.DISCOVERY:
        return "workloads"
    return "mails" if workflow.delivery in {Delivery.MAILBOX, Delivery.LINK} else "files"


def _line(result: WorkloadResult, unit: str) -> str:
    parts = [f"{result.files} {unit}", f"{result.bytes / 1_000_000:.1f} MB"]
    if result.unchanged:
        parts.append(f"{result.unchanged} unchanged")
    if result.held:
        parts.append("legal hold copy too")
    if result.snapshot is not None:
        parts.append(f"snapshot {result.snapshot}")
    return f"{result.workload}: {', '.join(parts)}"


def _tell_problems(result: WorkloadResult) -> None:
    for problem in result.problems[:_SHOWN_PROBLEMS]:
        text = f"{result.workload}: {printable(problem.path)}{' ' * bool(problem.path)}{problem.reason}"
        if problem.kind is ProblemKind.NOTE:
            note(text)
        else:
            warn(text)
    if len(result.problems) > _SHOWN_PROBLEMS:
        warn(f"{result.workload}: {len(result.problems) - _SHOWN_PROBLEMS} more such files; --json lists them all")


def _document(result: WorkloadResult) -> dict[str, Any]:
    error = result.error
    return {
        "workload": result.workload,
        "outcome": result.outcome.value,
        "snapshot": result.snapshot,
        "files": result.files,
        "bytes": result.bytes,
        "unchanged": result.unchanged,
        "legal_hold": result.held,
        "found": list(result.found),
        "problems": [{"path": p.path, "kind": p.kind.value, "reason": p.reason} for p in result.problems],
        "error": None
        if error is None
        else {
            "message": error.message,
            "hint": error.hint,
            "exit_code": int(error.exit_code),
            "key_failure": getattr(getattr(error, "failure", None), "value", None),
            "key_arn": getattr(error, "key_arn", None),
        },
    }
