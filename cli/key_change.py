"""What enabling and rotating share: the validation shown, the rewrap with its progress, what comes next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from cli.display import note, warn
from engine.errors import (
    AwsError,
    DamagedError,
    ExitCode,
    InputError,
    KeyAccessError,
    MachineError,
    TerminatedError,
)

if TYPE_CHECKING:
    from cli.options import MoveOptions
    from cli.workspace import Connections, Workspace
    from engine.envelope.data_keys import KeyAccess
    from engine.envelope.ports import DataKeyService
    from engine.ledger.actor import Actor
    from engine.ledger.interface import Ledger
    from engine.lifecycle import TenantState
    from engine.rotation import KeyRecords, Progress, SetAside

_MOST_SHOWN = 20
_MARKS = {"passed": ("ok", "green"), "failed": ("FAILED", "red"), "not exercised": ("--", "yellow")}


@dataclass(frozen=True, slots=True)
class RewrapResult:
    """What a rewrap came to, for the command that ran it."""

    moved: int
    set_aside: tuple[SetAside, ...]
    set_aside_count: int
    complete: bool

    @property
    def exit_code(self) -> ExitCode:
        """Data damaged where a data key was set aside; done otherwise."""
        return ExitCode.DAMAGED if self.set_aside_count else ExitCode.DONE


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


def rewrap(
    ledger: Ledger,
    workspace: Workspace,
    callers: tuple[KeyAccess, DataKeyService | None],
    records: KeyRecords,
    actor: Actor,
) -> RewrapResult:
    """Move what is left to move, with progress on stderr.

    Raises:
        KeyAccessError: A key is revoked, denied or out of reach; the hint says how to go on.
        DamagedError: A record of the ledger cannot be read; all others were moved.
        AwsError, MachineError: The ledger or the vault cannot be written; the hint says how to go on.
    """
    from cli.progress import progress
    from cli.workspace import now
    from engine.rotation import Rewrap

    to = ledger.head().state.current_number
    access, target = callers
    resume = f"what is moved stays moved; `keyturn rotate --to {to}` goes on"
    shown = 0

    def report_set_aside(item: SetAside) -> None:
        nonlocal shown
        shown += 1
        if shown <= _MOST_SHOWN:
            warn(f"the data key of {item.workload} is set aside: {item.reason}")

    try:
        job = Rewrap(ledger, workspace.declaration.tenant, access, records, actor, now, target=target)
        with progress("moving data keys") as advance:

            def report_progress(step: Progress) -> None:
                advance(step.done + step.set_aside, step.total)

            report = job.run(report_progress, report_set_aside)
    except (KeyboardInterrupt, TerminatedError):
        note(f"hint: {resume}")
        raise
    except (KeyAccessError, AwsError, InputError, DamagedError, MachineError) as error:
        error.hint = f"{error.hint}; {resume}" if error.hint else resume
        raise
    finally:
        if shown > _MOST_SHOWN:
            warn(f"{shown - _MOST_SHOWN} more data keys are set aside")
    state = report.head.state
    return RewrapResult(report.moved, report.set_aside, report.set_aside_count, state.rotation is None)


def paced(
    workspace: Workspace, connections: Connections, options: MoveOptions
) -> tuple[KeyAccess, DataKeyService | None]:
    """The callers of AWS KMS, with one bucket of tokens for each account; the new key's own, where there is one.

    Raises:
        AwsError, KeyAccessError: The profile for the new key cannot be used.
    """
    from engine.envelope.pacing import Pace, PacedService, TokenBucket
    from engine.kms import connect
    from engine.kms.identity import caller_identity

    declaration, region = workspace.declaration, connections.region
    paces: dict[str, Pace] = {}
    told: set[str] = set()

    def waiting(error: KeyAccessError, _seconds: float) -> None:
        if error.failure.value not in told:
            told.add(error.failure.value)
            warn(f"AWS KMS is {error.failure.value}: trying again, ever more slowly")

    def at_pace(service: DataKeyService, account_id: str) -> DataKeyService:
        if account_id not in paces:
            paces[account_id] = Pace(TokenBucket(options.requests_per_second), waiting=waiting)
        return PacedService(service, paces[account_id])

    access = connections.access()
    vendor = access.vendor and at_pace(access.vendor, declaration.vendor.account_id)
    access = replace(access, customer=at_pace(access.customer, declaration.account.account_id), vendor=vendor)
    if options.target_profile is None:
        return access, None
    account_id = caller_identity(region, options.target_profile).account_id
    service = connect(
        region, profile=options.target_profile, identity=f"profile {options.target_profile!r}", account_id=account_id
    )
    return access, at_pace(service, account_id)


def show_next(workspace: Workspace, result: RewrapResult) -> None:
    """Say what comes next, as `keyturn status` does."""
    from engine.situation import describe_situation

    ledger = workspace.ledger()
    situation = describe_situation(workspace.declaration, ledger.head().state, ledger.census(), {})
    if result.set_aside_count:
        click.echo(
            f"{result.set_aside_count} data keys are set aside; the rotation stays open until they are moved:"
            f" mend them, then `keyturn rotate --to {ledger.head().state.current_number}` tries them again"
        )
    for step in situation.next_steps:
        click.echo(f"next: {step}")
