"""`keyturn drill`: what really stops when access to the key is taken away, beside what the seeds promise."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.display import note
from cli.options import declaration_option, vendor_profile_option

if TYPE_CHECKING:
    from engine.drill import Drilled, Way

_WAYS = ("disable", "schedule-deletion", "policy", "grant", "deny", "key-store")


@click.command("drill")
@click.option("--way", "ways", type=click.Choice(_WAYS), multiple=True, help="Rehearse this one; repeatable.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How the matrix is printed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, as --format json.")
@click.option("--key-arn", metavar="ARN", help="Use this real key, which carries the tag keyturn:drill.")
@click.option("--consent", metavar="ARN", help="The same ARN again: its use may be stopped. Asked for on a terminal.")
@vendor_profile_option
@declaration_option
def command(
    ways: tuple[str, ...],
    form: str,
    as_json: bool,
    key_arn: str | None,
    consent: str | None,
    vendor_profile: str | None,
    declaration_path: Path,
) -> int:
    """Run every workflow, take the access away, run them all again, give it back, run them all again.

    It is done on a sandbox of its own: no AWS account is touched. What was promised and what came are printed side
    by side; where they differ the command ends with 1.

    With --key-arn it is done on a real key that nothing depends on: it must carry the tag keyturn:drill and be no
    generation of the declaration or the ledger. Its deletion is never scheduled. With --vendor-profile the key is
    used as the vendor, and that account's statements and grants are taken away, too.
    """
    from cli.drill_report import print_drill
    from engine.drill import Way

    chosen = tuple(dict.fromkeys(Way(way) for way in ways))
    if key_arn is None:
        from engine.drill.on_sandbox import drill_on_sandbox

        if consent is not None:
            raise click.UsageError("--consent is for --key-arn: the sandbox needs none.")
        drilled = drill_on_sandbox(chosen or tuple(Way), note)
    else:
        drilled = _on_real_key(key_arn, consent, chosen, vendor_profile, declaration_path)
    print_drill(drilled, "json" if as_json else form)
    return drilled.exit_code


def _on_real_key(
    key_arn: str, consent: str | None, chosen: tuple[Way, ...], vendor_profile: str | None, declaration_path: Path
) -> Drilled:
    from cli.workspace import load_workspace
    from engine.arn import parse_key_arn
    from engine.drill import Drilled
    from engine.drill.real_key import RealKey, require_drill_key
    from engine.errors import InputError
    from engine.kms import connect
    from engine.kms.identity import caller_identity
    from engine.ledger.opening import open_ledger

    workspace = load_workspace(declaration_path)
    arn = parse_key_arn(key_arn)
    ledger = open_ledger(workspace.declaration, workspace.folder)
    state = None if ledger is None else ledger.head().state
    owner, vendor = connect(arn.region), None
    vendor_account_id = workspace.declaration.vendor.account_id
    if vendor_profile is not None:
        vendor_account_id = caller_identity(arn.region, vendor_profile).account_id
        if vendor_account_id == arn.account_id:
            raise InputError("the vendor's profile is of the key's own account", "name one of another account")
        vendor = connect(arn.region, profile=vendor_profile, identity="the vendor", account_id=vendor_account_id)
    saved = workspace.folder / ".keyturn" / f"drill-{arn.key_id}.json"
    key = RealKey(key_arn, owner, vendor, vendor_account_id, saved)
    require_drill_key(key_arn, _typed(key_arn, consent), owner, workspace.declaration, state)
    impossible = [way.value for way in chosen if way not in key.ways]
    if impossible:
        raise InputError(
            f"{impossible[0]} is not rehearsed on a real key here",
            f"it can be: {', '.join(way.value for way in key.ways)}",
        )
    if key.give_back_what_an_earlier_drill_took():
        note("an earlier drill was interrupted: what it had taken away was given back")
    with tempfile.TemporaryDirectory(prefix="keyturn-drill-") as folder:
        rehearsed = tuple(key.rehearse(chosen or key.ways, Path(folder), note))
    return Drilled(key_arn, rehearsed)


def _typed(key_arn: str, consent: str | None) -> str:
    if consent is not None:
        return consent
    if not sys.stdin.isatty():
        raise click.UsageError("--consent ARN is missing: the same ARN again.")
    note(f"every use of {key_arn} will stop for a while, as it would after a revocation")
    return str(click.prompt("Type the key's full ARN to consent", default="", show_default=False, err=True))
