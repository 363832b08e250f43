"""Tables of the form *operation by something*, read from text, one word a cell.

`ok` succeeds; `Disabled` is refused with `DisabledException`; `Disabled/KMSInvalidState` with one of the two;
`-` is no row. A `~` behind a word marks a cell that rests on judgement.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.conformance.words import OK, Identity, Row, Table, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.conformance.words import Refused, Succeeds


@dataclass(frozen=True)
class Asked:
    """What a cell asks; what it expects stands in the grid."""

    about: str
    arguments: Mapping[str, object]
    caller: Identity = Identity.OWNER


def cells(text: str) -> dict[str, dict[str, str]]:
    """The words of a grid, by operation and column."""
    lines = [line.split() for line in text.strip().splitlines()]
    columns = lines[0][1:]
    grid = {line[0]: dict(zip(columns, line[1:], strict=True)) for line in lines[1:]}
    if len(grid) != len(lines) - 1:
        raise ValueError("an operation stands twice in a grid")
    return grid


def expectation(word: str) -> Refused | Succeeds:
    """What a cell expects."""
    bare = word.removesuffix("~")
    return OK if bare == "ok" else refused(*bare.split("/"))


def read_grid(
    text: str, *, source: Callable[[str], str], about: str, judged: str, asked: Callable[[str, str], Asked]
) -> tuple[Table, ...]:
    """One table an operation, a row a cell.

    Args:
        text: The grid.
        source: The page that an operation's cells rest on.
        about: What the grid is about.
        judged: What was judged in the cells marked so.
        asked: What the cell of an operation and a column asks.
    """
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for operation, columns in cells(text).items():
        for column, word in columns.items():
            if word != "-":
                cell = asked(operation, column)
                judgement = judged if word.endswith("~") else None
                row = Row(cell.about, cell.arguments, expectation(word), judgement=judgement, caller=cell.caller)
                rows[operation].append(row)
    return tuple(Table(operation, source(operation), tuple(rows[operation]), about) for operation in rows)
