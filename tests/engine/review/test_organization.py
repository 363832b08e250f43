"""Policies of an organisation that reach the keys, beyond what the examples of their rule show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.errors import InputError
from engine.review import ReviewVerdict, render_json, render_text, review_plan
from engine.review.report import JUDGED_BY_ITSELF
from engine.review.rules import Outcome
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import CONTENTS, CUSTOMER, VENDOR, PlanBuilder, document, statement

POLICY, ATTACHMENT = "aws_organizations_policy", "aws_organizations_policy_attachment"
NO_STRANGERS = CONTENTS["no strangers"]


def _found(plan: PlanBuilder) -> list[tuple[str, Outcome]]:
    report = review_plan("plan.json", plan.data(), declaration(1), base=declaration(1))
    assert {finding.policy for finding in report.findings} <= {"vendor-denied-by-organization"}
    assert bool(report.findings) is (report.verdict is ReviewVerdict.BLOCK)
    return [(finding.address, finding.outcome) for finding in report.findings]


def _made(content: str, **more: Any) -> PlanBuilder:
    return PlanBuilder().add(POLICY, 1, ("create",), after={"content": content, **more})


@pytest.mark.requirement("EKM-20")
@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (document(statement("*", "kms:*", "Deny")), Outcome.FAIL),
        (document(statement("*", "kms:ReEncryptTo", "Deny")), Outcome.FAIL),
        (document({"Effect": "Deny", "Principal": "*", "NotAction": "s3:*", "Resource": "*"}), Outcome.FAIL),
        (document({**statement("*", "*", "Deny"), "Resource": "arn:aws:kms:*:*:key/*"}), Outcome.FAIL),
        (document({**statement("*", "*", "Deny"), "Resource": "arn:aws:s3:::*"}), None),
        (document(statement("*", ["kms:ScheduleKeyDeletion", "kms:PutKeyPolicy"], "Deny")), None),
        (document(statement("*", "*", "Deny", Condition={"BoolIfExists": {"aws:SecureTransport": "false"}})), None),
        (json.dumps({"Version": "2012-10-17", "Statement": statement("*", "kms:Decrypt", "Deny")}), Outcome.FAIL),
        ("{", Outcome.UNKNOWN),
        ("[]", Outcome.UNKNOWN),
        (json.dumps({"Version": "2012-10-17", "Statement": ["Deny"]}), Outcome.UNKNOWN),
        ("[" * 100_000, Outcome.UNKNOWN),
        (document(statement("*", "kms:*", "Deny"))[:-1] + ', "Statement": []}', Outcome.UNKNOWN),
    ],
)
def test_a_policy_is_judged_by_what_it_leaves_to_the_vendor(content: str, outcome: Outcome | None) -> None:
    expected = [] if outcome is None else [(f"{POLICY}.perimeter", outcome)]
    assert _found(_made(content)) == expected


def test_a_policy_that_becomes_one_for_resources_is_judged_as_new() -> None:
    before = {"type": "SERVICE_CONTROL_POLICY", "content": NO_STRANGERS}
    plan = PlanBuilder().add(POLICY, 1, ("delete", "create"), before=before, after={"type": "RESOURCE_CONTROL_POLICY"})
    assert _found(plan) == [(f"{POLICY}.perimeter", Outcome.FAIL)]


@pytest.mark.parametrize("unknown", [{"unknown": ("type",)}, {"after": {"type": None, "content": NO_STRANGERS}}])
def test_a_policy_of_unknown_kind_may_be_one_for_resources(unknown: dict[str, Any]) -> None:
    plan = PlanBuilder().add(POLICY, 1, ("create",), **{"after": {"content": NO_STRANGERS}, **unknown})
    assert _found(plan) == [(f"{POLICY}.perimeter", Outcome.FAIL)]


def test_a_policy_that_is_read_as_data_changes_nothing() -> None:
    plan = _made(NO_STRANGERS)
    plan.changes[0] |= {"mode": "data", "address": f"data.{POLICY}.perimeter"}
    plan.changes[0]["change"]["actions"] = ["read"]
    assert _found(plan) == []
    plan.changes[0]["change"]["actions"] = ["create"]
    with pytest.raises(InputError, match="marked as data"):
        _found(plan)


@pytest.mark.parametrize(
    ("attached", "found"),
    [
        ({"before": {"target_id": "ou-abcd-12345678"}, "after": {"target_id": "r-abcd"}}, True),
        ({"before": {"policy_id": "p-00000000"}, "after": {"policy_id": "p-12345671"}}, True),
        ({"before": {"target_id": "r-abcd"}, "after": {"target_id": "345678901234"}}, False),
        ({"after": {"target_id": "r-abcd"}, "unknown": ("id",)}, False),
        ({"unknown": ("target_id",)}, True),
    ],
)
def test_an_attachment_is_judged_where_it_comes_to_reach_more(attached: dict[str, Any], found: bool) -> None:
    plan = PlanBuilder().add(POLICY, 1, before={"content": NO_STRANGERS})
    plan.add(ATTACHMENT, 1, ("update",), **attached)
    assert _found(plan) == ([(f"{ATTACHMENT}.perimeter", Outcome.FAIL)] if found else [])


def test_the_attachment_of_a_policy_that_is_made_is_told_with_the_policy() -> None:
    plan = _made(NO_STRANGERS).add(ATTACHMENT, 1, ("create",), unknown=("policy_id",))
    plan.add(POLICY, 2, ("create",), name="service", after={"type": "SERVICE_CONTROL_POLICY"})
    assert _found(plan) == [(f"{POLICY}.perimeter", Outcome.FAIL)]


@pytest.mark.parametrize(("let_off", "found"), [(["o-1234567890", "o-2"], False), (["o-2"], True)])
def test_a_perimeter_that_lets_more_off_is_no_news(let_off: list[str], found: bool) -> None:
    content = NO_STRANGERS.replace('"o-1234567890"', json.dumps(let_off))
    plan = PlanBuilder().add(POLICY, 1, ("update",), before={"content": NO_STRANGERS}, after={"content": content})
    assert _found(plan) == ([(f"{POLICY}.perimeter", Outcome.FAIL)] if found else [])


def test_a_policy_that_is_replaced_and_newly_attached_binds_where_it_did_not() -> None:
    plan = PlanBuilder().add(POLICY, 1, ("delete", "create"), before={"content": NO_STRANGERS})
    plan.add(POLICY, 2, name="standing", before={"content": NO_STRANGERS})
    assert _found(plan.add(ATTACHMENT, 1, ("create",), unknown=("policy_id",))) == [
        (f"{ATTACHMENT}.perimeter", Outcome.FAIL)
    ]


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ({}, False),
        ({"target_id": "ou-abcd-12345678"}, True),
        ({"target_id": "r-wxyz"}, True),
        ({"policy_id": "p-00000000"}, True),
        ({"policy_id": "p-99999999"}, True),
    ],
)
def test_an_attachment_that_follows_a_policy_that_is_replaced_reaches_nothing_new(
    before: dict[str, Any], found: bool
) -> None:
    plan = PlanBuilder().add(POLICY, 1, ("delete", "create"), before={"content": NO_STRANGERS})
    plan.add(ATTACHMENT, 1, ("delete", "create"), before=before, after={"target_id": "r-abcd"}, unknown=("policy_id",))
    assert _found(plan) == ([(f"{ATTACHMENT}.perimeter", Outcome.FAIL)] if found else [])


@pytest.mark.parametrize("action", ["forget", "delete"])
def test_a_policy_whose_resource_ends_may_stay_and_be_attached(action: str) -> None:
    plan = PlanBuilder().add(POLICY, 1, (action,), before={"content": NO_STRANGERS, "skip_destroy": True})
    assert _found(plan.add(ATTACHMENT, 1, ("create",))) == [(f"{ATTACHMENT}.perimeter", Outcome.FAIL)]


def test_of_two_policies_of_one_id_either_may_be_the_attached_one() -> None:
    plan = (
        PlanBuilder().add(POLICY, 1, ("delete",), deposed="abcdef01").add(POLICY, 1, before={"content": NO_STRANGERS})
    )
    assert _found(plan.add(ATTACHMENT, 1, ("create",))) == [(f"{ATTACHMENT}.perimeter", Outcome.FAIL)]


def test_an_attachment_that_another_resource_takes_over_reaches_nothing_new() -> None:
    plan = PlanBuilder().add(POLICY, 1, before={"content": NO_STRANGERS}).add(ATTACHMENT, 1, ("delete",))
    assert _found(plan.add(ATTACHMENT, 1, ("create",), name="of_root")) == []


@pytest.mark.parametrize("action", ["create", "no-op"])
def test_an_attachment_that_names_no_policy_is_not_known(action: str) -> None:
    plan = PlanBuilder().add(POLICY, 1, (action,)).add(ATTACHMENT, 1, ("create",), after={"policy_id": None})
    assert _found(plan) == [(f"{ATTACHMENT}.perimeter", Outcome.UNKNOWN)]


@pytest.mark.parametrize(
    "references",
    [
        ["data.aws_organizations_policy.a.id"],
        ["local.id"],
        [],
        ["path.module"],
        [f"{POLICY}.perimeter.id", f"{POLICY}.of_another_plan.id"],
    ],
)
def test_an_attached_policy_that_comes_from_elsewhere_is_not_known(references: list[str]) -> None:
    plan = _made(CONTENTS["all allowed"]).add(ATTACHMENT, 1, ("create",), unknown=("policy_id",))
    plan.configuration[-1]["expressions"]["policy_id"] = {"references": references}
    assert _found(plan) == [(f"{ATTACHMENT}.perimeter", Outcome.UNKNOWN)]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"actions": ("create",), "after": {"content": NO_STRANGERS}}, True),
        ({"actions": ("create",), "after": {"target_ids": ["r-abcd"]}}, False),
        ({"before": {"content": NO_STRANGERS}, "after": {"target_ids": ["r-abcd"]}}, True),
        ({"before": {"content": NO_STRANGERS}, "after": {"target_ids": [CUSTOMER]}}, True),
        ({"before": {"content": NO_STRANGERS}, "unknown": ("target_ids",)}, True),
        ({"before": {"content": NO_STRANGERS}, "after": {"target_ids": ["345678901234"]}}, False),
        ({"before": {"content": NO_STRANGERS, "target_ids": ["r-abcd", CUSTOMER]}, "after": {"target_ids": []}}, False),
        ({"before": {"content": NO_STRANGERS, "target_ids": ["r-abcd"]}, "after": {"name": "x"}}, False),
        ({"before": {"content": NO_STRANGERS, "target_ids": ["r-abcd"]}, "actions": ("no-op",)}, False),
    ],
)
def test_a_policy_of_cloud_control_names_its_targets_itself(change: dict[str, Any], found: bool) -> None:
    plan = PlanBuilder().add(POLICY, 1, **{"actions": ("update",), **change})
    plan.changes[0] |= {"type": "awscc_organizations_policy", "address": "awscc_organizations_policy.perimeter"}
    assert _found(plan) == ([("awscc_organizations_policy.perimeter", Outcome.FAIL)] if found else [])


@pytest.mark.parametrize(
    ("references", "found"),
    [
        ([], True),
        (["local.target"], True),
        (["aws_organizations_organizational_unit.new.id"], True),
        (["aws_controltower_landing_zone.new.id"], True),
        (["aws_organizations_account.new.arn"], True),
        (["aws_organizations_account.new.parent_id"], True),
        (["aws_organizations_account.new.id", "aws_organizations_organizational_unit.new.id"], True),
        (["aws_organizations_account.new.id", "local.target"], True),
        (["aws_organizations_account.new.id", "aws_organizations_account.new"], False),
    ],
)
def test_a_target_that_is_not_known_may_be_that_of_the_keys_unless_it_is_a_new_account(
    references: list[str], found: bool
) -> None:
    plan = PlanBuilder().add(POLICY, 1, before={"content": NO_STRANGERS})
    plan.add(ATTACHMENT, 1, ("create",), unknown=("target_id",))
    plan.configuration[-1]["expressions"]["target_id"] = {"references": references}
    assert _found(plan) == ([(f"{ATTACHMENT}.perimeter", Outcome.FAIL)] if found else [])


def test_the_content_is_never_shown() -> None:
    condition = {"StringNotEquals": {"aws:PrincipalTag/secret": "CANARY-content"}}
    plan = _made(document(statement("*", "kms:*", "Deny", Condition=condition)))
    report = review_plan("plan.json", plan.data(), declaration(1))
    assert report.verdict is ReviewVerdict.BLOCK
    assert "CANARY" not in render_text(report) + render_json(report)


def test_the_report_says_what_stops_and_who_judged() -> None:
    content = document(
        statement("*", "kms:*", "Deny", Condition={"StringNotEquals": {"aws:PrincipalAccount": CUSTOMER}})
    )
    report = review_plan("plan.json", _made(content).data(), declaration(1))
    assert {row.product for row in report.impact} == {"Microsoft 365", "Google Workspace", "Microsoft Entra ID"}
    assert all(row.certain for row in report.impact)
    assert {row.effect for row in report.impact} == {
        "stops when the plan is applied: the organisation's policy denies Druva the use of the keys"
    }
    assert JUDGED_BY_ITSELF in report.notes
    assert VENDOR in report.findings[0].message
