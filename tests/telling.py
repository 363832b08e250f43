"""What tests tell at the end of the run, whether they passed or not: how much an exploration saw, for instance.

Where the run is divided over processes, each hands what it was told to the one that prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
        terminalreporter.section("told")
        for line in lines:
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a process of a divided run: hand over what was told."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["told"] = session.config.stash.get(_told, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the process that prints: take what another one was told."""
    node.config.stash.setdefault(_told, []).extend(getattr(node, "workeroutput", {}).get("told", []))
