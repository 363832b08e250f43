"""A data key is kept for so long and no longer."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import pytest

from engine.envelope.lease import KeyLease
from engine.envelope.segments import PLAINTEXT_BYTES, HeldKey, Message
from engine.envelope.stream import DecryptingReader, EncryptingWriter
from engine.errors import KeyAccessError, KeyFailure

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGE = Message(b"s" * 32, b"context")
SEALED = HeldKey(b"k" * 32).message_cipher(MESSAGE).encrypt(bytes(12), b"content", None)


def opens(lease: KeyLease) -> bool:
    """Whether the lease's data key is the one, now."""
    return lease.message_cipher(MESSAGE).decrypt(bytes(12), SEALED, None) == b"content"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Alarms:
    """Alarms that ring when they are told to."""

    def __init__(self) -> None:
        self.set: list[tuple[float, Callable[[], None]]] = []
        self.called_off = 0

    def __call__(self, seconds: float, ring: Callable[[], None]) -> Callable[[], None]:
        self.set.append((seconds, ring))
        return self._call_off

    def _call_off(self) -> None:
        self.called_off += 1


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
            assert opens(lease)
    assert len(unwrap.given) == 1


@pytest.mark.requirement("EKM-46")
def test_when_its_time_is_over_it_is_wiped_and_unwrapped_again() -> None:
    clock, unwrap = Clock(), Unwrapping()
    with KeyLease(unwrap, 300, clock) as lease:
        clock.now += 300
        assert opens(lease)
        assert unwrap.given[0] == bytes(32)
        assert len(unwrap.given) == 2


@pytest.mark.requirement("EKM-46")
def test_if_the_key_is_revoked_by_then_there_is_no_key_left_and_none_to_be_had() -> None:
    clock, unwrap = Clock(), Unwrapping()
    with KeyLease(unwrap, 300, clock) as lease:
        unwrap.revoked = True
        clock.now += 299
        assert opens(lease)
        clock.now += 1
        for _ in range(2):
            with pytest.raises(KeyAccessError):
                lease.check()
        assert unwrap.given == [bytes(32)]


@pytest.mark.requirement("EKM-46")
def test_behind_the_operation_the_key_is_wiped() -> None:
    unwrap = Unwrapping()
    with KeyLease(unwrap, 300, Clock()) as lease:
        lease.check()
    assert unwrap.given == [bytes(32)]
    with pytest.raises(ValueError, match="wiped"):
        lease.check()


def test_a_key_that_was_made_just_now_is_not_unwrapped_at_first() -> None:
    clock, unwrap, made = Clock(), Unwrapping(), bytearray(b"m" * 32)
    with KeyLease(unwrap, 300, clock, made) as lease:
        lease.check()
        assert unwrap.given == []
        assert made == b"m" * 32
        clock.now += 301
        lease.check()
        assert made == bytes(32)


def test_a_key_that_cannot_be_unwrapped_makes_no_lease() -> None:
    unwrap = Unwrapping()
    unwrap.revoked = True
    with pytest.raises(KeyAccessError):
        KeyLease(unwrap, 300, Clock())


@pytest.mark.requirement("EKM-46")
def test_when_its_time_is_over_it_is_wiped_though_nobody_uses_it_and_so_is_what_was_derived_from_it() -> None:
    clock, unwrap, alarms = Clock(), Unwrapping(), Alarms()
    with KeyLease(unwrap, 300, clock, alarm=alarms) as lease:
        assert opens(lease)
        ((seconds, ring),) = alarms.set
        assert seconds == 300
        clock.now += 300
        ring()
        assert unwrap.given == [bytes(32)]
        assert not lease._ciphers
        unwrap.revoked = True
        with pytest.raises(KeyAccessError):
            lease.message_cipher(MESSAGE)


def test_an_alarm_that_comes_late_does_not_wipe_the_key_that_was_unwrapped_after_it() -> None:
    clock, unwrap, alarms = Clock(), Unwrapping(), Alarms()
    with KeyLease(unwrap, 300, clock, alarm=alarms) as lease:
        clock.now += 300
        lease.check()
        alarms.set[0][1]()
        assert unwrap.given == [bytes(32), bytearray(b"k" * 32)]
        assert opens(lease)
        assert (len(alarms.set), alarms.called_off) == (2, 1)
    assert alarms.called_off == 2, "behind the operation no alarm is left"


def test_the_alarm_rings_by_itself() -> None:
    unwrap = Unwrapping()
    with KeyLease(unwrap, 0.02, time.monotonic) as lease:
        assert opens(lease)
        deadline = time.monotonic() + 120
        while unwrap.given[0] != bytes(32) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert unwrap.given[0] == bytes(32)
        assert not lease._ciphers


def test_a_message_goes_on_over_the_end_of_its_keys_time() -> None:
    clock, unwrap, alarms, sink = Clock(), Unwrapping(), Alarms(), io.BytesIO()
    content = bytes(3 * PLAINTEXT_BYTES)
    with KeyLease(unwrap, 300, clock, alarm=alarms) as lease:
        with EncryptingWriter(lease, b"context", sink) as writer:
            for _ in range(3):
                writer.write(content[:PLAINTEXT_BYTES])
                clock.now += 300
                alarms.set[-1][1]()
        assert len(unwrap.given) >= 3
        assert not lease._ciphers, "a message that is over leaves nothing"
    assert DecryptingReader(HeldKey(b"k" * 32), b"context", io.BytesIO(sink.getvalue())).read() == content
