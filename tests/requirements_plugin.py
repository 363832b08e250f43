"""Holds `docs/requirements.md` against the tests that ran.

A row is `proved` or `planned`. A test proves a requirement by `@pytest.mark.requirement("EKM-01")`, and
counts only when it ran and passed. A run of the whole suite fails on a `proved` row without such a test, on
a mark for an id that has no row, and on a row of another state. A run of a part says nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

TABLE = Path(__file__).resolve().parent.parent / "docs" / "requirements.md"
LAST = 51  # the seeds' requirements are EKM-01 to this one
_PROPERTY = "requirement"  # travels with a test's report, also from another process
_ROW = re.compile(r"^\|\s*(EKM-\d+)\s*\|.*\|\s*(\S+)\s*\|\s*$")


def read_states(text: str) -> dict[str, str]:
    """The state of each requirement by its id."""
    states: dict[str, str] = {}
    for line in text.splitlines():
        if match := _ROW.match(line):
            identifier, state = match.groups()
            if identifier in states:
                raise ValueError(f"{identifier} has two rows")
            states[identifier] = state
    return states


def problems(states: dict[str, str], passed: dict[str, int], cited: set[str]) -> list[str]:
    """What is wrong between the table and the tests; `passed` counts the passed tests by id."""
    missing = sorted({f"EKM-{number:02d}" for number in range(1, LAST + 1)} - states.keys())
    found = [f"{identifier}: has no row in docs/requirements.md" for identifier in missing]
    found += [f"{identifier}: no such row in docs/requirements.md" for identifier in sorted(cited - states.keys())]
    for identifier, state in sorted(states.items()):
        if state not in {"proved", "planned"}:
            found.append(f"{identifier}: the state is {state!r}, neither proved nor planned")
        elif state == "proved" and not passed.get(identifier):
            found.append(f"{identifier}: proved, but no test of it ran and passed")
    return found


class RequirementsPlugin:
    """Collects which requirements were proved in this run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._by_test: dict[str, set[str]] = {}
        self._failed: set[str] = set()
        self._ran: set[str] = set()
        self._problems: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.user_properties += [(_PROPERTY, str(mark.args[0])) for mark in item.iter_markers("requirement")]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._by_test.setdefault(report.nodeid, set()).update(
            str(value) for name, value in report.user_properties if name == _PROPERTY
        )
        if report.when == "call" and report.passed:
            self._ran.add(report.nodeid)
        if report.failed:
            self._failed.add(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if not self._whole_suite() or exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            return
        passed: dict[str, int] = defaultdict(int)
        for test in self._ran - self._failed:
            for identifier in self._by_test.get(test, set()):
                passed[identifier] += 1
        cited = set().union(*self._by_test.values()) if self._by_test else set()
        self._problems = problems(read_states(TABLE.read_text(encoding="utf-8")), passed, cited)
        if self._problems and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._whole_suite():
            return
        states = list(read_states(TABLE.read_text(encoding="utf-8")).values())
        terminalreporter.write_line(f"requirements: {states.count('proved')} proved, {states.count('planned')} planned")
        for problem in self._problems:
            terminalreporter.write_line(f"requirement {problem}", red=True)

    def _whole_suite(self) -> bool:
        option = self._config.option
        return (
            not hasattr(
                self._config, "workerinput"
            )  # a worker of a divided run sees a part; its reports go to the whole
            and self._config.args_source is pytest.Config.ArgsSource.TESTPATHS
            and not option.keyword
            and option.markexpr == "not soak"
            and not getattr(option, "lf", False)
        )


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin."""
    config.pluginmanager.register(RequirementsPlugin(config), "keyturn-requirements")
