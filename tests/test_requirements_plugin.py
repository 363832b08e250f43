"""The bookkeeping of requirements: what it lets pass, and what it does not."""

from __future__ import annotations

import pytest

from tests.requirements_plugin import LAST, TABLE, problems, read_states

ALL_PLANNED = {f"EKM-{number:02d}": "planned" for number in range(1, LAST + 1)}


def test_the_projects_table_has_every_requirement_of_the_seeds_in_a_known_state() -> None:
    states = read_states(TABLE.read_text(encoding="utf-8"))
    assert set(states) == set(ALL_PLANNED)
    assert set(states.values()) <= {"proved", "planned"}


def test_a_proved_row_needs_a_test_that_passed() -> None:
    states = {**ALL_PLANNED, "EKM-01": "proved"}
    assert problems(states, {"EKM-01": 1}, {"EKM-01"}) == []
    assert problems(states, {}, {"EKM-01"}) == ["EKM-01: proved, but no test of it ran and passed"]


def test_a_missing_row_an_unknown_id_and_an_unknown_state_are_found() -> None:
    states = {**ALL_PLANNED, "EKM-02": "done"}
    del states["EKM-37"]
    found = problems(states, {}, {"EKM-99"})
    assert "EKM-37: has no row in docs/requirements.md" in found
    assert "EKM-99: no such row in docs/requirements.md" in found
    assert "EKM-02: the state is 'done', neither proved nor planned" in found


def test_a_row_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two rows"):
        read_states("| EKM-01 | B | x | proved |\n| EKM-01 | B | x | planned |\n")
