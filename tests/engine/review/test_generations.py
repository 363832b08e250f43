"""Which generation a key is, whichever of two numbers is the higher."""

from __future__ import annotations

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
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
def test_a_key_that_is_imported_twice_is_told_as_the_other_generations(one: int, other: int) -> None:
    plan = PlanBuilder().add(KEY, other).add(KEY, one, importing=key_id(other), before=_ids(other))
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
