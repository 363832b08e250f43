"""Rules of the customer's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import InputError
from engine.review import Report, ReviewVerdict, RuleSet, builtin_rules, review_plan
from engine.review.custom_rules import read_custom_rules
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import PlanBuilder

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
id: description-required
title: A key needs a description
severity: high
waivable: true
on_unknown: block
why: Nobody knows what a key without a description is for.
remediation: Set the description.
source: our handbook
resources: [aws_kms_key]
when:
  properties:
    actions: {contains: {enum: [create, update]}}
    after:
      type: object
      properties: {description: {enum: ["", null]}}
      required: [description]
  required: [after]
message: "{address} has no description"
examples:
  - {name: without, outcome: fail, actions: [create], after: {description: ""}}
  - {name: with, outcome: pass, actions: [create], after: {description: for Druva}}
  - {name: later, outcome: unknown, actions: [create], after: {}, unknown: [description]}
"""


def _folder(tmp_path: Path, text: str, name: str = "description-required.yaml") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def _review(folder: Path, plan: PlanBuilder) -> Report:
    own = builtin_rules()
    custom = read_custom_rules(folder, {rule.identifier for rule in own})
    return review_plan("plan.json", plan.data(), declaration(), rules=RuleSet(own, custom))


def _mistakes(tmp_path: Path, text: str, name: str = "description-required.yaml") -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        read_custom_rules(_folder(tmp_path, text, name), {"alias-removed"})
    return caught.value.diagnostics()


def test_a_resource_that_the_schema_accepts_fails(tmp_path: Path) -> None:
    plan = PlanBuilder().add("aws_kms_key", 1, ("update",), after={"description": ""})
    report = _review(_folder(tmp_path, GOOD), plan)
    assert report.verdict is ReviewVerdict.BLOCK
    (finding,) = report.blocking
    assert (finding.policy, finding.message) == (
        "description-required",
        "aws_kms_key.generation_1 has no description",
    )


def test_a_resource_that_the_schema_refuses_passes(tmp_path: Path) -> None:
    plan = PlanBuilder().add("aws_kms_key", 1, ("update",), after={"deletion_window_in_days": 30})
    assert _review(_folder(tmp_path, GOOD), plan).verdict is ReviewVerdict.PASS


def test_an_attribute_that_is_not_known_makes_it_unknown(tmp_path: Path) -> None:
    plan = PlanBuilder().add("aws_kms_key", 1, ("update",), unknown=("description",))
    report = _review(_folder(tmp_path, GOOD), plan)
    assert [(f.policy, f.outcome.value) for f in report.blocking] == [("description-required", "unknown")]


def test_a_rule_whose_types_the_plan_does_not_have_is_not_exercised(tmp_path: Path) -> None:
    report = _review(_folder(tmp_path, GOOD.replace("aws_kms_key", "aws_s3_bucket")), PlanBuilder())
    assert "description-required" in report.not_exercised


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("severity: high", "severity: grave", "severity"),
        ("id: description-required", "id: another-name", "the file's name"),
        ("outcome: fail", "outcome: pass", "comes out as fail"),
        ("outcome: unknown", "outcome: pass", "comes out as unknown"),
        ("    actions: {contains", "    actions: {type: 5, contains", "not a JSON Schema"),
        ('"{address} has', '"{name} has', "no word"),
        ("resources: [aws_kms_key]", "resources: []", "resources"),
        ("title:", "heading:", "heading"),
        ("source: our handbook\n", "", "'source' is missing"),
    ],
)
def test_a_broken_rule_stops_the_run_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    found = _mistakes(tmp_path, GOOD.replace(old, new, 1))
    assert any(said in line and ".yaml:" in line for line in found), found


def test_an_id_of_keyturns_own_cannot_be_taken(tmp_path: Path) -> None:
    text = GOOD.replace("description-required", "alias-removed")
    assert any("Keyturn's own" in line for line in _mistakes(tmp_path, text, "alias-removed.yaml"))


def test_examples_must_show_both(tmp_path: Path) -> None:
    text = "\n".join(line for line in GOOD.splitlines() if "outcome: pass" not in line)
    assert any("do not show both" in line for line in _mistakes(tmp_path, text))


def test_an_empty_or_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no rule"):
        read_custom_rules(tmp_path, ())
    with pytest.raises(InputError, match="cannot be read"):
        read_custom_rules(tmp_path / "none", ())
