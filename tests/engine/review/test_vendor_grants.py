"""What is told of the grants by which Druva uses a key, where its policy gives the same, so that nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import OTHER, PlanBuilder, key_id, root

if TYPE_CHECKING:
    from engine.review import Report

KEY, GRANT = "aws_kms_key", "aws_kms_grant"
REPLACED = ("create", "delete")


def granted(*actions: str, unknown: tuple[str, ...] = (), **after: Any) -> PlanBuilder:
    return PlanBuilder().add(KEY, 1).add(GRANT, 1, actions, after=after, unknown=unknown)


def _review(plan: PlanBuilder) -> Report:
    return review_plan("p", plan.data(), declaration(2))


def _told(plan: PlanBuilder) -> list[str]:
    return [finding.policy for finding in _review(plan).findings]


REMOVED = "grant-removed"
CASES: dict[str, tuple[PlanBuilder, list[str]]] = {
    "it is destroyed": (granted("delete"), [REMOVED]),
    "it is destroyed, behind a key without grants": (
        PlanBuilder().add(KEY, 2, ("update",), after={"is_enabled": None}).add(KEY, 1).add(GRANT, 1, ("delete",)),
        [REMOVED],
    ),
    "it is forgotten": (granted("forget"), []),
    "it is made anew with fewer operations": (granted(*REPLACED, operations=["Decrypt"]), [REMOVED]),
    "it is made anew with more operations": (
        PlanBuilder()
        .add(KEY, 1)
        .add(GRANT, 1, REPLACED, before={"operations": ["Decrypt"]}, after={"operations": ["Decrypt", "Encrypt"]}),
        [],
    ),
    "it is made anew for an account of a smaller number": (
        granted(*REPLACED, grantee_principal=root("000000000001")),
        ["other-account-gains-access", REMOVED],
    ),
    "it is made anew for an account of a greater number": (
        granted(*REPLACED, grantee_principal=root("999999999999")),
        ["other-account-gains-access", REMOVED],
    ),
    "it is made anew for an AWS service": (
        granted(*REPLACED, grantee_principal="s3.amazonaws.com"),
        [REMOVED, "service-principal-allowed"],
    ),
    "it is made anew for nobody knows whom": (
        granted(*REPLACED, unknown=("grantee_principal",)),
        ["other-account-gains-access"],
    ),
    "it goes to another key": (
        PlanBuilder().add(KEY, 1).add(KEY, 2).add(GRANT, 1, ("delete", "create"), after={"key_id": key_id(2)}),
        [REMOVED],
    ),
    "it goes with its key": (
        PlanBuilder().add(KEY, 1, ("delete",)).add(GRANT, 1, ("delete",)),
        ["generation-destroyed"],
    ),
    "another account's is destroyed": (
        PlanBuilder().add(KEY, 1).add(GRANT, 1, ("delete",), before={"grantee_principal": root(OTHER)}),
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_changed_of_a_grant_is_told(name: str) -> None:
    plan, told = CASES[name]
    assert _told(plan) == told


@pytest.mark.parametrize(
    ("plan", "looked_at"),
    [
        (PlanBuilder().add(KEY, 1, ("update",), after={"description": "x"}).add(GRANT, 1), False),
        (granted("create"), True),
        (granted("create", unknown=("grantee_principal",)), True),
        (granted("create", grantee_principal=root(OTHER)), False),
    ],
    ids=["untouched", "new", "to nobody knows whom", "another account's"],
)
def test_a_rule_on_grants_is_exercised_by_one_that_may_be_druvas_and_is_touched(
    plan: PlanBuilder, looked_at: bool
) -> None:
    assert (REMOVED not in _review(plan).not_exercised) is looked_at


def test_beside_a_grant_a_policy_that_is_not_known_yet_is_told_of_the_access_as_a_whole() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), unknown=("policy",)).add(GRANT, 1)
    told = [(finding.policy, finding.outcome.value) for finding in _review(plan).blocking]
    assert told == [("vendor-access-lost", "unknown")]
