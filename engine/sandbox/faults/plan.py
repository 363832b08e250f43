"""The standing faults of a sandbox, and which of them a call meets.

Each fault has a generator, a count and, for a rate, a bucket of its own for every account and Region, so what one does
never depends on another. Of the faults that strike a call, all slow ones add up and the first of the others
decides; the rest do not count it as struck. A rate's bucket holds the calls of one second and fills by the
sandbox's clock, so a test need not wait.
"""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.sandbox.faults.model import Effect, Fault, PropagationDelays, parse_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class StandingFault:
    """A fault that stands.

    Attributes:
        number: What to name it by when it is taken away.
        fault: The fault.
        struck: How many calls it struck so far.
    """

    number: int
    fault: Fault
    struck: int


@dataclass(frozen=True, slots=True)
class Strike:
    """What a call meets: a wait, and then a fault or none."""

    wait: float
    fault: Fault | None


class FaultPlan:
    """The faults of one sandbox. Safe to use from several threads.

    Args:
        now: The sandbox's time.

    Attributes:
        delays: How long changes of keys take to be met.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.delays = PropagationDelays()
        self._now = now
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._standing: dict[int, _Counter] = {}
        self._ended = threading.Event()

    def add(self, *faults: Fault | PropagationDelays | str) -> tuple[int, ...]:
        """Let faults stand from now on; delays take the place of those before.

        Args:
            faults: Faults, or lines that `parse_fault` reads; all are read before the first one stands.

        Returns:
            The numbers of the faults, without the delays.

        Raises:
            InputError: A line is no fault.
        """
        read = [parse_fault(fault) if isinstance(fault, str) else fault for fault in faults]
        numbers = []
        with self._lock:
            for fault in read:
                if isinstance(fault, PropagationDelays):
                    self.delays = fault
                else:
                    number = next(self._numbers)
                    self._standing[number] = _Counter(fault)
                    numbers.append(number)
        return tuple(numbers)

    def remove(self, *numbers: int) -> None:
        """Take faults away. Raises `InputError` where one of them does not stand; then all stay."""
        with self._lock:
            if missing := [number for number in numbers if number not in self._standing]:
                raise InputError(f"no fault {missing[0]} stands", "`keyturn sandbox fault` lists them")
            for number in numbers:
                self._standing.pop(number, None)

    def clear(self) -> None:
        """Take every fault and every delay away."""
        with self._lock:
            self._standing.clear()
            self.delays = PropagationDelays()

    @contextmanager
    def during(self, *faults: Fault | PropagationDelays | str) -> Iterator[None]:
        """Let faults stand for a while, and then what stood before."""
        before = self.delays
        numbers = self.add(*faults)
        try:
            yield
        finally:
            with self._lock:
                self.delays = before
                for number in numbers:
                    self._standing.pop(number, None)

    def standing(self) -> tuple[StandingFault, ...]:
        """The faults that stand, in the order in which they were added; those that are used up as well."""
        with self._lock:
            return tuple(StandingFault(number, one.fault, one.struck) for number, one in self._standing.items())

    def strike(self, named: Callable[[], str], caller: str) -> Strike | None:
        """What a call meets, or None where nothing does.

        Args:
            named: Tells the operation, such as `kms:Decrypt`; not asked where no fault stands.
            caller: The account that calls and its Region, whose quota a rate is.
        """
        if not self._standing:
            return None
        operation = named()
        wait = 0.0
        decisive: Fault | None = None
        with self._lock:
            for one in self._standing.values():
                if not one.fault.concerns(operation) or (decisive and one.fault.effect is not Effect.SLOW):
                    continue
                if one.strikes(caller, self._now().timestamp()):
                    if one.fault.effect is Effect.SLOW:
                        wait += one.fault.seconds or 0.0
                    else:
                        decisive = one.fault
        return Strike(wait, decisive) if wait or decisive else None

    def wait(self, seconds: float) -> None:
        """Wait, at the longest until the sandbox stops."""
        self._ended.wait(seconds)

    def end(self) -> None:
        """Let no call wait any longer."""
        self._ended.set()


class _Counter:
    """A fault with what it has done."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.struck = 0
        self._draws = random.Random(fault.seed)  # noqa: S311 - which calls fail, not a secret
        self._buckets: dict[str, tuple[float, float]] = {}  # caller → what is left, and when that was

    def strikes(self, caller: str, now: float) -> bool:
        fault = self.fault
        if fault.count is not None and self.struck >= fault.count:
            return False
        if fault.probability is not None and self._draws.random() >= fault.probability:
            return False
        if fault.rate is not None and self._passes(caller, fault.rate, now):
            return False
        self.struck += 1
        return True

    def _passes(self, caller: str, rate: float, now: float) -> bool:
        largest = max(rate, 1.0)
        left, since = self._buckets.get(caller, (largest, now))
        left = min(largest, left + (now - since) * rate)
        passes = left >= 1.0
        self._buckets[caller] = (left - 1.0 if passes else left, now)
        return passes
