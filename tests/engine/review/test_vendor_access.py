"""What the vendor gains and loses where little is known, where it had too much before, and by policies elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import (
    OWNER,
    POLICIES,
    USE,
    VENDOR,
    PlanBuilder,
    document,
    key_arn,
    root,
    statement,
)

if TYPE_CHECKING:
    from engine.review import Report

KEY, KEY_POLICY = "aws_kms_key", "aws_kms_key_policy"
OWNER_ONLY: dict[str, Any] = {"policy": POLICIES["owner only"]}
FOREIGN: dict[str, Any] = {"tags": None, "tags_all": {}, **OWNER_ONLY}
UNREADABLE: dict[str, Any] = {"policy": {"no": "text"}}
KNOWN_BY_ITS_ARN = declaration(generation_1={"key_arn": key_arn(1)})
ONE_OF_TWO_KNOWN = declaration(2, generation_1={"key_arn": key_arn(1)})


def _policy(*actions: str) -> str:
    return document(OWNER, statement({"AWS": root(VENDOR)}, [*USE, *actions]))


def _excess(before: tuple[str, ...], after: tuple[str, ...]) -> list[str]:
    """What is said of what the vendor gains where its policy allowed some actions beyond its need already."""
    plan = PlanBuilder().add(
        KEY, 1, ("update",), before={"policy": _policy(*before)}, after={"policy": _policy(*after)}
    )
    report = review_plan("p", plan.data(), declaration())
    return [finding.message for finding in report.findings if finding.policy == "vendor-overprivileged"]


FIVE = ("kms:DisableKey", "kms:EnableKey", "kms:TagResource", "kms:UntagResource", "kms:ListGrants")


def test_of_the_vendors_excess_only_what_is_new_is_told() -> None:
    said = f"generation 1: Druva's account {VENDOR} would be allowed: "
    assert _excess(FIVE[:1], FIVE[:3]) == [f"{said}kms:EnableKey, kms:TagResource"]
    assert _excess((), FIVE) == [said + ", ".join(FIVE)]
    assert _excess(FIVE[:2], FIVE[:1]) == []
    assert _excess(FIVE[:2], FIVE[:2][::-1]) == []


def _told(report: Report) -> list[tuple[str, str]]:
    return [(finding.policy, finding.outcome.value) for finding in report.findings]


NOTHING_TOLD_OF_IT = [("vendor-access-lost", "unknown"), ("vendor-overprivileged", "unknown")]


@pytest.mark.parametrize(
    "plan",
    [
        PlanBuilder().add(KEY, 1, ("update",), before=UNREADABLE, after={"description": "x"}),
        PlanBuilder().add(KEY_POLICY, 1, ("update",), before=UNREADABLE, after={"policy": {"another": "one"}}),
    ],
    ids=["its own", "a separate one"],
)
def test_a_policy_that_was_unreadable_and_stays_so_is_no_proof_that_the_vendor_keeps_its_access(
    plan: PlanBuilder,
) -> None:
    assert _told(review_plan("p", plan.data(), KNOWN_BY_ITS_ARN)) == NOTHING_TOLD_OF_IT


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (PlanBuilder().add(KEY_POLICY, 9, before=UNREADABLE), []),
        (PlanBuilder().add(KEY_POLICY, 9, ("create",), after=OWNER_ONLY), [("unplaced-key-policy", "fail")]),
        (
            PlanBuilder()
            .add(KEY, 7, ("create",), after=FOREIGN)
            .add(KEY_POLICY, 7, ("create",), after=OWNER_ONLY, unknown=("key_id",)),
            [],
        ),
    ],
    ids=["untouched", "put on it", "of another team's new key"],
)
def test_only_a_policy_that_is_put_on_a_key_elsewhere_may_be_a_missing_generations(
    plan: PlanBuilder, told: list[tuple[str, str]]
) -> None:
    assert _told(review_plan("p", plan.data(), declaration())) == told


def test_a_policy_on_a_key_that_is_known_by_its_arn_is_judged_as_that_keys_alone() -> None:
    plan = PlanBuilder().add(KEY_POLICY, 1, ("create",), after=OWNER_ONLY)
    told = _told(review_plan("p", plan.data(), ONE_OF_TWO_KNOWN))
    assert told == [("vendor-access-lost", "unknown"), ("deletion-guard-removed", "unknown")]


def test_access_that_an_earlier_text_gave_and_the_plan_leaves_taken_away_is_told() -> None:
    found = {"policy": " " + POLICIES["owner only"]}
    plan = PlanBuilder().add(KEY, 1, before=found).drifted(KEY, 1, observed=found)
    assert ("vendor-access-lost", "fail") in _told(review_plan("p", plan.data(), declaration()))


OF_ACCESS = {"other-account-gains-access", "vendor-overprivileged"}


@pytest.mark.parametrize(
    ("plan", "looked_at"),
    [
        (PlanBuilder().add(KEY, 1, ("update",), after={"description": "x"}), False),
        (PlanBuilder().add(KEY, 1, ("update",), after={"description": "x"}).add("aws_kms_grant", 1), False),
        (PlanBuilder().add(KEY_POLICY, 9, ("update",), before=UNREADABLE, after={"policy": {"another": "one"}}), True),
        (PlanBuilder().add(KEY, 1, ("update",), after={"policy": _policy("kms:DisableKey")}), True),
    ],
    ids=["the same policy", "beside a grant", "one that cannot be read", "another policy"],
)
def test_rules_on_who_has_access_are_exercised_where_that_may_change(plan: PlanBuilder, looked_at: bool) -> None:
    report = review_plan("p", plan.data(), declaration(generation_1={"key_arn": key_arn(9)}))
    assert OF_ACCESS.isdisjoint(report.not_exercised) is looked_at
