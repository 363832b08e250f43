"""What `keyturn revoke` and `keyturn reinstate` share: who is asked, what is told, what is recorded."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

import click

from cli.display import note, print_json, show_errors, warn
from engine.errors import ConflictError, ExitCode, InputError, KeyturnError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cli.workspace import Workspace
    from engine.kms import Kms
    from engine.ledger.interface import Ledger
    from engine.lifecycle import Command, TenantState
    from engine.revocation import Done, Found

_ATTEMPTS = 5


def connect_by_region() -> Callable[[str], Kms]:
    """AWS KMS of a Region, connected once."""
    from engine.kms import connect

    return cache(connect)


def reachable_ledger(workspace: Workspace) -> tuple[Ledger | None, TenantState | None, KeyturnError | None]:
    """The ledger and its state, or why there is none to work with: that never prevents a revocation (EKM-10)."""
    try:
        ledger = workspace.ledger()
        return ledger, ledger.head().state, None
    except KeyturnError as error:
        return None, None, error


def ask(workspace: Workspace, question: str, *, yes: bool) -> None:
    """Ask for the tenant's name on a terminal; elsewhere `--yes` must have said it.

    Raises:
        UsageError: There is no terminal, and no `--yes`.
        RefusedError: Another name was typed; nothing was changed.
    """
    tenant = workspace.declaration.tenant
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"without a terminal, --yes says that tenant {tenant!r} is meant")
    typed = click.prompt(f"Type the tenant's name to {question} its access", default="", show_default=False, err=True)
    if typed.strip() != tenant:
        raise RefusedError("confirmation", f"{question} was not confirmed: nothing was changed", ("EKM-10",))


def told(done: Iterable[Done], what: str, *, quiet: bool) -> tuple[Done, ...]:
    """Carry out what is still to be done, and say what became of each key as it is done."""
    results = []
    for one in done:
        results.append(one)
        if not quiet:
            mark = click.style("SUCCESS", fg="green") if one.error is None else click.style("FAILED", fg="red")
            besides = f" ({one.note})" if one.note else ""
            note(f"{mark}  {what if one.error is None else 'left as it was'}: {one.target.key_arn}{besides}")
    return tuple(results)


def record(
    ledger: Ledger | None, workspace: Workspace, command_line: str, make: Callable[[str], Command], *, revoked: bool
) -> None:
    """Record a revocation or its end in the ledger; one that another writer recorded meanwhile will do.

    Args:
        ledger: The ledger, or None where it cannot be reached.
        workspace: The tenant's declaration.
        command_line: What the journal says of the command.
        make: Makes the lifecycle's command, given who AWS says it is.
        revoked: What the ledger says afterwards.

    Raises:
        KeyturnError: It cannot be recorded.
    """
    from cli.workspace import actor, now
    from engine.transitions import carry_out

    if ledger is None:
        return
    who = actor(workspace, command_line)
    for attempt in range(_ATTEMPTS):
        try:
            carry_out(ledger, make(who.identity), who, now())
        except RefusedError as error:
            if ledger.head().state.revoked is revoked:
                return
            if isinstance(error, ConflictError) and attempt + 1 < _ATTEMPTS:
                continue  # another command changed something else: the revocation stands above it
            raise
        return


def declare(workspace: Workspace, *, revoked: bool) -> tuple[bool, KeyturnError | None]:
    """Write `revoked` into the declaration; whether it was changed, or why it could not be."""
    from engine.declaration_edit import set_revoked

    try:
        return set_revoked(workspace.path, revoked=revoked), None
    except KeyturnError as error:
        return False, error


def end(
    what: str, found: Found, done: tuple[Done, ...], troubles: list[KeyturnError], *, changed: bool, as_json: bool
) -> int:
    """Show the end, and give the exit code: what failed first decides it."""
    failed = [one.error for one in done if one.error is not None]
    errors = [*failed, *found.troubles, *troubles]
    if as_json:
        print_json(
            {
                what: not failed and not found.troubles,
                "declaration_changed": changed,
                "keys": [
                    {
                        "generation": one.target.generation,
                        "key_arn": one.target.key_arn,
                        "done": one.error is None,
                        "note": one.note,
                        "error": None if one.error is None else one.error.message,
                    }
                    for one in done
                ],
                "troubles": [error.message for error in (*found.troubles, *troubles)],
            }
        )
    show_errors(errors)
    if not as_json and not failed:
        click.echo(f"{what}: {len(done)} keys")
    if not as_json and changed:
        click.echo(f"`revoked: {'true' if what == 'revoked' else 'false'}` is written into the declaration")
        click.echo("next: commit and deploy it, so that the stacks agree")
    if not errors:
        return ExitCode.DONE
    if failed:
        warn(f"{len(failed)} of {len(done)} keys could not be done; run the command again")
        return ExitCode.AWS
    warn("the keys that were found are done, but not all around them is; run the command again")
    return errors[0].exit_code


def require_targets(found: Found) -> None:
    """Refuse where no key was found at all.

    Raises:
        KeyturnError: What kept the search from finding any.
        InputError: There is none.
    """
    if found.targets:
        return
    if found.troubles:
        raise found.troubles[0]
    raise InputError(
        "no key was found whose access could be changed [EKM-10]",
        "is it the right account and Region? `aws kms disable-key --key-id ARN` disables a key by hand",
    )
