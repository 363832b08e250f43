"""What a review comes to, for the reports to show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.review.impact import Impact
    from engine.review.judge import Finding

JUDGED_BY_ITSELF = "judged by its own declaration: give the target branch's with --base-declaration"


class ReviewVerdict(Enum):
    """Whether the plan may go on."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class KeyReport:
    """A key in scope, for the record.

    Attributes:
        address: Where it stands in the plan.
        generation: Its number, or None.
        role: What the declaration makes of it.
        key_arn: Its ARN, or None where it is not known yet.
        effect: What the plan does with it: `keeps`, `creates`, `changes`, `destroys`…
    """

    address: str
    generation: int | None
    role: str
    key_arn: str | None
    effect: str


@dataclass(frozen=True, slots=True)
class Waived:
    """A finding that a waiver stands against."""

    finding: Finding
    owner: str
    reason: str
    until: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What waivers make of findings.

    Attributes:
        findings: Those that stand.
        waived: Those that are waived, each with its waiver.
        notes: Waivers that have expired or met nothing, one sentence each.
    """

    findings: tuple[Finding, ...]
    waived: tuple[Waived, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a review.

    Attributes:
        plan: The plan's name.
        verdict: Pass or block.
        findings: All that were not waived, the worst first.
        impact: The workflows that would stop.
        keys: The keys in scope.
        waived: The findings that were waived.
        not_exercised: The rules that nothing in the plan exercised.
        notes: What the reader should know of how it was judged, one sentence each.
    """

    plan: str
    verdict: ReviewVerdict
    findings: tuple[Finding, ...]
    impact: tuple[Impact, ...]
    keys: tuple[KeyReport, ...]
    waived: tuple[Waived, ...]
    not_exercised: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that block."""
        return tuple(finding for finding in self.findings if finding.blocks)

    @property
    def well(self) -> str:
        """How the keys in scope fare under a plan that passes: what is waived would have blocked, or was noted."""
        return "with findings that are waived" if self.waived else "unharmed"

    @property
    def notes_for_people(self) -> tuple[str, ...]:
        """The notes that a report in prose gives: of a plan that harms nothing only that it was its own judge."""
        if self.findings or self.waived:
            return self.notes
        return tuple(note for note in self.notes if note == JUDGED_BY_ITSELF)
