"""Whether the Deny statements of a policy deny no more than those of another, as can be seen by their form.

The evaluator says that two conditions it cannot decide are two; which of them is the stricter one it does not say. Here
is the plain case: each statement that denies has a counterpart that says the same but for its conditions, and these are
no weaker. Every condition of a statement must hold, so that a further one narrows it; so do fewer values of a test for
a value, and more values of a test against them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.review.statements import Statements

_FEWER_NARROW = frozenset({"stringequals", "stringlike", "arnequals", "arnlike", "ipaddress"})
_MORE_NARROW = frozenset({"stringnotequals", "stringnotlike", "arnnotequals", "arnnotlike", "notipaddress"})
_Test = tuple[str, str]


def deny_no_more(before: Statements, after: Statements) -> bool:
    """Whether each statement of a policy that denies is no wider than one of another policy, and nothing else differs.

    Args:
        before: The statements of the policy that is compared with.
        after: Those of the policy in question.

    Returns:
        True where that is so for certain.
    """
    allowing = [statement for statement in after if statement.get("Effect") != "Deny"]
    if allowing != [statement for statement in before if statement.get("Effect") != "Deny"]:
        return False
    denying = [statement for statement in after if statement.get("Effect") == "Deny"]
    return all(any(_no_wider(one, other) for other in before) for one in denying)


def _no_wider(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    rest, rest_of_other = ({k: v for k, v in s.items() if k not in ("Sid", "Condition")} for s in (one, other))
    tests, tests_of_other = _tests(one), _tests(other)
    if rest != rest_of_other or tests is None or tests_of_other is None:
        return False
    return all(test in tests and _as_strict(test, tests[test], values) for test, values in tests_of_other.items())


def _as_strict(test: _Test, values: frozenset[str], values_of_other: frozenset[str]) -> bool:
    operator = test[0].removesuffix("ifexists")
    if operator in _MORE_NARROW:
        return values >= values_of_other
    return values <= values_of_other if operator in _FEWER_NARROW and values else values == values_of_other


def _tests(statement: Mapping[str, Any]) -> dict[_Test, frozenset[str]] | None:
    """The values of each test, by its operator and key in small letters; None where they are not of the usual form."""
    tests: dict[_Test, frozenset[str]] = {}
    conditions = statement.get("Condition", {})
    for operator, keys in conditions.items() if isinstance(conditions, dict) else [("", None)]:
        for key, values in keys.items() if isinstance(keys, dict) else [("", None)]:
            listed = values if isinstance(values, list) else [values]
            texts = [value for value in listed if isinstance(value, str)]
            test = (operator.lower(), key.lower())
            if test in tests or len(texts) < len(listed):
                return None
            tests[test] = frozenset(texts)
    return tests
