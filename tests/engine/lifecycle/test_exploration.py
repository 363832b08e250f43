"""The lifecycle explored exhaustively: every state, every command, every interleaving of two actors to a depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.errors import ConflictError, RefusedError
from engine.ledger.sqlite_making import create_sqlite_ledger
from engine.lifecycle import GenerationState
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, cloud_state
from tests.engine.lifecycle.world import COMMANDS, LIFE, Explorer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEPTH_FROM_THE_START = 10
DEPTH_FROM_EACH_MILESTONE = 6


@pytest.fixture(scope="module")
def explorer() -> Explorer:
    return Explorer()


@pytest.mark.requirement("EKM-11")
@pytest.mark.requirement("EKM-32")
@pytest.mark.requirement("EKM-33")
def test_every_reachable_state_answers_every_command_and_breaks_no_rule(
    explorer: Explorer, tell: Callable[[str], None]
) -> None:
    states = explorer.all_states()
    tell(
        f"lifecycle: {states} states of three generations, all that can be reached, each asked {len(COMMANDS)}"
        f" commands: {explorer.seen.transitions} transitions, {explorer.seen.refusals} refusals that changed nothing"
    )
    reached = {generation.state for state in explorer.states for generation in state.generations}
    assert reached == set(GenerationState)
    assert any(state.revoked for state in explorer.states)


@pytest.mark.requirement("EKM-33")
@pytest.mark.requirement("EKM-34")
@pytest.mark.requirement("EKM-35")
def test_no_interleaving_of_two_actors_leaves_a_data_key_under_a_key_that_may_be_disabled(
    explorer: Explorer, tell: Callable[[str], None]
) -> None:
    configurations, steps = explorer.interleavings(explorer.start, DEPTH_FROM_THE_START)
    milestones = explorer.milestones()
    for milestone in milestones:
        more_configurations, more_steps = explorer.interleavings(milestone, DEPTH_FROM_EACH_MILESTONE)
        configurations, steps = configurations + more_configurations, steps + more_steps
    tell(
        f"lifecycle: two actors, each with a view of its own: every interleaving of {DEPTH_FROM_THE_START} steps from"
        f" the start and of {DEPTH_FROM_EACH_MILESTONE} from each of {len(milestones)} milestones:"
        f" {configurations} configurations, {steps} steps"
    )


def test_a_stale_writer_loses_on_the_real_ledger_whatever_it_asks(tmp_path: Path, tell: Callable[[str], None]) -> None:
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    lost = 0
    for command in LIFE:
        stale = ledger.head()
        head = carry_out(ledger, command, ACTOR, NOW)
        for asked in COMMANDS:
            with pytest.raises((ConflictError, RefusedError)):
                carry_out(ledger, asked, ACTOR, NOW, stale)
            lost += 1
        assert ledger.head() == head
    ledger.close()
    tell(f"lifecycle: {lost} commands of stale writers on a ledger: each lost, and changed nothing")
