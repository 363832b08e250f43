"""The report for people at a terminal or in a log: the verdict first, then why, what would stop, and what to do.

A plan that harms nothing gets one line, and one more where its own declaration judged it. Findings of one rule stand
together; of very many the first are shown, and how many more there are. Colour is the caller's choice; without it the
text is plain.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from typing import TYPE_CHECKING

from engine.review.report import ReviewVerdict
from engine.review.rules import Outcome, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.review.impact import Impact
    from engine.review.judge import Finding
    from engine.review.report import Report

_WIDTH = 100
_SHOWN_OF_A_RULE = 10
_RED, _YELLOW, _GREEN, _BOLD, _DIM = "31;1", "33", "32;1", "1", "2"
_COLOURS = {Severity.CRITICAL: _RED, Severity.HIGH: _RED, Severity.MEDIUM: _YELLOW, Severity.LOW: _DIM}


def render_text(report: Report, *, colour: bool = False) -> str:
    """The report as text, with a final newline.

    Args:
        report: What the review came to.
        colour: Whether to use ANSI colours.
    """
    return "\n".join(_Text(colour=colour).lines(report)) + "\n"


class _Text:
    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def lines(self, report: Report) -> Iterator[str]:
        yield self._headline(report)
        blocking = report.blocking
        noted = [finding for finding in report.findings if not finding.blocks]
        if blocking:
            yield ""
            yield from self._findings(blocking)
        if report.impact:
            yield ""
            yield from self._impact(report.impact)
        if noted:
            yield ""
            yield self._paint("Also noted", _BOLD)
            yield from self._findings(noted)
        for waived in report.waived:
            yield ""
            yield self._paint(f"Waived until {waived.until} by {waived.owner}", _BOLD) + f": {waived.reason}"
            yield from self._findings((waived.finding,))
        if report.notes_for_people:
            yield ""
            yield from (self._paint(line, _DIM) for note in report.notes_for_people for line in _wrapped(note, ""))

    def _headline(self, report: Report) -> str:
        count = len(report.keys)
        keys = "one key in scope" if count == 1 else f"{count} keys in scope"
        if report.verdict is ReviewVerdict.PASS:
            what = "nothing in it touches a key in scope" if count == 0 else f"{keys}, {report.well}"
            return f"{self._paint('PASS', _GREEN)}  {report.plan}: {what}"
        number = len(report.blocking)
        reasons = "one reason" if number == 1 else f"{number} reasons"
        return f"{self._paint('BLOCK', _RED)}  {report.plan}: {reasons} not to apply this plan ({keys})"

    def _findings(self, findings: Sequence[Finding]) -> Iterator[str]:
        by_rule: dict[str, list[Finding]] = defaultdict(list)
        for finding in findings:
            by_rule[finding.policy].append(finding)
        for number, group in enumerate(by_rule.values()):
            if number:
                yield ""
            yield from self._of_rule(group)

    def _of_rule(self, group: list[Finding]) -> Iterator[str]:
        first = group[0]
        severity = self._paint(first.severity.value, _COLOURS[first.severity])
        certainty = "" if any(f.outcome is Outcome.FAIL for f in group) else ", not certain"
        yield f"{severity}  {self._paint(first.title, _BOLD)}  ({first.policy}{certainty})"
        for finding in group[:_SHOWN_OF_A_RULE]:
            yield f"  {finding.address}"
            yield from _wrapped(finding.message, "    ")
        if len(group) > _SHOWN_OF_A_RULE:
            yield f"  and {len(group) - _SHOWN_OF_A_RULE} more"
        yield from _wrapped(f"Why: {first.why}", "  ")
        yield from _wrapped(f"Instead: {first.remediation}", "  ")
        if first.requirements:
            yield f"  [{', '.join(first.requirements)}]"

    def _impact(self, impact: Sequence[Impact]) -> Iterator[str]:
        certain = any(row.certain for row in impact)
        yield self._paint("What would stop working" if certain else "What may stop working", _BOLD)
        by_product: dict[str, dict[str, int]] = {}
        for row in impact:
            counts = by_product.setdefault(row.product, {})
            counts[row.workflow] = counts.get(row.workflow, 0) + 1
        for product, counts in by_product.items():
            kinds = ", ".join(kind if n == 1 else f"{kind} ({n} kinds)" for kind, n in counts.items())
            yield from _wrapped(f"{product}: {kinds}", "  ")
        yield from _wrapped(impact[0].effect, "  ")
        yield "  Legal hold downloads go on: they do not use this key."


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
