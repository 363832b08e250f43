"""The names of the stacks that a declaration asks for, which are those of their folders and Terraform states."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.declaration import Declaration


def alerts_stack(tenant: str) -> str:
    """The stack of a tenant's detective controls; its keys stand in the one that is named as the tenant is."""
    return f"{tenant}-alerts"


def ledger_stack(declaration: Declaration) -> tuple[str, str] | None:
    """The stack of the ledger's table and the table, or None where the ledger is a file."""
    table = declaration.ledger.removeprefix("dynamodb://")
    return None if table == declaration.ledger else (f"ledger-{_plain(table)}", table)


def vault_stack(declaration: Declaration) -> tuple[str, str] | None:
    """The stack of the vault's bucket and the bucket, or None where the vault is a folder."""
    bucket = declaration.vault.removeprefix("s3://").partition("/")[0]
    return (f"vault-{_plain(bucket)}", bucket) if declaration.vault.startswith("s3://") else None


def _plain(name: str) -> str:
    return name.replace(".", "-").replace("_", "-")
