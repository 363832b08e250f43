"""The sandbox's clock: the machine's, moved forward on request, so that a deletion window can pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_END = datetime(9000, 1, 1, tzinfo=UTC)


class SandboxClock:
    """UTC time that never runs backwards by its own doing. Safe to use from several threads.

    Args:
        ahead: How far it is ahead of the machine's to begin with.
        moved: Told how far it is ahead whenever it was moved.
    """

    def __init__(
        self, ahead: timedelta = timedelta(0), moved: Callable[[timedelta], None] = lambda _ahead: None
    ) -> None:
        self._lock = Lock()
        self._ahead = ahead
        self._moved = moved

    @property
    def ahead(self) -> timedelta:
        """How far it is ahead of the machine's."""
        return self._ahead

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
            ValueError: The span is negative, or leads out of the calendar.
        """
        if by < timedelta(0):
            raise ValueError("the sandbox's clock moves forward only")
        with self._lock:
            if by > _END - self.now():
                raise ValueError("the sandbox's clock ends with the year 9000")
            self._ahead += by
            self._moved(self._ahead)
        return self.now()
