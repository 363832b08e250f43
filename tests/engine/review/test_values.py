"""Text from a plan as it may stand in a report."""

from __future__ import annotations

import pytest

from engine.review.values import printable


@pytest.mark.parametrize("text", ["a" * 301, "a" * 300 + "\n", "\n" * 300, "\x1b" + "a" * 299], ids=len)
def test_text_that_is_too_long_is_cut_and_says_so(text: str) -> None:
    shown = printable(text)
    assert len(shown) == 300
    assert shown.endswith("…")
    assert shown.isprintable()


@pytest.mark.parametrize("text", ["", "a" * 300])
def test_text_that_fits_is_shown_whole(text: str) -> None:
    assert printable(text) == text


def test_control_characters_are_written_out() -> None:
    assert printable("a\nb\x1b[0m") == "a\\u000ab\\u001b[0m"
