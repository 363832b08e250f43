"""One run of the tables: where they run, and what is left behind at the end: nothing.

With the variables of `docs/conformance.md` set the rows run against AWS, else against a sandbox of their own.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.conformance.cleaning import clean_run
from tests.conformance.tables import TABLES
from tests.conformance.target import aws_target, sandbox_target
from tests.conformance.world import World
from tests.sandbox_fixtures import start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The run. Against AWS, whatever ends it, what it made is taken away."""
    target = aws_target()
    if target is None:
        with start_sandbox() as sandbox:
            yield World(sandbox_target(sandbox), secrets.token_hex(4))
        return
    with clean_run(target) as run:
        yield run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much rests on judgement; with -v, on which."""
    judged = [(table, row) for table in TABLES for row in table.rows if row.judgement is not None]
    rows = sum(len(table.rows) for table in TABLES)
    terminalreporter.write_line(f"conformance: {rows} rows, {len(judged)} of them by judgement")
    if terminalreporter.verbosity > 0:
        for table, row in judged:
            terminalreporter.write_line(f"  by judgement: {table.title}, {row.about}: {row.judgement}")
