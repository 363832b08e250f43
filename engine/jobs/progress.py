"""How a job tells how far it is; whoever shows it decides how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progressed:
    """What was done since the last time.

    Attributes:
        workload: The workload's label.
        files: How many files more are done.
        bytes: How many bytes more were read or written.
    """

    workload: str
    files: int = 0
    bytes: int = 0


Progress = Callable[[Progressed], None]


def no_progress(_step: Progressed) -> None:
    """Tells nobody."""
