from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conformance.tables import TABLES

if TYPE_CHECKING:
    from tests.conformance.words import Row, Table
    from tests.conformance.world import World


def _name(table: Table, row: Row) -> str:
    return f"{table.title}: {row.about}{' (judgement)' if row.judgement else ''}"


@pytest.mark.parametrize(
    ("table", "row"), [pytest.param(table, row, id=_name(table, row)) for table in TABLES for row in table.rows]
)
def test_a_call_is_answered_as_aws_answers_it(world: World, table: Table, row: Row) -> None:
    mismatch = world.run(table, row)
    judged = "" if row.judgement is None else f"\nThis rests on judgement: {row.judgement}."
    assert mismatch is None, (
        f"{table.operation}, {row.about}: {mismatch}\nIt rests on {row.source or table.source}.{judged}"
    )
