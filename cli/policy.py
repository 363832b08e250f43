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
    """Show the key policy of generation N as the stacks write it.

    What each statement is for stands below it, and who can do what with the key.
    """
    from cli.workspace import load_workspace
    from stacks.key_policy import key_policy
    from stacks.policy_access import access_of

    declaration = load_workspace(declaration_path).declaration
    policy = key_policy(declaration, number)
    access = access_of(declaration, number)
    if as_json:
        print_json(
            {
                "tenant": declaration.tenant,
                "generation": number,
                "policy": json.loads(policy.to_json()),
                "statements": [
                    {"sid": s.sid, "effect": s.effect.value, "explanation": s.explanation} for s in policy.statements
                ],
                "access": [
                    {
                        "principal": principal.name,
                        "arn": principal.arn,
                        "abilities": [
                            {"what": a.what, "verdict": a.verdict.value, "reason": a.reason}
                            for a in principal.abilities
                        ],
                    }
                    for principal in access
                ],
            }
        )
        return
    click.echo(policy.to_json(indent=2))
    click.echo()
    for statement in policy.statements:
        click.echo(click.style(f"{statement.effect.value}: {statement.sid}", bold=True))
        click.echo(f"  {statement.explanation}")
    click.echo()
    click.echo(click.style("Who can do what, while the key is enabled", bold=True))
    for principal in access:
        click.echo(f"  {principal.name}{f'  {principal.arn}' if principal.arn else ''}")
        for ability in principal.abilities:
            on = f" (on {'; '.join(ability.depends_on)})" if ability.depends_on else ""
            click.echo(f"    {ability.verdict.value:8}{ability.what}{on}")
