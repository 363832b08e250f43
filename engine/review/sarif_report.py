"""The report as SARIF 2.1.0 (OASIS), with the fields that code scanning needs.

- A plan's findings have no line of source: they stand at the first line of the plan's file, with the resource's address
  as the logical location. Code scanning shows only what stands on added lines, so a deletion is said by the comment and
  by the exit code; SARIF is for the record.
- `partialFingerprints` come from rule and address alone, so that a finding is the same one in the next run.
- What was waived is suppressed, with its justification.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from engine.review.rules import Outcome, Severity

if TYPE_CHECKING:
    from engine.review.judge import Finding
    from engine.review.report import Report, Waived

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS = 5_000  # code scanning takes no more of a run; the worst come first
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
# The score that code scanning sorts by, on the scale of CVSS.
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.0", Severity.LOW: "2.0"}


def render_sarif(report: Report) -> str:
    """The report as SARIF text, with a final newline."""
    findings: list[tuple[Finding, Waived | None]] = [(finding, None) for finding in report.findings]
    findings += [(waived.finding, waived) for waived in report.waived]
    omitted = max(0, len(findings) - MAX_RESULTS)
    findings = findings[:MAX_RESULTS]
    rules: dict[str, dict[str, Any]] = {}
    for finding, _ in findings:
        rules.setdefault(finding.policy, _rule(finding))
    indexes = {identifier: index for index, identifier in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "Keyturn",
                "semanticVersion": _version(),
                "rules": list(rules.values()),
            }
        },
        "automationDetails": {"id": "keyturn-review/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(report, finding, waived, indexes[finding.policy]) for finding, waived in findings],
    }
    if omitted:
        run["properties"] = {"omitted": omitted}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _version() -> str:
    try:
        return version("keyturn")
    except PackageNotFoundError:
        return "0.0.0"


def _rule(finding: Finding) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": finding.policy,
        "name": "".join(part.title() for part in finding.policy.split("-")),
        "shortDescription": {"text": finding.title},
        "fullDescription": {"text": finding.why},
        "help": {"text": finding.remediation},
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
        "properties": {
            "tags": ["security", *finding.requirements],
            "precision": "very-high",
            "security-severity": _SCORES[finding.severity],
        },
    }
    if finding.source.startswith("https://"):
        rule["helpUri"] = finding.source
    return rule


def _result(report: Report, finding: Finding, waived: Waived | None, index: int) -> dict[str, Any]:
    level = _LEVELS[finding.severity]
    if finding.outcome is Outcome.UNKNOWN and not finding.blocks:
        level = "note"
    result: dict[str, Any] = {
        "ruleId": finding.policy,
        "ruleIndex": index,
        "level": level,
        "message": {"text": f"{finding.message}. Instead: {finding.remediation}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(report.plan)},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"fullyQualifiedName": finding.address, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"keyturnFinding/v1": fingerprint(finding)},
        "properties": {"outcome": finding.outcome.value, "blocks": finding.blocks},
    }
    if waived is not None:
        justification = f"{waived.reason} ({waived.owner}, until {waived.until})"
        result["suppressions"] = [{"kind": "external", "justification": justification}]
    return result


def fingerprint(finding: Finding) -> str:
    """What makes a finding the same in the next run: its rule and its address."""
    return hashlib.sha256(f"{finding.policy}\n{finding.address}".encode()).hexdigest()


def _uri(name: str) -> str:
    """A file's name as a relative URI reference (RFC 3986)."""
    from urllib.parse import quote

    return quote(name.replace("\\", "/").lstrip("/"), safe="/") or "plan.json"
