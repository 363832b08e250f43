"""`keyturn rotate`: to a new generation's key, without interruption; a broken one is resumed the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.display import note, print_json
from cli.options import (
    declaration_option,
    json_option,
    key_arn_option,
    local_ledger_option,
    move_options,
    vendor_profile_option,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cli.options import MoveOptions
    from engine.arn import KeyArn
    from engine.declaration import Declaration
    from engine.lifecycle import Generation, TenantState


@click.command("rotate")
@click.option("--to", "number", type=click.IntRange(min=1), required=True, metavar="N", help="The new generation.")
@key_arn_option(required=False)
@declaration_option
@vendor_profile_option
@move_options
@local_ledger_option
@json_option
def command(
    number: int,
    key_arn: str | None,
    declaration_path: Path,
    vendor_profile: str | None,
    move: MoveOptions,
    local_ledger: bool,
    as_json: bool,
) -> int:
    """Move every data key to the key of generation N, or go on with a move that was interrupted.

    The new key is validated first; on failure the old one stays in force. Both stay usable throughout. The
    rotation is complete when nothing is left under an older key, every data key is proved to open under the
    new one, and `keyturn confirm` has recorded that the Druva console shows its ARN. Asked again for a rotation
    that is complete, it says so and changes nothing.
    """
    from cli.key_change import paced, require_valid, rewrap, show_next
    from cli.workspace import (
        actor,
        connect_kms,
        load_workspace,
        now,
        open_vault,
        refuse_if_rules_say_no,
        refuse_local_ledger_in_ci,
    )
    from engine.arn import parse_key_arn
    from engine.errors import ExitCode
    from engine.lifecycle import Rotate
    from engine.transitions import carry_out

    given = parse_key_arn(key_arn) if key_arn is not None else None
    workspace = load_workspace(declaration_path)
    refuse_local_ledger_in_ci(workspace, allowed=local_ledger)
    ledger = workspace.ledger()
    state = ledger.head().state
    wanted = given or _declared_arn(workspace.declaration, number)
    if complete := _complete_generation(state, number, wanted):
        _tell_complete(complete, as_json=as_json)
        return ExitCode.DONE
    connections = connect_kms(workspace, vendor_profile)
    callers = paced(workspace, connections, move)
    if _is_in_flight(state, number, str(given) if given is not None else None):
        vault, who = open_vault(workspace, ledger), actor(workspace, f"rotate --to {number}")
        note(f"resuming the move to generation {number}")
    else:
        workspace.declaration.generation(number)  # says so where it is not declared
        if wanted is None:
            raise click.UsageError(f"--key-arn is missing: the stacks print it as generation_{number}_key_arn")
        rotate = Rotate(number, wanted)
        refuse_if_rules_say_no(state, rotate)
        require_valid(workspace, number, str(wanted), state, connections, quiet=as_json)
        vault, who = open_vault(workspace, ledger), actor(workspace, f"rotate --to {number}")
        carry_out(ledger, rotate, who, now())
        note(f"new data keys go to generation {number}; the older keys stay usable")
    report = rewrap(ledger, workspace, callers, vault, who)
    current = ledger.head().state.current
    if as_json:
        print_json(
            {
                "generation": number,
                "key_arn": str(current.key_arn) if current is not None else None,
                "moved": report.moved,
                "set_aside": [item.data_key_id for item in report.set_aside],
                "set_aside_count": report.set_aside_count,
                "complete": report.complete,
            }
        )
    else:
        click.echo(f"{report.moved} data keys moved to generation {number}")
        show_next(workspace, report)
    return report.exit_code


def _complete_generation(state: TenantState, number: int, key_arn: KeyArn | None) -> Generation | None:
    """The generation, where the move to it and to this key, or whichever, is complete: a pipeline may ask again."""
    current = state.current
    if current is None or current.number != number or state.rotation is not None or current.integrated_at is None:
        return None
    return current if key_arn is None or key_arn == current.key_arn else None


def _tell_complete(generation: Generation, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "generation": generation.number,
                "key_arn": str(generation.key_arn),
                "moved": 0,
                "set_aside": [],
                "set_aside_count": 0,
                "complete": True,
            }
        )
        return
    click.echo(
        f"generation {generation.number} is current with {generation.key_arn}: the move to it was complete"
        f" at {generation.integrated_at:%Y-%m-%d %H:%M} UTC, and nothing is left to move"
    )


def _is_in_flight(state: TenantState, number: int, key_arn: str | None) -> bool:
    """Whether this is the rotation that is under way; with another ARN it is refused."""
    from engine.errors import RefusedError

    current = state.current
    if state.rotation is None or state.rotation.to != number or current is None:
        return False
    if state.revoked:
        raise RefusedError(
            "revocation",
            "moving data keys is refused while the access is revoked",
            ("EKM-10",),
            "reinstate the access first",
        )
    if key_arn is not None and key_arn != str(current.key_arn):
        raise RefusedError(
            "forward",
            f"the move to generation {number} is under way with {current.key_arn}, not with {key_arn}",
            ("EKM-11",),
            f"resume it without --key-arn, or declare generation {number + 1} with the other key",
        )
    return True


def _declared_arn(declaration: Declaration, number: int) -> KeyArn | None:
    return next((generation.key_arn for generation in declaration.generations if generation.number == number), None)
