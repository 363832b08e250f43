"""A data key for one operation, in memory for so long and no longer (EKM-46).

- It is unwrapped at the start of the operation, or was made just then.
- When its time is over it is wiped, and with it every message's key that was derived from it: by an alarm, also
  where nobody is using it just then. The next use unwraps it again. If the customer has revoked the key by then,
  that use fails, and with it the operation.
- A segment of up to 1 MiB that is being sealed or opened at that instant is finished: microseconds.
- Closing wipes everything for good.

What Python copies on its own, and what the operating system swaps out, is beyond this.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from engine.envelope.data_keys import wipe
from engine.envelope.segments import Message, derived_cipher

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    # Calls something back after so many seconds, in a thread of its own; what it returns calls that off.
    Alarm = Callable[[float, Callable[[], None]], Callable[[], None]]


def thread_alarm(seconds: float, ring: Callable[[], None]) -> Callable[[], None]:
    """Ring after so many seconds; the result calls it off."""
    timer = threading.Timer(max(seconds, 0.0), ring)
    timer.daemon = True
    timer.start()
    return timer.cancel


class KeyLease:
    """A `KeySource` whose data key has to be unwrapped again after a while; threads may share it.

    Args:
        unwrap: Unwraps the data key; the result is wiped here. Raises `KeyAccessError`.
        seconds: How long it may be kept.
        monotonic: A clock in seconds that never goes back.
        made: The data key, where it was made just now; it is wiped here. Without it, it is unwrapped at once.
        alarm: Rings when the time is over.

    Raises:
        KeyAccessError: It cannot be unwrapped.
    """

    def __init__(
        self,
        unwrap: Callable[[], bytearray],
        seconds: float,
        monotonic: Callable[[], float],
        made: bytearray | None = None,
        alarm: Alarm = thread_alarm,
    ) -> None:
        self._unwrap = unwrap
        self._seconds = seconds
        self._monotonic = monotonic
        self._alarm = alarm
        self._call_off: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._ciphers: dict[Message, AESGCM] = {}
        self._closed = False
        self._until = 0.0
        self._data_key: bytearray | None = None
        with self._lock:
            self._take(made)

    def check(self) -> None:
        """Make sure that the data key may be used now; unwraps it again if its time is over.

        Raises:
            KeyAccessError: It cannot be unwrapped any more.
        """
        with self._lock:
            self._usable()

    def message_cipher(self, message: Message) -> AESGCM:
        """The cipher of a message, for one segment. Raises as `check`."""
        with self._lock:
            return self._cipher(self._usable(), message)

    def cipher_at_hand(self, message: Message) -> AESGCM | None:
        """As `message_cipher`, or None where the data key would have to be unwrapped for it, or is wiped for good."""
        with self._lock:
            data_key = self._data_key if self._monotonic() < self._until else None
            return None if data_key is None else self._cipher(data_key, message)

    def forget(self, message: Message) -> None:
        """Let go of the cipher of a message that is over."""
        with self._lock:
            self._ciphers.pop(message, None)

    def close(self) -> None:
        """Wipe everything; there is no use behind it."""
        with self._lock:
            self._closed = True
            self._wipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _cipher(self, data_key: bytearray, message: Message) -> AESGCM:
        cipher = self._ciphers.get(message)
        if cipher is None:
            cipher = self._ciphers[message] = derived_cipher(data_key, message)
        return cipher

    def _usable(self) -> bytearray:
        if self._closed:
            raise ValueError("the operation is over and its data key is wiped")
        if self._data_key is not None and self._monotonic() < self._until:
            return self._data_key
        self._wipe()
        return self._take(None)

    def _take(self, made: bytearray | None) -> bytearray:
        self._until = self._monotonic() + self._seconds
        data_key = self._data_key = made if made is not None else self._unwrap()
        self._call_off = self._alarm(self._until - self._monotonic(), lambda: self._expire(data_key))
        return data_key

    def _expire(self, data_key: bytearray) -> None:
        with self._lock:
            if self._data_key is data_key:  # not one that was unwrapped after it
                self._wipe()

    def _wipe(self) -> None:
        if self._call_off is not None:
            self._call_off()
            self._call_off = None
        self._ciphers.clear()
        if self._data_key is not None:
            wipe(self._data_key)
            self._data_key = None
