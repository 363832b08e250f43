"""What most commands work with: the declaration, its folder, the ledger, the keys, who does it and when."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING

from cli.main import VERSION
from engine.declaration import load_declaration
from engine.errors import InputError, RefusedError
from engine.ledger.actor import Actor
from engine.ledger.opening import open_ledger
from engine.lifecycle import Refusal, decide

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.declaration import Declaration
    from engine.envelope.data_keys import KeyAccess
    from engine.errors import KeyAccessError
    from engine.jobs.operation import JobContext
    from engine.jobs.progress import Progressed
    from engine.jobs.vault import Vault
    from engine.kms import Kms
    from engine.ledger.interface import Ledger
    from engine.lifecycle import Command, TenantState
    from engine.validation import Callers

EVENTS = ".keyturn/events.jsonl"
_SAVED_ACCESS = ".keyturn/revoked-access.json"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant's declaration and the folder that its relative paths are meant from."""

    declaration: Declaration
    path: Path

    @property
    def folder(self) -> Path:
        """The declaration's folder."""
        return self.path.parent

    @property
    def saved_access(self) -> Path:
        """Where what the vendor had is kept, after a revocation, until it is given back."""
        return self.folder / _SAVED_ACCESS

    def ledger(self) -> Ledger:
        """The tenant's ledger.

        Raises:
            InputError: There is none yet.
        """
        ledger = open_ledger(self.declaration, self.folder)
        if ledger is None:
            raise InputError(
                f"tenant {self.declaration.tenant!r} has no ledger yet at {self.declaration.ledger}",
                "`keyturn enable` makes it; if there was one, `keyturn ledger recover` brings it back",
            )
        return ledger


def load_workspace(path: Path) -> Workspace:
    """Read the declaration of a tenant.

    Raises:
        InputError: It is missing, a folder, or has mistakes.
    """
    if path.is_dir():
        raise InputError(
            f"{str(path)!r} is a folder of declarations; this command works on one tenant",
            "name one of its files with --declaration FILE",
        )
    from engine.kms.requests import OF_THIS_COMMAND

    OF_THIS_COMMAND.clear()
    return Workspace(load_declaration(path), path)


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


def actor(workspace: Workspace, command: str) -> Actor:
    """Who does it, as AWS STS tells.

    Raises:
        AwsError: AWS does not tell.
    """
    from engine.kms.identity import caller_identity
    from engine.kms.requests import OF_THIS_COMMAND

    identity = caller_identity(workspace.declaration.account.region).arn
    return Actor(identity, f"keyturn {command}", VERSION, OF_THIS_COMMAND)


@dataclass(frozen=True, slots=True)
class Connections:
    """AWS KMS with the credentials of the usual chain, and with the vendor's where its profile is given."""

    region: str
    customer: Kms
    vendor: Kms | None
    vendor_profile: str | None

    def access(self) -> KeyAccess:
        """With whose credentials keys are used."""
        from engine.envelope.data_keys import KeyAccess

        return KeyAccess(self.customer, self.vendor, os.environ.get("KEYTURN_SERVICE_KEY") or None)

    def callers(self) -> Callers:
        """With whose credentials a key is validated; the vendor's account as STS tells it.

        Raises:
            AwsError: AWS does not tell whose the vendor's credentials are.
        """
        from engine.kms.identity import caller_identity
        from engine.validation import Callers

        if self.vendor is None:
            return Callers(self.customer)
        return Callers(self.customer, self.vendor, caller_identity(self.region, self.vendor_profile).account_id)


def connect_kms(workspace: Workspace, vendor_profile: str | None) -> Connections:
    """Connect to AWS KMS in the declared Region."""
    from engine.kms import connect

    region = workspace.declaration.account.region
    vendor = (
        connect(
            region,
            profile=vendor_profile,
            identity="the vendor",
            account_id=workspace.declaration.vendor.account_id,
        )
        if vendor_profile
        else None
    )
    return Connections(region, connect(region), vendor, vendor_profile)


def refuse_local_ledger_in_ci(workspace: Workspace, *, allowed: bool) -> None:
    """In CI a SQLite ledger is lost with the machine, and every wrapped data key with it.

    Raises:
        RefusedError: `CI` is set, the ledger is a SQLite one, and `--local-ledger` is not given.
    """
    if os.environ.get("CI") and workspace.declaration.ledger.startswith("sqlite:") and not allowed:
        raise RefusedError(
            "shared-ledger",
            "CI is set and the ledger is a SQLite file, which is lost with this machine",
            ("EKM-34",),
            "run this where the ledger is kept, or pass --local-ledger if this machine keeps it",
        )


def refuse_if_rules_say_no(state: TenantState, command: Command) -> None:
    """Ask the lifecycle's rules before AWS is touched; the ledger asks them again when it stores.

    Raises:
        RefusedError: A rule says no.
    """
    answer = decide(state, command, now())
    if isinstance(answer, Refusal):
        raise answer.error()


def is_vault_empty(workspace: Workspace) -> bool:
    """Whether there is no vault of the tenant, or nothing in it; makes none."""
    from engine.jobs.vault import vault_is_empty

    return vault_is_empty(workspace.declaration.vault, workspace.folder, workspace.declaration.tenant)


def open_vault(workspace: Workspace, ledger: Ledger | None) -> Vault:
    """The tenant's vault, made where there cannot have been one.

    Args:
        workspace: The tenant's declaration.
        ledger: Its ledger; one with data keys is never without a vault.

    Raises:
        InputError: It is missing, and there must have been one; or it is another tenant's.
        DamagedError, MachineError: It is no vault, or cannot be opened.
    """
    from engine.jobs.vault import open_or_create_vault
    from engine.jobs.vault import open_vault as open_existing_vault

    declaration = workspace.declaration
    place = (declaration.vault, workspace.folder, declaration.tenant)
    if ledger is not None and ledger.census().total and open_existing_vault(*place) is None:
        raise InputError(
            f"the vault {declaration.vault!r} is missing, but the ledger has data keys: there must have been one",
            "is its disk mounted? `vault` in the declaration says where it is",
        )
    return open_or_create_vault(*place)


def _tell_wait(outage: KeyAccessError, seconds: float) -> None:
    from cli.display import warn

    warn(f"{outage.message}; trying again in {seconds:.0f} s")


def _own_files(workspace: Workspace) -> tuple[Path, ...]:
    """What lies on this disk for the tenant, beside its vault.

    The declaration is among it: an older one could undo a revocation, or name an earlier generation as current.
    """
    from engine.jobs.own_places import sqlite_files
    from engine.ledger.opening import SqliteLocation, ledger_location

    location = ledger_location(workspace.declaration, workspace.folder)
    ledger = sqlite_files(location.path) if isinstance(location, SqliteLocation) else ()
    return (workspace.path, *ledger, workspace.folder / EVENTS, workspace.saved_access)


@contextmanager
def job_context(
    workspace: Workspace, command: str, vendor_profile: str | None, *, writes: bool
) -> Iterator[JobContext]:
    """What a job works with, with its progress on stderr and its events beside the declaration.

    Args:
        workspace: The tenant's declaration.
        command: What the journal and the events say of it.
        vendor_profile: The vendor's profile, or None.
        writes: Whether the job may be the first to make ledger and vault; one that only reads never does.

    Raises:
        InputError: The ledger is missing and there must have been one, or the vault is another tenant's.
        AwsError: AWS does not tell who runs the job.
    """
    from cli.progress import progress
    from engine.jobs.events import JsonLinesEvents
    from engine.jobs.history import told_snapshots
    from engine.jobs.operation import JobContext
    from engine.jobs.progress import Pace
    from engine.ledger.opening import open_or_create_ledger, require_no_lost_ledger

    who = actor(workspace, command)
    existing = open_ledger(workspace.declaration, workspace.folder)
    if existing is None and not writes:
        require_no_lost_ledger(workspace.declaration, workspace.folder, vault_is_empty=is_vault_empty(workspace))
        raise InputError(f"nothing of tenant {workspace.declaration.tenant!r} was ever backed up here")
    vault = open_vault(workspace, existing)
    ledger = existing or open_or_create_ledger(
        workspace.declaration, workspace.folder, who, now(), vault_is_empty=vault.is_empty()
    )
    pace = Pace()

    with progress(command, bytes_counted=True) as advance:

        def advanced(step: Progressed) -> None:
            pace.progressed(step)
            advance(pace.done, pace.total)

        yield JobContext(
            declaration=workspace.declaration,
            ledger=ledger,
            access=connect_kms(workspace, vendor_profile).access(),
            vault=vault,
            actor=who,
            events=JsonLinesEvents(workspace.folder / EVENTS),
            told=cache(partial(told_snapshots, workspace.folder / EVENTS)),
            own_files=_own_files(workspace),
            progress=advanced,
            plan=pace.planned,
            measured=sys.stderr.isatty(),
            waits=_tell_wait,
        )
    ledger.close()
