"""`keyturn history`: the journal, told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.display import print_json
from cli.options import declaration_option, json_option
from engine.printing import printable

if TYPE_CHECKING:
    from pathlib import Path


@click.command("history")
@declaration_option
@json_option
def command(declaration_path: Path, as_json: bool) -> None:
    """Show what happened to the tenant's keys: when, what, and who did it.

    The journal's chain is checked while it is read.
    """
    from cli.workspace import load_workspace
    from engine.ledger.journal import verify_chain

    ledger = load_workspace(declaration_path).ledger()
    head = ledger.head()
    entries = tuple(entry for entry in ledger.journal() if entry.number <= head.journal_length)
    verify_chain(entries, head.journal_length, head.journal_hash)
    if as_json:
        print_json(
            [
                {
                    "number": entry.number,
                    "at": entry.at.isoformat(),
                    "event": entry.event,
                    "details": dict(entry.details),
                    "identity": entry.identity,
                    "command": entry.command,
                    "hash": entry.hash,
                }
                for entry in entries
            ]
        )
        return
    for entry in entries:
        title = click.style(f"{entry.number}  {entry.at:%Y-%m-%d %H:%M:%S} UTC  {entry.event}", bold=True)
        click.echo(f"{title}  by {printable(entry.identity)} ({printable(entry.command)})")
        for name, value in entry.details.items():
            click.echo(f"     {name.replace('_', ' ')}: {printable(str(value))}")
