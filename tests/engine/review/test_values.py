"""Values from a plan: text as it may stand in a report, and tags that are partly known."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review.values import UNKNOWN, Attributes, printable


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


@pytest.mark.parametrize(
    ("unknown", "expected"),
    [
        ({}, "1"),
        ({"tags_all": {"other": True}}, "1"),
        ({"tags_all": {"generation": True}}, "2"),
        ({"tags_all": True}, "2"),
        ({"tags_all": True, "tags": {"generation": True}}, UNKNOWN),
        ({"tags_all": True, "tags": True}, UNKNOWN),
    ],
    ids=["all known", "another tag", "the tag itself", "all of them", "both", "nothing known"],
)
def test_a_tag_is_known_where_one_of_the_two_attributes_tells_it(unknown: dict[str, Any], expected: Any) -> None:
    tags = {"tags_all": {"generation": "1"}, "tags": {"generation": "2"}}
    assert Attributes(tags, {"id": True, **unknown}).tag("generation") == expected
