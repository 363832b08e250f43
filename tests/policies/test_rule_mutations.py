"""Every part of a rule's logic matters to an example: a rule that is loosened or tightened is noticed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from engine.review.rules import rule_of
from tests.policies.example_plans import events_of
from tests.policies.test_rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.review.events import Event


def _mutations(rule: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, match in enumerate(rule["matches"]):
        place = f"matches[{index}]"
        if len(rule["matches"]) > 1:
            yield f"{place} is dropped", _changed(rule, lambda m, i=index: m["matches"].pop(i))
        for part in ("when", "unless"):
            conditions = match.get(part, {})
            if part == "unless" and conditions:
                yield f"{place}.unless is dropped", _changed(rule, lambda m, i=index: m["matches"][i].pop("unless"))
            for fact, wanted in conditions.items():
                if part == "when" or len(conditions) > 1:
                    yield (
                        f"{place}.{part}.{fact} is dropped",
                        _changed(rule, lambda m, i=index, p=part, f=fact: m["matches"][i][p].pop(f)),
                    )
                if isinstance(wanted, list) and part == "when":
                    for value in wanted:
                        yield (
                            f"{place}.{part}.{fact} without {value}",
                            _changed(rule, lambda m, i=index, p=part, f=fact, v=value: m["matches"][i][p][f].remove(v)),
                        )


def _changed(rule: Mapping[str, Any], change: Any) -> dict[str, Any]:
    mutated = copy.deepcopy(dict(rule))
    change(mutated)
    return mutated


def _outcomes(rule: Mapping[str, Any], events: list[tuple[Event, ...]]) -> list[list[str]]:
    typed = rule_of(rule)
    found: list[list[str]] = []
    for of_example in events:
        outcomes = [m.outcome(event) for event in of_example for m in typed.matches if m.event is event.kind]
        found.append([outcome.value for outcome in outcomes if outcome is not None])
    return found


@pytest.fixture(scope="module")
def events() -> list[tuple[Event, ...]]:
    """The events of every example of every rule: `test_rules.py` says of each which rules speak."""
    return [events_of(example) for rule in RULES.values() for example in rule["examples"]]


@pytest.mark.parametrize("identifier", RULES)
def test_every_part_of_a_rule_matters_to_an_example(identifier: str, events: list[tuple[Event, ...]]) -> None:
    rule = RULES[identifier]
    expected = _outcomes(rule, events)
    survivors = [name for name, mutated in _mutations(rule) if _outcomes(mutated, events) == expected]
    assert survivors == []
