"""Holds the events of a plan against the rules.

- Each rule speaks once of each event, by the first of its matches that has something to say.
- Where one event leaves several rules undecided, one speaks for all: the worst of those that block on unknown, else
  the worst. One unknown value is one finding.
- A finding blocks where it is a failure of a critical or high rule, or unknown of a rule that blocks on unknown.
- A rule of whose kinds no event was made is told as not exercised.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.review.events import EventKind
from engine.review.rules import Outcome, Rule, Severity
from engine.review.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.review.events import Event, Told
    from engine.review.rules import Match


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found.

    Attributes:
        policy: The rule's name.
        title: The rule's title.
        severity: How bad it is.
        outcome: Whether it is so or cannot be told.
        blocks: Whether it blocks the plan, unless waived.
        waivable: Whether it may be waived.
        address: The resource that it is about.
        message: What was found.
        why: Why it matters.
        remediation: What to do instead.
        source: Where that is written.
        requirements: The EKM ids at stake.
    """

    policy: str
    title: str
    severity: Severity
    outcome: Outcome
    blocks: bool
    waivable: bool
    address: str
    message: str
    why: str
    remediation: str
    source: str
    requirements: tuple[str, ...]

    def order(self) -> tuple[bool, int, bool, str, str]:
        """What puts the worst first: what blocks, then by severity, then what is certain."""
        return (
            not self.blocks,
            self.severity.rank,
            self.outcome is Outcome.UNKNOWN,
            self.address,
            self.policy,
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """All findings, the worst first, and the rules that nothing in the plan exercised."""

    findings: tuple[Finding, ...]
    not_exercised: tuple[str, ...]


def judge(events: Iterable[Told], rules: Sequence[Rule]) -> Judgement:
    """Hold events against rules.

    Args:
        events: What the detectors told of one plan.
        rules: In the order in which they speak, the worst first.

    Returns:
        What was found, and which rules had nothing to look at.
    """
    by_kind: dict[EventKind, list[tuple[Rule, list[Match]]]] = defaultdict(list)
    for rule in rules:
        for kind in dict.fromkeys(match.event for match in rule.matches):
            by_kind[kind].append((rule, [match for match in rule.matches if match.event is kind]))
    findings: list[Finding] = []
    seen: set[EventKind] = set()
    for event in events:
        if isinstance(event, EventKind):
            seen.add(event)
            continue
        seen.add(event.kind)
        findings.extend(_of_event(event, by_kind[event.kind]))
    unique = dict.fromkeys(sorted(findings, key=Finding.order))
    return Judgement(
        findings=tuple(unique),
        not_exercised=tuple(rule.identifier for rule in rules if not any(m.event in seen for m in rule.matches)),
    )


def _of_event(event: Event, rules: Iterable[tuple[Rule, list[Match]]]) -> Iterator[Finding]:
    undecided: list[tuple[Rule, Match]] = []
    for rule, matches in rules:
        said = next(((match, outcome) for match in matches if (outcome := match.outcome(event)) is not None), None)
        if said is None:
            continue
        match, outcome = said
        if outcome is Outcome.UNKNOWN:
            undecided.append((rule, match))
        else:
            yield _finding(event, rule, match, outcome)
    if undecided:
        rule, match = min(undecided, key=lambda entry: not entry[0].unknown_blocks)
        yield _finding(event, rule, match, Outcome.UNKNOWN)


def _finding(event: Event, rule: Rule, match: Match, outcome: Outcome) -> Finding:
    template = match.message if outcome is Outcome.FAIL else match.unknown
    message = template.format_map(dict(event.words))
    return Finding(
        policy=rule.identifier,
        title=rule.title,
        severity=rule.severity,
        outcome=outcome,
        blocks=rule.severity.blocks if outcome is Outcome.FAIL else rule.unknown_blocks,
        waivable=rule.waivable,
        address=printable(event.address, 1000),
        message=message,
        why=rule.why,
        remediation=rule.remediation,
        source=rule.source,
        requirements=rule.requirements,
    )
