"""Numbers, dates and bytes as the policy language writes them, and how they are compared."""

from __future__ import annotations

import base64
import binascii
import operator
import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d{2}))?", re.ASCII)


class Order(Enum):
    """How a number or date is compared with the condition's."""

    EQUAL = "="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="

    def holds(self, amount: Decimal, limit: Decimal) -> bool:
        """Whether the amount stands to the limit so."""
        return _ORDERS[self](amount, limit)


_ORDERS: dict[Order, Callable[[Decimal, Decimal], bool]] = {
    Order.EQUAL: operator.eq,
    Order.LESS: operator.lt,
    Order.LESS_OR_EQUAL: operator.le,
    Order.GREATER: operator.gt,
    Order.GREATER_OR_EQUAL: operator.ge,
}


def read_number(text: str) -> Decimal | None:
    """A decimal number, or None."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def read_date(text: str) -> Decimal | None:
    """A date in one of the W3C's forms of ISO 8601, or seconds since 1970; in seconds since 1970, or None."""
    partial = _PARTIAL_DATE.fullmatch(text)
    if partial is None and _NUMBER.fullmatch(text):
        return Decimal(text)
    try:
        date = datetime.fromisoformat(f"{partial[1]}-{partial[2] or '01'}-01" if partial else text)
        return _seconds(date if date.tzinfo else date.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def read_base64(text: str) -> bytes | None:
    """Bytes, or None."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _seconds(date: datetime) -> Decimal:
    since = date - datetime(1970, 1, 1, tzinfo=UTC)
    return Decimal(since.days * 86_400 + since.seconds) + Decimal(since.microseconds) / 1_000_000
