"""Waivers: what they take out of a verdict, and what stops the run."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from engine.errors import InputError
from engine.review import Report, ReviewVerdict, RuleSet, builtin_rules, render_json, render_text, review_plan
from engine.review.waivers import Waiver, read_waivers
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import PlanBuilder

TODAY = date(2030, 1, 1)
NOW = datetime(2030, 1, 1, 23, 59, tzinfo=UTC)
PLAN = PlanBuilder().add("aws_kms_key", 1).add("aws_kms_alias", 1, ("delete",)).data()
ADDRESS = "aws_kms_alias.current"
RULES = RuleSet(builtin_rules())


def _file(**changes: str) -> bytes:
    waiver = {
        "rule": "alias-removed",
        "address": ADDRESS,
        "reason": "the alias is replaced by hand, ticket 12",
        "owner": "security@northwind.example",
        "until": "2030-01-31",
        **changes,
    }
    return json.dumps({"version": 1, "at_most_days": 90, "waivers": [waiver]}).encode()


def _waivers(data: bytes) -> tuple[Waiver, ...]:
    return read_waivers("waivers.yaml", data, RULES.waivable, TODAY)


def _review(data: bytes, plan: bytes = PLAN) -> Report:
    rules = RuleSet(RULES.builtin, waivers=_waivers(data))
    return review_plan("plan.json", plan, declaration(), rules=rules, now=NOW)


def test_a_waived_finding_does_not_block_and_is_always_shown() -> None:
    assert review_plan("plan.json", PLAN, declaration()).verdict is ReviewVerdict.BLOCK
    report = _review(_file())
    assert report.verdict is ReviewVerdict.PASS
    assert report.findings == ()
    text = render_text(report)
    assert "Waived until 2030-01-31 by security@northwind.example: the alias is replaced by hand, ticket 12" in text
    assert "alias-removed" in text
    (waived,) = json.loads(render_json(report))["waived"]
    assert waived["policy"] == "alias-removed"
    assert waived["owner"] == "security@northwind.example"


def test_the_last_day_counts() -> None:
    report = _review(_file(until="2030-01-01"))
    assert report.verdict is ReviewVerdict.PASS
    assert not any("waiver" in note for note in report.notes)


def test_the_furthest_day_that_the_file_allows_is_allowed() -> None:
    assert _review(_file(until="2030-04-01")).verdict is ReviewVerdict.PASS


def test_every_mistake_is_told_in_one_go() -> None:
    document = json.loads(_file(until="2030-02-30"))
    (waiver,) = document["waivers"]
    document["waivers"] += [
        {**waiver, "until": "2031-01-01"},
        {**waiver, "until": "2030-01-31", "rule": "no-such-rule"},
    ]
    with pytest.raises(InputError) as caught:
        _waivers(json.dumps(document).encode())
    told = "\n".join(caught.value.diagnostics())
    assert all(said in told for said in ("is no day", "too far ahead", "there is no rule"))


def test_an_expired_waiver_does_not_count_and_is_told() -> None:
    report = _review(_file(until="2029-12-31"))
    assert report.verdict is ReviewVerdict.BLOCK
    assert any("expired on 2029-12-31" in note for note in report.notes)


def test_a_waiver_for_another_address_does_not_count_and_is_told() -> None:
    report = _review(_file(address="aws_kms_alias.other"))
    assert report.verdict is ReviewVerdict.BLOCK
    assert any("met no finding" in note for note in report.notes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule": "generation-destroyed"}, "cannot be waived"),
        ({"rule": "no-such-rule"}, "there is no rule"),
        ({"until": "2030-04-02"}, "too far ahead"),
        ({"until": "2030-02-30"}, "is no day"),
        ({"until": "soon"}, "until"),
        ({"owner": ""}, "owner"),
        ({"reason": "because"}, "reason"),
        ({"wildcard": "*"}, "wildcard"),
    ],
)
def test_a_mistake_stops_the_run_with_its_place(changes: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        _waivers(_file(**changes))
    assert any("waivers.yaml:1:" in line and said in line for line in caught.value.diagnostics())


def test_a_file_without_an_age_is_refused() -> None:
    with pytest.raises(InputError):
        _waivers(b'{"version": 1, "waivers": []}')


def test_the_worst_rules_cannot_be_waived() -> None:
    never = {rule for rule, waivable in RULES.waivable.items() if not waivable}
    assert {"generation-destroyed", "generation-replaced", "generation-lost", "plan-errored"} <= never


def test_a_waiver_made_by_hand_for_such_a_rule_does_not_count_either() -> None:
    plan = PlanBuilder().add("aws_kms_key", 1, ("delete",)).data()
    waiver = Waiver("generation-destroyed", "aws_kms_key.generation_1", "because I say so", "me", date(2031, 1, 1))
    rules = RuleSet(RULES.builtin, waivers=(waiver,))
    assert review_plan("plan.json", plan, declaration(), rules=rules, now=NOW).verdict is ReviewVerdict.BLOCK
