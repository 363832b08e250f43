"""How a job is asked to stop: its operations look up at every step, and end as if each had been interrupted.

An operation that stops publishes nothing, gives its lock back and removes what it began.
"""

from __future__ import annotations

import threading


class StoppedError(BaseException):
    """The job was asked to stop; no failure, and caught by the job's runner alone."""


class Stopping:
    """Whether a job is to stop; threads may share it."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        """Ask the job to stop."""
        self._asked.set()

    def check(self) -> None:
        """Raise `StoppedError` where it is to stop."""
        if self._asked.is_set():
            raise StoppedError

    def pause(self, seconds: float) -> None:
        """Wait, and raise `StoppedError` as soon as it is to stop."""
        if self._asked.wait(seconds):
            raise StoppedError
