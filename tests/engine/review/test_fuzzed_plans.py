"""Mutations of real plans: read or refused, never a traceback; and a deletion that nothing else in a plan can hide."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.review import ReviewVerdict, render_json, render_text, review_plan
from tests.engine.review.declarations import declaration

PLANS = sorted(Path(__file__).with_name("plans").glob("*.json"))
DOCUMENTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in PLANS}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.sampled_from(["*", "{}", "aws_kms_key", "arn:aws:kms:::key/", "\ud800", "\x1b[31m", "generation_1"]),
    st.just([]),
    st.just({}),
    st.just([None]),
    st.just({"a": {"b": [True]}}),
)
PATIENT = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _places(node: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    pending = [node]
    while pending:
        here = pending.pop()
        items = list(here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ())
        for key, value in items:
            found.append((here, key))
            if isinstance(value, dict | list):
                pending.append(value)
    return found


@st.composite
def _mutated(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(DOCUMENTS[draw(st.sampled_from(sorted(DOCUMENTS)))])
    for _ in range(draw(st.integers(1, 4))):
        places = _places(document)
        if not places:
            break
        container, key = places[draw(st.integers(0, len(places) - 1))]
        if draw(st.booleans()) and isinstance(container, dict):
            del container[key]
        else:
            container[key] = copy.deepcopy(draw(ODD))
    return document


@PATIENT
@given(_mutated())
def test_a_mutated_plan_is_reviewed_or_refused(document: dict[str, Any]) -> None:
    try:
        report = review_plan("plan.json", json.dumps(document).encode(), declaration(2))
    except InputError as error:
        assert error.message
        return
    text = render_text(report)
    text.encode("utf-8")
    assert "\x1b" not in text
    assert json.loads(render_json(report))["verdict"] == report.verdict.value


@PATIENT
@given(st.binary(max_size=200), st.integers(0, 3000))
def test_a_plan_with_foreign_bytes_is_reviewed_or_refused(noise: bytes, place: int) -> None:
    data = PLANS[0].read_bytes()
    try:
        review_plan("plan.json", data[:place] + noise + data[place:], declaration(2))
    except InputError as error:
        assert error.message


@PATIENT
@given(st.data())
def test_nothing_elsewhere_in_a_plan_hides_a_deletion(data: st.DataObject) -> None:
    """Whatever the rest of the plan says, the deletion of a generation's key blocks (or the plan is refused)."""
    document = copy.deepcopy(DOCUMENTS["generation_removed"])
    deletion = next(c for c in document["resource_changes"] if c["address"] == "aws_kms_key.generation_1")
    kept = {id(document), id(document["resource_changes"])} | {id(container) for container, _ in _places(deletion)}
    for _ in range(data.draw(st.integers(1, 3))):
        places = [(container, key) for container, key in _places(document) if id(container) not in kept]
        container, key = places[data.draw(st.integers(0, len(places) - 1))]
        container[key] = copy.deepcopy(data.draw(ODD))
    try:
        report = review_plan("plan.json", json.dumps(document).encode(), declaration(2))
    except InputError:
        return
    assert report.verdict is ReviewVerdict.BLOCK
