"""The values of a condition, read once by the type of its operator, and held against a request's values.

An operand says yes, no or depends for a value that the call brings, and for a value of which only the form
is known. What it cannot read (a date that is none, an address that is none) depends: AWS does not document
what it makes of it. Source: IAM User Guide, "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.access.arn_patterns import ARN_PARTS, arn_parts, form_matches
from engine.access.literals import Order, read_base64, read_date, read_number
from engine.access.model import Verdict
from engine.access.templates import NULL, UNKNOWN, Template, parse_template
from engine.access.verdicts import all_of, certainly

if TYPE_CHECKING:
    from collections.abc import Hashable
    from decimal import Decimal

    from engine.access.context import Facts
    from engine.access.patterns import Pattern


class Operand(Protocol):
    """One value of a condition."""

    @property
    def canonical(self) -> Hashable:
        """The same for every spelling of the same value."""

    def holds(self, value: str, facts: Facts, /) -> Verdict:
        """Whether the value that the call brings matches."""

    def holds_for(self, form: Pattern, facts: Facts, /) -> Verdict:
        """Whether every value (yes), none (no) or perhaps one (depends) of the form matches."""


@dataclass(frozen=True, slots=True)
class TextOperand:
    """A text, with or without wildcards, with or without regard to case."""

    template: Template

    @property
    def canonical(self) -> Hashable:
        """The template's."""
        return self.template.canonical

    def holds(self, value: str, facts: Facts, /) -> Verdict:
        """Whether the text matches."""
        pattern = self.template.bind(facts)
        if pattern is NULL:
            return Verdict.NO
        if pattern is UNKNOWN:
            return Verdict.DEPENDS
        return certainly(pattern.matches(value.lower() if self.template.lower else value))

    def holds_for(self, form: Pattern, facts: Facts, /) -> Verdict:
        """Whether the form's texts match."""
        pattern = self.template.bind(facts)
        if pattern is NULL:
            return Verdict.NO
        if pattern is UNKNOWN or self.template.lower:
            return Verdict.DEPENDS
        return form_matches(pattern, form)


@dataclass(frozen=True, slots=True)
class ArnOperand:
    """An ARN; its six parts are compared one by one, so that no star reaches across a colon."""

    template: Template
    parts: tuple[Pattern, ...] | None

    @classmethod
    def of(cls, template: Template) -> ArnOperand:
        """Split it now where it has no variables."""
        return cls(template, None if template.fixed is None else arn_parts(template.fixed))

    @property
    def canonical(self) -> Hashable:
        """The template's."""
        return self.template.canonical

    def holds(self, value: str, facts: Facts, /) -> Verdict:
        """Whether every part matches; a value that is not an ARN does not."""
        parts = self._bound(facts)
        if isinstance(parts, Verdict):
            return parts
        if len(parts) == 1 and parts[0].everything:
            return Verdict.YES
        if len(parts) != ARN_PARTS:
            return Verdict.DEPENDS
        values = value.split(":", ARN_PARTS - 1)
        if len(values) != ARN_PARTS:
            return Verdict.NO
        return certainly(all(part.matches(text) for part, text in zip(parts, values, strict=True)))

    def holds_for(self, form: Pattern, facts: Facts, /) -> Verdict:
        """Whether every part matches the form's."""
        parts = self._bound(facts)
        if isinstance(parts, Verdict):
            return parts
        if len(parts) == 1 and parts[0].everything:
            return Verdict.YES
        forms = arn_parts(form)
        if len(parts) != ARN_PARTS or len(forms) != ARN_PARTS:
            return Verdict.DEPENDS
        return all_of(form_matches(part, against) for part, against in zip(parts, forms, strict=True))

    def _bound(self, facts: Facts) -> tuple[Pattern, ...] | Verdict:
        if self.parts is not None:
            return self.parts
        pattern = self.template.bind(facts)
        if pattern is NULL:
            return Verdict.NO
        return Verdict.DEPENDS if pattern is UNKNOWN else arn_parts(pattern)


@dataclass(frozen=True, slots=True)
class OrderedOperand:
    """A number, or a date in seconds since 1970."""

    order: Order
    amount: Decimal
    date: bool

    @property
    def canonical(self) -> Hashable:
        """The amount, however it was written."""
        return self.amount

    def holds(self, value: str, _facts: Facts, /) -> Verdict:
        """Whether the value stands to the amount as asked."""
        amount = read_date(value) if self.date else read_number(value)
        return Verdict.DEPENDS if amount is None else certainly(self.order.holds(amount, self.amount))

    def holds_for(self, _form: Pattern, _facts: Facts, /) -> Verdict:
        """A form is of a text: it says nothing about a number."""
        return Verdict.DEPENDS


@dataclass(frozen=True, slots=True)
class BinaryOperand:
    """Bytes, written in base 64."""

    data: bytes

    @property
    def canonical(self) -> Hashable:
        """The bytes."""
        return self.data

    def holds(self, value: str, _facts: Facts, /) -> Verdict:
        """Whether the bytes are the same."""
        data = read_base64(value)
        return Verdict.DEPENDS if data is None else certainly(data == self.data)

    def holds_for(self, _form: Pattern, _facts: Facts, /) -> Verdict:
        """A form is of a text: it says nothing about bytes."""
        return Verdict.DEPENDS


@dataclass(frozen=True, slots=True)
class NetworkOperand:
    """An address or a range of addresses."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network

    @property
    def canonical(self) -> Hashable:
        """The range."""
        return self.network

    def holds(self, value: str, _facts: Facts, /) -> Verdict:
        """Whether the address is in the range."""
        try:
            return certainly(ipaddress.ip_address(value) in self.network)
        except ValueError:
            return Verdict.DEPENDS

    def holds_for(self, _form: Pattern, _facts: Facts, /) -> Verdict:
        """A form is of a text: it says nothing about an address."""
        return Verdict.DEPENDS


@dataclass(frozen=True, slots=True)
class UnreadableOperand:
    """A value that is not of its operator's type."""

    text: str

    @property
    def canonical(self) -> Hashable:
        """The text as it was written."""
        return "unreadable", self.text

    def holds(self, _value: str, _facts: Facts, /) -> Verdict:
        """What AWS makes of it is not known."""
        return Verdict.DEPENDS

    def holds_for(self, _form: Pattern, _facts: Facts, /) -> Verdict:
        """What AWS makes of it is not known."""
        return Verdict.DEPENDS


def text_operand(text: str, *, variables: bool, wildcards: bool, lower: bool) -> Operand:
    """Read the value of a String operator."""
    return TextOperand(parse_template(text, variables=variables, wildcards=wildcards, lower=lower))


def arn_operand(text: str, *, variables: bool) -> Operand:
    """Read the value of an Arn operator."""
    return ArnOperand.of(parse_template(text, variables=variables))


def ordered_operand(text: str, order: Order, *, date: bool) -> Operand:
    """Read the value of a Numeric or Date operator."""
    amount = read_date(text) if date else read_number(text)
    return UnreadableOperand(text) if amount is None else OrderedOperand(order, amount, date)


def boolean_operand(text: str) -> Operand:
    """Read the value of `Bool` or `Null`."""
    if text.lower() not in {"true", "false"}:
        return UnreadableOperand(text)
    return TextOperand(parse_template(text, variables=False, wildcards=False, lower=True))


def binary_operand(text: str) -> Operand:
    """Read the value of `BinaryEquals`."""
    data = read_base64(text)
    return UnreadableOperand(text) if data is None else BinaryOperand(data)


def network_operand(text: str) -> Operand:
    """Read the value of `IpAddress`."""
    try:
        return NetworkOperand(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return UnreadableOperand(text)
