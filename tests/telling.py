"""What tests tell at the end of the run, whether they passed or not: how much an exploration saw, for instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_told = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def tell(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Say a line in the summary of the run."""
    return pytestconfig.stash.setdefault(_told, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was told."""
    if lines := config.stash.get(_told, []):
        terminalreporter.section("explored")
        for line in lines:
            terminalreporter.write_line(line)
