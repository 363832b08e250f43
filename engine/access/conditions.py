"""The Condition element: every test must hold, each against one condition key.

Rules (IAM User Guide, "IAM JSON policy
elements: Condition operators" and "Creating a condition with multiple keys or values"):

- Several values of the condition: one must match; for a negated operator, none may.
- The key is absent: the test fails, and holds for a negated operator or with `IfExists`. `Null` asks for
  this alone. `ForAllValues` holds without a value, `ForAnyValue` does not.
- `ForAllValues`: every value that the call brings must pass. `ForAnyValue`: one must.
- Several values without one of these: what all of them say; where they differ, it depends.

Not documented, so it depends: an operator that AWS does not list, and `ForAnyValue` with `IfExists` on an
absent key (the guide says that it holds, AWS has been seen to say that it does not).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from engine.access.condition_operators import Comparison, Operator, Quantifier, parse_operator, read_operand
from engine.access.context import Absent, Formed, Known, Unknown
from engine.access.model import Verdict
from engine.access.verdicts import agreed, all_of, any_of, certainly, opposite

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.access.context import Facts, Found
    from engine.access.operands import Operand


@dataclass(frozen=True, slots=True)
class ConditionTest:
    """One operator on one key.

    Attributes:
        written: The operator as the policy writes it.
        key: The condition key as the policy writes it.
        values: The values as text, in the order of the policy.
        operator: The operator parsed, or None for one that AWS does not list.
        operands: The values, read for the operator.
    """

    written: str
    key: str
    values: tuple[str, ...]
    operator: Operator | None
    operands: tuple[Operand, ...]

    @property
    def canonical(self) -> Hashable:
        """The same for every order and spelling of the same test."""
        if self.operator is None:
            return self.written.lower(), self.key.lower(), frozenset(self.values)
        return self.operator, self.key.lower(), frozenset(operand.canonical for operand in self.operands)

    def outcome(self, facts: Facts) -> tuple[Verdict, str]:
        """Whether the test holds for a call, and the phrase that says what it asks for or depends on."""
        if self.operator is None:
            return Verdict.DEPENDS, f"the condition operator {self.written}, which AWS does not list"
        found = facts.find(self.key.lower())
        verdict = _held(self.operator, self.operands, found, facts)
        if verdict is Verdict.DEPENDS and isinstance(found, Unknown):
            return verdict, f"{self.key}, which this call may not bring"
        return verdict, self.words

    @property
    def words(self) -> str:
        """The test as a reason shows it, such as `kms:ViaService (StringEquals s3.us-east-1.amazonaws.com)`."""
        shown = ", ".join(self.values[:3]) + (", …" if len(self.values) > 3 else "")
        return f"{self.key} ({self.written} {shown})"


def read_test(written: str, key: str, values: tuple[str, ...], *, variables: bool) -> ConditionTest:
    """Read one operator on one key; `variables` says whether the policy's version has policy variables."""
    operator = parse_operator(written)
    if operator is None:
        return ConditionTest(written, key, values, None, ())
    operands = tuple(read_operand(operator.comparison, value, variables=variables) for value in values)
    return ConditionTest(written, key, values, operator, operands)


def _held(operator: Operator, operands: tuple[Operand, ...], found: Found, facts: Facts) -> Verdict:
    if operator.comparison is Comparison.NULL:
        return _null(operands, found, facts)
    match found:
        case Unknown():
            return Verdict.DEPENDS
        case Absent():
            return _absent(operator)
        case Formed():
            return _formed(operator, operands, found, facts)
        case Known(values):
            if operator.quantifier is not Quantifier.NONE:
                values = tuple(value for value in values if value)  # an empty text counts as no value here
            each = [_passes(operator, [operand.holds(value, facts) for operand in operands]) for value in values]
            return _together(operator.quantifier, each)
        case never:
            assert_never(never)


def _passes(operator: Operator, matches: list[Verdict]) -> Verdict:
    matched = any_of(matches)
    return opposite(matched) if operator.negated else matched


def _together(quantifier: Quantifier, each: list[Verdict]) -> Verdict:
    match quantifier:
        case Quantifier.NONE:
            return agreed(each)
        case Quantifier.ALL:
            return all_of(each)
        case Quantifier.ANY:
            return any_of(each)
        case never:
            assert_never(never)


def _absent(operator: Operator) -> Verdict:
    match operator.quantifier:
        case Quantifier.ALL:
            return Verdict.YES
        case Quantifier.ANY:
            return Verdict.DEPENDS if operator.if_exists else Verdict.NO
        case Quantifier.NONE:
            return certainly(operator.negated or operator.if_exists)
        case never:
            assert_never(never)


def _null(operands: tuple[Operand, ...], found: Found, facts: Facts) -> Verdict:
    if isinstance(found, Unknown):
        return Verdict.DEPENDS
    absent = "true" if isinstance(found, Absent) else "false"
    return any_of(operand.holds(absent, facts) for operand in operands)


def _formed(operator: Operator, operands: tuple[Operand, ...], found: Formed, facts: Facts) -> Verdict:
    """The usual forms decide whether it matches for certain; that it cannot match takes all of them."""
    usual = agreed(any_of(operand.holds_for(form, facts) for operand in operands) for form in found.usual)
    if usual is Verdict.NO:
        usual = agreed(any_of(operand.holds_for(form, facts) for operand in operands) for form in found.possible)
        if usual is Verdict.YES:
            usual = Verdict.DEPENDS
    return opposite(usual) if operator.negated else usual
