"""Which generation a key is, whichever of two numbers is the higher."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import PlanBuilder, key_arn, key_id

KEY = "aws_kms_key"


def _ids(number: int) -> dict[str, str]:
    return {"arn": key_arn(number), "key_id": key_id(number), "id": key_id(number)}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_generation_that_is_created_again_is_told_with_its_own_arn(number: int) -> None:
    declared = declaration(3, **{f"generation_{n}": {"key_arn": key_arn(n)} for n in (1, 2, 3)})
    report = review_plan("p", PlanBuilder().add(KEY, number, ("create",)).data(), declared, base=declared)
    (finding,) = [finding for finding in report.blocking if finding.policy == "generation-recreated"]
    assert finding.message.endswith(f"it has one already (ARN: {key_arn(number)})")


@pytest.mark.parametrize(("one", "other"), [(1, 2), (2, 1)], ids=["of a later one", "of an earlier one"])
@pytest.mark.parametrize("first", [True, False], ids=["told first", "told last"])
def test_a_key_that_is_imported_twice_is_told_as_the_other_generations(one: int, other: int, first: bool) -> None:
    plan = PlanBuilder().add(KEY, other).add(KEY, one, importing=key_id(other), before=_ids(other))
    if first:
        plan.changes.reverse()
    told = {f.address: f.message for f in review_plan("p", plan.data(), declaration(2)).blocking}
    assert told[f"aws_kms_key.generation_{one}"] == (
        f"generation {one}: the key that would stand for it is known as generation {other}"
    )


@pytest.mark.parametrize(("one", "other"), [(1, 2), (2, 1)], ids=["of a later one", "of an earlier one"])
def test_a_generations_address_that_holds_the_declared_arn_of_another_is_told(one: int, other: int) -> None:
    declared = declaration(2, **{f"generation_{other}": {"key_arn": key_arn(other)}})
    plan = PlanBuilder().add(KEY, one, ("update",), before=_ids(other), after={"description": "renamed"})
    (finding,) = [f for f in review_plan("p", plan.data(), declared).blocking if f.policy == "used-key-arn"]
    assert finding.message == (f"generation {one}: the key that would stand for it is known as generation {other}")


@pytest.mark.parametrize("known", [1, 2])
def test_a_generation_of_which_only_others_have_a_declared_arn_is_not_created_again(known: int) -> None:
    declared = declaration(2, **{f"generation_{known}": {"key_arn": key_arn(known)}})
    created = 3 - known
    report = review_plan("p", PlanBuilder().add(KEY, known).add(KEY, created, ("create",)).data(), declared)
    assert [finding.policy for finding in report.blocking] == []


UNTAGGED: dict[str, Any] = {"tags": None, "tags_all": {}}


def _tagged(number: int) -> dict[str, Any]:
    tags = {"keyturn:tenant": "northwind", "keyturn:generation": str(number)}
    return {"tags": tags, "tags_all": tags}


@pytest.mark.parametrize(
    ("place", "passes"),
    [
        ({"name": "generation_1"}, True),
        ({"name": "declared"}, True),
        ({"name": "elsewhere", "previous_address": f"{KEY}.declared"}, True),
        ({"name": "elsewhere", "previous_address": f"{KEY}.generation_1"}, True),
        ({"name": "elsewhere"}, False),
    ],
    ids=["of the stacks", "declared", "declared, before a move", "of the stacks, before a move", "another"],
)
def test_new_tags_make_a_key_the_generations_where_its_address_does(place: dict[str, Any], passes: bool) -> None:
    declared = declaration(generation_1={} if "generation_1" in str(place) else {"address": f"{KEY}.declared"})
    plan = PlanBuilder().add(KEY, 1, ("update",), before=UNTAGGED, after=_tagged(1), **place)
    report = review_plan("p", plan.data(), declared, base=declared)
    assert [key.generation for key in report.keys] == [1]
    blocked = {(finding.policy, finding.outcome.value) for finding in report.blocking}
    assert blocked <= {("other-key-under-generation", "unknown"), ("generation-address-changed", "fail")}
    assert (("other-key-under-generation", "unknown") in blocked) is not passes


def test_evidence_of_another_generation_does_not_prove_the_key_that_is_tagged_as_a_later_one() -> None:
    plan = PlanBuilder().add(KEY, 1).add(KEY, 2, ("update",), name="other", before=UNTAGGED, after=_tagged(2))
    declared = declaration(2, current=2)
    report = review_plan("p", plan.data(), declared, base=declared, proof=proof({1: "current"}))
    assert ("other-key-under-generation", "unknown") in {(f.policy, f.outcome.value) for f in report.blocking}


def test_a_key_without_tags_at_its_generations_address_is_the_generations() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), before=UNTAGGED, after={"is_enabled": True, "description": "x"})
    report = review_plan("p", plan.data(), declaration(), base=declaration())
    assert [key.generation for key in report.keys] == [1]
    assert report.findings == ()


def test_a_key_without_tags_that_moves_to_the_address_of_another_generation_is_told() -> None:
    plan = PlanBuilder().add(KEY, 2, before=UNTAGGED, previous_address=f"{KEY}.generation_1")
    (finding,) = [f for f in review_plan("p", plan.data(), declaration(2)).blocking if f.policy == "used-key-arn"]
    assert finding.message == "generation 2: the key that would stand for it is known as generation 1"
