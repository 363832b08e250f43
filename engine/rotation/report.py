"""What a rewrap tells: how far it is, what it could not move, what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.ledger.interface import Census, Head


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rewrap is: data keys done and set aside by this worker, and how many it may come to be."""

    done: int
    set_aside: int
    total: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """A data key that could not be moved, and why."""

    workload: str
    data_key_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RewrapReport:
    """What one run of a rewrap did.

    Attributes:
        to: The generation that data keys move to.
        moved: How many this run moved.
        set_aside: Those that it could not; the first thousand, for memory's sake.
        set_aside_count: How many these are in all.
        census: The census at the end.
        head: The ledger's head at the end.
    """

    to: int
    moved: int
    set_aside: tuple[SetAside, ...]
    set_aside_count: int
    census: Census
    head: Head
