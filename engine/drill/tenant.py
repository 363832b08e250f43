"""A tenant of a drill: a declaration, ledger, vault and source of its own, in a folder that goes with it."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from engine.arn import parse_key_arn
from engine.declaration import parse_declaration
from engine.drill.workflows import Rehearsal
from engine.jobs.operation import JobContext
from engine.jobs.patience import Patience
from engine.jobs.sample_tenant import TenantSize, make_sample_tenant
from engine.jobs.vault import open_or_create_vault
from engine.ledger.actor import Actor
from engine.ledger.opening import initial_state
from engine.ledger.sqlite_making import create_sqlite_ledger
from engine.lifecycle import Enable, Register
from engine.transitions import carry_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.envelope.data_keys import KeyAccess

_SIZE = TenantSize(
    users=1,
    mails=2,
    documents=1,
    sites=1,
    teams=1,
    groups=1,
    public_folders=1,
    document_bytes=2000,
    google_users=1,
    team_drives=1,
    directory_users=1,
)
_DECLARATION = """\
version: 1
tenant: drill
druva: {{account_id: "{vendor}", activated: true}}
products: [microsoft365, google_workspace, entra_id]
aws: {{account_id: "{account}", region: {region}}}
key_administrators: ["arn:{partition}:iam::{account}:role/Drill"]
allow_key_deletion: false
break_glass: []
vendor_access: both
alias: alias/keyturn-drill
current: 1
revoked: false
generations:
  - {{number: 1, description: drill}}
"""


def _now() -> datetime:
    return datetime.now(UTC)


def _later() -> datetime:
    """A minute ahead of this machine: files that were made just now count as left alone."""
    return _now() + timedelta(minutes=1)


@contextmanager
def drill_tenant(folder: Path, key_arn: str, vendor_account_id: str, access: KeyAccess) -> Iterator[Rehearsal]:
    """A tenant that is enabled on a key, whose data was backed up once.

    Args:
        folder: An empty folder for all of it.
        key_arn: The key.
        vendor_account_id: The vendor's account.
        access: With whose credentials keys are used.

    Raises:
        KeyturnError: The key cannot be used in the first place.
    """
    arn = parse_key_arn(key_arn)
    text = _DECLARATION.format(
        vendor=vendor_account_id, account=arn.account_id, region=arn.region, partition=arn.partition
    )
    declaration = parse_declaration("drill.yaml", text.encode())
    actor = Actor("drill", "keyturn drill", "0")
    source, scratch = folder / "source", folder / "scratch"
    make_sample_tenant(source, _SIZE)
    scratch.mkdir()
    ledger = create_sqlite_ledger(folder / "ledger.db", initial_state(declaration), actor, _now())
    try:
        carry_out(ledger, Register(1, arn, activated=True), actor, _now())
        carry_out(ledger, Enable(1, arn, "drill", "0" * 64), actor, _now())
        context = JobContext(
            declaration=declaration,
            ledger=ledger,
            access=access,
            vault=open_or_create_vault("vault", folder, declaration.tenant),
            actor=actor,
            clock=_later,
            patience=Patience(()),
        )
        rehearsal = Rehearsal(context, source, scratch, legal_hold=access.service_key_arn is not None)
        rehearsal.prepare()
        yield rehearsal
    finally:
        ledger.close()
