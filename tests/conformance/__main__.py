"""`python -m tests.conformance` prints every table as Markdown: what is called, what is expected, why."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter

from tests.conformance.tables import TABLES
from tests.conformance.words import Identity, Row, Table


def _line(table: Table, row: Row) -> str:
    caller = "owner" if row.caller is Identity.OWNER else "other account"
    why = row.source or table.source
    judged = "" if row.judgement is None else f"; judged: {row.judgement}"
    differs = "" if row.sandbox_differs is None else f"; the sandbox differs: {row.sandbox_differs}"
    about = f"{table.about}: {row.about}" if table.about else row.about
    cells = (about, caller, str(row.expected), f"{why}{judged}{differs}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the tables, an operation after the other."""
    for operation, tables in groupby(sorted(TABLES, key=attrgetter("operation")), attrgetter("operation")):
        print(f"## {operation}\n\n| the call | by | answer | rests on |\n|---|---|---|---|")
        for table in tables:
            for row in table.rows:
                print(_line(table, row))
        print()


if __name__ == "__main__":
    main()
