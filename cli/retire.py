"""`keyturn retire`: let an older key go, once nothing depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.display import print_json, warn
from cli.options import as_name, declaration_option, json_option

if TYPE_CHECKING:
    from pathlib import Path


@click.command("retire")
@click.argument("number", type=click.IntRange(min=1), metavar="N")
@click.option("--override-by", callback=as_name, metavar="NAME", help="Who answers for what nobody could look at.")
@click.option("--override-reason", callback=as_name, metavar="TEXT", help="Why.")
@declaration_option
@json_option
def command(
    number: int, override_by: str | None, override_reason: str | None, declaration_path: Path, as_json: bool
) -> None:
    """Retire generation N: nothing depends on its key any more, and it may be disabled.

    Refused until it is not current, no rotation is in flight, no data key stands under it, the current
    generation is integrated and confirmed, the declared retention days have passed since, the current key
    carries over what the old one gave (Druva's access, grants, replicas), and AWS KMS knows of no use since then.
    The ledger is verified first, as `keyturn verify` does: no key is let go by one that has lost data keys.
    """
    from cli.key_facts import last_use, not_carried_over
    from cli.workspace import actor, load_workspace, now, refuse_if_rules_say_no
    from engine.ledger.verification import verify_data_keys, verify_journal
    from engine.lifecycle import Override, Retire
    from engine.transitions import carry_out

    if (override_by is None) != (override_reason is None):
        raise click.UsageError("--override-by and --override-reason go together")
    workspace = load_workspace(declaration_path)
    ledger = workspace.ledger()
    head = ledger.head()
    generation = head.state.find(number)
    key_arn = str(generation.key_arn) if generation is not None else None
    used, *notes = last_use(key_arn)
    missing: tuple[str, ...] | None = ()
    if key_arn is not None and head.state.current is not None and head.state.current_number != number:
        missing, unknown = not_carried_over(key_arn, str(head.state.current.key_arn), workspace.declaration)
        notes.append(unknown)
    retire = Retire(
        number=number,
        data_keys=ledger.census().under(number, key_arn),
        last_use=used,
        retention_days=workspace.declaration.retention_days,
        not_carried_over=missing,
        override=Override(override_by, override_reason) if override_by and override_reason else None,
    )
    for note in notes:
        if note is not None:
            warn(note)
    refuse_if_rules_say_no(head.state, retire)
    verify_data_keys(ledger, verify_journal(ledger))  # a ledger that has lost data keys counts none under the key
    retired = carry_out(ledger, retire, actor(workspace, f"retire {number}"), now(), head).state.find(number)
    if as_json:
        print_json({"generation": number, "state": retired.state.value if retired else None})
        return
    click.echo(f"generation {number} is retired: nothing depends on its key any more")
    click.echo(
        f"next: set `state: retired` for generation {number} in the declaration, and deploy: that disables the key"
    )
