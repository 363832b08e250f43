"""What a condition that changes comes to, and what makes an answer the one that it is."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review import Report, review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import FOR_VENDOR, OWNER, PlanBuilder, document

KEY = "aws_kms_key"


def _changed(before: dict[str, Any], after: dict[str, Any]) -> Report:
    """The vendor's statement under a condition before, and under another after."""
    was, will = (document(OWNER, {**FOR_VENDOR, "Condition": condition}) for condition in (before, after))
    plan = PlanBuilder().add(KEY, 1, ("update",), before={"policy": was}, after={"policy": will})
    return review_plan("plan.json", plan.data(), declaration(), base=declaration())


def _of(organisations: int, services: int) -> dict[str, Any]:
    return {
        "StringEquals": {
            "aws:PrincipalOrgID": [f"o-{number:010}" for number in range(organisations)],
            "kms:ViaService": [f"service-{number}.amazonaws.com" for number in range(services)],
        }
    }


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((1, 150), (1, 151), False),
        ((10, 19), (10, 20), False),
        ((10, 20), (10, 21), True),
        ((3, 66), (3, 67), True),
        ((10, 20), (10, 19), True),
    ],
)
def test_more_values_of_a_condition_take_nothing_away_as_far_as_they_can_be_held_against_each_other(
    before: tuple[int, int], after: tuple[int, int], told: bool
) -> None:
    """Up to 200 parts are compared one by one; beyond, a condition is another one where it is not the same."""
    found = [finding.policy for finding in _changed(_of(*before), _of(*after)).findings]
    assert found == (["vendor-access-conditional"] if told else [])
