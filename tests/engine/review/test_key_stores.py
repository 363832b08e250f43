"""The custom key stores that keys in scope live in, among other stores and other keys."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review import review_plan
from engine.review.report import JUDGED_BY_ITSELF
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import PlanBuilder

KEY, STORE, CLUSTER = "aws_kms_key", "aws_kms_custom_key_store", "aws_cloudhsm_v2_cluster"
IDENTIFIER = "cks-0123456789abcdef1"
IN_IT: dict[str, Any] = {"custom_key_store_id": IDENTIFIER}
DECLARED_IN_IT = {"origin": "AWS_CLOUDHSM", **IN_IT}
UNTAGGED: dict[str, Any] = {"tags": None, "tags_all": {}}
LOST = [("key-store-lost", "fail")]


def beside(*actions: str) -> PlanBuilder:
    """A key in a store, and another store before it in the plan."""
    return PlanBuilder().add(STORE, 2, actions, name="another").add(KEY, 1, before=IN_IT)


CASES: dict[str, tuple[PlanBuilder, dict[str, Any], list[tuple[str, str]]]] = {
    "another store is destroyed": (beside("delete"), {}, []),
    "beside a store that is untouched": (beside("no-op").add(STORE, 1, ("delete",)), {}, LOST),
    "beside a store that is made": (beside("create").add(STORE, 1, ("delete",)), {}, LOST),
    "of a key behind one that lives elsewhere": (
        PlanBuilder().add(KEY, 2).add(KEY, 1, before=IN_IT).add(STORE, 1, ("delete",)),
        {},
        LOST,
    ),
    "of a key that lives there by its declaration": (
        PlanBuilder().add(KEY, 1).add(STORE, 1, ("delete",)),
        {"generation_1": DECLARED_IN_IT},
        LOST,
    ),
    "of a key that the declaration says nothing of": (
        PlanBuilder().add(KEY, 7, name="x", before={**UNTAGGED, **IN_IT}).add(STORE, 1, ("delete",)),
        {},
        LOST,
    ),
    "of a key that is managed elsewhere, by its declaration": (
        PlanBuilder().add(STORE, 1, ("delete",)),
        {"generation_1": DECLARED_IN_IT},
        LOST,
    ),
    "of a key that is deleted": (
        PlanBuilder().add(STORE, 1, ("delete",)),
        {"current": 2, "generation_1": {**DECLARED_IN_IT, "state": "deleted"}},
        [],
    ),
    "a cluster alone, where a key that is managed elsewhere lives in a store": (
        PlanBuilder().add(CLUSTER, 1, ("delete",)),
        {"generation_1": DECLARED_IN_IT},
        [("key-store-lost", "unknown")],
    ),
    "a cluster alone, where the keys live in none": (PlanBuilder().add(CLUSTER, 1, ("delete",)), {}, []),
    "a cluster with its store, where the key is managed elsewhere": (
        PlanBuilder().add(STORE, 1).add(CLUSTER, 1, ("delete",)),
        {"generation_1": DECLARED_IN_IT},
        LOST,
    ),
    "another cluster than that of the store": (
        PlanBuilder().add(STORE, 1).add(CLUSTER, 2, ("delete",)),
        {"generation_1": DECLARED_IN_IT},
        [],
    ),
    "a cluster before that of the store": (
        PlanBuilder().add(STORE, 1).add(CLUSTER, 0, ("delete",)),
        {"generation_1": DECLARED_IN_IT},
        [],
    ),
    "a policy of the organisation that ends is no cluster": (
        PlanBuilder().add(STORE, 1).add("aws_organizations_policy", 1, ("delete",), before={"id": "cluster-1"}),
        {"generation_1": DECLARED_IN_IT},
        [],
    ),
    "where no key lives in it": (PlanBuilder().add(KEY, 1).add(STORE, 1, ("delete",)), {}, []),
    "a store without an id, where the key lives in none": (
        PlanBuilder().add(KEY, 1).add(STORE, 1, ("delete",), before={"id": None}),
        {},
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_end_of_a_store_is_told_of_the_keys_in_it(name: str) -> None:
    plan, declared, told = CASES[name]
    findings = review_plan("p", plan.data(), declaration(2, **declared)).findings
    assert [(finding.policy, finding.outcome.value) for finding in findings] == told


def test_a_store_alone_is_judged_by_a_declaration_that_the_change_may_bring() -> None:
    data = PlanBuilder().add(STORE, 1).data()
    assert JUDGED_BY_ITSELF in review_plan("p", data, declaration(1)).notes
    assert review_plan("p", data, declaration(1), base=declaration(1)).notes == ()


@pytest.mark.parametrize("kind", [KEY, STORE])
def test_a_store_whose_cluster_ends_is_not_named_where_either_marks_its_id_as_sensitive(kind: str) -> None:
    plan = PlanBuilder().add(KEY, 1, before=IN_IT).add(STORE, 1).add(CLUSTER, 1, ("delete",))
    (change,) = [one["change"] for one in plan.changes if one["type"] == kind]
    marked = {"custom_key_store_id": True} if kind == KEY else {"id": True}
    change |= {"before_sensitive": marked, "after_sensitive": marked}
    (finding,) = review_plan("p", plan.data(), declaration(1)).blocking
    assert finding.policy == "key-store-lost"
    assert "cks-" not in finding.message
