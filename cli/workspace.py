"""What most commands work with: the declaration, its folder, the ledger, the keys, who does it and when."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.main import VERSION
from engine.declaration import load_declaration
from engine.errors import InputError, RefusedError
from engine.ledger.interface import Actor
from engine.ledger.opening import open_ledger
from engine.lifecycle import Refusal, decide

if TYPE_CHECKING:
    from pathlib import Path

    from engine.declaration import Declaration
    from engine.envelope.data_keys import KeyAccess
    from engine.jobs.vault import Vault
    from engine.ledger.interface import Ledger
    from engine.lifecycle import Command, TenantState
    from engine.validation import Callers


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant's declaration and the folder that its relative paths are meant from."""

    declaration: Declaration
    path: Path

    @property
    def folder(self) -> Path:
        """The declaration's folder."""
        return self.path.parent

    def ledger(self) -> Ledger:
        """The tenant's ledger.

        Raises:
            InputError: There is none yet.
        """
        ledger = open_ledger(self.declaration, self.folder)
        if ledger is None:
            raise InputError(
                f"tenant {self.declaration.tenant!r} has no ledger yet at {self.declaration.ledger}",
                "`keyturn enable` makes it; if there was one, bring it back from a backup",
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

    return Actor(caller_identity(workspace.declaration.account.region).arn, f"keyturn {command}", VERSION)


def key_access(workspace: Workspace, vendor_profile: str | None) -> KeyAccess:
    """With whose credentials keys are used: the usual chain's, and the vendor's where a profile is given."""
    from engine.envelope.data_keys import KeyAccess
    from engine.kms import connect

    region = workspace.declaration.account.region
    vendor = connect(region, profile=vendor_profile, identity="the vendor") if vendor_profile else None
    return KeyAccess(connect(region), vendor, os.environ.get("KEYTURN_SERVICE_KEY") or None)


def callers(workspace: Workspace, access: KeyAccess, vendor_profile: str | None) -> Callers:
    """With whose credentials a key is validated; the vendor's account as STS tells it."""
    from engine.kms.identity import caller_identity
    from engine.validation import Callers

    if access.vendor is None:
        return Callers(access.customer)
    identity = caller_identity(workspace.declaration.account.region, vendor_profile)
    return Callers(access.customer, access.vendor, identity.account_id)


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


def open_vault(workspace: Workspace) -> Vault:
    """The tenant's vault, made where it is a folder that does not exist yet."""
    from engine.jobs.vault import open_vault as open_declared_vault

    return open_declared_vault(workspace.declaration, workspace.folder)
