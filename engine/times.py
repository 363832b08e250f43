"""Times as this project writes them: RFC 3339 in UTC, with microseconds and `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def format_time(at: datetime) -> str:
    """A time in UTC, such as `2026-03-01T12:00:00.000000Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_time(text: str) -> datetime:
    """The inverse of `format_time`; ValueError where the text is not of its form."""
    at = datetime.fromisoformat(text)  # ten times as fast as strptime, but it takes other forms, too
    if at.utcoffset() is None or format_time(at) != text:
        raise ValueError(f"time {text!r} is not of the form 2026-03-01T12:00:00.000000Z")
    return at
