"""How long a job waits for AWS KMS: it retries outages and throttling, never a revocation (EKM-46).

- A call that failed because KMS or its key store could not be reached, or because there were too many, is made
  again after a pause. Every other failure is what it is, at once: retrying a revocation only hides it.
- The pauses are the job's, not the workload's: when they are used up in vain, the workloads that follow are
  tried once each, so that a bulk job does not wait out one outage a thousand times. A call that succeeds gives
  them back.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from engine.errors import KeyAccessError

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds; behind each stand the client's own retries

_Answer = TypeVar("_Answer")


class Patience:
    """The pauses that a job has left; threads may share it.

    Args:
        pauses: Each in seconds, in order.
    """

    def __init__(self, pauses: tuple[float, ...] = PAUSES) -> None:
        self._pauses = pauses
        self._used = 0
        self._lock = threading.Lock()

    def call(self, call: Callable[[], _Answer], pause: Callable[[float, KeyAccessError], None]) -> _Answer:
        """Make a call of KMS, again and again while it fails for an outage and there are pauses left.

        Args:
            call: The call.
            pause: Waits for so many seconds for an outage to end; what it raises ends the waiting.

        Raises:
            KeyAccessError: As the call does.
        """
        while True:
            try:
                answer = call()
            except KeyAccessError as error:
                seconds = self._next() if error.worth_retrying else None
                if seconds is None:
                    raise
                pause(seconds, error)
                continue
            with self._lock:
                self._used = 0
            return answer

    def _next(self) -> float | None:
        with self._lock:
            if self._used == len(self._pauses):
                return None
            self._used += 1
            return self._pauses[self._used - 1]
