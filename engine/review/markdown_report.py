"""The report as a comment on a pull request.

- The first line is a marker, by which a pipeline finds the comment again and updates it in place.
- What matters comes first: the verdict, why, what would stop, what to do; then what is noted, waived and not told.
- It stays under the 65,536 characters that a comment may have, whatever the plan: what does not fit is counted.
- Addresses stand in code spans. Everything that comes from the plan is escaped, so that it can neither mention anybody
  nor bring markup of its own; what the rules say is Markdown as they write it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.review.report import ReviewVerdict
from engine.review.rules import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.review.impact import Impact
    from engine.review.judge import Finding
    from engine.review.report import Report, Waived

MARKER = "<!-- keyturn-review -->"
MAX_CHARACTERS = 65_536
_BUDGET = 60_000  # leaves room for the title and the count of each section
_BACKTICKS = re.compile(r"`+")
_MARKUP = re.compile(r"[\\`*_{}\[\]#!|~<>&@]|://|www\.", re.IGNORECASE)
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
# GitHub looks for these in what it has rendered, where an escaped one is like any other; an empty comment parts them
# (https://github.com/github/cmark-gfm/issues/181).
_PARTED = re.compile(r"[@#:]|www", re.IGNORECASE)


def render_markdown(report: Report) -> str:
    """The report as Markdown, with a final newline."""
    body = _Body()
    body.add(MARKER)
    body.add(_headline(report))
    blocking = report.blocking
    noted = [finding for finding in report.findings if not finding.blocks]
    if blocking:
        body.section("Why", [_finding(finding) for finding in blocking])
    if report.impact:
        certain = any(row.certain for row in report.impact)
        body.section("What would stop working" if certain else "What may stop working", _impact(report.impact))
    if noted:
        body.section("Also noted", [_finding(finding) for finding in noted])
    if report.waived:
        body.section("Waived", [_waived(waived) for waived in report.waived])
    body.section("How it was judged", [f"- {escape(note)}" for note in report.notes_for_people])
    return body.text()


class _Body:
    """Lines up to the budget; what does not fit is counted."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        self._lines.append(text)
        self._size += len(text) + 1

    def section(self, title: str, items: Sequence[str]) -> None:
        if not items:
            return
        self.add(f"\n### {title}\n")
        for number, item in enumerate(items):
            if self._size + len(item) >= _BUDGET:
                left = len(items) - number
                self.add(f"- and {left} more: the job's log and its JSON report hold them all")
                return
            self.add(item)

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"


def _headline(report: Report) -> str:
    count = len(report.keys)
    keys = "one key in scope" if count == 1 else f"{count} keys in scope"
    if report.verdict is ReviewVerdict.PASS:
        what = "nothing in this plan touches a key in scope" if count == 0 else f"{keys}, {report.well}"
        return f"## Keyturn: pass\n\n{code(report.plan)}: {what}."
    number = len(report.blocking)
    reasons = "one reason" if number == 1 else f"{number} reasons"
    return f"## Keyturn: blocked\n\n{code(report.plan)}: **{reasons} not to apply this plan** ({keys})."


def _finding(finding: Finding) -> str:
    certainty = "" if finding.outcome is Outcome.FAIL else ", not certain"
    lines = [
        f"- **{finding.severity.value}**: {finding.title} ({code(finding.policy)}{certainty})",
        f"  - {code(finding.address)}: {escape(finding.message)}",
    ]
    if finding.blocks:
        lines.append(f"  - Why: {finding.why}")
    requirements = f" ({', '.join(finding.requirements)})" if finding.requirements else ""
    lines.append(f"  - Instead: {finding.remediation}{requirements}")
    return "\n".join(lines)


def _impact(impact: Sequence[Impact]) -> list[str]:
    by_product: dict[str, list[str]] = {}
    for row in impact:
        by_product.setdefault(row.product, []).append(f"{row.workflow} ({row.variant})")
    lines = [f"- **{product}**: {', '.join(rows)}" for product, rows in by_product.items()]
    lines.append(f"- {escape(impact[0].effect)}")
    lines.append("- Legal hold downloads go on: they do not use this key.")
    return lines


def _waived(waived: Waived) -> str:
    finding = waived.finding
    return (
        f"- {code(finding.policy)} for {code(finding.address)} until {waived.until} by {escape(waived.owner)}: "
        f"{escape(waived.reason)}"
    )


def code(text: str) -> str:
    """Text in a code span that nothing in it can close."""
    inside = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * (inside + 1)
    padding = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def escape(text: str) -> str:
    """Text without markup of its own: no link, no tag, no mention."""
    return _MARKUP.sub(lambda found: _escaped(found[0]), text)


def _escaped(found: str) -> str:
    if _PARTED.match(found):
        return _PARTED.sub(lambda first: f"{first[0]}<!---->", found)
    return _ENTITIES.get(found, f"\\{found}")
