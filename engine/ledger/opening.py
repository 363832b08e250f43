"""Finding a tenant's ledger from its declaration, and never taking another's for it.

- A ledger belongs to one tenant, one AWS account and Region, one vendor account; one that says otherwise
  than the declaration is refused.
- A missing ledger is made only for a tenant that cannot have had one: at its first generation and with an
  empty vault. Otherwise it is lost, and a new one would forget every wrapped data key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from engine.declaration import DeclaredState
from engine.errors import DamagedError, InputError
from engine.ledger.sqlite_making import create_sqlite_ledger, open_sqlite_ledger, restore_sqlite_ledger
from engine.lifecycle import TenantState

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from engine.declaration import Declaration
    from engine.ledger.actor import Actor
    from engine.ledger.contents import LedgerContents
    from engine.ledger.interface import Ledger

_SQLITE, _DYNAMODB = "sqlite:///", "dynamodb://"


@dataclass(frozen=True, slots=True)
class SqliteLocation:
    """A ledger in a file of this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class DynamoDbLocation:
    """A ledger in a DynamoDB table, in the Region of the tenant's keys."""

    table: str
    region: str


def ledger_location(declaration: Declaration, folder: Path) -> SqliteLocation | DynamoDbLocation:
    """Where a tenant's ledger is; a relative path is meant from the declaration's folder.

    Raises:
        InputError: It is of a kind that this version does not know.
    """
    declared = declaration.ledger
    if declared.startswith(_SQLITE):
        return SqliteLocation(folder / declared.removeprefix(_SQLITE))
    if declared.startswith(_DYNAMODB):
        return DynamoDbLocation(declared.removeprefix(_DYNAMODB), declaration.account.region)
    raise InputError(
        f"the ledger {declared!r} is of a kind that this version cannot open",
        "declare sqlite:///path/to/ledger.db or dynamodb://table",
    )


def initial_state(declaration: Declaration) -> TenantState:
    """The state of a tenant of which nothing is known yet: cloud mode, without a generation."""
    return TenantState(
        tenant=declaration.tenant,
        account_id=declaration.account.account_id,
        region=declaration.account.region,
        vendor_account_id=declaration.vendor.account_id,
    )


def open_ledger(declaration: Declaration, folder: Path) -> Ledger | None:
    """Open a tenant's ledger.

    Args:
        declaration: The tenant's declaration.
        folder: The folder of the declaration.

    Returns:
        The ledger, or None where there is none.

    Raises:
        InputError: It is another tenant's, or its table is not there.
        DamagedError, MachineError, AwsError: It cannot be read.
    """
    match ledger_location(declaration, folder):
        case SqliteLocation(path):
            ledger: Ledger | None = open_sqlite_ledger(path) if path.exists() else None
        case DynamoDbLocation(table, region):
            from engine.ledger.dynamodb_client import connect_table
            from engine.ledger.dynamodb_making import open_dynamodb_ledger

            ledger = open_dynamodb_ledger(connect_table(region, table), declaration.tenant)
        case location:
            assert_never(location)
    return None if ledger is None else _checked(ledger, declaration)


def open_or_create_ledger(
    declaration: Declaration, folder: Path, actor: Actor, at: datetime, *, vault_is_empty: bool
) -> Ledger:
    """Open a tenant's ledger, or make it where the tenant cannot have had one.

    Raises:
        InputError: It is another tenant's, or it is missing and there must have been one.
        DamagedError, MachineError, AwsError: It cannot be read or made.
    """
    existing = open_ledger(declaration, folder)
    if existing is not None:
        return existing
    require_no_lost_ledger(declaration, folder, vault_is_empty=vault_is_empty)
    state = initial_state(declaration)
    match ledger_location(declaration, folder):
        case SqliteLocation(path):
            ledger: Ledger = create_sqlite_ledger(path, state, actor, at)
        case DynamoDbLocation(table, region):
            from engine.ledger.dynamodb_client import connect_table
            from engine.ledger.dynamodb_making import create_dynamodb_ledger

            ledger = create_dynamodb_ledger(connect_table(region, table), state, actor, at)
        case location:
            assert_never(location)
    return _checked(ledger, declaration)


def require_no_lost_ledger(declaration: Declaration, folder: Path, *, vault_is_empty: bool) -> None:
    """Take a missing ledger for one that there never was only where nothing speaks for a lost one.

    Raises:
        InputError: The declaration is further than a first generation, or the vault holds something.
    """
    sign = None
    if declaration.current > 1:
        sign = f"the declaration is at generation {declaration.current}"
    elif any(generation.state is not DeclaredState.ACTIVE for generation in declaration.generations):
        sign = "the declaration has a generation that was used and is no longer active"
    elif declaration.revoked:
        sign = "the declaration says that the access is revoked"
    elif not vault_is_empty:
        sign = f"the vault {declaration.vault!r} holds snapshots"
    if sign is not None:
        name = _name(ledger_location(declaration, folder))
        raise InputError(
            f"the ledger {name!r} is missing, but {sign}: there must have been one",
            "`keyturn ledger recover` brings it back; a new one would forget every wrapped data key",
        )


def _name(location: SqliteLocation | DynamoDbLocation) -> str:
    return str(location.path) if isinstance(location, SqliteLocation) else f"{_DYNAMODB}{location.table}"


def _checked(ledger: Ledger, declaration: Declaration) -> Ledger:
    state = ledger.head().state
    expected = initial_state(declaration)
    for what, found, declared in (
        ("tenant", state.tenant, expected.tenant),
        ("AWS account", state.account_id, expected.account_id),
        ("Region", state.region, expected.region),
        ("vendor account", state.vendor_account_id, expected.vendor_account_id),
    ):
        if found != declared:
            ledger.close()
            raise InputError(
                f"the ledger {ledger.location} is of the {what} {found!r}, the declaration of {declared!r}",
                "look at `ledger` in the declaration",
            )
    return ledger


def restore_ledger(declaration: Declaration, folder: Path, contents: LedgerContents) -> Ledger:
    """Make the declared ledger, of either kind, with all that another one had, and open it.

    Raises:
        ConflictError: There is one already; nothing was changed.
        InputError, DamagedError, MachineError, AwsError: It cannot be made.
    """
    match ledger_location(declaration, folder):
        case SqliteLocation(path):
            restore_sqlite_ledger(path, contents)
        case DynamoDbLocation(table, region):
            from engine.ledger.dynamodb_client import connect_table
            from engine.ledger.dynamodb_making import restore_dynamodb_ledger

            restore_dynamodb_ledger(connect_table(region, table), contents)
        case location:
            assert_never(location)
    ledger = open_ledger(declaration, folder)
    if ledger is None:
        raise DamagedError(f"the ledger {declaration.ledger} is not there any more")
    return ledger
