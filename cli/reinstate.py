"""`keyturn reinstate`: the access to the keys, given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.options import as_name, declaration_option, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from cli.workspace import Workspace
    from engine.lifecycle import TenantState


@click.command("reinstate")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--by", callback=as_name, metavar="NAME", help="Who decides; the AWS identity in use by default.")
@declaration_option
@json_option
def command(yes: bool, by: str | None, declaration_path: Path, as_json: bool) -> int:
    """Give the access back that `keyturn revoke` took away.

    Keys that data may depend on are enabled, with their replicas; retired ones stay disabled. What was taken
    out of key policies and the customer's own grants are restored. `revoked: false` is written into the
    declaration; deploy it, so that the stacks agree.
    """
    from cli.access_change import (
        ask,
        connect_by_region,
        declare,
        end,
        record,
        require_targets,
        told,
    )
    from cli.workspace import load_workspace
    from engine.errors import KeyturnError
    from engine.ledger.opening import open_ledger
    from engine.lifecycle import Reinstate
    from engine.revocation import find_targets, reinstate_keys

    workspace = load_workspace(declaration_path)
    # A ledger that cannot be read ends it: which keys are retired must be known before keys are enabled.
    ledger = open_ledger(workspace.declaration, workspace.folder)
    state = ledger.head().state if ledger is not None else None
    _require_revoked(workspace, state)
    connect = connect_by_region()
    found = find_targets(workspace.declaration, state, connect)
    require_targets(found)
    ask(workspace, "reinstate", yes=yes)
    vendor, saved = workspace.declaration.vendor.account_id, workspace.saved_access
    done = told(reinstate_keys(found.targets, vendor, saved, connect), "given back", quiet=as_json)
    troubles: list[KeyturnError] = []
    changed = False
    if all(one.error is None for one in done) and not found.troubles:
        try:
            if state is not None and state.revoked:
                record(ledger, workspace, "reinstate", lambda identity: Reinstate(by or identity), revoked=False)
            changed, not_declared = declare(workspace, revoked=False)
            if not_declared is not None:
                troubles.append(not_declared)
            else:
                saved.unlink(missing_ok=True)
        except KeyturnError as error:
            troubles.append(error)
    return end("reinstated", found, done, troubles, changed=changed, as_json=as_json)


def _require_revoked(workspace: Workspace, state: TenantState | None) -> None:
    """Refuse where nothing says that the access was taken away; any trace of an interrupted command does."""
    from engine.errors import RefusedError

    if (state is not None and state.revoked) or workspace.declaration.revoked or workspace.saved_access.exists():
        return
    raise RefusedError(
        "revocation",
        f"the access of tenant {workspace.declaration.tenant!r} is not revoked",
        ("EKM-10",),
        "`keyturn status` shows where the tenant stands",
    )
