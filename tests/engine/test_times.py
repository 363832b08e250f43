"""Times are written in one form, and no other is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.times import format_time, parse_time


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_time_survives_being_written_and_read(at: datetime) -> None:
    assert parse_time(format_time(at)) == at


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    at = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(at) == "2026-03-01T12:00:00.000000Z"


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-03-01", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000", "2026-03-01 12:00:00.000000Z"),
        *("2026-03-01T12:00:00.000000+00:00", "2026-03-01T14:00:00.000000+02:00", "2026-W09-7T12:00:00.000000Z"),
        *("2026-3-01T12:00:00.000000Z", "2026-02-30T12:00:00.000000Z", "2026-03-01T12:00:00.000000z"),
    ],
)
def test_no_other_form_is_read(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_time(text)
