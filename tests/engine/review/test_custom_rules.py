"""Rules of the customer's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        ("    actions: {contains", "    actions: {type: 5, contains", "not a JSON Schema: 5 is not valid"),
        ('"{address} has', '"{name} has', "no word"),
        ("resources: [aws_kms_key]", "resources: []", "resources"),
        ("title:", "heading:", "heading"),
        ("source: our handbook\n", "", "'source' is missing"),
        ("id: description-required", "id: your-description", "the file's name"),
        ('"{address} has', '"{0} has', "no word '0'"),
        ('"{address} has', '"{} has', "no word ''"),
        ('"{address} has', '"{address.name} has', "no word 'address.name'"),
        ('"{address} has', '"{address[0]} has', "no word 'address[0]'"),
        ('"{address} has', '"{address:d} has', "no word 'address' of this form"),
        ('"{address} has', '"{address!x} has', "no word 'address' of this form"),
        ('"{address} has', '"{address has', "braces do not match"),
        ("outcome: pass", "outcome: unknown", "comes out as pass"),
        ("outcome: unknown", "outcome: fail", "comes out as unknown"),
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


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:9/schema.json", "file:///etc/hostname", "other.json", "#/$defs/absent", "json-schema:///x"],
)
def test_a_schema_that_refers_to_anything_outside_of_its_file_is_refused(tmp_path: Path, address: str) -> None:
    (tmp_path / "other.json").write_text("true", encoding="utf-8")
    text = GOOD.replace("    actions: {contains", f'    address: {{$ref: "{address}"}}\n    actions: {{contains')
    (mistake,) = _mistakes(tmp_path, text)
    assert ".yaml:11:3: not a JSON Schema" in mistake


def test_a_schema_that_stands_in_a_file_beside_is_not_read(tmp_path: Path) -> None:
    beside = tmp_path / "beside.json"
    beside.write_text("{}", encoding="utf-8")
    text = GOOD.replace(
        "    actions: {contains", f'    address: {{$ref: "{beside.as_uri()}"}}\n    actions: {{contains'
    )
    (mistake,) = _mistakes(tmp_path, text)
    assert "beside.json is outside of the file" in mistake


def test_all_mistakes_of_a_rule_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("id: description-required", "id: another").replace("outcome: unknown", "outcome: pass")
    found = _mistakes(tmp_path, text.replace('"{address} has', '"{name} has'))
    assert [said in line for said, line in zip(("file's name", "no word", "comes out as"), found, strict=True)] == [
        True,
        True,
        True,
    ]


def test_each_resource_is_held_against_each_rule_of_its_type(tmp_path: Path) -> None:
    for name, kind in (("a-rule", "aws_s3_bucket"), ("b-rule", "aws_kms_key"), ("c-rule", "aws_kms_key")):
        _folder(
            tmp_path,
            GOOD.replace("description-required", name).replace("[aws_kms_key]", f"[{kind}]"),
            f"{name}.yaml",
        )
    report = _review(tmp_path, PlanBuilder().add("aws_kms_key", 1, ("update",), after={"description": ""}))
    assert [finding.policy for finding in report.blocking] == ["b-rule", "c-rule"]
    assert "a-rule" in report.not_exercised
    assert not {"b-rule", "c-rule"} & set(report.not_exercised)


def test_one_rule_in_two_files_is_an_error(tmp_path: Path) -> None:
    _folder(tmp_path, GOOD)
    with pytest.raises(InputError, match=r"stands twice in .*, again in description-required\.yml"):
        read_custom_rules(_folder(tmp_path, GOOD, "description-required.yml"), ())


def test_other_files_of_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("- [", encoding="utf-8")
    assert [rule.identifier for rule in read_custom_rules(_folder(tmp_path, GOOD), ())] == ["description-required"]


@pytest.mark.parametrize(("on_unknown", "blocks"), [("block", True), ("inform", False)])
def test_a_rule_says_whether_it_blocks_where_it_cannot_be_told(tmp_path: Path, on_unknown: str, blocks: bool) -> None:
    reason = "\non_unknown_reason: a description harms nobody"
    text = GOOD.replace("on_unknown: block", f"on_unknown: {on_unknown}{reason}")
    plan = PlanBuilder().add("aws_kms_key", 1, ("update",), unknown=("description",))
    (finding,) = _review(_folder(tmp_path, text), plan).findings
    assert (finding.outcome.value, finding.blocks) == ("unknown", blocks)
    assert finding.message == "not known before the apply: aws_kms_key.generation_1 has no description"


def _bucket(**entry: Any) -> PlanBuilder:
    """A plan of one bucket without tags."""
    plan = PlanBuilder()
    change = {"actions": ["create"], "before": None, "after": {"bucket": "b"}, "after_unknown": {}}
    plan.changes.append({"address": "aws_s3_bucket.b", "mode": "managed", "type": "aws_s3_bucket", "change": change})
    plan.changes[0] |= entry
    return plan


def _rule_of(when: str, good: str = "after: {bad: false}") -> str:
    """A rule over buckets: a bad one fails, a good one passes."""
    return f"""\
id: bucket-rule
title: No bucket is bad
severity: high
waivable: true
on_unknown: block
why: A rule of which the schema is what is tested here.
remediation: Make it a good one.
source: our handbook
resources: [aws_s3_bucket]
when: {when}
message: "{{address}} is a bad bucket"
examples:
  - {{name: bad, outcome: fail, actions: [create], after: {{bad: true, tags: {{}}, third: 1}}}}
  - {{name: good, outcome: pass, actions: [create], {good}}}
"""


BAD = "{type: object, properties: {bad: {const: true}}, required: [bad]}"
NAMED = {
    "by properties and required": f"{{properties: {{after: {BAD}}}}}",
    "by properties alone": "{properties: {after: {type: object, properties: {bad: {const: true}}}}}",
    "by required alone": "{properties: {after: {type: object, not: {not: {required: [tags]}}}}}",
    "within all of": f"{{properties: {{after: {{allOf: [true, {BAD}]}}}}}}",
    "within any of": f"{{properties: {{after: {{anyOf: [{BAD}, false]}}}}}}",
    "within one of": f"{{properties: {{after: {{oneOf: [{BAD}, false]}}}}}}",
    "within a condition": f"{{properties: {{after: {{if: {{type: object}}, then: {BAD}, else: false}}}}}}",
    "within its other side": f"{{properties: {{after: {{if: {{type: 'null'}}, then: false, else: {BAD}}}}}}}",
    "within its question": f"{{properties: {{after: {{if: {BAD}, then: true, else: false}}}}}}",
    "deep in the schema": f"{{allOf: [{{title: x, allOf: [{{properties: {{after: {BAD}}}}}]}}], title: y}}",
    "behind a reference": f"{{allOf: [{{$ref: '#/$defs/x'}}], $defs: {{x: {{properties: {{after: {BAD}}}}}}}}}",
}
NOT_NAMED = {
    "by a reference": f"{{properties: {{after: {{$ref: '#/$defs/x'}}}}, $defs: {{x: {BAD}}}}}",
    "by a pattern": "{properties: {after: {type: object, patternProperties: {'^bad$': {const: true}}}}}",
    "by a count": "{properties: {after: {type: object, minProperties: 2}}}",
    "as a whole": "{properties: {after: {const: {bad: true, tags: {}, third: 1}}}}",
    "as one of some": "{properties: {after: {enum: [null, {bad: true, tags: {}, third: 1}]}}}",
    "by a pattern for the moment": f"{{patternProperties: {{'^after$': {BAD}}}}}",
    "by what is left of the change": (
        f"{{properties: {{address: true, actions: true, before: true}}, additionalProperties: {BAD}}}"
    ),
    "by a reference into another part": (
        f"{{allOf: [{{$ref: '#/properties/address'}}], properties: {{address: {{properties: {{after: {BAD}}}}}}}}}"
    ),
    "by what depends on it": "{properties: {after: {not: {dependentSchemas: {tags: false}}}}}",
}


@pytest.mark.parametrize("when", NAMED.values(), ids=NAMED)
def test_an_attribute_that_the_schema_names_may_be_unknown_wherever_it_stands(tmp_path: Path, when: str) -> None:
    name = "tags" if "tags" in when else "bad"
    folder = _folder(tmp_path, _rule_of(when), "bucket-rule.yaml")
    change = {"actions": ["create"], "before": None, "after": {}, "after_unknown": {name: True}}
    (finding,) = _review(folder, _bucket(change=change)).blocking
    assert (finding.policy, finding.outcome.value) == ("bucket-rule", "unknown")
    change["after_unknown"] = {"arn": True, "object": True, name: False}
    change["after"] = {"bad": False}
    assert _review(folder, _bucket(change=change)).findings == ()


@pytest.mark.parametrize("when", NOT_NAMED.values(), ids=NOT_NAMED)
def test_where_the_schema_names_no_attribute_any_may_decide(tmp_path: Path, when: str) -> None:
    folder = _folder(tmp_path, _rule_of(when), "bucket-rule.yaml")
    change = {"actions": ["create"], "before": None, "after": {"bad": False}, "after_unknown": {"arn": True}}
    assert [f.outcome.value for f in _review(folder, _bucket(change=change)).blocking] == ["unknown"]
    known = change | {"after_unknown": {"arn": False, "tags": [{"x": False}]}}
    assert _review(folder, _bucket(change=known)).findings == ()


@pytest.mark.parametrize(
    ("when", "good", "unknown", "outcome"),
    [
        (f"{{properties: {{after: {BAD}}}}}", "after: {bad: false}", True, "unknown"),
        (f"{{properties: {{after: {BAD}}}}}", "after: {bad: false}", False, "fail"),
        (f"{{properties: {{after: {BAD}}}}}", "after: {bad: false}", None, "fail"),
        ("{properties: {before: {type: 'null'}}}", "before: {}", True, "fail"),
        ("{properties: {after: {type: object, minProperties: 1}}}", "after: {}", True, "unknown"),
        ("{properties: {after: {type: object, minProperties: 1}}}", "after: {}", False, "fail"),
    ],
)
def test_what_is_unknown_as_a_whole_matters_to_a_rule_over_attributes(
    tmp_path: Path, when: str, good: str, unknown: bool | None, outcome: str
) -> None:
    text = _rule_of(when, good)
    change = {"actions": ["create"], "before": None, "after": {"bad": True}, "after_unknown": unknown}
    report = _review(_folder(tmp_path, text, "bucket-rule.yaml"), _bucket(change=change))
    assert [finding.outcome.value for finding in report.blocking] == [outcome]


def test_data_sources_are_not_judged(tmp_path: Path) -> None:
    folder = _folder(tmp_path, _rule_of(f"{{properties: {{after: {BAD}}}}}"), "bucket-rule.yaml")
    bad = {"actions": ["create"], "before": None, "after": {"bad": True}}
    for mode in ("managed", None, "Data"):
        assert len(_review(folder, _bucket(change=bad, mode=mode)).blocking) == 1
    report = _review(folder, _bucket(change=bad, mode="data"))
    assert report.findings == ()
    assert "bucket-rule" in report.not_exercised


@pytest.mark.parametrize("broken", [{"change": None}, {"change": [1]}, {"address": None}, {"address": 5}])
def test_a_change_that_cannot_be_read_is_refused(tmp_path: Path, broken: dict[str, Any]) -> None:
    folder = _folder(tmp_path, _rule_of(f"{{properties: {{after: {BAD}}}}}"), "bucket-rule.yaml")
    with pytest.raises(InputError, match=r"resource_changes\[0\] is not a resource's change"):
        _review(folder, _bucket(**broken))


def test_an_empty_or_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no rule"):
        read_custom_rules(tmp_path, ())
    with pytest.raises(InputError, match="cannot be read"):
        read_custom_rules(tmp_path / "none", ())
