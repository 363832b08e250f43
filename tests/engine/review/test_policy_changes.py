"""What stood in a key policy before is nobody's change; what is told where either of two may be in force."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.review import review_plan
from tests.engine.review.declarations import declaration, proof
from tests.engine.review.plan_builder import (
    CUSTOMER,
    FOR_VENDOR,
    OTHER,
    OWNER,
    POLICIES,
    VENDOR,
    PlanBuilder,
    document,
    key_arn,
    root,
    statement,
)

KEY, KEY_POLICY = "aws_kms_key", "aws_kms_key_policy"
ANOTHER = "567890123456"
BYPASSED = {"bypass_policy_lockout_safety_check": True}


def more(name: str, principal: Any = None, action: str = "kms:ListGrants") -> str:
    """A policy with a statement beside its own, which gives nobody anything by default."""
    statements = json.loads(POLICIES[name])["Statement"]
    return document(*statements, statement(principal or {"AWS": root(CUSTOMER)}, action))


def _findings(before: Any, after: Any) -> list[tuple[str, str, str]]:
    plan = PlanBuilder().add(KEY, 1, ("update",), before={"policy": before}, after={"policy": after})
    findings = review_plan("p", plan.data(), declaration()).findings
    return [(finding.policy, finding.outcome.value, finding.message) for finding in findings]


def _told(before: Any, after: Any) -> list[str]:
    return [policy for policy, *_ in _findings(before, after)]


@pytest.mark.parametrize(
    "name",
    [
        "disabling denied",
        "disabling denied to an administrator",
        "disabling denied without a second factor",
        "revoking grants denied",
        "creating grants denied to an administrator",
        "deletion denied",
        "anybody in an organisation",
        "another account too",
        "a service too",
    ],
)
def test_what_a_policy_closed_or_opened_before_is_not_told_again(name: str) -> None:
    assert _told(POLICIES[name], more(name)) == []


def test_a_principal_that_could_delete_before_is_not_let_off_anew() -> None:
    assert _told(POLICIES["deletion denied to fewer"], POLICIES["deletion denied"]) == []
    assert _told(POLICIES["deletion denied"], POLICIES["deletion denied to fewer"]) == ["deletion-guard-removed"]


def test_a_guard_that_comes_where_nothing_was_known_is_not_one_that_goes() -> None:
    to_all = statement("*", ["kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial"], "Deny")
    assert "deletion-guard-removed" not in _told({"no": "text"}, document(OWNER, FOR_VENDOR, to_all))
    assert "deletion-guard-removed" in _told({"no": "text"}, POLICIES["standard"])


def test_an_account_in_the_place_of_another_is_told_alone() -> None:
    after = json.loads(POLICIES["another account too"].replace(OTHER, ANOTHER))
    ((rule, _, message),) = _findings(POLICIES["another account too"], json.dumps(after))
    assert rule == "other-account-gains-access"
    assert f"the account {ANOTHER} would" in message


def test_the_accounts_that_come_and_go_with_the_vendor_are_told_apart() -> None:
    before = POLICIES["another account too"]
    after = POLICIES["another account instead"].replace(OTHER, ANOTHER)
    message = next(said for rule, _, said in _findings(before, after) if rule == "other-account-instead-of-vendor")
    assert message.endswith(f"gains access: {ANOTHER}; loses it: {OTHER}; declared: {VENDOR}")
    kept = more("another account instead", {"AWS": root(ANOTHER)}, "kms:Decrypt")
    message = next(said for rule, _, said in _findings(before, kept) if rule == "other-account-instead-of-vendor")
    assert message.endswith(f"gains access: {ANOTHER}; loses it: none; declared: {VENDOR}")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("standard", []),
        ("disabling denied", [("revocation-hindered", "unknown")]),
        ("anybody", [("public-key-policy", "unknown")]),
        ("one that KMS refuses", [("vendor-overprivileged", "unknown")]),
    ],
)
def test_of_two_policies_of_which_either_may_be_in_force_none_is_told_for_certain(
    name: str, told: list[tuple[str, str]]
) -> None:
    plan = (
        PlanBuilder().add(KEY, 1, ("update",), after={"policy": POLICIES[name] + " "}).add(KEY_POLICY, 1, ("delete",))
    )
    findings = review_plan("p", plan.data(), declaration()).findings
    assert [(f.policy, f.outcome.value) for f in findings] == [("vendor-access-lost", "unknown"), *told]


def test_a_separate_policy_that_bypasses_the_lockout_check_is_told_behind_a_key_that_does_not() -> None:
    plan = (
        PlanBuilder()
        .add(KEY, 1, ("update",), after={"description": "x"})
        .add(KEY_POLICY, 1, ("create",), after=BYPASSED)
    )
    (finding,) = review_plan("p", plan.data(), declaration()).findings
    assert (finding.policy, finding.address) == ("lockout-check-bypassed", "aws_kms_key_policy.generation_1")


def test_of_a_key_that_goes_it_is_not_told_that_it_was_another_one() -> None:
    plan = PlanBuilder().add(KEY, 1, ("delete",), before={"arn": key_arn(9)})
    report = review_plan("p", plan.data(), declaration(), proof=proof({1: "current"}))
    assert "other-key-under-generation" not in {finding.policy for finding in report.findings}


def test_a_key_that_was_disabled_outside_is_told_where_the_code_does_not_say_whether_it_is_enabled() -> None:
    off = {"is_enabled": False}
    plan = PlanBuilder().add(KEY, 1, ("update",), before=off, after={"is_enabled": None})
    report = review_plan("p", plan.drifted(KEY, 1, observed=off).data(), declaration())
    assert "key-disabled-outside" in {finding.policy for finding in report.findings}
