"""How a rule's conditions are held against an event, and in which order findings are told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.review.events import Event, EventKind, Fact
from engine.review.judge import Judgement, judge
from engine.review.rules import Comparison, Condition, Match, Outcome, Rule, Severity
from engine.review.values import UNKNOWN

LESS, MORE = Comparison.LESS_THAN, Comparison.MORE_THAN


@pytest.mark.parametrize(
    ("comparison", "number", "holds"),
    [
        (LESS, 29.0, True),
        (LESS, 30.0, False),  # at the limit it is neither less nor more
        (LESS, 31.0, False),
        (MORE, 29.0, False),
        (MORE, 30.0, False),
        (MORE, 31.0, True),
        (LESS, None, False),
        (MORE, None, False),
        (LESS, UNKNOWN, UNKNOWN),
        (MORE, UNKNOWN, UNKNOWN),
    ],
)
def test_a_number_is_compared_with_the_limit_alone(comparison: Comparison, number: Fact, holds: bool) -> None:
    assert Condition("days_left", comparison, (30,)).holds({"days_left": number}) is holds


RULE = Rule(
    identifier="material-in-clear",
    title="",
    severity=Severity.CRITICAL,
    why="",
    remediation="",
    source="",
    requirements=(),
    waivable=False,
    unknown_blocks=True,
    matches=(
        Match(
            EventKind.KEY_MATERIAL,
            (Condition("in_clear", Comparison.ANY_OF, (True,)),),
            (),
            "it is in clear",
            "it may be in clear",
        ),
    ),
)


def _judged(*told: tuple[str, Fact]) -> Judgement:
    return judge([Event(EventKind.KEY_MATERIAL, address, {"in_clear": in_clear}) for address, in_clear in told], [RULE])


def test_what_is_certain_is_told_before_what_is_not() -> None:
    findings = _judged(("aws_kms_external_key.a", UNKNOWN), ("aws_kms_external_key.b", True)).findings
    assert [(one.outcome, one.address[-1]) for one in findings] == [(Outcome.FAIL, "b"), (Outcome.UNKNOWN, "a")]


def test_what_blocks_is_told_before_what_is_worse_and_only_informs() -> None:
    (worst,) = _judged(("aws_kms_external_key.a", True)).findings
    informs = replace(worst, blocks=False)
    mild = replace(worst, severity=Severity.LOW, address="aws_kms_external_key.z")
    assert sorted([informs, mild], key=lambda finding: finding.order()) == [mild, informs]
