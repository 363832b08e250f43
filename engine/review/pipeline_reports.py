"""The report in the forms that pipelines read: JUnit, GitHub annotations, GitLab code quality."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from engine.review.rules import Outcome, Severity
from engine.review.sarif_report import fingerprint

if TYPE_CHECKING:
    from engine.review.judge import Finding
    from engine.review.report import Report

_GITHUB_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
}
_GITLAB_LEVELS = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "minor",
    Severity.LOW: "info",
}


def render_junit(report: Report) -> str:
    """JUnit XML: a case a finding, failed where it blocks; waived findings and rules not exercised are skipped."""
    suite = ET.Element("testsuite", name="keyturn review")
    for finding in report.findings:
        case = _case(suite, finding.policy, finding.address)
        if finding.blocks:
            failure = ET.SubElement(case, "failure", type=finding.severity.value, message=finding.message)
            failure.text = f"{finding.why}\nInstead: {finding.remediation}"
        else:
            ET.SubElement(case, "system-out").text = f"{finding.severity.value}: {finding.message}"
    for waived in report.waived:
        case = _case(suite, waived.finding.policy, waived.finding.address)
        reason = f"waived until {waived.until} by {waived.owner}: {waived.reason}"
        ET.SubElement(case, "skipped", message=reason)
    for rule in report.not_exercised:
        ET.SubElement(_case(suite, rule, "(the plan)"), "skipped", message="nothing in the plan exercised this rule")
    if not report.findings:
        _case(suite, "review", report.plan)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(report.blocking)))
    suite.set("errors", "0")
    suite.set("skipped", str(len(report.waived) + len(report.not_exercised)))
    root = ET.Element("testsuites")
    root.append(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, rule: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=f"keyturn.{rule}", name=name)


def render_github(report: Report) -> str:
    """GitHub's workflow commands: an annotation a finding, at the plan's file."""
    lines = [_annotation(report, finding) for finding in report.findings]
    return "".join(f"{line}\n" for line in lines)


def _annotation(report: Report, finding: Finding) -> str:
    level = _GITHUB_LEVELS[finding.severity]
    if finding.outcome is Outcome.UNKNOWN:
        level = "error" if finding.blocks else "notice"
    title = f"{finding.title} ({finding.policy})"
    text = f"{finding.address}: {finding.message}\nInstead: {finding.remediation}"
    return f"::{level} file={_property(report.plan)},line=1,title={_property(title)}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def render_gitlab(report: Report) -> str:
    """GitLab's code quality report: one entry a finding."""
    entries = [
        {
            "description": f"{finding.address}: {finding.message}",
            "check_name": finding.policy,
            "fingerprint": fingerprint(finding),
            "severity": _GITLAB_LEVELS[finding.severity],
            "location": {"path": report.plan, "lines": {"begin": 1}},
        }
        for finding in report.findings
    ]
    return json.dumps(entries, indent=2) + "\n"
