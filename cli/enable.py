"""`keyturn enable`: from Cloud Key Management to the customer's own key; there is no way back."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.display import note, print_json
from cli.options import (
    as_name,
    declaration_option,
    json_option,
    key_arn_option,
    local_ledger_option,
    move_options,
    vendor_profile_option,
)

if TYPE_CHECKING:
    from cli.options import MoveOptions
    from engine.ledger.interface import Ledger

AGREEMENT = "Yes, I Agree"


@dataclass(frozen=True, slots=True)
class _Agreed:
    by: str
    terms_sha256: str


@click.command("enable")
@key_arn_option()
@click.option(
    "--terms", "terms_path", type=click.Path(path_type=Path), metavar="FILE", help="The legal terms, as text."
)
@click.option("--agree-terms", metavar="SHA256", help="Agree to the terms with this SHA-256; asks for --agreed-by.")
@click.option("--agreed-by", callback=as_name, metavar="NAME", help="Who agrees.")
@declaration_option
@vendor_profile_option
@move_options
@local_ledger_option
@json_option
def command(  # noqa: PLR0913, PLR0917 - one parameter an option
    key_arn: str,
    terms_path: Path | None,
    agree_terms: str | None,
    agreed_by: str | None,
    declaration_path: Path,
    vendor_profile: str | None,
    move: MoveOptions,
    local_ledger: bool,
    as_json: bool,
) -> int:
    """Enable Enterprise Key Management with the key of the declared current generation.

    In this order: the ARN is validated, the key is saved, the legal terms are shown, they are agreed to, and
    Enterprise Key Management is enabled, which disables Cloud Key Management for good. Data keys made before
    then move to the customer's key. Without an agreement the key stays registered, and nothing is enabled.

    The terms are those that the Druva console shows; save them as a text file. Agreement is typed on a
    terminal, or given by --agree-terms with the file's SHA-256 and --agreed-by.
    """
    from cli.key_change import paced, require_valid, rewrap, show_next
    from cli.workspace import (
        actor,
        connect_kms,
        is_vault_empty,
        load_workspace,
        now,
        open_vault,
        refuse_if_rules_say_no,
        refuse_local_ledger_in_ci,
    )
    from engine.arn import parse_key_arn
    from engine.ledger.opening import initial_state, open_ledger, open_or_create_ledger, require_no_lost_ledger
    from engine.lifecycle import Enable, Register
    from engine.transitions import carry_out

    arn = parse_key_arn(key_arn)
    terms = _read_terms(terms_path, agree_terms, agreed_by)
    workspace = load_workspace(declaration_path)
    declaration = workspace.declaration
    refuse_local_ledger_in_ci(workspace, allowed=local_ledger)
    register = Register(declaration.current, arn, declaration.vendor.activated)
    existing = open_ledger(declaration, workspace.folder)
    if existing is None:
        # Before the rules, whose advice for a tenant that was never enabled would mislead where the ledger is lost.
        require_no_lost_ledger(declaration, workspace.folder, vault_is_empty=is_vault_empty(workspace))
    state = existing.head().state if existing is not None else initial_state(declaration)
    refuse_if_rules_say_no(state, register)
    connections = connect_kms(workspace, vendor_profile)
    callers = paced(workspace, connections, move)
    require_valid(workspace, declaration.current, key_arn, state, connections, quiet=as_json)

    who = actor(workspace, "enable")
    vault = open_vault(workspace, existing)
    ledger = existing or open_or_create_ledger(
        declaration, workspace.folder, who, now(), vault_is_empty=vault.is_empty()
    )
    saved = ledger.head().state.find(declaration.current)
    if saved is None or saved.key_arn != arn:
        carry_out(ledger, register, who, now())
    note(f"saved: {arn} is registered as generation {declaration.current}")
    _require_vendor_for_service_keys(ledger, connections.vendor is not None)
    agreed = _agreement(terms, agree_terms, agreed_by)
    carry_out(ledger, Enable(declaration.current, arn, agreed.by, agreed.terms_sha256), who, now())
    note("enabled: Cloud Key Management is disabled, for good")
    report = rewrap(ledger, workspace, callers, vault, who)
    if as_json:
        print_json(
            {
                "external_cloud_key_management": "Enabled",
                "generation": declaration.current,
                "key_arn": str(arn),
                "moved": report.moved,
                "set_aside": [item.data_key_id for item in report.set_aside],
                "set_aside_count": report.set_aside_count,
            }
        )
    else:
        click.echo("External Cloud Key Management: Enabled")
        click.echo(f"KMS key ARN: {arn}")
        show_next(workspace, report)
    return report.exit_code


def _read_terms(path: Path | None, agree_terms: str | None, agreed_by: str | None) -> bytes | None:
    """The legal terms, where they are given; what does not fit together is refused before anything is done."""
    from engine.errors import InputError
    from engine.located_yaml import read_file

    if (agree_terms is None) != (agreed_by is None):
        raise click.UsageError("--agree-terms and --agreed-by go together")
    if path is None:
        if agree_terms is not None:
            raise click.UsageError("--agree-terms asks for --terms FILE: the terms that are agreed to")
        return None
    terms = read_file(path, what="the file of legal terms")
    if not terms.strip():
        raise InputError(f"the file of legal terms {str(path)!r} is empty")
    digest = hashlib.sha256(terms).hexdigest()
    if agree_terms is not None and agree_terms.lower() != digest:
        raise InputError(
            f"--agree-terms is not the SHA-256 of {str(path)!r}: other terms would be agreed to [EKM-26]",
            f"read the terms again; their SHA-256 is {digest}",
        )
    return terms


def _require_vendor_for_service_keys(ledger: Ledger, vendor_given: bool) -> None:
    """Data keys under the service's own key can only be moved with the vendor's credentials."""
    from engine.errors import RefusedError
    from engine.lifecycle import SERVICE_GENERATION

    left = ledger.census().under(SERVICE_GENERATION)
    if left and not vendor_given:
        raise RefusedError(
            "precedence",
            f"data keys under Druva's own key ({left}) can only be moved with the vendor's credentials",
            ("EKM-12",),
            "give them with --vendor-profile",
        )


def _agreement(terms: bytes | None, agree_terms: str | None, agreed_by: str | None) -> _Agreed:
    """Who agrees to which terms; refused where nobody does. `--yes` never agrees."""
    from engine.errors import RefusedError

    if terms is not None:
        digest = hashlib.sha256(terms).hexdigest()
        if agree_terms is not None and agreed_by is not None and agreed_by.strip():
            return _Agreed(agreed_by.strip(), digest)
        if sys.stdin.isatty() and sys.stderr.isatty():
            click.echo(terms.decode("utf-8", errors="replace"), err=True)
            click.echo("There is no way back: Cloud Key Management will be disabled for good.", err=True)
            answer = click.prompt(f"Type {AGREEMENT!r} to agree", default="", show_default=False, err=True)
            name = ""
            if answer.strip() == AGREEMENT:
                name = str(click.prompt("Your name", default="", show_default=False, err=True)).strip()
            if name:
                return _Agreed(name, digest)
    given = f"{hashlib.sha256(terms).hexdigest()}, which is this file's," if terms is not None else "SHA256"
    raise RefusedError(
        "agreement",
        "the legal terms are not agreed to: the key stays registered, and Cloud Key Management in force",
        ("EKM-26",),
        "save the terms that the Druva console shows as a text file; then agree on a terminal with --terms FILE,"
        f" or with --terms FILE --agree-terms {given} --agreed-by NAME",
    )
