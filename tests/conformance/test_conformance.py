from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.conformance.tables import TABLES
from tests.conformance.words import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conformance.words import Row, Table
    from tests.conformance.world import World


def _rows() -> Iterator[tuple[Table, Row, str]]:
    for table in TABLES:
        for row in table.rows:
            yield table, row, f"{table.title}: {row.about}{' (judgement)' if row.judgement else ''}"


@pytest.mark.parametrize(("table", "row"), [pytest.param(table, row, id=name) for table, row, name in _rows()])
def test_a_call_is_answered_as_aws_answers_it(world: World, table: Table, row: Row) -> None:
    mismatch = world.run(table, row)
    if row.sandbox_differs is not None and not world.target.real:
        assert mismatch is not None, f"the sandbox does not differ any more: take sandbox_differs away from {row.about}"
        pytest.xfail(f"known of the sandbox: {row.sandbox_differs}")
    source = row.source or table.source
    judged = "" if row.judgement is None else f"\nThis rests on judgement: {row.judgement}."
    assert mismatch is None, f"{table.title}, {row.about}: {mismatch}\nIt rests on {source}.{judged}"


def test_every_row_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(name for *_, name in _rows()).items() if count > 1] == []


def test_every_row_rests_on_a_page_or_the_model() -> None:
    for table, row, name in _rows():
        source = row.source or table.source
        assert source == MODEL or source.startswith("https://docs.aws.amazon.com/"), name
