"""`keyturn history`: the journal, told; and its end, signed, to be held against it later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.display import note, print_json
from cli.options import declaration_option, json_option, signing_key_option
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli.workspace import Workspace
    from engine.ledger.interface import Ledger
    from engine.ledger.journal import JournalEntry

_FORMS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


@dataclass(frozen=True, slots=True)
class _Selection:
    """Which entries to show: those for which every part that is given holds."""

    events: tuple[str, ...]
    generation: int | None
    by: str | None
    since: datetime | None
    until: datetime | None
    last: int | None

    def holds(self, entry: JournalEntry) -> bool:
        return (
            (not self.events or entry.event in self.events)
            and (self.generation is None or self.generation in _generations(entry))
            and (self.by is None or self.by in entry.identity)
            and (self.since is None or entry.at >= self.since.replace(tzinfo=UTC))
            and (self.until is None or entry.at < self.until.replace(tzinfo=UTC))
        )


def _generations(entry: JournalEntry) -> set[Any]:
    return {entry.details.get(name) for name in ("generation", "from", "to")}


@click.command("history")
@click.option("--event", "events", multiple=True, metavar="NAME", help="Only this event, such as rotation_started.")
@click.option("--generation", type=click.IntRange(min=0), metavar="N", help="Only what names this generation.")
@click.option("--by", metavar="TEXT", help="Only what was done by an identity with this text in its ARN.")
@click.option("--since", type=click.DateTime(_FORMS), help="Only from this time on, UTC.")
@click.option("--until", type=click.DateTime(_FORMS), help="Only before this time, UTC.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N of these.")
@click.option(
    "--checkpoint",
    "checkpoint_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Sign the journal's end, for `keyturn verify --checkpoint`; keep it apart from the ledger.",
)
@signing_key_option
@declaration_option
@json_option
def command(
    checkpoint_path: Path | None,
    signing_key: str | None,
    declaration_path: Path,
    as_json: bool,
    **selection: Any,
) -> None:
    """Show what happened to the tenant's keys: when, what, who did it, with which requests to AWS KMS.

    The whole journal's chain is checked while it is read, whatever is shown of it.
    """
    from cli.workspace import load_workspace
    from engine.ledger.verification import checked_entries

    selected = _Selection(**selection)
    workspace = load_workspace(declaration_path)
    ledger = workspace.ledger()
    head = ledger.head()
    entries = [entry for entry in checked_entries(ledger, head) if selected.holds(entry)]
    if selected.last is not None:
        entries = entries[-selected.last :]
    if checkpoint_path is not None:
        _export_checkpoint(workspace, ledger, checkpoint_path, signing_key)
    if as_json:
        print_json([_document(entry) for entry in entries])
        return
    _tell(entries)


def _export_checkpoint(workspace: Workspace, ledger: Ledger, path: Path, signing_key: str | None) -> None:
    from cli.signing import open_signer, origin_in_use, write_statement
    from cli.workspace import now
    from engine.evidence import sign_statement
    from engine.ledger.statements import make_checkpoint

    signer = open_signer(workspace, signing_key)
    checkpoint = make_checkpoint(ledger, origin_in_use(workspace.declaration.account.region), now())
    write_statement(path, sign_statement(checkpoint, signer), "the checkpoint")
    note(f"checkpoint in {path}: journal entry {checkpoint.journal.length}; keep it apart from the ledger")


def _document(entry: JournalEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": entry.at.isoformat(),
        "event": entry.event,
        "details": dict(entry.details),
        "identity": entry.identity,
        "command": entry.command,
        "version": entry.version,
        "kms_requests": {"count": entry.kms_requests.count, "ids": list(entry.kms_requests.ids)},
        "state_sha256": entry.state_sha256,
        "previous": entry.previous,
        "hash": entry.hash,
    }


def _tell(entries: Iterable[JournalEntry]) -> None:
    for entry in entries:
        title = click.style(f"{entry.number}  {entry.at:%Y-%m-%d %H:%M:%S} UTC  {entry.event}", bold=True)
        who = f"{printable(entry.identity)} ({printable(entry.command)}, version {printable(entry.version)})"
        click.echo(f"{title}  by {who}")
        for name, value in entry.details.items():
            click.echo(f"     {name.replace('_', ' ')}: {printable(str(value))}")
        requests = entry.kms_requests
        if requests.count:
            click.echo(f"     requests to AWS KMS: {requests.count}, the last one {printable(requests.ids[-1])}")
