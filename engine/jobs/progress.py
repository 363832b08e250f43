"""How a job tells how far it is, and how much there is to do; whoever shows it decides how."""

from __future__ import annotations

import threading
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


@dataclass(frozen=True, slots=True)
class Planned:
    """What became known of how much there is to do.

    Attributes:
        workloads: How many workloads the job has; told as it begins.
        ended: How many workloads more have ended.
        begun: How many workloads more were begun whose size is known.
        bytes: The size of these, in bytes.
    """

    workloads: int = 0
    ended: int = 0
    begun: int = 0
    bytes: int = 0


Plan = Callable[[Planned], None]


def no_plan(_planned: Planned) -> None:
    """Tells nobody."""


class Pace:
    """How far a job is, and about how much there is to do; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = self._workloads = self._ended = self._begun = self._begun_bytes = 0

    def progressed(self, step: Progressed) -> None:
        """Take in what was done."""
        with self._lock:
            self._done += step.bytes

    def planned(self, planned: Planned) -> None:
        """Take in what became known."""
        with self._lock:
            self._workloads += planned.workloads
            self._ended += planned.ended
            self._begun += planned.begun
            self._begun_bytes += planned.bytes

    @property
    def done(self) -> int:
        """How many bytes are done."""
        return self._done

    @property
    def total(self) -> float | None:
        """About how many bytes there are, going by the workloads that were begun; None where nothing tells yet."""
        with self._lock:
            if self._begun:
                total = self._begun_bytes * self._workloads / self._begun
            elif self._ended:
                total = self._done * self._workloads / self._ended
            else:
                return None
            return max(total, float(self._done))
