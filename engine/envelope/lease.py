"""A data key for one operation, in memory for so long and no longer (EKM-46).

- It is unwrapped at the start of the operation, or was made just then.
- When its time is over it is wiped before its next use, and unwrapped again. If the customer has revoked the
  key by then, that use fails, and with it the operation.
- Closing wipes it for good.

The time is looked at before each use, that is before each segment of up to 1 MiB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from engine.envelope.data_keys import wipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class KeyLease:
    """A `KeySource` whose data key has to be unwrapped again after a while.

    Args:
        unwrap: Unwraps the data key; the result is wiped here. Raises `KeyAccessError`.
        seconds: How long it may be kept.
        monotonic: A clock in seconds that never goes back.
        made: The data key, where it was made just now; it is wiped here. Without it, it is unwrapped at once.

    Raises:
        KeyAccessError: It cannot be unwrapped.
    """

    def __init__(
        self,
        unwrap: Callable[[], bytearray],
        seconds: float,
        monotonic: Callable[[], float],
        made: bytearray | None = None,
    ) -> None:
        self._unwrap = unwrap
        self._seconds = seconds
        self._monotonic = monotonic
        self._closed = False
        self._until = monotonic() + seconds
        self._data_key: bytearray | None = made if made is not None else unwrap()

    def use(self) -> bytearray:
        """The data key, unwrapped again if its time is over.

        Raises:
            KeyAccessError: It cannot be unwrapped any more.
        """
        if self._closed:
            raise ValueError("the operation is over and its data key is wiped")
        if self._data_key is not None and self._monotonic() < self._until:
            return self._data_key
        self._wipe()
        until = self._monotonic() + self._seconds
        self._data_key = self._unwrap()
        self._until = until
        return self._data_key

    def close(self) -> None:
        """Wipe the data key; there is no use behind it."""
        self._closed = True
        self._wipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wipe(self) -> None:
        if self._data_key is not None:
            wipe(self._data_key)
            self._data_key = None
