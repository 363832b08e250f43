"""`keyturn revoke` and `keyturn reinstate`: the access to every key, taken away and given back."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from cli.display import note, print_json, show_errors, warn
from cli.options import as_name, declaration_option, json_option
from engine.errors import ExitCode, InputError, MachineError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from cli.workspace import Workspace
    from engine.kms import Kms
    from engine.lifecycle import Command
    from engine.revocation import Done, SavedAccess, Target

SAVED = ".keyturn/revoked-access.json"

_yes = click.option("--yes", is_flag=True, help="Do not ask; for emergencies and pipelines.")
_by = click.option("--by", callback=as_name, metavar="NAME", help="Who decides; the AWS identity in use by default.")


@click.command("revoke")
@click.option(
    "--way",
    type=click.Choice(["disable", "access"]),
    default="disable",
    show_default=True,
    help="Disable the keys, or take the vendor's statements and grants away.",
)
@_yes
@_by
@declaration_option
@json_option
def command(way: str, yes: bool, by: str | None, declaration_path: Path, as_json: bool) -> int:
    """Take away the access to every key that is not yet released, at once.

    What will stop working is shown first. Every generation is covered, with its replicas and the vendor's
    grants. `revoked: true` is written into the declaration, so that the next deploy keeps it so. The data
    stays what it is: `keyturn reinstate` gives the access back.
    """
    from cli.workspace import actor, load_workspace
    from engine.lifecycle import Revoke
    from engine.revocation import disable_all, find_targets, save_access, take_access_away

    workspace = load_workspace(declaration_path)
    ledger = workspace.ledger()
    state = ledger.head().state
    connect = _connect_by_region()
    targets = find_targets(workspace.declaration, state, connect)
    vendor = workspace.declaration.vendor.account_id
    if not as_json:
        _show_impact(workspace, targets)
    _ask(workspace, yes=yes, question="revoke")
    if way == "disable":
        done = tuple(_told(disable_all(targets, connect), "disabled", quiet=as_json))
    else:
        saved = save_access(targets, vendor, connect)
        _save(workspace, saved)
        done = tuple(_told(take_access_away(targets, saved, vendor, connect), "taken away", quiet=as_json))
    who = actor(workspace, f"revoke --way {way}")
    recorded = _record(ledger, workspace, Revoke(by or who.identity), who, already=state.revoked, revoked=True)
    return _end(done, recorded, as_json=as_json, what="revoked")


@click.command("reinstate")
@_yes
@_by
@declaration_option
@json_option
def reinstate(yes: bool, by: str | None, declaration_path: Path, as_json: bool) -> int:
    """Give the access back that `keyturn revoke` took away.

    Keys that data may depend on are enabled, with their replicas; retired ones stay disabled. What was taken
    out of key policies and the customer's own grants are restored. `revoked: false` is written into the
    declaration; deploy it, so that the stacks agree.
    """
    from cli.workspace import actor, load_workspace
    from engine.lifecycle import Reinstate
    from engine.revocation import find_targets, reinstate_all

    workspace = load_workspace(declaration_path)
    ledger = workspace.ledger()
    state = ledger.head().state
    if not state.revoked and not workspace.declaration.revoked:
        raise RefusedError(
            "revocation", f"the access of tenant {state.tenant!r} is not revoked", ("EKM-10",), "`keyturn status`"
        )
    connect = _connect_by_region()
    targets = find_targets(workspace.declaration, state, connect)
    _ask(workspace, yes=yes, question="reinstate")
    saved = _saved(workspace)
    vendor = workspace.declaration.vendor.account_id
    done = tuple(_told(reinstate_all(targets, state, saved, vendor, connect), "given back", quiet=as_json))
    who = actor(workspace, "reinstate")
    recorded = None
    if all(one.error is None for one in done):
        command = Reinstate(by or who.identity)
        recorded = _record(ledger, workspace, command, who, already=not state.revoked, revoked=False)
        (workspace.folder / SAVED).unlink(missing_ok=True)
    return _end(done, recorded, as_json=as_json, what="reinstated")


def _connect_by_region() -> Callable[[str], Kms]:
    from functools import cache

    from engine.kms import connect

    return cache(connect)


def _show_impact(workspace: Workspace, targets: tuple[Target, ...]) -> None:
    from engine.catalogue import workflows_of

    workflows = [workflow for workflow in workflows_of(workspace.declaration.products) if workflow.uses_customer_key]
    note(f"This takes away the access to {len(targets)} keys of tenant {workspace.declaration.tenant}:")
    for target in targets:
        note(f"  generation {target.generation}  {target.key_arn}")
    note(f"{len(workflows)} workflows will fail, from their next operation on:")
    for product in workspace.declaration.products:
        kinds = dict.fromkeys(workflow.kind.value for workflow in workflows if workflow.product is product)
        note(f"  {product.title}: {', '.join(kinds)}")
    note("Legal hold downloads go on: they do not use these keys.")


def _ask(workspace: Workspace, *, yes: bool, question: str) -> None:
    tenant = workspace.declaration.tenant
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError(f"without a terminal, --yes says that tenant {tenant!r} is meant")
    typed = click.prompt(f"Type the tenant's name to {question} its access", default="", show_default=False, err=True)
    if typed.strip() != tenant:
        raise RefusedError("confirmation", f"{question} was not confirmed: nothing was changed", ("EKM-10",))


def _told(done: Iterable[Done], what: str, *, quiet: bool) -> Iterable[Done]:
    for one in done:
        if not quiet:
            mark = click.style("SUCCESS", fg="green") if one.error is None else click.style("FAILED", fg="red")
            note(f"{mark}  {what if one.error is None else 'left as it was'}: {one.target.key_arn}")
        yield one


def _record(
    ledger: Any, workspace: Workspace, command: Command, who: Any, *, already: bool, revoked: bool
) -> bool | None:
    """Record it in the ledger and in the declaration; returns whether the declaration was changed."""
    from cli.workspace import now
    from engine.declaration_edit import set_revoked
    from engine.transitions import carry_out

    if not already:
        carry_out(ledger, command, who, now())
    return set_revoked(workspace.path, revoked=revoked)


def _end(done: tuple[Done, ...], changed: bool | None, *, as_json: bool, what: str) -> ExitCode:
    failed = [one for one in done if one.error is not None]
    if as_json:
        print_json(
            {
                what: not failed,
                "declaration_changed": bool(changed),
                "keys": [
                    {
                        "generation": one.target.generation,
                        "key_arn": one.target.key_arn,
                        "done": one.error is None,
                        "error": None if one.error is None else one.error.message,
                    }
                    for one in done
                ],
            }
        )
    else:
        show_errors([one.error for one in failed if one.error is not None])
        if not failed:
            click.echo(f"{what}: {len(done)} keys")
        if changed:
            click.echo(f"`revoked: {'true' if what == 'revoked' else 'false'}` is written into the declaration")
            click.echo("next: commit and deploy it, so that the stacks agree")
    if failed:
        warn(f"{len(failed)} of {len(done)} keys could not be done; run the command again")
        return ExitCode.AWS
    return ExitCode.DONE


def _save(workspace: Workspace, saved: tuple[SavedAccess, ...]) -> None:
    """Keep what is about to be taken away; an earlier save is never overwritten with less."""
    path = workspace.folder / SAVED
    if path.exists():
        return
    documents = [
        {**asdict(access), "grants": [{**asdict(g), "operations": sorted(g.operations)} for g in access.grants]}
        for access in saved
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            json.dump(documents, stream, indent=2)
    except OSError as error:
        raise MachineError(f"{str(path)!r} cannot be written: {error.strerror}", "nothing was changed") from error


def _saved(workspace: Workspace) -> tuple[SavedAccess, ...]:
    from engine.access import Grant
    from engine.revocation import SavedAccess

    path = workspace.folder / SAVED
    if not path.exists():
        return ()
    try:
        documents = json.loads(path.read_text(encoding="utf-8"))
        return tuple(
            SavedAccess(
                document["key_arn"],
                document["policy"],
                tuple(Grant(**{**g, "operations": frozenset(g["operations"])}) for g in document["grants"]),
            )
            for document in documents
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"what was saved of the vendor's access cannot be read: {str(path)!r}",
            "restore the key policies and grants by hand or by a deploy, then remove the file",
        ) from error
