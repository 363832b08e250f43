"""`keyturn verify`: the ledger held against itself, against checkpoints that were exported earlier, and the vault."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.display import print_json
from cli.options import declaration_option, evidence_key_option, json_option, vendor_profile_option

if TYPE_CHECKING:
    from cli.workspace import Workspace
    from engine.evidence import Checkpoint
    from engine.jobs.verification import VaultVerification


@click.command("verify")
@click.option(
    "--checkpoint",
    "checkpoint_paths",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A checkpoint that `keyturn history --checkpoint` exported; may be given again.",
)
@evidence_key_option
@click.option("--sandbox", is_flag=True, help="A rehearsal: let what a sandbox signed count.")
@click.option("--vault", "with_vault", is_flag=True, help="Read all of the vault, too: every snapshot, every byte.")
@vendor_profile_option
@declaration_option
@json_option
def command(
    checkpoint_paths: tuple[Path, ...],
    evidence_key: str | None,
    sandbox: bool,
    with_vault: bool,
    vendor_profile: str | None,
    declaration_path: Path,
    as_json: bool,
) -> int:
    """Check that nothing in the ledger was altered, dropped, inserted, reordered or cut off.

    The journal's chain is read from its first entry to the head. Every data key's record is read and counted
    against the journal and the census. With a checkpoint, the journal must still hold what was signed then:
    that also finds a ledger that was rewritten or brought back from an older copy as a whole.

    With --vault every data key is unwrapped, and every snapshot read to its last byte. What is damaged or missing is
    named, and everything else can be restored; the command then ends with 5.
    """
    from cli.vault_report import tell_vault, vault_document
    from cli.workspace import load_workspace
    from engine.errors import ExitCode
    from engine.ledger.verification import verify_data_keys, verify_journal

    workspace = load_workspace(declaration_path)
    checkpoints = _read_checkpoints(workspace, checkpoint_paths, evidence_key, sandbox=sandbox)
    ledger = workspace.ledger()
    journal = verify_journal(ledger, checkpoints)
    data_keys = verify_data_keys(ledger, journal)
    vault = _verify_vault(workspace, vendor_profile) if with_vault else None
    exit_code = ExitCode.DONE if vault is None else vault.exit_code
    if as_json:
        print_json(
            {
                "tenant": workspace.declaration.tenant,
                "ledger": ledger.location,
                "entries": journal.entries,
                "hash": journal.head.journal_hash,
                "data_keys": data_keys,
                "checkpoints": [
                    {"file": str(path), "issued_at": point.issued_at.isoformat(), "entry": point.journal.length}
                    for path, point in zip(checkpoint_paths, checkpoints, strict=True)
                ],
                "vault": None if vault is None else vault_document(vault),
            }
        )
        return exit_code
    click.echo(f"journal: {journal.entries} entries, each follows from the one before, up to the head")
    click.echo(f"data keys: {data_keys}, as many as the journal tells of, each under its generation's key")
    for path, point in zip(checkpoint_paths, checkpoints, strict=True):
        click.echo(
            f"checkpoint {path} of {point.issued_at:%Y-%m-%d %H:%M} UTC:"
            f" entry {point.journal.length} is what was signed then"
        )
    if vault is not None:
        tell_vault(vault)
    return exit_code


def _verify_vault(workspace: Workspace, vendor_profile: str | None) -> VaultVerification:
    from cli.workspace import job_context
    from engine.jobs.verification import verify_vault

    with job_context(workspace, "verify --vault", vendor_profile, writes=False) as context:
        return verify_vault(context, context.told())


def _read_checkpoints(
    workspace: Workspace, paths: tuple[Path, ...], evidence_key: str | None, *, sandbox: bool
) -> list[Checkpoint]:
    from cli.workspace import now
    from engine.evidence import read_checkpoint, read_verification_key
    from engine.evidence.binding import expected_of
    from engine.located_yaml import read_file

    if not paths:
        return []
    if evidence_key is None:
        raise click.UsageError("--evidence-key is missing: the public key that the checkpoint was signed with")
    key = read_verification_key(evidence_key, Path())
    expected = expected_of(workspace.declaration, sandbox=sandbox)
    return [read_checkpoint(str(path), read_file(path, what="the checkpoint"), key, expected, now()) for path in paths]
