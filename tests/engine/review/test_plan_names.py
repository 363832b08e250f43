"""A name with two values in one object of a plan is refused, wherever and however it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.review.plan_names import NamedTwiceError, each_once
from engine.review.plan_reader import read_plan
from tests.engine.review.plan_builder import PlanBuilder

PLAN = PlanBuilder().add("aws_kms_key", 1, ("update",), after={"is_enabled": False}).plan()
COMPACT = json.dumps(PLAN, separators=(",", ":"))
PRETTY = json.dumps(PLAN, indent=2)


def _twice(text: str, name: str, value: Any, colon: str = ":") -> str:
    """The plan with a name put once more, before its first place."""
    first = text.index(f'"{name}"')
    return f'{text[:first]}"{name}"{colon}{json.dumps(value)},{text[first:]}'


@pytest.mark.parametrize("colon", [":", " :", "\n :", "\t\r\n:"])
@pytest.mark.parametrize("text", [COMPACT, PRETTY], ids=["compact", "pretty"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("resource_changes", []),
        ("format_version", "1.0"),
        ("actions", ["no-op"]),
        ("change", {}),
        ("is_enabled", None),
        ("policy", "{}"),
    ],
)
def test_a_name_twice_is_refused(text: str, name: str, value: Any, colon: str) -> None:
    with pytest.raises(InputError) as caught:
        read_plan("plan.json", _twice(text, name, value, colon).encode())
    assert caught.value.message == f'plan.json says two things of "{name}" in one object: which counts is not told'
    assert caught.value.hint is not None


def test_a_name_that_is_written_with_escapes_is_the_same_name() -> None:
    data = COMPACT.replace('"resource_changes":', '"resource\\u005fchanges":[],"resource_changes":', 1)
    with pytest.raises(NamedTwiceError):
        read_plan("plan.json", data.encode())


@pytest.mark.parametrize("colon", [":", " :"])
def test_a_name_that_ends_in_a_backslash_is_a_name_too(colon: str) -> None:
    data = COMPACT.replace('"keyturn:tenant":', f'"a\\\\"{colon}1,"a\\\\"{colon}2,"keyturn:tenant":', 1)
    with pytest.raises(NamedTwiceError):
        read_plan("plan.json", data.encode())


@pytest.mark.parametrize("escaped", ["\\u003a", "\\u003A"])
@pytest.mark.parametrize("place", ['"description":"{}"', '"{}":1', '"aliases":[1,"{}x"]'])
def test_a_text_that_begins_with_an_escaped_colon_makes_up_for_no_name(escaped: str, place: str) -> None:
    data = _twice(COMPACT, "actions", ["no-op"]).replace(
        '"format_version"', f'{place.format(escaped)},"format_version"', 1
    )
    with pytest.raises(NamedTwiceError):
        read_plan("plan.json", data.encode())


@pytest.mark.parametrize("quoted", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("names", [1, 2, 5])
def test_however_many_quotes_a_plan_holds_a_name_twice_is_refused(quoted: int, names: int) -> None:
    """Names are told apart from quotes within texts by counting both."""
    texts = ", ".join(['"\\": \\":"'] * quoted)
    others = ", ".join(f'"n{number}": {number}' for number in range(names))
    for twice in ("", '"actions": [], "actions": ["delete"], '):
        data = f'{{ "resource_changes": [], "variables": {{ {twice}"texts": [ {texts} ], {others} }} }}'
        if twice:
            with pytest.raises(NamedTwiceError):
                read_plan("plan.json", data.encode())
        else:
            assert read_plan("plan.json", data.encode()).changes == ()


@pytest.mark.parametrize("quoted", [0, 1, 2, 3])
@pytest.mark.parametrize("times", range(1, 24))
def test_quotes_that_are_written_with_escapes_make_up_for_no_name(quoted: int, times: int) -> None:
    texts = ", ".join(['"\\u0022:"'] * quoted)
    twice = '"actions": [], ' * times + '"actions": ["delete"]'
    for other in ("", '"other": 1, '):
        data = f'{{ "resource_changes": [], "variables": {{ "texts": [ {texts} ], {other}{twice} }} }}'
        with pytest.raises(NamedTwiceError):
            read_plan("plan.json", data.encode())


def test_what_is_written_in_every_doubtful_form_at_once_makes_up_for_no_name() -> None:
    odd = '"a\\\\": 1, "complete" : true, "b": "\\u003a"'
    twice = '"errored": false, "errored": true, "timestamp": "x", "timestamp": "y"'
    with pytest.raises(NamedTwiceError):
        read_plan("plan.json", f'{{"resource_changes": [], {odd}, {twice}}}'.encode())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_in_any_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(NamedTwiceError):
        read_plan("plan.json", _twice(COMPACT, "actions", ["no-op"]).encode(encoding))


@pytest.mark.parametrize("text", [COMPACT, PRETTY], ids=["compact", "pretty"])
def test_a_name_twice_that_says_the_same_hides_nothing(text: str) -> None:
    assert len(read_plan("plan.json", _twice(text, "actions", ["update"]).encode()).changes) == 1
    with pytest.raises(NamedTwiceError):  # for Python, 1 is True
        read_plan("plan.json", _twice(text, "multi_region", 0).encode())


def test_a_name_that_may_be_a_customers_value_is_not_shown() -> None:
    data = COMPACT.replace('"keyturn:tenant":', '"CANARY":1,"CANARY":2,"keyturn:tenant":', 1)
    with pytest.raises(NamedTwiceError) as caught:
        read_plan("plan.json", data.encode())
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    "description",
    [
        '"resource_changes":',
        '"actions" : []',
        "ends in a backslash \\",
        "<a> & <b>",
        "\u2028 ü 😀",
        '\\":',
    ],
)
@pytest.mark.parametrize("style", ["compact", "pretty", "as Terraform writes it", "with spaces before colons"])
def test_no_value_is_taken_for_a_name(description: str, style: str) -> None:
    plan = PlanBuilder().add("aws_kms_key", 1, after={"description": description, description: 1}).plan()
    text = {
        "compact": lambda: json.dumps(plan, separators=(",", ":"), ensure_ascii=False),
        "pretty": lambda: json.dumps(plan, indent=2),
        "as Terraform writes it": lambda: _as_go_writes_it(plan),
        "with spaces before colons": lambda: json.dumps(plan, separators=(",", " : ")),
    }[style]()
    assert len(read_plan("plan.json", text.encode()).changes) == 1


def _as_go_writes_it(plan: Any) -> str:
    text = json.dumps(plan, separators=(",", ":"), ensure_ascii=False)
    for plain, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028")):
        text = text.replace(plain, escaped)
    return f"{text}\n"


def test_a_plan_nested_more_deeply_than_its_check_writes_is_read_all_the_same() -> None:
    nested: Any = 1
    for _ in range(400):
        nested = [nested]
    plan = {**PLAN, "variables": {"v": {"value": nested}}}
    assert len(read_plan("plan.json", json.dumps(plan).encode()).changes) == 1
    with pytest.raises(NamedTwiceError):
        read_plan("plan.json", _twice(json.dumps(plan), "actions", ["no-op"]).encode())


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_NAMES = st.sampled_from(["a", "b", 'c":', "d\\", "<e>", "ü", " :", ":", ":f", '\\":', ""])


def _escaped(text: str) -> str:
    """A text as JSON of which every character is escaped."""
    codes = (f"\\u{ord(character):04x}" for character in text)
    return f'"{"".join(codes)}"'


def _objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """JSON texts of objects of which a name may stand twice, in any spelling and with any spaces."""
    spaces = st.sampled_from(["", " ", "\n\t"])
    spelled = _NAMES.flatmap(
        lambda name: st.sampled_from([json.dumps(name), json.dumps(name, ensure_ascii=False), _escaped(name)])
    )
    pair = st.tuples(spelled, spaces, spaces, inner).map(lambda parts: f"{parts[0]}{parts[1]}:{parts[2]}{parts[3]}")
    return st.lists(pair, max_size=5).map(lambda pairs: f"{{{','.join(pairs)}}}")


_TEXTS = st.recursive(
    (_SCALARS | _NAMES).map(json.dumps) | _NAMES.map(_escaped),
    lambda inner: _objects(inner) | st.lists(inner).map(lambda v: f"[{','.join(v)}]"),
)


@settings(max_examples=500)
@given(_TEXTS)
def test_exactly_the_objects_that_say_two_things_of_a_name_are_refused(text: str) -> None:
    data = f'{{"format_version":"1.2","resource_changes":[],"variables":{text}}}'.encode()
    try:
        json.loads(data, object_pairs_hook=each_once("plan.json"))
        twice = False
    except NamedTwiceError:
        twice = True
    try:
        read_plan("plan.json", data)
        refused = False
    except NamedTwiceError:
        refused = True
    assert refused is twice
