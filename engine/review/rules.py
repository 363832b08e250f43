"""The rules of the review: data in `policies/`, one file a rule; here they become typed values and are applied.

A rule says which events it is about (`matches`), each with the particulars that it waits for:

- `when`: all of them must hold; a list means any of its values, `not` none of them, `less_than` and `more_than` compare
  numbers (a text there names one of the rule's parameters).
- `unless`: where all of these hold too, the rule is satisfied, usually by evidence.

A particular that is not known makes the answer unknown, unless another one already says no. What is unknown blocks,
unless the rule says that it shall inform, and why.

The files are read and checked by `engine.review.rule_files`; what is loaded here is their compiled form, which a test
holds against the files. An empty set of rules is an error: it would pass everything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.review.events import EventKind, OneOf
from engine.review.values import UNKNOWN, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from engine.review.events import Event, Fact


class Severity(Enum):
    """How bad it is; the first two block."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _SEVERITIES.index(self)

    @property
    def blocks(self) -> bool:
        """Whether a failure of this severity blocks."""
        return self in (Severity.CRITICAL, Severity.HIGH)


_SEVERITIES = tuple(Severity)


class Outcome(Enum):
    """What a rule says of an event that it applies to; a satisfied rule says nothing."""

    FAIL = "fail"
    UNKNOWN = "unknown"


class Comparison(Enum):
    """How a particular is compared."""

    ANY_OF = "any_of"
    NONE_OF = "none_of"
    LESS_THAN = "less_than"
    MORE_THAN = "more_than"


@dataclass(frozen=True, slots=True)
class Condition:
    """One particular of an event, and what it must be."""

    fact: str
    comparison: Comparison
    values: tuple[Fact, ...]

    def holds(self, facts: Mapping[str, Fact]) -> bool | Unknown:
        """Whether it holds; unknown where the particular is."""
        fact = facts[self.fact]
        if fact is UNKNOWN:
            return UNKNOWN
        if isinstance(fact, OneOf):
            answers = {self._holds(value) for value in fact.values}
            return answers.pop() if len(answers) == 1 else UNKNOWN
        return self._holds(fact)

    def _holds(self, fact: Fact) -> bool:
        if self.comparison is Comparison.ANY_OF:
            return fact in self.values
        if self.comparison is Comparison.NONE_OF:
            return fact not in self.values
        limit = self.values[0]
        if not isinstance(fact, int | float) or not isinstance(limit, int | float):
            return False  # there is no number to compare, such as for material that does not expire
        return fact < limit if self.comparison is Comparison.LESS_THAN else fact > limit


@dataclass(frozen=True, slots=True)
class Match:
    """One kind of event that a rule is about.

    Attributes:
        event: The kind.
        when: What must hold.
        unless: What satisfies the rule where all of it holds; empty for nothing.
        message: What to say of a failure, with the event's words in braces.
        unknown: What to say where it cannot be told.
    """

    event: EventKind
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    message: str
    unknown: str

    def outcome(self, event: Event) -> Outcome | None:
        """What the rule says of an event of this kind; None where it is satisfied or not meant."""
        meant = _all(self.when, event.facts)
        if meant is False:
            return None
        satisfied = _all(self.unless, event.facts) if self.unless else False
        if satisfied is True:
            return None
        return Outcome.FAIL if meant is True and satisfied is False else Outcome.UNKNOWN


def _all(conditions: tuple[Condition, ...], facts: Mapping[str, Fact]) -> bool | Unknown:
    result: bool | Unknown = True
    for condition in conditions:
        holds = condition.holds(facts)
        if holds is False:
            return False
        if holds is UNKNOWN:
            result = UNKNOWN
    return result


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        identifier: Its name, that of its file.
        title: What it is about, in a few words.
        severity: How bad a failure is.
        unknown_blocks: Whether it blocks where it cannot be told.
        waivable: Whether a waiver may stand against it.
        why: Why it matters.
        remediation: What to do instead.
        source: Where that is written.
        requirements: The EKM ids that it guards.
        matches: The events that it is about.
    """

    identifier: str
    title: str
    severity: Severity
    unknown_blocks: bool
    waivable: bool
    why: str
    remediation: str
    source: str
    requirements: tuple[str, ...]
    matches: tuple[Match, ...]


def rule_of(document: Mapping[str, Any]) -> Rule:
    """A rule from its checked document, as the files and their compiled form hold it."""
    parameters: Mapping[str, Any] = document.get("parameters", {})
    return Rule(
        identifier=document["id"],
        title=document["title"],
        severity=Severity(document["severity"]),
        unknown_blocks=document["on_unknown"] == "block",
        waivable=document["waivable"],
        why=" ".join(document["why"].split()),
        remediation=" ".join(document["remediation"].split()),
        source=document["source"],
        requirements=tuple(document["requirements"]),
        matches=tuple(_match(entry, parameters) for entry in document["matches"]),
    )


def _match(entry: Mapping[str, Any], parameters: Mapping[str, Any]) -> Match:
    message = " ".join(entry["message"].split())
    return Match(
        event=EventKind(entry["event"]),
        when=_conditions(entry.get("when", {}), parameters),
        unless=_conditions(entry.get("unless", {}), parameters),
        message=message,
        unknown=" ".join(entry["unknown"].split()) if "unknown" in entry else f"not known before the apply: {message}",
    )


def _conditions(entry: Mapping[str, Any], parameters: Mapping[str, Any]) -> tuple[Condition, ...]:
    return tuple(_condition(fact, wanted, parameters) for fact, wanted in entry.items())


def _condition(fact: str, wanted: Any, parameters: Mapping[str, Any]) -> Condition:
    if not isinstance(wanted, dict):
        return Condition(fact, Comparison.ANY_OF, tuple(wanted) if isinstance(wanted, list) else (wanted,))
    (operator, operand), *_ = wanted.items()
    if operator == "not":
        return Condition(fact, Comparison.NONE_OF, tuple(operand) if isinstance(operand, list) else (operand,))
    limit = parameters[operand] if isinstance(operand, str) else operand
    return Condition(fact, Comparison(operator), (limit,))


def load_rules(compiled: Path) -> tuple[Rule, ...]:
    """Load the compiled rules.

    Args:
        compiled: The file that `engine.review.rule_files` writes.

    Raises:
        InputError: It is missing or unreadable, or holds no rule: nothing would be judged.
    """
    try:
        documents = json.loads(compiled.read_bytes())
        rules = tuple(rule_of(document) for document in documents)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the rules of the review cannot be read from {compiled.name}: {type(error).__name__}",
            "install keyturn anew",
        ) from error
    return require_rules(rules)


def require_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules in the order in which they speak: the worst first, then by name.

    Raises:
        InputError: There is none.
    """
    ordered = tuple(sorted(rules, key=lambda rule: (rule.severity.rank, rule.identifier)))
    if not ordered:
        raise InputError("there is no rule to review by", "an empty set of rules would pass everything")
    return ordered
