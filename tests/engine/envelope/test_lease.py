"""A data key is kept for so long and no longer."""

from __future__ import annotations

import pytest

from engine.envelope.lease import KeyLease
from engine.errors import KeyAccessError, KeyFailure


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Unwrapping:
    """Unwraps the same key again and again, and remembers every copy that it gave out."""

    def __init__(self) -> None:
        self.given: list[bytearray] = []
        self.revoked = False

    def __call__(self) -> bytearray:
        if self.revoked:
            raise KeyAccessError(KeyFailure.REVOKED, "revoked")
        self.given.append(bytearray(b"k" * 32))
        return self.given[-1]


@pytest.mark.requirement("EKM-46")
def test_within_its_time_the_key_is_unwrapped_once() -> None:
    clock, unwrap = Clock(), Unwrapping()
    with KeyLease(unwrap, 300, clock) as lease:
        for _ in range(10):
            clock.now += 29.9
            assert lease.use() == b"k" * 32
    assert len(unwrap.given) == 1


@pytest.mark.requirement("EKM-46")
def test_when_its_time_is_over_it_is_wiped_and_unwrapped_again() -> None:
    clock, unwrap = Clock(), Unwrapping()
    with KeyLease(unwrap, 300, clock) as lease:
        clock.now += 300
        assert lease.use() == b"k" * 32
        assert unwrap.given[0] == bytes(32)
        assert len(unwrap.given) == 2


@pytest.mark.requirement("EKM-46")
def test_if_the_key_is_revoked_by_then_there_is_no_key_left_and_none_to_be_had() -> None:
    clock, unwrap = Clock(), Unwrapping()
    with KeyLease(unwrap, 300, clock) as lease:
        unwrap.revoked = True
        clock.now += 299
        assert lease.use() == b"k" * 32
        clock.now += 1
        for _ in range(2):
            with pytest.raises(KeyAccessError):
                lease.use()
        assert unwrap.given == [bytes(32)]


@pytest.mark.requirement("EKM-46")
def test_behind_the_operation_the_key_is_wiped() -> None:
    unwrap = Unwrapping()
    with KeyLease(unwrap, 300, Clock()) as lease:
        lease.use()
    assert unwrap.given == [bytes(32)]
    with pytest.raises(ValueError, match="wiped"):
        lease.use()


def test_a_key_that_was_made_just_now_is_not_unwrapped_at_first() -> None:
    clock, unwrap, made = Clock(), Unwrapping(), bytearray(b"m" * 32)
    with KeyLease(unwrap, 300, clock, made) as lease:
        assert lease.use() is made
        assert unwrap.given == []
        clock.now += 301
        lease.use()
        assert made == bytes(32)


def test_a_key_that_cannot_be_unwrapped_makes_no_lease() -> None:
    unwrap = Unwrapping()
    unwrap.revoked = True
    with pytest.raises(KeyAccessError):
        KeyLease(unwrap, 300, Clock())
