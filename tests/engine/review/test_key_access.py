"""What can be done with a plan's keys from one moment to the next, and what is told of how that is known."""

from __future__ import annotations

import json

import pytest

from engine.review import Report, review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import POLICIES, PlanBuilder, key_id

KEY, GRANT = "aws_kms_key", "aws_kms_grant"
OWNER_ONLY = {"policy": POLICIES["owner only"]}


def _review(plan: PlanBuilder) -> Report:
    return review_plan("plan.json", plan.data(), declaration(), base=declaration())


def test_a_grant_that_moves_to_another_key_gives_nothing_more_on_the_one_that_it_leaves() -> None:
    plan = PlanBuilder().add(KEY, 1, before=OWNER_ONLY)
    plan.add(KEY, 7, name="foreign", before={**OWNER_ONLY, "tags": None, "tags_all": {}})
    plan.add(GRANT, 1, ("delete", "create"), after={"key_id": key_id(7)})
    lost = [finding for finding in _review(plan).blocking if finding.policy == "vendor-access-lost"]
    assert [(finding.outcome.value, finding.address) for finding in lost] == [("fail", "aws_kms_key.generation_1")]


@pytest.mark.parametrize(
    ("references", "told"),
    [(None, False), (["data.aws_iam_policy_document.p.json", "data.aws_iam_policy_document.p"], True)],
    ids=["a local", "a document"],
)
def test_that_a_policy_is_judged_by_its_document_is_told_where_it_is(references: list[str] | None, told: bool) -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), unknown=("policy",)).plan()
    expression = {"references": references or ["local.policy"]}
    plan["configuration"]["root_module"]["resources"][0]["expressions"]["policy"] = expression
    owner = json.loads(POLICIES["owner only"])["Statement"][0]
    block = {"actions": ["kms:*"], "principals": [{"type": "AWS", "identifiers": [owner["Principal"]["AWS"]]}]}
    place = {"mode": "data", "type": "aws_iam_policy_document", "name": "p"}
    change = {"actions": ["read"], "before": None, "after": {"statement": [block]}, "after_unknown": {"json": True}}
    plan["resource_changes"].append({**place, "address": "data.aws_iam_policy_document.p", "change": change})
    report = review_plan("plan.json", json.dumps(plan).encode(), declaration(), base=declaration())
    note = "the policy of generation 1 is known only after apply: judged by its policy document"
    assert (note in report.notes) is told


def test_of_a_policy_that_is_known_or_the_default_one_no_document_is_told() -> None:
    known = PlanBuilder().add(KEY, 1, ("update",), after=OWNER_ONLY)
    unset = PlanBuilder().add(KEY, 1, ("create",), unknown=("policy",))
    del unset.configuration[0]["expressions"]["policy"]
    for plan in (known, unset):
        report = _review(plan)
        assert report.keys
        assert not [note for note in report.notes if "policy document" in note]
