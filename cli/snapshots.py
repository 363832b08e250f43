"""`keyturn run snapshots`: what the vault holds, to choose from; without a key, and without AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.display import print_json, print_table
from cli.options import declaration_option, json_option
from engine.errors import InputError
from engine.printing import printable

if TYPE_CHECKING:
    from pathlib import Path

    from engine.jobs.snapshot_names import SnapshotId
    from engine.ledger.interface import DataKey


@click.command("snapshots")
@click.option("--workload", "workloads", multiple=True, metavar="NAME", help="Of this one, each of them; repeatable.")
@declaration_option
@json_option
def command(workloads: tuple[str, ...], declaration_path: Path, as_json: bool) -> None:
    """List the workloads that the vault holds, and their snapshots."""
    from cli.workspace import load_workspace
    from engine.jobs.vault import open_vault

    workspace = load_workspace(declaration_path)
    declaration = workspace.declaration
    vault = open_vault(declaration.vault, workspace.folder, declaration.tenant)
    if vault is None:
        raise InputError(f"there is no vault at {declaration.vault!r} yet", "`keyturn run backup` makes it")
    keys = sorted((record.data_key for record in vault.key_records()), key=lambda key: (key.workload, key.purpose))
    held = [(key, vault.snapshots(key)) for key in keys if not workloads or key.workload in workloads]
    missing = set(workloads) - {key.workload for key, _ in held}
    if missing:
        raise InputError(f"the vault holds nothing of workload {printable(min(missing))!r}")
    if as_json:
        print_json([_document(key, snapshots) for key, snapshots in held])
    elif workloads:
        rows = [(printable(k.workload), k.purpose, str(s.number), s.text) for k, found in held for s in found]
        print_table(("WORKLOAD", "PURPOSE", "NUMBER", "SNAPSHOT"), rows)
    else:
        headings = ("WORKLOAD", "PURPOSE", "SNAPSHOTS", "NEWEST (UTC)")
        print_table(headings, [_row(key, snapshots) for key, snapshots in held])


def _row(key: DataKey, snapshots: tuple[SnapshotId, ...]) -> tuple[str, ...]:
    newest = f"{snapshots[-1].at:%Y-%m-%d %H:%M:%S}" if snapshots else ""
    return printable(key.workload), key.purpose, str(len(snapshots)), newest


def _document(key: DataKey, snapshots: tuple[SnapshotId, ...]) -> dict[str, Any]:
    return {
        "workload": key.workload,
        "purpose": key.purpose,
        "custody": key.custody.value,
        "generation": key.generation,
        "key_arn": key.key_arn,
        "snapshots": [{"number": s.number, "id": s.text, "at": s.at.isoformat()} for s in snapshots],
    }
