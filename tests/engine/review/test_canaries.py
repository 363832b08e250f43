"""Sensitive values stand in clear in a plan's JSON; canaries planted in every such place come out of no report."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import InputError
from engine.review import RuleSet, builtin_rules, review_plan
from engine.review.custom_rules import read_custom_rules
from engine.review.formats import ReportFormat, render
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import POLICIES, PlanBuilder, key_arn, key_id
from tests.policies.example_plans import inputs_of
from tests.policies.test_rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "CANARY-3c9f"
# What the review follows from one resource to another; marked as sensitive too, it is followed and not shown.
FOLLOWED = frozenset({"arn", "id", "key_id", "policy", "target_key_id", "target_key_arn", "primary_key_arn", "name"})


def _planted(plan: dict[str, Any]) -> bytes:
    """The plan with everything marked as sensitive, and a canary in every text that the review does not follow."""
    document = copy.deepcopy(plan)
    entries = [*document["resource_changes"], *document.get("resource_drift", ())]
    entries += [entry["resource_change"] for entry in document.get("deferred_changes", ())]
    for entry in entries:
        change = entry["change"]
        for side in ("before", "after"):
            if isinstance(change.get(side), dict):
                change[side] = {name: _canary(name, value) for name, value in change[side].items()}
                change[f"{side}_sensitive"] = True
    for entry in document["prior_state"]["values"]["root_module"]["resources"]:
        entry["values"] = {name: _canary(name, value) for name, value in entry["values"].items()}
        entry["sensitive_values"] = True
    secret = {"sensitive": True, "type": "string", "value": CANARY}
    document["variables"] = {"secret": {"value": CANARY}}
    document["planned_values"]["outputs"] = {"secret": secret}
    document["prior_state"]["values"]["outputs"] = {"secret": secret}
    document["output_changes"] = {"secret": {"actions": ["create"], "after": CANARY, "after_sensitive": True}}
    document["checks"] = [{"address": {"to_display": "check.a"}, "instances": [{"problems": [{"message": CANARY}]}]}]
    document["configuration"]["provider_config"] = {"aws": {"expressions": {"secret_key": {"constant_value": CANARY}}}}
    return json.dumps(document).encode()


def _canary(name: str, value: Any) -> Any:
    return f"{CANARY}-{name}" if isinstance(value, str) and name not in FOLLOWED else value


@pytest.mark.parametrize("identifier", RULES)
def test_no_report_of_any_example_shows_a_planted_value(identifier: str) -> None:
    for example in RULES[identifier]["examples"]:
        data, declared = inputs_of(example)
        report = review_plan(
            "plan.json", _planted(json.loads(data)), declared.change, base=declared.base, proof=declared.proof
        )
        for form in ReportFormat:
            text = render(report, form, colour=True)
            assert "CANARY" not in text, (form, example["name"])


@pytest.mark.parametrize("actions", [("delete",), ("update",), ("delete", "create"), ("forget",)])
def test_an_arn_an_alias_and_an_account_that_are_marked_as_sensitive_are_not_shown(actions: tuple[str, ...]) -> None:
    plan = PlanBuilder().add("aws_kms_key", 1, actions, after={"is_enabled": False, "deletion_window_in_days": 7})
    plan.add("aws_kms_alias", 1, actions, after={"name": "alias/secret-name"}, before={"name": "alias/secret-name"})
    report = review_plan("plan.json", _planted(plan.plan()), declaration(alias="alias/secret-name"))
    assert report.findings
    for form in ReportFormat:
        text = render(report, form)
        assert key_id(1) not in text
        assert "secret-name" not in text


@pytest.mark.parametrize(
    ("kind", "actions", "after"),
    [
        ("aws_kms_key_policy", ("delete",), {}),
        ("aws_kms_key_policy", ("create",), {"policy": POLICIES["owner only"]}),
        ("aws_kms_alias", ("update",), {"target_key_id": key_arn(9), "target_key_arn": key_arn(9)}),
    ],
)
def test_a_key_that_only_a_sensitive_id_names_is_not_named(
    kind: str, actions: tuple[str, ...], after: dict[str, Any]
) -> None:
    plan = PlanBuilder().add("aws_kms_key", 1).add(kind, 1 if kind == "aws_kms_alias" else 9, actions, after=after)
    report = review_plan("plan.json", _planted(plan.plan()), declaration(2))
    assert report.blocking
    for form in ReportFormat:
        assert key_id(9) not in render(report, form)


def test_an_imported_key_of_which_the_arn_is_sensitive_is_not_shown() -> None:
    plan = PlanBuilder().add("aws_kms_key", 1, importing="x", before={"arn": key_arn(1, "eu-west-1")})
    report = review_plan("plan.json", _planted(plan.plan()), declaration())
    assert "wrong-key-place" in {finding.policy for finding in report.findings}
    assert all(key_id(1) not in render(report, form) for form in ReportFormat)


def test_a_rule_of_ones_own_shows_no_value_either(tmp_path: Path) -> None:
    (tmp_path / "no-secret.yaml").write_text(
        """\
id: no-secret
title: A key has no secret in it
severity: high
waivable: true
on_unknown: block
why: A secret in a plan is read by everybody who reads the plan.
remediation: Take the secret out of the code.
source: our handbook
resources: [aws_kms_key]
when: {properties: {after: {type: object, required: [description]}}, required: [after]}
message: "{address} has a secret"
examples:
  - {name: with, outcome: fail, actions: [create], after: {description: x}}
  - {name: without, outcome: pass, actions: [create], after: {}}
""",
        encoding="utf-8",
    )
    own = builtin_rules()
    rules = RuleSet(own, read_custom_rules(tmp_path, {rule.identifier for rule in own}))
    plan = PlanBuilder().add("aws_kms_key", 1, ("update",), after={"is_enabled": False}).plan()
    report = review_plan("plan.json", _planted(plan), declaration(), rules=rules)
    assert "no-secret" in {finding.policy for finding in report.findings}
    assert all("CANARY" not in render(report, form) for form in ReportFormat)


def test_what_is_refused_is_refused_without_its_values() -> None:
    plan = PlanBuilder().add("aws_kms_key", 1).plan()
    for broken in ({"before": CANARY}, {"after": [CANARY]}, {"after_unknown": CANARY}):
        document = copy.deepcopy(plan)
        document["resource_changes"][0]["change"] |= broken
        with pytest.raises(InputError) as caught:
            review_plan("plan.json", json.dumps(document).encode(), declaration())
        assert CANARY not in "".join((*caught.value.diagnostics(), caught.value.hint or ""))
