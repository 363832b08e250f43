"""The pace of calls: no more than allowed, less after throttling, and only what may help is tried again."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.envelope.pacing import Pace, PacedService, TokenBucket
from engine.errors import KeyAccessError, KeyFailure
from tests.builders import key_arn
from tests.in_memory_kms import InMemoryKms


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds


def bucket(time: Time, rate: float) -> TokenBucket:
    return TokenBucket(rate, time.monotonic, time.sleep)


def pace(time: Time, rate: float = 1000.0, patience: float = 60.0) -> Pace:
    return Pace(bucket(time, rate), patience, monotonic=time.monotonic, sleep=time.sleep)


@given(rate=st.floats(0.1, 5000), count=st.integers(1, 300), pauses=st.lists(st.floats(0, 3), max_size=20))
def test_never_more_requests_than_the_rate_allows(rate: float, count: int, pauses: list[float]) -> None:
    time = Time()
    tokens = bucket(time, rate)
    burst = max(1.0, rate * 0.1)
    for number in range(count):
        if number < len(pauses):
            time.now += pauses[number]
        tokens.take()
        assert number + 1 <= burst + time.now * rate + 1e-6


def test_after_throttling_the_pace_is_halved_and_comes_back_within_a_minute() -> None:
    time = Time()
    tokens = bucket(time, 100.0)
    tokens.slow_down()
    assert tokens.rate == 50.0
    time.now += 30
    tokens.take()
    assert tokens.rate == 100.0
    for _ in range(50):
        tokens.slow_down()
    assert tokens.rate == 1.0, "it never stops altogether"


@pytest.mark.parametrize("failure", [KeyFailure.THROTTLED, KeyFailure.UNAVAILABLE])
def test_throttling_and_outages_are_waited_for_ever_longer(failure: KeyFailure) -> None:
    time = Time()
    left = 4

    def call() -> str:
        nonlocal left
        if left:
            left -= 1
            raise KeyAccessError(failure, "not now")
        return "done"

    told: list[KeyFailure] = []
    waiting = Pace(
        bucket(time, 1000.0),
        waiting=lambda error, _: told.append(error.failure),
        monotonic=time.monotonic,
        sleep=time.sleep,
    )
    assert waiting.call(call) == "done"
    waits = [wait for wait in time.slept if wait >= 0.1]
    assert len(waits) == 4
    assert waits == sorted(waits)
    assert told == [failure] * 4


def test_patience_has_an_end() -> None:
    time = Time()

    def call() -> None:
        raise KeyAccessError(KeyFailure.UNAVAILABLE, "not now")

    with pytest.raises(KeyAccessError):
        pace(time, patience=30.0).call(call)
    assert 15.0 < time.now <= 30.0


@pytest.mark.requirement("EKM-10")
@pytest.mark.parametrize("failure", sorted(set(KeyFailure) - {KeyFailure.THROTTLED, KeyFailure.UNAVAILABLE}, key=str))
def test_nothing_else_is_tried_again(failure: KeyFailure) -> None:
    time, calls = Time(), 0

    def call() -> None:
        nonlocal calls
        calls += 1
        raise KeyAccessError(failure, "no")

    with pytest.raises(KeyAccessError):
        pace(time).call(call)
    assert (calls, time.slept) == (1, [])


def test_a_paced_service_makes_every_call_of_the_one_behind_it_through_one_bucket() -> None:
    time, kms = Time(), InMemoryKms()
    one, other = str(key_arn(1)), str(key_arn(2))
    kms.add_key(one)
    kms.add_key(other)
    service = PacedService(kms, pace(time, rate=1.0))
    assert service.identity == kms.identity
    assert str(service.describe(one).arn) == one
    plaintext, wrapped = service.generate_data_key(one, {"a": "b"})
    moved = service.rewrap(one, other, wrapped.ciphertext, {"a": "b"})
    assert service.unwrap(other, moved.ciphertext, {"a": "b"}) == plaintext
    again = service.wrap(one, bytes(plaintext), {"a": "b"})
    assert service.unwrap(one, again.ciphertext, {"a": "b"}) == plaintext
    assert time.now == pytest.approx(5.0), "six calls at one a second"
