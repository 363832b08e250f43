"""The refusals that every kind of ledger gives in the same words; nothing was stored where one is raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.catalogue import Custody
from engine.errors import ConflictError

if TYPE_CHECKING:
    from engine.ledger.interface import DataKey
    from engine.lifecycle import TenantState


def lost_race(tenant: str) -> ConflictError:
    """Another command changed the head first."""
    return ConflictError(
        "compare-and-swap",
        f"another command changed the ledger of {tenant!r} first; this one changed nothing",
        hint="look at `keyturn status` and run the command again if it is still wanted",
    )


def require_current(state: TenantState, data_key: DataKey) -> None:
    """A new data key is taken in only under the generation that new ones go to now (EKM-32).

    Raises:
        ConflictError: It stands under another.
    """
    current = state.current_number if data_key.custody is Custody.CUSTOMER else 0
    if data_key.generation != current:
        raise ConflictError(
            "current-generation",
            f"a data key under generation {data_key.generation} came when new ones go to generation {current}",
            ("EKM-32",),
            "run the job again",
        )


def has_data_key(data_key: DataKey) -> ConflictError:
    """The workload has a data key for this purpose already."""
    return ConflictError(
        "one-data-key",
        f"workload {data_key.workload!r} has a data key for {data_key.purpose} already",
        hint="run the job again",
    )


def superseded(epoch: int) -> ConflictError:
    """The move of this epoch is not the one in flight (EKM-33)."""
    return ConflictError(
        "forward",
        f"the move of epoch {epoch} is no longer the one in flight; this worker of it stops",
        ("EKM-33",),
        "`keyturn status` shows where the tenant stands",
    )


def not_empty(location: str) -> ConflictError:
    """There is a ledger already where one is to be recovered."""
    return ConflictError(
        "no-overwrite",
        f"there is a ledger already at {location}: recovery never overwrites one",
        ("EKM-34",),
        "`keyturn verify` shows whether it is intact; to replace it nevertheless, move it away first",
    )


def another_recovery(location: str) -> ConflictError:
    """A recovery from another source has begun and not ended."""
    return ConflictError(
        "no-overwrite",
        f"another recovery into {location} has begun, from another source",
        ("EKM-34",),
        "run that one again, or recover into another table",
    )


def recovery_taken_over(location: str) -> ConflictError:
    """Another run of the same recovery began later, and goes on alone."""
    return ConflictError(
        "no-overwrite",
        f"another run of this recovery into {location} began later, and goes on alone; this one stops",
        ("EKM-34",),
        "let the other one end; if it was broken off, run the command again",
    )


def recovery_under_way(location: str) -> ConflictError:
    """A recovery has begun and not ended; a new ledger in its place would forget what it brings back."""
    return ConflictError(
        "no-overwrite",
        f"the ledger {location} is being recovered",
        ("EKM-34",),
        "let `keyturn ledger recover` end, or run it again where it was broken off",
    )
