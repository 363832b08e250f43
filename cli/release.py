"""`keyturn release`: let a retired key go for good; and record that it is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from cli.display import note, print_json, warn
from cli.options import as_name, declaration_option, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from engine.access import KeyState
    from engine.ledger.actor import Actor
    from engine.ledger.interface import Head, Ledger
    from engine.lifecycle import Generation


@click.command("release")
@click.argument("number", type=click.IntRange(min=1), metavar="N")
@click.option("--override-by", callback=as_name, metavar="NAME", help="Who answers for it where nobody could look.")
@click.option("--override-reason", callback=as_name, metavar="TEXT", help="Why.")
@declaration_option
@json_option
def command(
    number: int, override_by: str | None, override_reason: str | None, declaration_path: Path, as_json: bool
) -> None:
    """Release generation N: its key may be scheduled for deletion. Later, record that the key is gone.

    Each run looks at the key and records what AWS KMS says of it. Refused until the generation is retired and
    its key was seen disabled for the declared retention days, without a use that AWS KMS knows of since then and
    without a failed attempt at one in CloudTrail. The first look at the disabled key begins this soak.

    On a released generation it records the deletion, once KMS shows the key as pending deletion or gone.
    """
    from cli.key_facts import observed_state
    from cli.workspace import actor, load_workspace, now, refuse_if_rules_say_no
    from engine.lifecycle import GenerationState, MarkDeleted, Override, Release
    from engine.transitions import carry_out

    if (override_by is None) != (override_reason is None):
        raise click.UsageError("--override-by and --override-reason go together")
    workspace = load_workspace(declaration_path)
    ledger = workspace.ledger()
    who = actor(workspace, f"release {number}")
    head, soak_days = ledger.head(), workspace.declaration.retention_days
    generation = head.state.find(number)
    if generation is not None and generation.state in {GenerationState.RETIRED, GenerationState.RELEASED}:
        head = _record_observation(ledger, head, generation, observed_state(generation, who), who)
        generation = head.state.find(number)
    if generation is not None and generation.state is GenerationState.RELEASED:
        head = carry_out(ledger, MarkDeleted(number), who, now(), head)
        _tell(number, "deleted", "recorded as deleted", as_json=as_json)
        if not as_json:
            click.echo(f"next: keep its entry in the declaration, with `state: deleted` for generation {number}")
        return
    override = Override(override_by, override_reason) if override_by and override_reason else None
    # Whatever else speaks against it is said before CloudTrail is asked.
    refuse_if_rules_say_no(head.state, Release(number, 0, soak_days, override))
    attempts = _attempts(generation)
    carry_out(ledger, Release(number, attempts, soak_days, override), who, now(), head)
    _tell(number, "released", "released: its key may be scheduled for deletion", as_json=as_json)
    if not as_json:
        click.echo(f"next: set `state: released` for generation {number} in the declaration, and deploy")
        click.echo("      later `state: deleted`: that plan schedules the deletion, and is reviewed with evidence")
        click.echo(f"      once the key is gone, `keyturn release {number}` records it")


def _record_observation(
    ledger: Ledger, head: Head, generation: Generation, key_state: KeyState | None, who: Actor
) -> Head:
    """Record what KMS says of a key, where it is news."""
    from cli.workspace import now
    from engine.lifecycle import Observe
    from engine.transitions import carry_out

    if generation.observed is not None and generation.observed.key_state is key_state:
        return head
    seen = "gone" if key_state is None else key_state.value
    note(f"recorded: the key of generation {generation.number} is {seen}")
    return carry_out(ledger, Observe(generation.number, key_state), who, now(), head)


def _attempts(generation: Generation | None) -> int | None:
    """How many uses were seen since the key was disabled, failed or not; None where nobody could look.

    One that succeeded shows that the key was enabled again in between, when nobody looked.
    """
    from cli.key_facts import family_of, last_use
    from cli.workspace import now
    from engine.arn import parse_key_arn
    from engine.errors import AwsError, KeyAccessError
    from engine.kms.attempts import HISTORY, failed_attempts

    if generation is None or generation.observed is None or generation.retired_at is None:
        return None
    began = max(generation.observed.since, generation.retired_at)
    used = last_use(str(generation.key_arn))[0].at
    if used is not None and used > began:
        warn(f"{used:%Y-%m-%d %H:%M} UTC: the key was used, so it was enabled again since it was seen disabled")
        return 1
    since = max(began, now() - HISTORY + timedelta(hours=1))
    if since > began:
        warn(f"CloudTrail's event history tells of failed attempts since {since:%Y-%m-%d} only")
    try:
        found = [
            attempt
            for arn in family_of(str(generation.key_arn))
            for attempt in failed_attempts(parse_key_arn(arn).region, arn, since)
        ]
    except (AwsError, KeyAccessError) as error:
        warn(error.message)
        return None
    for attempt in found[:10]:
        warn(f"{attempt.at:%Y-%m-%d %H:%M} UTC: {attempt.operation} by {attempt.caller} ({attempt.error_code})")
    return len(found)


def _tell(number: int, state: str, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"generation": number, "state": state})
    else:
        click.echo(f"generation {number} is {text}")
