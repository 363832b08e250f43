"""The report as one JSON document (`report.schema.json` describes it); ASCII, so that any pipe carries it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.review.judge import Finding
    from engine.review.report import Report


def render_json(report: Report) -> str:
    """The report as JSON text, with a final newline."""
    return json.dumps(document_of(report), indent=2) + "\n"


def document_of(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "verdict": report.verdict.value,
        "plan": report.plan,
        "findings": [_finding(finding) for finding in report.findings],
        "impact": [
            {
                "product": impact.product,
                "workflow": impact.workflow,
                "variant": impact.variant,
                "effect": impact.effect,
            }
            for impact in report.impact
        ],
        "keys": [
            {
                "address": key.address,
                "generation": key.generation,
                "role": key.role,
                "key_arn": key.key_arn,
                "effect": key.effect,
            }
            for key in report.keys
        ],
        "waived": [
            {**_finding(waived.finding), "owner": waived.owner, "reason": waived.reason, "until": waived.until}
            for waived in report.waived
        ],
        "not_exercised": list(report.not_exercised),
        "notes": list(report.notes),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "policy": finding.policy,
        "severity": finding.severity.value,
        "outcome": finding.outcome.value,
        "blocks": finding.blocks,
        "address": finding.address,
        "message": finding.message,
        "remediation": finding.remediation,
        "requirements": list(finding.requirements),
    }
