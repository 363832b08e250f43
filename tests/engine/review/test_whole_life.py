"""Each step of a generation's life as our stacks deploy it: it passes on its evidence, and blocks without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.review import ReviewVerdict, review_plan
from stacks.key_policy import key_policy
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import PlanBuilder

if TYPE_CHECKING:
    from engine.declaration import Declaration
    from engine.review import Report, RotationProof

KEY, GRANT, ALIAS = "aws_kms_key", "aws_kms_grant", "aws_kms_alias"


def _policy(declared: Declaration, number: int) -> dict[str, Any]:
    return {"policy": key_policy(declared, number).to_json()}


def _review(
    plan: PlanBuilder, before: Declaration | None, after: Declaration, proved: RotationProof | None = None
) -> Report:
    return review_plan("plan.json", plan.data(), after, base=before, proof=proved)


def _verdict(report: Report) -> str:
    return f"{report.verdict.value}: {sorted({finding.policy for finding in report.blocking})}"


@pytest.mark.requirement("EKM-18")
@pytest.mark.requirement("EKM-20")
def test_the_first_deploy_passes() -> None:
    after = declaration(1)
    plan = PlanBuilder().add(KEY, 1, ("create",), after=_policy(after, 1))
    plan.add(ALIAS, 1, ("create",), unknown=("target_key_id",)).add(GRANT, 1, ("create",), unknown=("key_id",))
    report = _review(plan, None, after)
    assert report.verdict is ReviewVerdict.PASS
    assert report.findings == ()


@pytest.mark.requirement("EKM-29")
@pytest.mark.requirement("EKM-32")
def test_a_second_generation_passes() -> None:
    before, after = declaration(1), declaration(2)
    plan = PlanBuilder().add(KEY, 1, before=_policy(before, 1)).add(GRANT, 1).add(ALIAS, 1)
    plan.add(KEY, 2, ("create",), after=_policy(after, 2)).add(GRANT, 2, ("create",), unknown=("key_id",))
    report = _review(plan, before, after)
    assert report.verdict is ReviewVerdict.PASS
    assert report.findings == ()


@pytest.mark.requirement("EKM-33")
def test_current_moves_on_evidence_that_the_generation_is_integrated() -> None:
    before, after = declaration(2), declaration(2, current=2)
    plan = PlanBuilder()
    for number in (1, 2):
        plan.add(KEY, number, before=_policy(before, number)).add(GRANT, number)
    plan.add(ALIAS, 1, ("update",), after={"target_key_id": "00000002-1111-2222-3333-444444444444"})
    assert _verdict(_review(plan, before, after, proof({1: "retained", 2: "current"}))) == "pass: []"
    not_yet = proof({1: "retained", 2: "current"}, integrated=False)
    expected = "block: ['alias-moved-early', 'declared-current-raised']"
    assert _verdict(_review(plan, before, after, not_yet)) == expected
    assert _verdict(_review(plan, before, after)) == expected


def _ending(state_before: str, state: str) -> tuple[Declaration, Declaration]:
    before = declaration(2, current=2, generation_1={"state": state_before})
    return before, declaration(2, current=2, generation_1={"state": state})


@pytest.mark.requirement("EKM-33")
def test_an_older_generation_is_retired_on_evidence() -> None:
    before, after = _ending("active", "retired")
    plan = PlanBuilder().add(
        KEY, 1, ("update",), before=_policy(before, 1), after={"is_enabled": False, **_policy(after, 1)}
    )
    plan.add(GRANT, 1, ("delete",)).add(KEY, 2, before=_policy(before, 2)).add(GRANT, 2).add(ALIAS, 2)
    assert _verdict(_review(plan, before, after, proof({1: "retired", 2: "current"}))) == "pass: []"
    retained = _review(plan, before, after, proof({1: "retained", 2: "current"}))
    assert {"generation-disabled", "retirement-out-of-order"} <= {f.policy for f in retained.blocking}
    assert retained.impact != ()
    assert "generation-disabled" in _verdict(_review(plan, before, after))


@pytest.mark.requirement("EKM-17")
@pytest.mark.requirement("EKM-34")
def test_a_retired_generation_is_released_and_deleted_on_evidence() -> None:
    released_before, released = _ending("retired", "released")
    off = {"is_enabled": False}
    plan = PlanBuilder().add(
        KEY, 1, ("update",), before={**off, **_policy(released_before, 1)}, after=_policy(released, 1)
    )
    plan.add(KEY, 2, before=_policy(released, 2)).add(GRANT, 2).add(ALIAS, 2)
    proved = proof({1: "released", 2: "current"})
    assert _verdict(_review(plan, released_before, released, proved)) == "pass: []"
    too_early = _review(plan, released_before, released, proof({1: "retired", 2: "current"}))
    assert {"deletion-guard-removed", "retirement-out-of-order"} <= {f.policy for f in too_early.blocking}

    before, deleted = _ending("released", "deleted")
    plan = PlanBuilder().add(KEY, 1, ("delete",), before={**off, **_policy(before, 1)})
    plan.add(KEY, 2, before=_policy(before, 2)).add(GRANT, 2).add(ALIAS, 2)
    report = _review(plan, before, deleted, proved)
    assert _verdict(report) == "pass: []"
    assert report.impact == ()
    assert "generation-destroyed" in _verdict(_review(plan, before, deleted, proof({1: "retired", 2: "current"})))
    assert "generation-destroyed" in _verdict(_review(plan, before, deleted))


@pytest.mark.requirement("EKM-10")
def test_a_revocation_that_was_carried_out_passes_and_one_by_deploy_does_not() -> None:
    before, after = declaration(1), declaration(1, revoked=True)
    off, revoked = {"is_enabled": False}, _policy(after, 1)
    done = PlanBuilder().add(KEY, 1, ("update",), before={**off, **_policy(before, 1)}, after=revoked)
    done.drifted(KEY, 1, _policy(before, 1), observed={**off, **_policy(before, 1)})
    done.add(GRANT, 1, ("delete",)).add(ALIAS, 1)
    report = _review(done, before, after)
    assert _verdict(report) == "pass: []"
    assert report.impact == ()

    by_deploy = PlanBuilder().add(KEY, 1, ("update",), before=_policy(before, 1), after={**off, **revoked})
    by_deploy.add(GRANT, 1, ("delete",)).add(ALIAS, 1)
    report = _review(by_deploy, before, after)
    assert _verdict(report) == "block: ['revocation-introduced']"
    assert report.impact != ()


@pytest.mark.requirement("EKM-10")
def test_a_reinstatement_passes_on_evidence_alone() -> None:
    before, after = declaration(1, revoked=True), declaration(1)
    plan = PlanBuilder().add(KEY, 1, ("update",), before=_policy(before, 1), after=_policy(after, 1))
    plan.add(GRANT, 1, ("create",)).add(ALIAS, 1)
    assert _verdict(_review(plan, before, after, proof({1: "current"}))) == "pass: []"
    assert _verdict(_review(plan, before, after)) == "block: ['revocation-undone']"
    assert _verdict(_review(plan, before, after, proof({1: "current"}, revoked=True))) == "block: ['revocation-undone']"
