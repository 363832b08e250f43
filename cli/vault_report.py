"""How the reading of a whole vault looks, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cli.display import note, show_errors, warn
from engine.printing import printable

if TYPE_CHECKING:
    from engine.jobs.verification import VaultVerification, VerifiedWorkload

_SHOWN = 20


def tell_vault(vault: VaultVerification) -> None:
    """Tell people what became of reading a vault: what was read on stdout, what is wrong on stderr."""
    for verified in vault.workloads:
        if verified.snapshots or verified.damage or verified.error is not None:
            click.echo(f"  {_line(verified)}")
    for damage in vault.damage:
        warn(printable(damage))
    for verified in vault.workloads:
        _tell_damage(verified)
    show_errors([verified.error for verified in vault.workloads if verified.error is not None])
    damaged = len(vault.damage) + sum(len(verified.damage) for verified in vault.workloads)
    unread = sum(1 for verified in vault.workloads if verified.error is not None)
    read = sum(verified.bytes for verified in vault.workloads)
    snapshots = sum(verified.snapshots for verified in vault.workloads)
    click.echo(
        f"vault {printable(vault.location)}: {snapshots} snapshots of {len(vault.workloads)} data keys read,"
        f" {read / 1_000_000:.1f} MB; {damaged or 'nothing'} damaged or missing"
        + (f"; {unread} data keys could not be read" if unread else "")
    )
    if damaged:
        note("everything that is not named can be restored; name an earlier snapshot for what is")


def vault_document(vault: VaultVerification) -> dict[str, Any]:
    """What became of reading a vault, for a program."""
    return {
        "location": vault.location,
        "damage": list(vault.damage),
        "workloads": [
            {
                "workload": verified.workload,
                "purpose": verified.purpose,
                "snapshots": verified.snapshots,
                "files": verified.files,
                "bytes": verified.bytes,
                "unfinished": verified.unfinished,
                "damage": [{"snapshot": d.snapshot, "path": d.path, "reason": d.reason} for d in verified.damage],
                "error": None if verified.error is None else verified.error.message,
            }
            for verified in vault.workloads
        ],
    }


def _line(verified: VerifiedWorkload) -> str:
    parts = [f"{verified.snapshots} snapshots", f"{verified.files} files", f"{verified.bytes / 1_000_000:.1f} MB read"]
    if verified.unfinished:
        parts.append(f"{verified.unfinished} unfinished, collected by the next backup")
    if verified.error is not None:
        parts.append("not read to the end")
    parts.append(f"{len(verified.damage)} damaged or missing" if verified.damage else "nothing damaged")
    return f"{printable(verified.workload)} ({verified.purpose}): {', '.join(parts)}"


def _tell_damage(verified: VerifiedWorkload) -> None:
    for damage in verified.damage[:_SHOWN]:
        place = " ".join(printable(part) for part in (damage.snapshot, damage.path) if part)
        warn(f"{printable(verified.workload)}: {place}{': ' * bool(place)}{damage.reason}")
    if len(verified.damage) > _SHOWN:
        warn(f"{printable(verified.workload)}: {len(verified.damage) - _SHOWN} more; --json lists them all")
