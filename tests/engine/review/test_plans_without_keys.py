"""A plan that holds nothing of KMS is told apart early: the detectors, had they been asked, would say the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.review.declared import Declared
from engine.review.examination import detect, key_report, make_context, notes_of
from engine.review.plan_reader import read_plan
from engine.review.review import _examined
from tests.builders import declaration
from tests.engine.review.plan_builder import PlanBuilder

NOW = datetime(2030, 1, 1, tzinfo=UTC)
VALUES = st.dictionaries(st.sampled_from(["policy", "key_id", "kms_key_arn"]), st.text(max_size=5), max_size=2)
CHANGES = st.lists(
    st.builds(
        lambda number, kind, mode, actions, before, after: {
            "address": f"{kind}.r[{number}]",
            "type": kind,
            "name": "r",
            "mode": mode,
            "change": {"actions": actions, "before": before, "after": after},
        },
        st.integers(0, 99),
        st.sampled_from(
            ["aws_s3_bucket", "aws_kms_ciphertext", "aws_iam_policy_document", "null_resource", "aws_iam_role"]
        ),
        st.sampled_from(["managed", "data"]),
        st.sampled_from([["no-op"], ["create"], ["update"], ["delete", "create"], ["read"]]),
        VALUES,
        VALUES,
    ),
    max_size=3,
    unique_by=lambda change: (change["address"], change["mode"]),
)


@given(CHANGES, st.sampled_from([True, None]), st.booleans())
def test_what_is_told_early_is_what_the_detectors_would_tell(
    changes: list[dict[str, object]], complete: bool | None, with_base: bool
) -> None:
    document = {"format_version": "1.2", "resource_changes": changes, "complete": complete}
    plan = read_plan("plan.json", json.dumps(document).encode())
    assert plan.free_of_custody
    declared = Declared(declaration(), declaration() if with_base else None, None)
    told, keys, notes = _examined(plan, declared, NOW)
    context = make_context(plan, declared, NOW)
    assert set(told) == set(detect(context))
    assert keys == tuple(key_report(context, subject) for subject in context.subjects.values())
    assert notes == tuple(notes_of(context))


@pytest.mark.parametrize("flag", [{"errored": True}, {"complete": False}])
def test_a_plan_that_shows_only_a_part_is_never_told_apart_early(flag: dict[str, bool]) -> None:
    document = {"format_version": "1.2", "resource_changes": [], **flag}
    assert not read_plan("plan.json", json.dumps(document).encode()).free_of_custody


@pytest.mark.parametrize(
    "plan",
    [
        PlanBuilder().add("aws_kms_key", 1),
        PlanBuilder().drifted("aws_kms_key", 1),
        PlanBuilder().add("aws_kms_key", 1).defer(),
        PlanBuilder(complete=None).known("aws_kms_key", 1),
        PlanBuilder(planned_values={"root_module": {"resources": PlanBuilder().known("aws_kms_key", 1).prior}}),
        PlanBuilder(resource_changes=[{"address": "x.y", "type": "awscc_kms_key", "change": {"actions": ["delete"]}}]),
        PlanBuilder(
            resource_changes=[
                {
                    "address": "aws_cloudhsm_v2_cluster.c",
                    "type": "aws_cloudhsm_v2_cluster",
                    "change": {"actions": ["delete"], "before": {}, "after": None},
                }
            ]
        ),
    ],
    ids=[
        *("a change", "drift", "a deferred change", "the prior state", "planned values", "a change that is not read"),
        "what keys rest on",
    ],
)
def test_a_plan_with_a_key_in_any_part_of_it_is_never_told_apart_early(plan: PlanBuilder) -> None:
    assert not read_plan("plan.json", plan.data()).free_of_custody
