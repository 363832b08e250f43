"""What is told of changes outside Terraform, and of what the plan makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import POLICIES, PlanBuilder

KEY, GRANT = "aws_kms_key", "aws_kms_grant"
OFF, ON = {"is_enabled": False}, {"is_enabled": True}
STANDARD, RESPELLED, MORE = (
    {"policy": POLICIES[name]} for name in ("standard", "standard, spelled differently", "another account too")
)
UNREADABLE: dict[str, Any] = {"policy": {"no": "text"}}
NO_POLICY: dict[str, Any] = {"policy": "{"}


def drifted(
    recorded: dict[str, Any], found: dict[str, Any], planned: dict[str, Any] | None = None, *unknown: str
) -> PlanBuilder:
    """A key with drift, which the plan leaves so or changes."""
    actions = ("no-op",) if planned is None and not unknown else ("update",)
    plan = PlanBuilder().add(KEY, 1, actions, before=found, after=planned, unknown=unknown)
    return plan.drifted(KEY, 1, recorded, observed=found)


def said(what: str, then: str) -> list[str]:
    return [f"generation 1: {what} was changed outside Terraform; {then}"]


POLICY, STATE, ITS_GRANT = "its key policy", "whether it is enabled", "a grant"
LEFT, BACK = "the plan leaves it so", "the plan changes it back"
NOT_KNOWN = "it is not known yet what the plan makes of it"
CASES: dict[str, tuple[PlanBuilder, list[str]]] = {
    "the policy's spelling": (drifted(STANDARD, RESPELLED), []),
    "the policy, left so": (drifted(STANDARD, MORE), said(POLICY, LEFT)),
    "the policy, changed back": (drifted(STANDARD, MORE, STANDARD), said(POLICY, BACK)),
    "the policy, changed back in another spelling": (drifted(STANDARD, MORE, RESPELLED), said(POLICY, BACK)),
    "the policy, to one that cannot be read": (drifted(STANDARD, UNREADABLE), said(POLICY, LEFT)),
    "the policy, from one that could not be read": (drifted(UNREADABLE, STANDARD), said(POLICY, LEFT)),
    "the policy, to what is none": (drifted(STANDARD, NO_POLICY), said(POLICY, LEFT)),
    "the policy, to what is none, and changed back": (drifted(STANDARD, NO_POLICY, STANDARD), said(POLICY, BACK)),
    "it was disabled, and stays so": (drifted(ON, OFF), said(STATE, LEFT)),
    "it was disabled, and is enabled": (drifted(ON, OFF, ON), said(STATE, BACK)),
    "it was enabled, and is disabled": (drifted(OFF, ON, OFF), said(STATE, BACK)),
    "it was disabled, and what it will be is not known": (drifted(ON, OFF, None, "is_enabled"), said(STATE, NOT_KNOWN)),
    "nothing of it was known, and nothing will be": (
        drifted({"is_enabled": "x"}, OFF, None, "is_enabled"),
        said(STATE, NOT_KNOWN),
    ),
    "a grant is gone": (PlanBuilder().add(KEY, 1).drifted(GRANT, 1, gone=True), said(ITS_GRANT, LEFT)),
    "a grant is gone, and made again": (
        PlanBuilder().add(KEY, 1).add(GRANT, 1, ("create",)).drifted(GRANT, 1, gone=True),
        said(ITS_GRANT, BACK),
    ),
    "of a key behind one that is changed by the plan alone": (
        PlanBuilder()
        .add(KEY, 2, ("update",), after={"description": "x"})
        .add(KEY, 1, before=MORE)
        .drifted(KEY, 1, observed=MORE),
        said(POLICY, LEFT),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_was_changed_outside_is_told(name: str) -> None:
    plan, told = CASES[name]
    findings = review_plan("p", plan.data(), declaration(2)).findings
    assert [finding.message for finding in findings if finding.policy == "drift-in-use"] == told
