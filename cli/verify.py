"""`keyturn verify`: the ledger held against itself, and against checkpoints that were exported earlier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.display import print_json
from cli.options import declaration_option, evidence_key_option, json_option

if TYPE_CHECKING:
    from cli.workspace import Workspace
    from engine.evidence import Checkpoint


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
@declaration_option
@json_option
def command(
    checkpoint_paths: tuple[Path, ...],
    evidence_key: str | None,
    sandbox: bool,
    declaration_path: Path,
    as_json: bool,
) -> None:
    """Check that nothing in the ledger was altered, dropped, inserted, reordered or cut off.

    The journal's chain is read from its first entry to the head. Every data key's record is read and counted
    against the journal and the census. With a checkpoint, the journal must still hold what was signed then:
    that also finds a ledger that was rewritten or brought back from an older copy as a whole.
    """
    from cli.workspace import load_workspace
    from engine.ledger.verification import verify_data_keys, verify_journal

    workspace = load_workspace(declaration_path)
    checkpoints = _read_checkpoints(workspace, checkpoint_paths, evidence_key, sandbox=sandbox)
    ledger = workspace.ledger()
    journal = verify_journal(ledger, checkpoints)
    data_keys = verify_data_keys(ledger, journal)
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
            }
        )
        return
    click.echo(f"journal: {journal.entries} entries, each follows from the one before, up to the head")
    click.echo(f"data keys: {data_keys}, as many as the journal tells of, each under its generation's key")
    for path, point in zip(checkpoint_paths, checkpoints, strict=True):
        click.echo(
            f"checkpoint {path} of {point.issued_at:%Y-%m-%d %H:%M} UTC:"
            f" entry {point.journal.length} is what was signed then"
        )


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
