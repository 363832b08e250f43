"""The operators of conditions: `[ForAllValues:|ForAnyValue:]NAME[IfExists]`, and the type of their values.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators". Policy variables count in String and
Arn operators alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from engine.access.literals import Order
from engine.access.operands import (
    arn_operand,
    binary_operand,
    boolean_operand,
    network_operand,
    ordered_operand,
    text_operand,
)

if TYPE_CHECKING:
    from engine.access.operands import Operand


class Comparison(Enum):
    """The operators of the policy language, without what is put before, behind and into them."""

    STRING_EQUALS = "StringEquals"
    STRING_EQUALS_IGNORE_CASE = "StringEqualsIgnoreCase"
    STRING_LIKE = "StringLike"
    ARN_LIKE = "ArnLike"
    NUMERIC_EQUALS = "NumericEquals"
    NUMERIC_LESS_THAN = "NumericLessThan"
    NUMERIC_LESS_THAN_EQUALS = "NumericLessThanEquals"
    NUMERIC_GREATER_THAN = "NumericGreaterThan"
    NUMERIC_GREATER_THAN_EQUALS = "NumericGreaterThanEquals"
    DATE_EQUALS = "DateEquals"
    DATE_LESS_THAN = "DateLessThan"
    DATE_LESS_THAN_EQUALS = "DateLessThanEquals"
    DATE_GREATER_THAN = "DateGreaterThan"
    DATE_GREATER_THAN_EQUALS = "DateGreaterThanEquals"
    BOOL = "Bool"
    BINARY_EQUALS = "BinaryEquals"
    IP_ADDRESS = "IpAddress"
    NULL = "Null"


class Quantifier(Enum):
    """How several values of one key are taken together."""

    NONE = ""
    ALL = "ForAllValues"
    ANY = "ForAnyValue"


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator, parsed; `ArnEquals` and `ArnLike` are one.

    Attributes:
        quantifier: How several values are taken together.
        comparison: What is compared.
        negated: Whether it holds where the comparison does not.
        if_exists: Whether it holds where the key is absent.
    """

    quantifier: Quantifier
    comparison: Comparison
    negated: bool
    if_exists: bool


_NAMES: dict[str, tuple[Comparison, bool]] = {
    **{comparison.value.lower(): (comparison, False) for comparison in Comparison},
    "arnequals": (Comparison.ARN_LIKE, False),
    "stringnotequals": (Comparison.STRING_EQUALS, True),
    "stringnotequalsignorecase": (Comparison.STRING_EQUALS_IGNORE_CASE, True),
    "stringnotlike": (Comparison.STRING_LIKE, True),
    "arnnotequals": (Comparison.ARN_LIKE, True),
    "arnnotlike": (Comparison.ARN_LIKE, True),
    "numericnotequals": (Comparison.NUMERIC_EQUALS, True),
    "datenotequals": (Comparison.DATE_EQUALS, True),
    "notipaddress": (Comparison.IP_ADDRESS, True),
}
_QUANTIFIERS = {quantifier.value.lower(): quantifier for quantifier in Quantifier}
_ORDERS = {
    Comparison.NUMERIC_EQUALS: (Order.EQUAL, False),
    Comparison.NUMERIC_LESS_THAN: (Order.LESS, False),
    Comparison.NUMERIC_LESS_THAN_EQUALS: (Order.LESS_OR_EQUAL, False),
    Comparison.NUMERIC_GREATER_THAN: (Order.GREATER, False),
    Comparison.NUMERIC_GREATER_THAN_EQUALS: (Order.GREATER_OR_EQUAL, False),
    Comparison.DATE_EQUALS: (Order.EQUAL, True),
    Comparison.DATE_LESS_THAN: (Order.LESS, True),
    Comparison.DATE_LESS_THAN_EQUALS: (Order.LESS_OR_EQUAL, True),
    Comparison.DATE_GREATER_THAN: (Order.GREATER, True),
    Comparison.DATE_GREATER_THAN_EQUALS: (Order.GREATER_OR_EQUAL, True),
}


def parse_operator(written: str) -> Operator | None:
    """Parse an operator's name, whatever its case; None for one that AWS does not list."""
    prefix, colon, name = written.lower().rpartition(":")
    quantifier = _QUANTIFIERS.get(prefix)
    if quantifier is None or bool(colon) is (quantifier is Quantifier.NONE):
        return None
    bare = name.removesuffix("ifexists")
    if bare not in _NAMES:
        return None
    comparison, negated = _NAMES[bare]
    plain = quantifier is Quantifier.NONE and bare == name
    if comparison is Comparison.NULL and not plain:
        return None
    return Operator(quantifier, comparison, negated, bare != name)


def read_operand(comparison: Comparison, text: str, *, variables: bool) -> Operand:
    """Read one value of a condition by the type that the comparison asks for.

    Args:
        comparison: The operator's comparison.
        text: The value.
        variables: Whether the policy's version has policy variables.
    """
    if comparison in _ORDERS:
        order, date = _ORDERS[comparison]
        return ordered_operand(text, order, date=date)
    if comparison is Comparison.ARN_LIKE:
        return arn_operand(text, variables=variables)
    if comparison in (Comparison.BOOL, Comparison.NULL):
        return boolean_operand(text)
    if comparison is Comparison.BINARY_EQUALS:
        return binary_operand(text)
    if comparison is Comparison.IP_ADDRESS:
        return network_operand(text)
    like = comparison is Comparison.STRING_LIKE
    lower = comparison is Comparison.STRING_EQUALS_IGNORE_CASE
    return text_operand(text, variables=variables, wildcards=like, lower=lower)
