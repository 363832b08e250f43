"""Finding a tenant's ledger from its declaration, and never taking another's for it.

- A ledger belongs to one tenant, one AWS account and Region, one vendor account; one that says otherwise
  than the declaration is refused.
- A missing ledger is made only for a tenant that cannot have had one: at its first generation and with an
  empty vault. Otherwise it is lost, and a new one would forget every wrapped data key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.declaration import DeclaredState
from engine.errors import InputError
from engine.ledger.sqlite import SqliteLedger, create_sqlite_ledger, open_sqlite_ledger
from engine.lifecycle import TenantState

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from engine.declaration import Declaration
    from engine.ledger.interface import Actor, Ledger

_SQLITE = "sqlite:///"


def ledger_path(declaration: Declaration, folder: Path) -> Path:
    """The file of a SQLite ledger; a relative one is meant from the declaration's folder.

    Raises:
        InputError: The declared ledger is not a SQLite one.
    """
    if not declaration.ledger.startswith(_SQLITE):
        raise InputError(
            f"the ledger {declaration.ledger!r} is of a kind that this version cannot open",
            "declare sqlite:///path/to/ledger.db",
        )
    return folder / declaration.ledger.removeprefix(_SQLITE)


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
        InputError: It is another tenant's.
        DamagedError, MachineError: It cannot be read.
    """
    path = ledger_path(declaration, folder)
    if not path.exists():
        return None
    return _checked(open_sqlite_ledger(path), declaration)


def open_or_create_ledger(
    declaration: Declaration, folder: Path, actor: Actor, at: datetime, *, vault_is_empty: bool
) -> Ledger:
    """Open a tenant's ledger, or make it where the tenant cannot have had one.

    Raises:
        InputError: It is another tenant's, or it is missing and there must have been one.
        DamagedError, MachineError: It cannot be read or made.
    """
    existing = open_ledger(declaration, folder)
    if existing is not None:
        return existing
    require_no_lost_ledger(declaration, folder, vault_is_empty=vault_is_empty)
    path = ledger_path(declaration, folder)
    return _checked(create_sqlite_ledger(path, initial_state(declaration), actor, at), declaration)


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
        raise InputError(
            f"the ledger {str(ledger_path(declaration, folder))!r} is missing, but {sign}: there must have been one",
            "bring it back from a backup; a new one would forget every wrapped data key",
        )


def _checked(ledger: SqliteLedger, declaration: Declaration) -> Ledger:
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
