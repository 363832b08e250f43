"""`keyturn status`: where the tenant stands, and what comes next."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.display import print_json, print_table, warn
from cli.options import declaration_option, json_option, signing_key_option
from engine.printing import printable

if TYPE_CHECKING:
    from cli.workspace import Workspace
    from engine.evidence import Evidence, Signer
    from engine.ledger.interface import Ledger
    from engine.situation import GenerationStanding, Observation, Situation


@click.command("status")
@declaration_option
@click.option("--offline", is_flag=True, help="Do not ask AWS KMS for the keys' real state.")
@click.option(
    "--evidence",
    "evidence_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Export signed evidence of it: for reviews and deploys, which have no access to the ledger.",
)
@signing_key_option
@click.option(
    "--valid-hours",
    type=click.IntRange(1, 24 * 31),
    default=24,
    show_default=True,
    help="For how long the evidence counts.",
)
@json_option
def command(
    declaration_path: Path,
    offline: bool,
    evidence_path: Path | None,
    signing_key: str | None,
    valid_hours: int,
    as_json: bool,
) -> None:
    """Say where the tenant stands: mode, keys, data keys under each, and what comes next.

    The keys' real state is asked of AWS KMS; where that is not possible it is said to be unknown. Evidence is
    exported only where KMS shows every key that data may depend on.
    """
    from cli.key_facts import observe
    from cli.signing import open_signer
    from cli.workspace import is_vault_empty, load_workspace
    from engine.ledger.interface import Census
    from engine.ledger.opening import initial_state, open_ledger, require_no_lost_ledger
    from engine.situation import describe_situation

    workspace = load_workspace(declaration_path)
    if evidence_path is not None and offline:
        raise click.UsageError("--evidence asks AWS KMS for the keys: it does not go with --offline")
    signer = open_signer(workspace, signing_key) if evidence_path is not None else None
    ledger = open_ledger(workspace.declaration, workspace.folder)
    if ledger is None:
        require_no_lost_ledger(workspace.declaration, workspace.folder, vault_is_empty=is_vault_empty(workspace))
        state, census = initial_state(workspace.declaration), Census(())
    else:
        state, census = ledger.head().state, ledger.census()
    arns = {str(g.key_arn) for g in state.generations}
    arns |= {str(g.key_arn) for g in workspace.declaration.generations if g.key_arn is not None}
    alias = workspace.declaration.alias
    observations = {} if offline else observe(workspace.declaration.account.region, [*sorted(arns), alias])
    situation = describe_situation(workspace.declaration, state, census, observations)
    evidence = None
    if evidence_path is not None and signer is not None:
        evidence = _export(workspace, ledger, observations, evidence_path, signer, timedelta(hours=valid_hours))
    if as_json:
        document = {**_document(situation), "alias": {"name": alias, **_observed(observations.get(alias))}}
        if evidence is not None and signer is not None:
            document["evidence"] = {
                "file": str(evidence_path),
                "key_id": signer.key_id,
                "expires_at": evidence.expires_at.isoformat(),
                "journal": evidence.journal.length,
            }
        print_json(document)
        return
    _tell(situation)
    if alias in observations:
        click.echo(f"\nAlias {alias}")
        for name, value in _observed(observations[alias]).items():
            click.echo(f"  {'ARN' if name == 'arn' else name:<12} {'-' if value is None else value}")
    if evidence is not None:
        click.echo(f"\nEvidence in {evidence_path}, valid until {evidence.expires_at:%Y-%m-%d %H:%M} UTC")


def _export(
    workspace: Workspace,
    ledger: Ledger | None,
    observations: dict[str, Observation],
    path: Path,
    signer: Signer,
    lifetime: timedelta,
) -> Evidence:
    """Sign what the ledger knows, where KMS shows the keys that it speaks of.

    Raises:
        InputError: There is no ledger.
        AwsError: KMS does not show a key that the ledger has not let go: nothing is signed about keys of which
            this endpoint knows nothing.
    """
    from cli.key_facts import require_shown
    from cli.signing import origin_in_use, write_statement
    from cli.workspace import now
    from engine.evidence import sign_statement
    from engine.ledger.statements import make_evidence

    if ledger is None:
        ledger = workspace.ledger()  # says that there is none
    require_shown(ledger.head().state, observations)
    evidence = make_evidence(ledger, origin_in_use(workspace.declaration.account.region), now(), lifetime)
    write_statement(path, sign_statement(evidence, signer), "the evidence")
    return evidence


def _tell(situation: Situation) -> None:
    click.echo(f"Tenant {situation.tenant}")
    click.echo(f"External Cloud Key Management: {'Enabled' if situation.enabled else 'Disabled'}")
    if situation.key_arn is not None:
        click.echo(f"KMS key ARN: {situation.key_arn}")
    click.echo(situation.headline)
    click.echo()
    print_table(
        ("generation", "ledger", "declared", "key state", "data keys", "console", "key ARN"),
        (_row(standing) for standing in situation.generations),
    )
    if situation.under_service_key:
        click.echo(f"\nData keys under Druva's own key (generation 0): {situation.under_service_key}")
    for concern in situation.concerns:
        warn(concern)
    if situation.next_steps:
        click.echo("\nNext:")
        for step in situation.next_steps:
            click.echo(f"  {step}")


def _row(standing: GenerationStanding) -> tuple[str, ...]:
    return (
        str(standing.number),
        standing.ledger.value if standing.ledger is not None else "-",
        standing.declared or "-",
        standing.observation.state_text if standing.observation is not None else "-",
        str(standing.data_keys),
        f"confirmed by {printable(standing.confirmed_by)}" if standing.confirmed_by else "-",
        standing.key_arn or "-",
    )


def _document(situation: Situation) -> dict[str, Any]:
    return {
        "tenant": situation.tenant,
        "external_cloud_key_management": "Enabled" if situation.enabled else "Disabled",
        "revoked": situation.revoked,
        "moving_to": situation.moving_to,
        "key_arn": situation.key_arn,
        "headline": situation.headline,
        "generations": [_generation_document(standing) for standing in situation.generations],
        "data_keys_under_service_key": situation.under_service_key,
        "concerns": list(situation.concerns),
        "next": list(situation.next_steps),
    }


def _generation_document(standing: GenerationStanding) -> dict[str, Any]:
    return {
        "number": standing.number,
        "declared": standing.declared,
        "ledger": standing.ledger.value if standing.ledger is not None else None,
        "key_arn": standing.key_arn,
        "data_keys": standing.data_keys,
        "confirmed_by": standing.confirmed_by,
        "key": _observed(standing.observation),
    }


def _observed(observation: Observation | None) -> dict[str, str | None]:
    """A key's general configuration, as the AWS console shows it under an alias (EKM-21)."""
    if observation is None or observation.details is None:
        trouble = observation.trouble if observation is not None else "nobody looked"
        return {"arn": None, "status": f"unknown: {trouble}"}
    details = observation.details
    return {
        "arn": str(details.arn),
        "status": details.state.value,
        "created": details.created_at.isoformat(timespec="seconds"),
        "description": details.description,
        "regionality": "multi-Region" if details.multi_region else "single Region",
        "origin": details.origin,
    }
