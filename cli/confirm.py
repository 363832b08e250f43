"""`keyturn confirm`: a person's word that the console shows the new ARN."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from cli.display import print_json
from cli.options import as_name, declaration_option, json_option, key_arn_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command("confirm")
@click.argument("number", type=click.IntRange(min=1), metavar="N")
@key_arn_option()
@click.option("--by", callback=as_name, metavar="NAME", help="Who saw it; the machine's user where it is not given.")
@declaration_option
@json_option
def command(number: int, key_arn: str, by: str | None, declaration_path: Path, as_json: bool) -> None:
    """Record that the Druva console shows the key ARN of generation N.

    Setting the ARN in the console is a person's step: Druva publishes no interface for it. A rotation is
    complete when every data key has moved, each is proved to open, and this is recorded.
    """
    from cli.workspace import actor, load_workspace, now
    from engine.arn import parse_key_arn
    from engine.lifecycle import Confirm
    from engine.transitions import carry_out

    arn = parse_key_arn(key_arn)
    workspace = load_workspace(declaration_path)
    ledger = workspace.ledger()
    known = ledger.head().state.find(number)
    if known is not None and known.key_arn == arn and known.confirmed is not None:
        who, head = known.confirmed.by, ledger.head()
    else:
        who = by or _user()
        head = carry_out(ledger, Confirm(number, arn, who), actor(workspace, "confirm"), now())
    complete = head.state.rotation is None
    if as_json:
        print_json({"generation": number, "key_arn": str(arn), "by": who, "integrated": complete})
        return
    click.echo(f"recorded: the console shows {arn} for generation {number}, says {who}")
    if complete:
        click.echo(f"generation {number} is fully integrated")
    else:
        click.echo(f"data keys are still being moved: `keyturn rotate --to {number}` resumes")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # a user id without a name, as in containers
        raise click.UsageError("this machine's user has no name: say who saw it with --by") from error
