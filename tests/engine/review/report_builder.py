"""Reports made by hand, for what their forms show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.review.impact import Impact
from engine.review.judge import Finding
from engine.review.report import KeyReport, Report, ReviewVerdict, Waived
from engine.review.rules import Outcome, Severity
from tests.engine.review.plan_builder import key_arn

if TYPE_CHECKING:
    from collections.abc import Sequence


def finding(**changes: Any) -> Finding:
    """A finding that blocks; the changes are what differs."""
    standard: dict[str, Any] = {
        "policy": "key-is-harmed",
        "title": "A key is harmed",
        "severity": Severity.CRITICAL,
        "outcome": Outcome.FAIL,
        "blocks": True,
        "waivable": True,
        "address": "aws_kms_key.generation_1",
        "message": "generation 1: it is harmed",
        "why": "Nothing can be read without it.",
        "remediation": "Leave it alone.",
        "source": "https://docs.aws.amazon.com/kms/",
        "requirements": ("EKM-33",),
    }
    return Finding(**standard | changes)


def noted(**changes: Any) -> Finding:
    """A finding that informs; the changes are what differs."""
    standard = {"policy": "key-is-odd", "title": "A key is odd", "severity": Severity.LOW, "blocks": False}
    return finding(**standard | changes)


def impact(product: str, workflow: str, variant: str, *, certain: bool = True) -> Impact:
    return Impact(product, workflow, variant, "stops when the plan is applied: the key is harmed", certain)


def report(findings: Sequence[Finding] = (), *, keys: int = 1, **changes: Any) -> Report:
    """A report: blocked where a finding blocks, with so many keys in scope; the changes are what differs."""
    blocked = any(found.blocks for found in findings)
    standard: dict[str, Any] = {
        "plan": "plan.json",
        "verdict": ReviewVerdict.BLOCK if blocked else ReviewVerdict.PASS,
        "findings": tuple(findings),
        "impact": (),
        "keys": tuple(
            KeyReport(f"aws_kms_key.generation_{n}", n, "current", key_arn(n), "keeps") for n in range(1, keys + 1)
        ),
        "waived": (),
        "not_exercised": (),
        "notes": (),
    }
    return Report(**standard | changes)


def waived(found: Finding) -> Waived:
    return Waived(found, "Ada", "replaced by hand", "2999-01-01")
