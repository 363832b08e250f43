"""What the rewraps of a tenant, and their workers, work with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from engine.envelope.data_keys import KeyAccess
    from engine.envelope.ports import DataKeyService
    from engine.ledger.actor import Actor
    from engine.ledger.interface import DataKey, Ledger

DEFAULT_PAGE = 200
STORE_SECONDS = 0.25


class KeyRecords(Protocol):
    """Where wrapped data keys are kept beside the ledger: the vault, which carries what it needs to be read."""

    def put_key_records(self, data_keys: Sequence[DataKey]) -> None:
        """Keep a copy of each of these wrapped data keys."""
        ...


@dataclass(frozen=True, slots=True)
class RewrapJob:
    """What a rewrap of one tenant works with.

    Attributes:
        ledger: The tenant's ledger, with a rotation in flight.
        tenant: The tenant's name.
        access: With whose credentials keys are used.
        records: Where wrapped data keys are kept beside the ledger.
        actor: Who does it.
        clock: Tells the time in UTC.
        page: How many data keys are read, and stored, at a time at most.
        target: Who uses the new key, where those of `access` may not use both: the data keys are then
            decrypted with the one and encrypted with the other.
        monotonic: Tells seconds that only grow.
        store_seconds: What is moved and proved is stored after so many seconds, a whole page or not.
    """

    ledger: Ledger
    tenant: str
    access: KeyAccess
    records: KeyRecords
    actor: Actor
    clock: Callable[[], datetime]
    page: int = DEFAULT_PAGE
    target: DataKeyService | None = None
    monotonic: Callable[[], float] = time.monotonic
    store_seconds: float = STORE_SECONDS
