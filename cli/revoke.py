"""`keyturn revoke`: the access to every key, taken away; the customer's right at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.display import note, warn
from cli.options import as_name, declaration_option, json_option

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cli.workspace import Workspace
    from engine.errors import KeyturnError
    from engine.ledger.interface import Census, Ledger
    from engine.revocation import Done, Found, Target


@click.command("revoke")
@click.option(
    "--way",
    type=click.Choice(["disable", "access"]),
    default="disable",
    show_default=True,
    help="Disable the keys, or take the vendor's statements and grants away.",
)
@click.option("--yes", is_flag=True, help="Do not ask; for emergencies and pipelines.")
@click.option("--by", callback=as_name, metavar="NAME", help="Who decides; the AWS identity in use by default.")
@declaration_option
@json_option
def command(way: str, yes: bool, by: str | None, declaration_path: Path, as_json: bool) -> int:
    """Take away the access to every key that is not yet released, at once.

    What will stop working is shown first. Every generation is covered, with its replicas and the vendor's
    grants. `revoked: true` is written into the declaration, so that the next deploy keeps it so. The data
    stays what it is: `keyturn reinstate` gives the access back.

    It works without the ledger, too: the keys are then found by the declaration, its aliases and the tenant's
    tag. Whatever fails on one key, the others are done; the command may be run again.
    """
    from cli.access_change import (
        ask,
        connect_by_region,
        declare,
        end,
        reachable_ledger,
        record,
        require_targets,
        told,
    )
    from cli.workspace import load_workspace
    from engine.errors import KeyturnError
    from engine.lifecycle import Revoke
    from engine.revocation import Way, find_targets, revoke_keys

    workspace = load_workspace(declaration_path)
    ledger, state, trouble = reachable_ledger(workspace)
    troubles: list[KeyturnError] = [trouble] if trouble is not None else []
    if trouble is not None:
        warn(f"the ledger is not at hand ({trouble.message}); the keys are looked for without it")
    connect = connect_by_region()
    found = find_targets(workspace.declaration, state, connect)
    require_targets(found)
    _show_impact(workspace, found, ledger)
    ask(workspace, "revoke", yes=yes)
    # The declaration first: should this process die now, the next deploy still revokes and does not undo.
    changed, not_declared = declare(workspace, revoked=True)
    vendor = workspace.declaration.vendor.account_id

    def take_away(targets: Iterable[Target]) -> tuple[Done, ...]:
        acts = revoke_keys(targets, Way(way), vendor, workspace.saved_access, connect)
        return told(acts, "disabled" if way == "disable" else "taken away", quiet=as_json)

    done = take_away(found.targets)
    if not_declared is not None:
        troubles.append(not_declared)
    if state is None or not state.revoked:
        try:
            record(ledger, workspace, f"revoke --way {way}", lambda identity: Revoke(by or identity), revoked=True)
            if ledger is not None and state is not None:
                # Somebody may have rotated since the keys were looked for; from here on nobody can.
                covered = {one.target.key_arn for one in done}
                found = find_targets(workspace.declaration, ledger.head().state, connect)
                done += take_away(target for target in found.targets if target.key_arn not in covered)
        except KeyturnError as error:
            troubles.append(error)
    return end("revoked", found, done, troubles, changed=changed, as_json=as_json)


def _show_impact(workspace: Workspace, found: Found, ledger: Ledger | None) -> None:
    """What will stop working, on stderr: keys with what stands under them, and workflows by product."""
    from engine.catalogue import workflows_of

    declaration = workspace.declaration
    workflows = [workflow for workflow in workflows_of(declaration.products) if workflow.uses_customer_key]
    census = _census(ledger)
    note(f"This takes away the access to {len(found.targets)} keys of tenant {declaration.tenant}:")
    for target in found.targets:
        under = f"  {census.under(target.generation)} data keys" if census and target.generation is not None else ""
        number = target.generation if target.generation is not None else "?"
        note(f"  generation {number}  {target.key_arn}{under}")
    note(f"{len(workflows)} workflows will fail, from their next operation on:")
    for product in declaration.products:
        kinds = dict.fromkeys(workflow.kind.value for workflow in workflows if workflow.product is product)
        note(f"  {product.title}: {', '.join(kinds)}")
    note(f"An operation that is under way may still end, within {declaration.max_operation_seconds} seconds.")
    note("Legal hold downloads go on: they do not use these keys.")


def _census(ledger: Ledger | None) -> Census | None:
    """Where the data keys stand, or None where they cannot be counted: that does not prevent a revocation (EKM-10)."""
    from engine.errors import KeyturnError

    try:
        return ledger.census() if ledger is not None else None
    except KeyturnError as error:
        warn(f"the data keys cannot be counted ({error.message})")
        return None
