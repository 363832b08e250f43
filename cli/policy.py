"""`keyturn policy`: a generation's key policy, to be read before the key exists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from cli.display import print_json
from cli.options import declaration_option, json_option

if TYPE_CHECKING:
    from pathlib import Path


@click.group("policy")
def command() -> None:
    """Show key policies."""


@command.command("show")
@click.argument("number", type=click.IntRange(min=1), metavar="N")
@declaration_option
@json_option
def show(number: int, declaration_path: Path, as_json: bool) -> None:
    """Show the key policy of generation N as the stacks write it, and what each statement is for."""
    from cli.workspace import load_workspace
    from stacks.key_policy import key_policy

    declaration = load_workspace(declaration_path).declaration
    policy = key_policy(declaration, number)
    if as_json:
        print_json(
            {
                "tenant": declaration.tenant,
                "generation": number,
                "policy": json.loads(policy.to_json()),
                "statements": [
                    {"sid": s.sid, "effect": s.effect.value, "explanation": s.explanation} for s in policy.statements
                ],
            }
        )
        return
    click.echo(policy.to_json(indent=2))
    click.echo()
    for statement in policy.statements:
        click.echo(click.style(f"{statement.effect.value}: {statement.sid}", bold=True))
        click.echo(f"  {statement.explanation}")
