"""The range of all data keys' ids in slices, which each worker of a move takes in an order of its own.

The ids are random, so slices of one width hold about as many data keys each. Two workers are seldom at the
same slice at once, and what another has moved does not come any more: so several share a move without a word
between them. Where two are at one slice, the ledger's guarded writes decide.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDS = 1 << 128  # an id is 32 hexadecimal digits; any other text falls into some slice, too
_MOST = 1 << 16
_FEWEST_IN_ONE = 2
_WORTH_SHARING = 256  # so many slices let some twenty workers find something each


@dataclass(frozen=True, slots=True)
class Slice:
    """The ids behind `after` up to and with `up_to`; None is the very beginning or end."""

    after: str | None
    up_to: str | None

    def halves(self) -> tuple[Slice, Slice] | None:
        """The slice in two, or None where it holds one id of 32 hexadecimal digits, or none."""
        try:
            first = 0 if self.after is None else int(self.after, 16)
            last = _IDS if self.up_to is None else int(self.up_to, 16)
        except ValueError:
            return None
        if last - first <= 1:
            return None
        middle = f"{(first + last) // 2:032x}"
        return Slice(self.after, middle), Slice(middle, self.up_to)


def slices(data_keys: int, page: int) -> Iterator[Slice]:
    """All slices, in random order; together they hold every text once.

    Args:
        data_keys: About how many data keys there are to be moved.
        page: How many are read at a time; a slice holds about a quarter of it, or less.
    """
    in_one = max(1, min(page // 4, max(_FEWEST_IN_ONE, data_keys // _WORTH_SHARING)))
    count = max(1, min(_MOST, data_keys // in_one))
    order = list(range(count))
    random.shuffle(order)
    for number in order:
        yield Slice(
            after=None if number == 0 else _id(number, count),
            up_to=None if number == count - 1 else _id(number + 1, count),
        )


def _id(number: int, count: int) -> str:
    return f"{number * _IDS // count:032x}"
