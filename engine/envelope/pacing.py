"""Calls of AWS KMS at a measured pace, and tried again where that may help.

- Quotas count for the calling account and Region, with all that the company does there. One tenant's rewrap
  must not starve the rest, so its calls go through one bucket of tokens for each account (AWS KMS Developer
  Guide, "Request quotas").
- Where KMS throttles all the same, the pace is halved, and comes back within a minute.
- Throttling and outages alone are tried again, each time after a longer wait, with jitter; and only for so
  long. A revocation, a refusal or a damaged data key is told at once: trying again would only hide it.

Every call that goes through here may be repeated: it changes nothing in KMS.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from engine.errors import KeyAccessError, KeyFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.envelope.ports import DataKeyService
    from engine.kms import KeyDetails, WrappedBytes

T = TypeVar("T")

REQUESTS_PER_SECOND = 500.0  # a twentieth of the usual quota of 10,000; a quarter of a custom key store's 1,800
PATIENCE_SECONDS = 60.0
_BURST_SECONDS = 0.1
_RECOVERY_SECONDS = 60.0
_FIRST_WAIT = 0.2
_LONGEST_WAIT = 10.0


class TokenBucket:
    """A rate limit for the calls of one account; several threads may share it.

    Args:
        requests_per_second: The limit; more than 0.
        monotonic: Tells seconds that only grow.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        requests_per_second: float = REQUESTS_PER_SECOND,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit = self._rate = requests_per_second
        self._monotonic, self._sleep = monotonic, sleep
        self._tokens = self._most = max(1.0, requests_per_second * _BURST_SECONDS)
        self._at = monotonic()
        self._lock = threading.Lock()

    @property
    def rate(self) -> float:
        """The present pace in requests a second: the limit, or less for a while after throttling."""
        return self._rate

    def take(self) -> None:
        """Take the token of one request, and wait for it where there is none left."""
        with self._lock:
            self._fill()
            self._tokens -= 1.0  # below zero it is owed: whoever comes next waits longer
            wait = -self._tokens / self._rate
        if wait > 0:
            self._sleep(wait)

    def slow_down(self) -> None:
        """Halve the pace; it comes back by itself."""
        with self._lock:
            self._fill()
            self._rate = max(self._rate / 2, min(1.0, self._limit))
            self._tokens = min(self._tokens, 0.0)

    def _fill(self) -> None:
        now = self._monotonic()
        passed, self._at = now - self._at, now
        self._tokens = min(self._most, self._tokens + passed * self._rate)
        if self._rate < self._limit:
            self._rate = min(self._limit, self._rate + passed * self._limit / _RECOVERY_SECONDS)


@dataclass(frozen=True, slots=True)
class Pace:
    """How calls of one account are made.

    Attributes:
        bucket: Its rate limit.
        patience: For how many seconds in a row a call is tried again before its error is told.
        waiting: Told of an error that is waited for, and for how many seconds.
    """

    bucket: TokenBucket = field(default_factory=TokenBucket)
    patience: float = PATIENCE_SECONDS
    waiting: Callable[[KeyAccessError, float], None] = lambda _error, _seconds: None
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def call(self, function: Callable[[], T]) -> T:
        """Make one call, at this pace.

        Raises:
            KeyAccessError: It failed: at once, or after the patience for throttling and outages was at its end.
        """
        since: float | None = None
        longest = _FIRST_WAIT
        while True:
            self.bucket.take()
            try:
                return function()
            except KeyAccessError as error:
                if not error.worth_retrying:
                    raise
                if error.failure is KeyFailure.THROTTLED:
                    self.bucket.slow_down()
                now = self.monotonic()
                since = now if since is None else since
                wait = random.uniform(longest / 2, longest)  # noqa: S311 - jitter, not a secret
                if now + wait - since > self.patience:
                    raise
                self.waiting(error, wait)
                self.sleep(wait)
                longest = min(_LONGEST_WAIT, longest * 2)


class PacedService:
    """A key management service whose every call on data keys goes at a pace."""

    def __init__(self, service: DataKeyService, pace: Pace) -> None:
        self._service, self._pace = service, pace

    @property
    def identity(self) -> str:
        """Who calls, for messages."""
        return self._service.identity

    def describe(self, key_id: str) -> KeyDetails:
        """Describe a key."""
        return self._pace.call(lambda: self._service.describe(key_id))

    def generate_data_key(self, key_arn: str, context: Mapping[str, str]) -> tuple[bytearray, WrappedBytes]:
        """Make a data key of 32 bytes under a key."""
        return self._pace.call(lambda: self._service.generate_data_key(key_arn, context))

    def wrap(self, key_arn: str, plaintext: bytes, context: Mapping[str, str]) -> WrappedBytes:
        """Wrap a data key under a key."""
        return self._pace.call(lambda: self._service.wrap(key_arn, plaintext, context))

    def unwrap(self, key_arn: str, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Unwrap a data key."""
        return self._pace.call(lambda: self._service.unwrap(key_arn, ciphertext, context))

    def rewrap(
        self, source_arn: str, destination_arn: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> WrappedBytes:
        """Move a wrapped data key from one key to another."""
        return self._pace.call(lambda: self._service.rewrap(source_arn, destination_arn, ciphertext, context))
