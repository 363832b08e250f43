"""What is reported of the keys in scope, and of how a plan was judged."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import POLICIES, PlanBuilder, key_arn

KEY, GRANT = "aws_kms_key", "aws_kms_grant"
NAMED = {"arn": key_arn(1)}


@pytest.mark.parametrize(
    ("plan", "effect", "arn"),
    [
        (PlanBuilder().add(KEY, 1), "keeps", key_arn(1)),
        (PlanBuilder().add(KEY, 1, ("update",), after={"description": "x"}), "changes", key_arn(1)),
        (PlanBuilder().add(KEY, 1).add(GRANT, 1, ("create",)), "changes", key_arn(1)),
        (PlanBuilder().add(KEY, 1, ("create",)), "creates", None),
        (PlanBuilder().add(KEY, 1, ("create",), after=NAMED), "creates", None),
        (PlanBuilder().add(KEY, 1, ("delete",)), "destroys", key_arn(1)),
        (PlanBuilder().add(KEY, 1, ("delete", "create")), "replaces", key_arn(1)),
        (PlanBuilder().add(KEY, 1, ("forget",)), "forgets", key_arn(1)),
        (PlanBuilder().add(KEY, 1, ("create",)).drifted(KEY, 1, gone=True), "has lost", key_arn(1)),
        (PlanBuilder().add(KEY, 1, before={"arn": None}), "keeps", None),
    ],
)
def test_a_key_is_reported_with_what_becomes_of_it(plan: PlanBuilder, effect: str, arn: str | None) -> None:
    (key,) = review_plan("p", plan.data(), declaration()).keys
    assert (key.effect, key.key_arn, key.generation, key.role) == (effect, arn, 1, "current")


@pytest.mark.parametrize("with_base", [True, False])
@pytest.mark.parametrize("with_evidence", [True, False])
@pytest.mark.parametrize("with_key", [True, False])
def test_what_a_plan_with_keys_is_judged_without_is_told(with_base: bool, with_evidence: bool, with_key: bool) -> None:
    of_nobody: dict[str, Any] = {"tags": None, "tags_all": {}, "policy": POLICIES["owner only"]}
    plan = PlanBuilder().add(KEY, 1) if with_key else PlanBuilder().add(KEY, 7, name="other", before=of_nobody)
    notes = review_plan(
        "p",
        plan.data(),
        declaration(),
        base=declaration() if with_base else None,
        proof=proof({1: "current"}) if with_evidence else None,
    ).notes
    assert any("judged by its own declaration" in note for note in notes) is (with_key and not with_base)
    assert any("no evidence" in note for note in notes) is (with_key and not with_evidence)


@pytest.mark.parametrize("timestamp", ["yesterday", "2030-01-01T00:00:00", "", "2030-01-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_stops_no_review(timestamp: str) -> None:
    plan = PlanBuilder(timestamp=timestamp).add(KEY, 1)
    assert review_plan("p", plan.data(), declaration(), base=declaration()).findings == ()
