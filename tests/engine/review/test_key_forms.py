"""What a key is made as, where, and for how long its material and its deletion window last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import CUSTOMER, PlanBuilder, key_arn

if TYPE_CHECKING:
    from engine.declaration import Declaration

KEY, EXTERNAL, REPLICA, GRANT = "aws_kms_key", "aws_kms_external_key", "aws_kms_replica_key", "aws_kms_grant"
STORE, ANOTHER, YET_ANOTHER = (f"cks-0123456789abcdef{digit}" for digit in (5, 1, 9))
FAIL, UNKNOWN = "fail", "unknown"
IN_A_STORE = {"origin": "AWS_CLOUDHSM", "custom_key_store_id": STORE}
IN_AN_EXTERNAL_STORE = {"origin": "EXTERNAL_KEY_STORE", "custom_key_store_id": STORE, "xks_key_id": "mine"}
MULTI_REGION: dict[str, Any] = {"multi_region": True, "replicas": ["us-west-2"]}
EXTERNAL_IN_REGIONS = {"origin": "EXTERNAL", "multi_region": True}


def made(kind: str = KEY, *, unknown: tuple[str, ...] = (), **after: Any) -> PlanBuilder:
    """The next generation is made."""
    return PlanBuilder().add(KEY, 1).add(kind, 2, ("create",), after=after, unknown=unknown)


def updated(before: dict[str, Any], after: dict[str, Any], kind: str = KEY, **more: Any) -> PlanBuilder:
    return PlanBuilder().add(kind, 1, ("update",), before=before, after=after, **more)


def _told(plan: PlanBuilder, declared: Declaration) -> list[tuple[str, str]]:
    return [(finding.policy, finding.outcome.value) for finding in review_plan("p", plan.data(), declared).findings]


def _of(rule: str, plan: PlanBuilder, declared: Declaration | None = None) -> list[str]:
    """What one rule says."""
    return [outcome for policy, outcome in _told(plan, declared or declaration(2)) if policy == rule]


@pytest.mark.parametrize(
    ("plan", "declared", "told"),
    [
        (made(), {}, []),
        (made(custom_key_store_id=STORE), {}, [FAIL]),
        (made(unknown=("custom_key_store_id",)), {}, [UNKNOWN]),
        (made(custom_key_store_id=STORE), IN_A_STORE, []),
        (made(custom_key_store_id=ANOTHER), IN_A_STORE, [FAIL]),
        (made(custom_key_store_id=YET_ANOTHER), IN_A_STORE, [FAIL]),
        (made(), IN_A_STORE, [FAIL]),
        (made(unknown=("custom_key_store_id",)), IN_A_STORE, [UNKNOWN]),
        (made(custom_key_store_id=STORE, xks_key_id="mine"), IN_AN_EXTERNAL_STORE, []),
        (made(custom_key_store_id=STORE, xks_key_id="another"), IN_AN_EXTERNAL_STORE, [FAIL]),
        (made(custom_key_store_id=STORE, xks_key_id="other"), IN_AN_EXTERNAL_STORE, [FAIL]),
        (made(custom_key_store_id=STORE), IN_AN_EXTERNAL_STORE, [FAIL]),
        (made(custom_key_store_id=STORE, unknown=("xks_key_id",)), IN_AN_EXTERNAL_STORE, [UNKNOWN]),
        (made(custom_key_store_id=ANOTHER, unknown=("xks_key_id",)), IN_AN_EXTERNAL_STORE, [FAIL]),
        (made(multi_region=True), MULTI_REGION, []),
        (made(multi_region=False), MULTI_REGION, [FAIL]),
        (made(), MULTI_REGION, [UNKNOWN]),
        (made(multi_region=True), {}, [FAIL]),
        (made(EXTERNAL), {}, [FAIL]),
        (made(), {"origin": "EXTERNAL"}, [FAIL]),
        (made(EXTERNAL), {"origin": "EXTERNAL"}, []),
        (made(EXTERNAL, multi_region=True), EXTERNAL_IN_REGIONS, []),
        (made(EXTERNAL, multi_region=False), EXTERNAL_IN_REGIONS, [FAIL]),
        (made(EXTERNAL), EXTERNAL_IN_REGIONS, [UNKNOWN]),
    ],
)
def test_a_key_is_made_as_declared(plan: PlanBuilder, declared: dict[str, Any], told: list[str]) -> None:
    assert _of("wrong-key-origin", plan, declaration(2, generation_2=declared)) == told


@pytest.mark.parametrize(("region", "told"), [("us-west-2", []), ("us-east-1", []), ("eu-west-1", [FAIL])])
def test_a_replica_is_made_in_a_declared_region(region: str, told: list[str]) -> None:
    plan = (
        PlanBuilder().add(KEY, 1, before={"multi_region": True}).add(REPLICA, 1, ("create",), after={"region": region})
    )
    declared = declaration(generation_1=MULTI_REGION)
    assert _of("wrong-key-place", plan, declared) == told
    assert _of("wrong-key-origin", plan, declared) == []


def test_the_region_of_a_replica_is_none_for_the_key() -> None:
    plan = made(region="us-west-2", multi_region=True)
    assert _of("wrong-key-place", plan, declaration(2, generation_2=MULTI_REGION)) == [FAIL]


@pytest.mark.parametrize(("account", "told"), [("000000000001", [FAIL]), (CUSTOMER, []), ("999999999999", [FAIL])])
def test_a_key_is_imported_from_the_declared_account(account: str, told: list[str]) -> None:
    plan = updated({"arn": key_arn(1, account=account)}, {"description": "x"}, importing="x")
    assert _of("wrong-key-place", plan) == told


def test_of_an_imported_key_without_an_arn_the_place_counts_as_right() -> None:
    assert _of("wrong-key-place", updated({"arn": None}, {"description": "x"}, importing="x")) == []


def test_a_key_that_is_made_wrong_is_told_with_what_is_declared() -> None:
    plan = made(EXTERNAL)
    (finding,) = review_plan("p", plan.data(), declaration(2)).findings
    assert finding.message.endswith("(origin AWS_KMS)")


def test_behind_a_key_outside_the_plan_one_that_is_made_wrong_is_told() -> None:
    plan = PlanBuilder().add(GRANT, 1, ("create",)).add(KEY, 2, ("create",), after={"key_usage": "SIGN_VERIFY"})
    assert _of("wrong-key-spec", plan, declaration(2, generation_1={"key_arn": key_arn(1)})) == [FAIL]


@pytest.mark.parametrize(
    ("days", "told"), [(7, [FAIL]), (10, [FAIL]), (15, [FAIL]), (29, [FAIL]), (30, []), (None, [])]
)
def test_a_new_keys_window_is_at_least_the_declared_one(days: int | None, told: list[str]) -> None:
    assert _of("deletion-window-below-declared", made(deletion_window_in_days=days)) == told


@pytest.mark.parametrize(("before", "after", "told"), [(365, 365, []), (365, 100, []), (100, 365, [FAIL])])
def test_only_a_longer_period_slows_the_rotation(before: int, after: int, told: list[str]) -> None:
    was = {"enable_key_rotation": True, "rotation_period_in_days": before}
    assert _of("automatic-rotation-reduced", updated(was, {"rotation_period_in_days": after})) == told


@pytest.mark.parametrize(
    ("valid_to", "told"),
    [
        ("2030-01-30T23:59:59Z", [FAIL]),
        ("2030-01-31T00:00:00Z", []),
        ("2030-01-31T00:00:01Z", []),
        ("2030-01-31T00:05:00+00:10", [FAIL]),
    ],
)
def test_material_that_lasts_thirty_days_to_the_second_is_not_about_to_expire(valid_to: str, told: list[str]) -> None:
    assert _of("material-expires", updated({}, {"valid_to": valid_to}, EXTERNAL)) == told


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (updated({}, {"key_material_base64": "bWF0ZXJpYWw="}, EXTERNAL), [FAIL]),
        (updated({}, {"key_material_base64": ""}, EXTERNAL), []),
        (updated({}, {"description": "x"}, EXTERNAL), []),
        (updated({}, {}, EXTERNAL, unknown=("key_material_base64",)), [UNKNOWN]),
    ],
    ids=["in clear", "empty", "none", "not known yet"],
)
def test_material_in_the_plan_is_told(plan: PlanBuilder, told: list[str]) -> None:
    assert _of("material-in-clear", plan) == told


@pytest.mark.parametrize(
    ("plan", "looked_at"),
    [
        (PlanBuilder().add(KEY, 1), False),
        (updated({}, {"description": "x"}), True),
        (updated({}, {"description": "x"}, EXTERNAL), False),
        (updated({}, {"description": "x"}, REPLICA), False),
    ],
    ids=["untouched", "a key", "an external key", "a replica, which follows its key"],
)
def test_a_rule_on_rotation_is_exercised_by_a_key_that_is_touched_and_can_rotate(
    plan: PlanBuilder, looked_at: bool
) -> None:
    report = review_plan("p", plan.data(), declaration())
    assert ("automatic-rotation-reduced" not in report.not_exercised) is looked_at
