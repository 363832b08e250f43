"""What would stop, since when, and for which data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import POLICIES, PlanBuilder

if TYPE_CHECKING:
    from engine.declaration import Declaration
    from engine.review.impact import Impact

KEY, STORE = "aws_kms_key", "aws_kms_custom_key_store"
CALLED_BACK = "which can be called back for 7 days"
CKS = "cks-0123456789abcdef1"


def _impact(plan: PlanBuilder, declared: Declaration | None = None, **more: Any) -> tuple[Impact, ...]:
    return review_plan("p", plan.data(), declared or declaration(), **more).impact


def _effect(plan: PlanBuilder, declared: Declaration | None = None) -> str:
    (effect,) = {row.effect for row in _impact(plan, declared)}
    return effect


@pytest.mark.parametrize(
    ("plan", "effect"),
    [
        (
            PlanBuilder().add(KEY, 1, ("delete",), before={"deletion_window_in_days": 7}),
            f"stops when the plan is applied: the key of generation 1 is scheduled for deletion, {CALLED_BACK}",
        ),
        (
            PlanBuilder().add(KEY, 1, ("create",)).drifted(KEY, 1, gone=True),
            "has stopped already: the key of generation 1 is gone, or its deletion is pending",
        ),
        (
            PlanBuilder().add(KEY, 1, ("update",), after={"is_enabled": False}),
            "stops when the plan is applied: the key of generation 1 is disabled",
        ),
        (
            PlanBuilder().add(KEY, 1, before={"is_enabled": False}).drifted(KEY, 1, observed={"is_enabled": False}),
            "has stopped already: the key of generation 1 is disabled",
        ),
        (
            PlanBuilder().add(KEY, 1, ("update",), after={"policy": POLICIES["owner only"]}),
            "stops when the plan is applied: Druva loses the use of generation 1",
        ),
        (
            PlanBuilder().add(KEY, 1, ("update",), after={"policy": POLICIES["vendor denied"]}),
            "stops when the plan is applied: Druva's use of generation 1 is denied",
        ),
        (
            PlanBuilder().add(KEY, 1, ("update",), after={"policy": POLICIES["vendor under a condition"]}),
            "may stop when the plan is applied: Druva's use of generation 1 comes to depend on a condition",
        ),
        (
            PlanBuilder().add(KEY, 1, ("update",), unknown=("policy",)),
            "may stop when the plan is applied: Druva loses the use of generation 1",
        ),
        (
            PlanBuilder().add(KEY, 1, before={"custom_key_store_id": CKS}).add(STORE, 1, ("delete",)),
            "stops when the plan is applied: the key store of generation 1 is deleted",
        ),
        (
            PlanBuilder().add(KEY, 1, before={"custom_key_store_id": CKS}).add(STORE, 1, ("delete", "create")),
            "stops when the plan is applied: the key store of generation 1 is replaced",
        ),
    ],
)
def test_the_effect_says_why_and_since_when(plan: PlanBuilder, effect: str) -> None:
    assert _effect(plan) == effect


def test_an_earlier_generation_stops_only_what_stands_under_it() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), after={"is_enabled": False}).add(KEY, 2)
    assert _effect(plan, declaration(2, current=2)).startswith("stops for data under generation 1 when")


def test_what_stops_for_certain_hides_what_only_may() -> None:
    plan = PlanBuilder().add(KEY, 1, ("delete",)).add(KEY, 2, ("update",), unknown=("policy",))
    rows = _impact(plan, declaration(2, current=2))
    assert all(row.certain for row in rows)
    assert "generation 2" not in rows[0].effect


@pytest.mark.requirement("EKM-43")
def test_a_workflow_that_does_not_use_the_key_is_never_among_them() -> None:
    rows = _impact(PlanBuilder().add(KEY, 1, ("delete",)))
    assert rows
    assert not any("legal hold" in row.variant or row.variant == "other workloads" for row in rows)


@pytest.mark.requirement("EKM-51")
def test_only_declared_products_are_named() -> None:
    rows = _impact(PlanBuilder().add(KEY, 1, ("delete",)), declaration(products=["entra_id"]))
    assert {(row.product, row.workflow) for row in rows} == {
        ("Microsoft Entra ID", "backup"),
        ("Microsoft Entra ID", "restore"),
        ("Microsoft Entra ID", "download"),
    }


@pytest.mark.parametrize("standing", ["retired", "released", "deleted"])
def test_what_is_proved_retired_stops_nothing(standing: str) -> None:
    plan = PlanBuilder().add(KEY, 1, ("delete",)).add(KEY, 2)
    assert _impact(plan, declaration(2, current=2), proof=proof({1: standing, 2: "current"})) == ()


def test_a_replica_and_a_new_key_stop_nothing() -> None:
    plan = PlanBuilder().add("aws_kms_replica_key", 1, ("delete",))
    plan.add(KEY, 2, ("create",), after={"policy": POLICIES["owner only"]})
    assert _impact(plan, declaration(2)) == ()


def test_what_is_revoked_already_stops_nothing() -> None:
    off = {"is_enabled": False}
    plan = PlanBuilder().add(KEY, 1, ("update",), before=off, after={"policy": POLICIES["owner only"]})
    assert _impact(plan, declaration(revoked=True)) == ()
