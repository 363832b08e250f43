"""`keyturn jobs`: what jobs there were, and what became of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.display import print_json, print_table, warn
from cli.options import declaration_option, json_option
from engine.errors import ExitCode, InputError
from engine.printing import printable

if TYPE_CHECKING:
    from pathlib import Path

    from engine.jobs.history import PastJob, PastWorkload


@click.command("jobs")
@click.argument("job_id", metavar="[JOB]", required=False)
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="The newest N.")
@click.option("--failed", is_flag=True, help="Those alone that did not succeed.")
@declaration_option
@json_option
def command(job_id: str | None, last: int, failed: bool, declaration_path: Path, as_json: bool) -> int:
    """Show what jobs there were, the newest last; with JOB, what became of each of its workloads.

    They are read from the event log beside the declaration, `.keyturn/events.jsonl`, whose lines are made for a
    SIEM. A job that was killed stays `Running` there.
    """
    from cli.workspace import EVENTS, load_workspace
    from engine.jobs.events import EventState
    from engine.jobs.history import read_history

    history = read_history(load_workspace(declaration_path).folder / EVENTS)
    jobs = [job for job in history.jobs if job_id in {None, job.job_id}]
    if job_id is not None and not jobs:
        raise InputError(f"there is no job {printable(job_id)!r} in {EVENTS}", "`keyturn jobs` lists those there are")
    if failed:
        jobs = [job for job in jobs if job.state is not EventState.SUCCESS]
    jobs = jobs[-last:]
    if as_json:
        print_json([_document(job) for job in jobs])
    elif job_id is not None:
        for job in jobs:
            _tell(job)
    elif jobs:
        headings = ("STARTED (UTC)", "JOB", "WORKFLOW", "STATUS", "WORKLOADS", "MB", "BY")
        print_table(headings, [_row(job) for job in jobs])
    else:
        click.echo("no job")
    if not history.unreadable:
        return ExitCode.DONE
    lines = ", ".join(str(number) for number in history.unreadable[:10])
    warn(f"{EVENTS} has lines that are no events, such as {lines}: what they told is missing here")
    return ExitCode.DAMAGED


def _row(job: PastJob) -> tuple[str, ...]:
    workloads = str(job.workloads or len(job.results))
    return (
        f"{job.started_at:%Y-%m-%d %H:%M:%S}",
        printable(job.job_id),
        printable(job.workflow),
        job.state.value,
        f"{job.failed} of {workloads} not done" if job.failed else workloads,
        f"{sum(result.bytes for result in job.results) / 1_000_000:.1f}",
        printable(job.identity),
    )


def _tell(job: PastJob) -> None:
    click.echo(f"{printable(job.workflow)}, job {printable(job.job_id)}: {job.state.value}")
    click.echo(f"  started {job.started_at:%Y-%m-%d %H:%M:%S} UTC by {printable(job.identity)}")
    if job.ended_at is not None:
        click.echo(f"  ended {job.ended_at:%Y-%m-%d %H:%M:%S} UTC")
    rows = [
        (printable(r.workload), r.state.value, str(r.files), f"{r.bytes / 1_000_000:.1f}", _why(r)) for r in job.results
    ]
    print_table(("WORKLOAD", "STATUS", "FILES", "MB", ""), rows)
    missing = job.workloads - len(job.results)
    if missing > 0:
        click.echo(f"  {missing} more of its workloads have not ended")


def _why(result: PastWorkload) -> str:
    if result.key_failure is not None:
        return f"key {result.key_failure}: {printable(result.key_arn or 'unknown')}"
    if result.error is not None:
        return printable(result.error)
    return f"{result.problems} files with problems" if result.problems else printable(result.snapshot or "")


def _document(job: PastJob) -> dict[str, Any]:
    return {
        "job": job.job_id,
        "workflow": job.workflow,
        "status": job.state.value,
        "started_at": job.started_at.isoformat(),
        "ended_at": None if job.ended_at is None else job.ended_at.isoformat(),
        "identity": job.identity,
        "workloads": job.workloads,
        "results": [
            {
                "workload": result.workload,
                "status": result.state.value,
                "at": result.at.isoformat(),
                "snapshot": result.snapshot,
                "files": result.files,
                "bytes": result.bytes,
                "problems": result.problems,
                "error": result.error,
                "key_failure": result.key_failure,
                "key_arn": result.key_arn,
            }
            for result in job.results
        ],
    }
