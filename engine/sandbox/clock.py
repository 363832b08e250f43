"""The sandbox's clock: the machine's, moved forward on request, so that a deletion window can pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock


class SandboxClock:
    """UTC time that never runs backwards by its own doing. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The sandbox's time, in UTC."""
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta) -> datetime:
        """Move the clock forward.

        Args:
            by: How far; not negative.

        Returns:
            The new time.

        Raises:
            ValueError: The span is negative.
        """
        if by < timedelta(0):
            raise ValueError("the sandbox's clock moves forward only")
        with self._lock:
            self._ahead += by
        return self.now()
