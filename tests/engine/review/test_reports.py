"""The reports: what a person reads first, and the JSON as its schema says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import engine.review
from engine.review import Report, render_json, render_text, review_plan
from engine.review.formats import ReportFormat, render
from engine.review.markdown_report import render_markdown
from engine.review.report import JUDGED_BY_ITSELF, ReviewVerdict
from engine.review.rules import Outcome, Severity
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import PlanBuilder, key_arn
from tests.engine.review.report_builder import finding, impact, noted, report, waived
from tests.policies.example_plans import review_example
from tests.policies.test_rules import RULES

SCHEMA = json.loads(Path(engine.review.__file__).with_name("report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
KEY = "aws_kms_key"


def _deletion() -> Report:
    plan = PlanBuilder().add(KEY, 1, ("delete",), action_reason="delete_because_no_resource_config")
    return review_plan("plan.json", plan.data(), declaration())


def test_the_json_has_the_contracts_keys() -> None:
    document = json.loads(render_json(_deletion()))
    assert document["verdict"] == "block"
    (finding,) = document["findings"]
    assert finding["policy"] == "generation-destroyed"
    assert finding["severity"] == "critical"
    assert finding["outcome"] == "fail"
    assert finding["address"] == "aws_kms_key.generation_1"
    assert finding["requirements"] == ["EKM-33", "EKM-34"]
    assert finding["remediation"].startswith("Keep the key in the code.")
    assert document["keys"] == [
        {
            "address": "aws_kms_key.generation_1",
            "generation": 1,
            "role": "current",
            "key_arn": "arn:aws:kms:us-east-1:123456789012:key/00000001-1111-2222-3333-444444444444",
            "effect": "destroys",
        }
    ]
    assert {"product": "Microsoft 365", "workflow": "backup", "variant": "scheduled"}.items() <= next(
        row for row in document["impact"] if row["workflow"] == "backup"
    ).items()
    assert "alias-moved-back" in document["not_exercised"]
    assert "generation-destroyed" not in document["not_exercised"]
    assert document["waived"] == []


@pytest.mark.parametrize("identifier", RULES)
def test_the_json_of_every_example_fits_the_schema(identifier: str) -> None:
    for example in RULES[identifier]["examples"]:
        VALIDATOR.validate(json.loads(render_json(review_example(example))))


def test_the_text_says_verdict_reason_impact_and_what_to_do() -> None:
    text = render_text(_deletion())
    lines = text.splitlines()
    assert lines[0] == "BLOCK  plan.json: one reason not to apply this plan (one key in scope)"
    assert "critical  A generation's key is destroyed  (generation-destroyed)" in lines
    joined = " ".join(text.split())
    assert "its block is no longer in the code" in joined
    assert "Instead: Keep the key in the code." in joined
    assert "What would stop working" in lines
    assert "Microsoft Entra ID: backup (2 kinds), restore, download" in joined
    assert "Legal hold downloads go on" in joined
    assert "judged by its own declaration" in joined
    assert text.endswith("\n")
    assert all(len(line) <= 100 for line in lines)


def test_colour_is_the_callers_choice() -> None:
    report = _deletion()
    assert "\x1b[" not in render_text(report)
    assert render(report, ReportFormat.TEXT) == render_text(report)
    assert render(report, ReportFormat.TEXT, colour=True) == render_text(report, colour=True)
    assert "\x1b[31;1mBLOCK\x1b[0m" in render_text(report, colour=True)


def test_very_many_findings_of_a_rule_are_counted_and_not_all_shown() -> None:
    plan = PlanBuilder()
    for number in range(1, 10):
        for copy in range(20):
            plan.add(KEY, number, ("delete",), name=f"key_{number}_{copy}")
    text = render_text(review_plan("plan.json", plan.data(), declaration()))
    assert "and 170 more" in text
    assert len(text.splitlines()) < 80


def test_a_plan_without_keys_gets_one_line() -> None:
    assert render_text(review_plan("plan.json", PlanBuilder().data(), declaration())) == (
        "PASS  plan.json: nothing in it touches a key in scope\n"
    )


def test_a_plan_that_harms_nothing_says_that_it_was_its_own_judge() -> None:
    plan, said = PlanBuilder().add(KEY, 1).data(), "judged by its own declaration"
    alone = review_plan("plan.json", plan, declaration())
    assert said in render_text(alone)
    assert said in render_markdown(alone)
    judged = review_plan("plan.json", plan, declaration(), base=declaration())
    assert render_text(judged) == "PASS  plan.json: one key in scope, unharmed\n"
    assert said not in render_markdown(judged)


def test_control_characters_of_a_plan_never_reach_the_terminal() -> None:
    plan = PlanBuilder().add(KEY, 1, ("delete",)).plan()
    plan["resource_changes"][0]["address"] = 'aws_kms_key.generation_1["\x1b[2J\u202e"]'
    plan["resource_changes"][0]["index"] = "\x1b[2J"
    report = review_plan("plan\x1b[2J.json", json.dumps(plan).encode(), declaration())
    text = render_text(report)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert json.loads(render_json(report))["plan"] == "plan\\u001b[2J.json"


def test_what_cannot_be_told_is_said_as_such() -> None:
    plan = PlanBuilder().add(KEY, 1, ("update",), unknown=("is_enabled",))
    report = review_plan("plan.json", plan.data(), declaration())
    text = render_text(report)
    assert "not certain" in text
    assert "What may stop working" in text
    assert "not known before the apply" in text


def test_a_finding_that_informs_does_not_block() -> None:
    plan = PlanBuilder().add(KEY, 1).add("aws_kms_grant", 1, ("delete",))
    report = review_plan("plan.json", plan.data(), declaration())
    text = render_text(report)
    assert text.startswith("PASS")
    assert "Also noted" in text


def _documents() -> list[Any]:
    return [json.loads(render_json(_deletion())) for _ in range(2)]


def test_the_same_plan_gives_the_same_report() -> None:
    first, second = _documents()
    assert first == second


WHOLE = """\
BLOCK  plan.json: 3 reasons not to apply this plan (2 keys in scope)

critical  A key is harmed  (key-is-harmed)
  aws_kms_key.generation_1
    generation 1: it is harmed
  aws_kms_key.generation_2
    generation 2: it may be harmed
  Why: Nothing can be read without it.
  Instead: Leave it alone.
  [EKM-33, EKM-34]

high  A key is hurt  (key-is-hurt, not certain)
  aws_kms_key.generation_1
    generation 1: it is harmed
  Why: Nothing can be read without it.
  Instead: Leave it alone.

What would stop working
  Microsoft 365: backup (2 kinds), restore
  Google Workspace: backup
  stops when the plan is applied: the key is harmed
  Legal hold downloads go on: they do not use this key.

Also noted
low  A key is odd  (key-is-odd)
  aws_kms_key.generation_1
    generation 1: it is harmed
  Why: Nothing can be read without it.
  Instead: Leave it alone.
  [EKM-33]

Waived until 2999-01-01 by Ada: replaced by hand
medium  A key is missed  (key-is-missed)
  aws_kms_key.generation_1
    generation 1: it is harmed
  Why: Nothing can be read without it.
  Instead: Leave it alone.
  [EKM-33]

the first note
the second note
"""


def _whole(**changes: Any) -> Report:
    harmed = {"requirements": ("EKM-33", "EKM-34")}
    maybe = {"outcome": Outcome.UNKNOWN, "message": "generation 2: it may be harmed"}
    hurt = {"policy": "key-is-hurt", "title": "A key is hurt", "severity": Severity.HIGH, "requirements": ()}
    missed = noted(policy="key-is-missed", title="A key is missed", severity=Severity.MEDIUM)
    return report(
        [
            finding(**harmed),
            finding(address="aws_kms_key.generation_2", **maybe, **harmed),
            finding(**hurt, outcome=Outcome.UNKNOWN),
            noted(),
        ],
        keys=2,
        impact=(
            impact("Microsoft 365", "backup", "scheduled"),
            impact("Microsoft 365", "backup", "manual"),
            impact("Microsoft 365", "restore", "in place"),
            impact("Google Workspace", "backup", "scheduled"),
        ),
        waived=(waived(missed),),
        notes=("the first note", "the second note"),
        **changes,
    )


def test_the_text_of_a_report_with_everything_in_it() -> None:
    assert render_text(_whole()) == WHOLE


def test_colours_leave_the_text_as_it_is() -> None:
    painted = render_text(_whole(), colour=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == WHOLE
    for text, code in (("critical", "31;1"), ("high", "31;1"), ("medium", "33"), ("low", "2"), ("the first note", "2")):
        assert f"\x1b[{code}m{text}\x1b[0m" in painted
    assert "\x1b[32;1mPASS\x1b[0m" in render_text(report(), colour=True)


@pytest.mark.parametrize(("keys", "said"), [(0, "0 keys in scope"), (1, "one key in scope"), (2, "2 keys in scope")])
def test_the_keys_in_scope_are_counted(keys: int, said: str) -> None:
    blocked = report([finding()], keys=keys)
    assert render_text(blocked).splitlines()[0] == f"BLOCK  plan.json: one reason not to apply this plan ({said})"
    assert f"**one reason not to apply this plan** ({said})." in render_markdown(blocked)
    passed = report(keys=keys)
    if keys:
        assert render_text(passed) == f"PASS  plan.json: {said}, unharmed\n"
        assert f"`plan.json`: {said}, unharmed." in render_markdown(passed)
    else:
        assert render_text(passed) == "PASS  plan.json: nothing in it touches a key in scope\n"
        assert "`plan.json`: nothing in this plan touches a key in scope." in render_markdown(passed)


@pytest.mark.parametrize(("count", "shown", "left"), [(1, 1, 0), (9, 9, 0), (10, 10, 0), (11, 10, 1), (30, 10, 20)])
def test_of_one_rule_ten_findings_are_shown_and_the_rest_counted(count: int, shown: int, left: int) -> None:
    lines = render_text(report([finding(address=f"aws_kms_key.k{n}") for n in range(count)])).splitlines()
    assert sum(line.startswith("  aws_kms_key.k") for line in lines) == shown
    assert [line for line in lines if " more" in line] == ([f"  and {left} more"] if left else [])


def test_an_arn_is_never_broken_over_two_lines() -> None:
    long = "x" * 120
    text = render_text(report([finding(message=f"of the keys of generation 1 that are declared {key_arn(1)} {long}")]))
    assert key_arn(1) in text
    assert long in text


def test_what_may_stop_is_told_as_such() -> None:
    maybe = report([finding()], impact=(impact("Microsoft 365", "backup", "scheduled", certain=False),))
    for text in (render_text(maybe), render_markdown(maybe)):
        assert "What may stop working" in text
        assert "What would stop working" not in text


@pytest.mark.parametrize("found", [{"findings": [noted()]}, {"waived": (waived(finding()),)}])
def test_notes_are_given_beside_anything_that_was_found(found: dict[str, Any]) -> None:
    notes = ("a first note", JUDGED_BY_ITSELF, "the last note")
    with_it, without = report(notes=notes, **found), report(notes=notes)
    assert with_it.verdict is ReviewVerdict.PASS
    for form in (render_text, render_markdown):
        plainly = [form(each).replace("\\", "") for each in (with_it, without)]
        assert [[note in text for note in notes] for text in plainly] == [[True, True, True], [False, True, False]]
