"""Values from a plan: text as it may stand in a report, and tags that are partly known."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review.values import SENSITIVE, UNKNOWN, Attributes, has_true, printable


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


@pytest.mark.parametrize(
    ("values", "unknown", "expected"),
    [
        ({"generation": "1"}, None, None),
        ({"tags": {"generation": "1"}}, None, "1"),
        ({"tags_all": None, "tags": {"generation": "1"}}, None, "1"),
        ({"tags_all": {}, "tags": {"generation": "1"}}, None, "1"),
        ({"tags_all": {"generation": 1}, "tags": {"generation": "1"}}, None, UNKNOWN),
        ({"tags_all": {"other": "1"}, "tags": {}}, None, None),
        ({"tags_all": "generation", "tags": None}, None, None),
        ({"tags_all": {}, "tags": {"generation": "1"}}, {"id": True}, "1"),
        ({"tags_all": None, "tags": {"generation": None}}, {"id": True}, UNKNOWN),
        ({"tags_all": "generation", "tags": {}}, {"id": True}, None),
        ({"tags_all": {}, "tags": {}}, {"tags_all": {"generation": False}}, None),
        ({"tags_all": {}, "tags": {}}, {"tags_all": {"other": True}}, None),
        ({"tags_all": {}, "tags": {}}, {"tags_all": {}, "tags": {"generation": True}}, UNKNOWN),
        ({}, True, UNKNOWN),
        ({"tags": {"generation": "1"}}, False, "1"),
    ],
)
def test_a_tag_is_read_wherever_the_provider_writes_it(values: dict[str, Any], unknown: Any, expected: Any) -> None:
    assert Attributes(values, unknown).tag("generation") == expected


@pytest.mark.parametrize(
    "unknown", [None, False, {}, {"a": False}, {"a": {}}, {"a": [False, {"b": None}]}, {"b": True}]
)
def test_what_is_not_marked_as_unknown_is_known(unknown: Any) -> None:
    attributes = Attributes({"a": "x", "flag": True, "n": 7, "list": ["x"]}, unknown)
    assert (attributes.raw("a"), attributes.text("a"), attributes.known_text("a")) == ("x", "x", "x")
    assert attributes.shown("a") == "x"
    assert not has_true(attributes.unknown_marker("a"))
    assert (attributes.flag("flag"), attributes.number("n"), attributes.texts("list")) == (True, 7, frozenset({"x"}))


@pytest.mark.parametrize("unknown", [True, "odd", {"a": True}, {"a": "odd"}, {"a": [True, False]}, {"a": {"b": True}}])
def test_what_is_marked_as_unknown_is_not_read(unknown: Any) -> None:
    """Even where the plan holds a value beside the mark: one of the two is wrong."""
    for value in ("x", True, 7, ["x"], None):
        attributes = Attributes({"a": value}, unknown)
        found = {attributes.raw("a"), attributes.text("a"), attributes.flag("a"), attributes.number("a")}
        assert found == {UNKNOWN}
        assert attributes.texts("a") is UNKNOWN
        assert attributes.known_text("a") is None
        assert attributes.shown("a") == "(known after apply)"
        assert has_true(attributes.unknown_marker("a"))
        assert not attributes.all_known


@pytest.mark.parametrize("unknown", [None, False, {}])
def test_where_nothing_is_marked_all_is_known(unknown: Any) -> None:
    assert Attributes({}, unknown).all_known is True


def test_what_is_not_set_is_none() -> None:
    attributes = Attributes({"a": None, "b": ""})
    for name in ("a", "b", "c"):
        assert attributes.text(name) is None
        assert attributes.known_text(name) is None
        assert attributes.shown(name) == "(none)"
    assert attributes.flag("a") is None
    assert attributes.number("a") is None
    assert attributes.texts("a") == frozenset()


@pytest.mark.parametrize("value", [7, True, ["x"], {"x": "y"}])
def test_a_text_of_another_type_is_no_text(value: Any) -> None:
    attributes = Attributes({"a": value})
    assert attributes.text("a") is UNKNOWN
    assert attributes.known_text("a") is None


@pytest.mark.parametrize("value", ["x", {"x": True}, ["x", 1], [["x"]], 7])
def test_a_list_of_anything_but_texts_is_no_list_of_texts(value: Any) -> None:
    assert Attributes({"a": value}).texts("a") is UNKNOWN


@pytest.mark.parametrize(
    ("value", "known"),
    [(0, True), (-7, True), (0.5, True), (2_000_000, True), (10**30, False), (-(10**30), False), (True, False)],
)
def test_a_number_is_known_unless_it_is_beyond_all_measure(value: float, known: bool) -> None:
    assert Attributes({"a": value}).number("a") == (value if known else UNKNOWN)


@pytest.mark.parametrize(
    ("marker", "sensitive"),
    [
        (None, False),
        (False, False),
        ({}, False),
        ({"a": False}, False),
        ({"a": {"b": [False]}}, False),
        ({"b": True}, False),
        (True, True),
        ({"a": True}, True),
        ({"a": [{"b": True}, False]}, True),
        ("odd", True),
    ],
)
def test_a_value_of_which_any_part_is_sensitive_is_not_shown(marker: Any, sensitive: bool) -> None:
    attributes = Attributes({"a": "x"}, None, marker)
    assert attributes.sensitive("a") is sensitive
    assert attributes.shown("a") == (SENSITIVE if sensitive else "x")
