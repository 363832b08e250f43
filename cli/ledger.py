"""`keyturn ledger`: a complete backup of the ledger, and a lost ledger brought back."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.display import note, print_json
from cli.options import declaration_option, json_option
from engine.errors import DamagedError, InputError, MachineError

if TYPE_CHECKING:
    from cli.workspace import Workspace
    from engine.ledger.interface import DataKey


@click.group("ledger")
def command() -> None:
    """Back the ledger up, and bring a lost one back.

    The wrapped data keys in the ledger are as precious as the KMS key: without them no backup opens.
    """


@command.command("backup")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@declaration_option
@json_option
def backup(file: Path, declaration_path: Path, as_json: bool) -> None:
    """Write all that the ledger holds into FILE: wrapped data keys, head, journal. No plaintext key is in it.

    FILE must not be there yet: an earlier backup is never replaced.
    """
    from cli.main import VERSION
    from cli.workspace import load_workspace, now
    from engine.durable import synchronise
    from engine.ledger.backup import read_backup, write_backup

    workspace = load_workspace(declaration_path)
    ledger = workspace.ledger()
    if file.exists():
        raise InputError(f"{str(file)!r} is there already: a backup never replaces another", "choose another name")
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.new")
    try:
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w+b") as stream:  # noqa: PTH123 - a descriptor has no path
                summary = write_backup(ledger, stream, VERSION, now())
                stream.flush()
                os.fsync(stream.fileno())
            read_backup(temporary)
            os.link(temporary, file)
            synchronise(file.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"the backup {str(file)!r} cannot be written: {error.strerror}") from error
    if as_json:
        print_json(
            {
                "file": str(file),
                "entries": summary.entries,
                "data_keys": summary.data_keys,
                "sha256": summary.sha256,
            }
        )
        return
    click.echo(f"{file}: {summary.data_keys} wrapped data keys, {summary.entries} journal entries")
    note("keep it apart from this machine; `keyturn history --checkpoint` signs where the journal ends now")


@command.command("recover")
@click.option(
    "--from",
    "backup_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A backup; what the vault has newer is added. Without it, all comes from the vault.",
)
@declaration_option
@json_option
def recover(backup_path: Path | None, declaration_path: Path, as_json: bool) -> None:
    """Bring a lost ledger back, into the place that the declaration names, where there is none.

    Every snapshot in the vault carries the wrapped-key records that it needs, so the vault alone is enough to
    restore every backup. A ledger that is there is never overwritten.
    """
    from cli.workspace import actor, load_workspace, now
    from engine.ledger.backup import read_backup
    from engine.ledger.conflicts import not_empty
    from engine.ledger.opening import open_ledger, restore_ledger
    from engine.ledger.recovery import plan_recovery
    from engine.lifecycle import SERVICE_GENERATION

    workspace = load_workspace(declaration_path)
    declaration, folder = workspace.declaration, workspace.folder
    existing = open_ledger(declaration, folder)
    if existing is not None:
        raise not_empty(existing.location)
    contents = read_backup(backup_path) if backup_path is not None else None
    records = _records(workspace)
    if records is None and contents is not None and next(contents.data_keys(), None) is not None:
        raise InputError(
            f"the vault {declaration.vault!r} is missing, but the backup has data keys: there must have been one",
            "is its disk mounted? What the vault has newer would be forgotten without it",
        )
    who = actor(workspace, "ledger recover")
    recovered = plan_recovery(declaration, contents, records or (), who, now())
    ledger = restore_ledger(declaration, folder, recovered.contents)
    head = ledger.head()
    number = head.state.current_number
    if as_json:
        print_json(
            {
                "ledger": ledger.location,
                "from_backup": recovered.from_backup,
                "from_vault": recovered.from_vault,
                "entries": head.journal_length,
                "current": number,
                "to_be_proved": recovered.unproved,
            }
        )
        return
    click.echo(f"recovered: {ledger.location} with {recovered.from_backup + recovered.from_vault} wrapped data keys")
    if backup_path is not None:
        click.echo(f"  {recovered.from_backup} as in the backup, {recovered.from_vault} newer ones from the vault")
    if recovered.unproved:
        click.echo(f"next: `keyturn rotate --to {number}` proves that each opens, and moves what is left behind")
    if number == SERVICE_GENERATION:
        click.echo("nothing tells that Enterprise Key Management was enabled; if it was, `keyturn enable` comes next,")
        click.echo("  before any backup: until then new data keys go to Druva's own key")
    click.echo("next: `keyturn verify`, with the newest checkpoint that there is")


def _records(workspace: Workspace) -> list[DataKey] | None:
    """The wrapped-key records of the tenant's vault, or None where there is no vault.

    Raises:
        DamagedError: Some cannot be read: what they hold is brought back first, or given up by a person.
    """
    from engine.jobs.vault import open_vault

    vault = open_vault(workspace.declaration.vault, workspace.folder, workspace.declaration.tenant)
    if vault is None:
        return None
    found = list(vault.examined_key_records())
    damaged = [one for one in found if isinstance(one, DamagedError)]
    if damaged:
        raise DamagedError(
            f"{len(damaged)} objects of wrapped data keys in {vault.location!r} cannot be read: {damaged[0].message}",
            "bring them back from a copy of the vault, or move them out of it: what only they hold is lost then",
        )
    return [record.data_key for record in found if not isinstance(record, DamagedError)]
