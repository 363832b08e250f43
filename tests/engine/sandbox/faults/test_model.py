"""Faults as lines of text: what is read, what is refused, and that they come back the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.sandbox.faults.model import Effect, Fault, PropagationDelays, parse_duration, parse_fault

_PATTERNS = st.lists(st.sampled_from(["*", "kms:*", "kms:ReEncrypt", "s3:Put*", "dynamodb:?etItem"]), min_size=1)
_COUNTS = st.none() | st.integers(1, 10**9)
_CHANCES = st.none() | st.floats(0, 1, exclude_min=True)


@given(_PATTERNS, _COUNTS, _CHANCES, st.integers(0, 10**6), st.booleans(), st.integers(1, 10**9))
def test_a_fault_written_and_read_again_is_the_same(
    operations: list[str], count: int | None, probability: float | None, seed: int, after: bool, microseconds: int
) -> None:
    named = tuple(operations)
    seconds = max(microseconds, 1000) / 1e6
    for fault in (
        Fault(effect=Effect.DROP, operations=named, after=after, count=count, probability=probability, seed=seed),
        Fault(effect=Effect.TIMEOUT, operations=named, after=after, count=count, seconds=seconds),
        Fault(effect=Effect.THROTTLE, operations=named, rate=seconds),
        Fault(effect=Effect.ERROR, operations=named, after=after, status=503, code="SlowDown", probability=probability),
        PropagationDelays(state=timedelta(seconds=seconds), grants=timedelta(days=1)),
    ):
        assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "none of throttle"),
        ("explode kms:*", "'explode' is none of"),
        ("drop Decrypt", "'Decrypt' is not an operation"),
        ("drop kms:Decrypt before after", "either before or after"),
        ("drop kms:Decrypt count=0", "count= is at least 1"),
        ("drop kms:Decrypt count=1 count=2", "twice"),
        ("drop kms:Decrypt count=many", "not a number"),
        ("drop kms:Decrypt probability=nan", "probability="),
        ("drop kms:Decrypt probability=2", "probability="),
        ("drop kms:Decrypt rate=2", "rate= is for throttle"),
        ("drop kms:Decrypt seconds=2", "seconds= is for timeout"),
        ("drop kms:Decrypt often=2", "often= is not known"),
        ("timeout kms:Decrypt", "seconds= is missing"),
        ("timeout kms:Decrypt seconds=soon", "not a span of time"),
        ("throttle kms:* rate=5 count=1", "rate= stands alone"),
        ("throttle kms:* after", "cannot strike after"),
        ("error kms:* status=200", "status= is 400 to 599"),
        ("error kms:* code=<x>", "code= is the name"),
        ("drop kms:* status=500", "only error has a status"),
        ("delay", "a delay takes each of"),
        ("delay everything=1s", "a delay takes each of"),
        ("delay state=1s state=2s", "a delay takes each of"),
    ],
)
def test_a_line_that_is_no_fault_is_refused_with_what_is_wrong(line: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_fault(line)
    assert words in raised.value.message


def test_spans_of_time_have_units() -> None:
    assert [parse_duration(text).total_seconds() for text in ("2", "250ms", "1.5m", "12h", "30d")] == [
        2,
        0.25,
        90,
        43200,
        30 * 86400,
    ]
    for text in ("", "-1s", "1w", "1e9", "100000d"):
        with pytest.raises(InputError):
            parse_duration(text)
