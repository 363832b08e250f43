"""What enabling and rotating share: the validation shown, the rewrap with its progress, what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cli.display import note, warn
from engine.errors import ExitCode, KeyAccessError

if TYPE_CHECKING:
    from cli.workspace import Connections, Workspace
    from engine.envelope.data_keys import KeyAccess
    from engine.ledger.interface import Actor, Ledger
    from engine.lifecycle import TenantState
    from engine.rotation import KeyRecords, Progress, SetAside

_MARKS = {"passed": ("ok", "green"), "failed": ("FAILED", "red"), "not exercised": ("--", "yellow")}


@dataclass(frozen=True, slots=True)
class RewrapResult:
    """What a rewrap came to, for the command that ran it."""

    moved: int
    set_aside: tuple[SetAside, ...]
    complete: bool

    @property
    def exit_code(self) -> ExitCode:
        """Data damaged where a data key was set aside; done otherwise."""
        return ExitCode.DAMAGED if self.set_aside else ExitCode.DONE


def require_valid(
    workspace: Workspace,
    number: int,
    key_arn: str,
    state: TenantState,
    connections: Connections,
    *,
    quiet: bool,
) -> None:
    """Validate a key, show every check, and go on only where it passed.

    Raises:
        RefusedError: A check failed; nothing is saved (EKM-24).
        KeyAccessError, AwsError, InputError: It could not be validated.
    """
    from engine.validation import validate_key

    report = validate_key(workspace.declaration, number, key_arn, state, connections.callers())
    if not quiet:
        for check in report.checks:
            mark, colour = _MARKS[check.outcome.value]
            note(f"  {click.style(mark.ljust(6), fg=colour)} {check.name}: {check.message}")
    report.require()
    note(f"validated: {report.key_arn} is fit to be generation {number}")


def rewrap(ledger: Ledger, workspace: Workspace, access: KeyAccess, records: KeyRecords, actor: Actor) -> RewrapResult:
    """Move what is left to move, with progress on stderr.

    Raises:
        KeyAccessError: A key is revoked, denied or out of reach; the hint says how to go on.
    """
    from cli.progress import progress
    from cli.workspace import now
    from engine.rotation import Rewrap

    to = ledger.head().state.current_number
    resume = f"what is moved stays moved; `keyturn rotate --to {to}` goes on"
    job = Rewrap(ledger, workspace.declaration.tenant, access, records, actor, now)
    try:
        with progress("moving data keys") as advance:

            def report_progress(step: Progress) -> None:
                advance(step.done + step.set_aside, step.total)

            report = job.run(report_progress)
    except KeyboardInterrupt:
        note(f"hint: {resume}")
        raise
    except KeyAccessError as error:
        error.hint = f"{error.hint}; {resume}" if error.hint else resume
        raise
    for item in report.set_aside:
        warn(f"the data key of {item.workload} is set aside: {item.reason}")
    state = report.head.state
    return RewrapResult(report.moved, report.set_aside, state.rotation is None)


def show_next(workspace: Workspace, result: RewrapResult) -> None:
    """Say what comes next, as `keyturn status` does."""
    from engine.situation import describe_situation

    ledger = workspace.ledger()
    situation = describe_situation(workspace.declaration, ledger.head().state, ledger.census(), {})
    if result.set_aside:
        click.echo(f"{len(result.set_aside)} data keys are set aside; the rotation stays open until they are moved")
    for step in situation.next_steps:
        click.echo(f"next: {step}")
