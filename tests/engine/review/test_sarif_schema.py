"""SARIF as its own committee's schema says (tests/engine/review/schemas/README.md)."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from engine.review import review_plan
from engine.review.formats import ReportFormat, render
from engine.review.sarif_report import MAX_RESULTS
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import PlanBuilder
from tests.policies.example_plans import review_example
from tests.policies.test_rules import RULES

SCHEMA = json.loads((Path(__file__).with_name("schemas") / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
# The committee's pattern for a language has a bracket too many for this validator; our reports name no language.
for of_language in ("run", "toolComponent"):
    del SCHEMA["definitions"][of_language]["properties"]["language"]["pattern"]
VALIDATOR = jsonschema_rs.Draft7Validator(SCHEMA, validate_formats=True)


@pytest.mark.parametrize("identifier", RULES)
def test_the_sarif_of_every_example_fits_the_official_schema(identifier: str) -> None:
    for example in RULES[identifier]["examples"]:
        VALIDATOR.validate(json.loads(render(review_example(example), ReportFormat.SARIF)))


def test_the_schema_refuses_what_is_none() -> None:
    document = json.loads(render(review_example(RULES["alias-removed"]["examples"][0]), ReportFormat.SARIF))
    document["runs"][0]["results"][0]["level"] = "critical"
    assert not VALIDATOR.is_valid(document)


def test_a_plan_with_an_odd_name_and_odd_addresses_fits_too() -> None:
    plan = PlanBuilder().add("aws_kms_key", 1, ("delete",)).plan()
    plan["resource_changes"][0]["address"] = 'module.a["x y%\u202e"].aws_kms_key.generation_1["\\u0000"]'
    report = review_plan("plans/ä ö %zz.json", json.dumps(plan).encode(), declaration())
    VALIDATOR.validate(json.loads(render(report, ReportFormat.SARIF)))


def test_there_are_never_more_results_than_code_scanning_takes() -> None:
    plan = PlanBuilder()
    for number in range(MAX_RESULTS + 10):
        plan.add("aws_kms_key", 1, ("delete",), name=f"key_{number}")
    report = review_plan("plan.json", plan.data(), declaration())
    (run,) = json.loads(render(report, ReportFormat.SARIF))["runs"]
    assert len(report.findings) > MAX_RESULTS
    assert len(run["results"]) == MAX_RESULTS
    assert run["properties"]["omitted"] == len(report.findings) - MAX_RESULTS
