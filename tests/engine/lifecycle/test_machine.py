"""The lifecycle under any sequence of commands: what is always and never true (EKM-11, EKM-32, EKM-33)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.access.model import KeyState
from engine.lifecycle import (
    Command,
    Confirm,
    Enable,
    FinishRewrap,
    GenerationState,
    LastUse,
    LastUseKnowledge,
    MarkDeleted,
    Mode,
    Observe,
    Override,
    Refusal,
    Register,
    Reinstate,
    Release,
    Retire,
    Revoke,
    Rotate,
    TenantState,
    decide,
)
from tests.builders import NOW, cloud_state, key_arn

_ORDER = list(GenerationState)
_numbers = st.integers(0, 4)
_arns = st.builds(key_arn, st.integers(1, 5))
_counts = st.integers(0, 1)
_states = st.sampled_from(list(KeyState))
_last_uses = st.builds(
    LastUse,
    st.sampled_from(list(LastUseKnowledge)),
    st.none() | st.integers(0, 30).map(lambda days: NOW + timedelta(days)),
)
_overrides = st.none() | st.builds(Override, st.sampled_from(["", "Ada"]), st.sampled_from(["", "because"]))
_commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Register, _numbers, _arns, st.booleans()),
    st.builds(Enable, _numbers, _arns, st.sampled_from(["", "Ada"]), st.sampled_from(["", "ab"])),
    st.builds(Rotate, _numbers, _arns),
    st.builds(FinishRewrap, _numbers, _counts, _counts, _counts),
    st.builds(Confirm, _numbers, _arns, st.sampled_from(["", "Ada"])),
    st.builds(
        Retire, _numbers, _counts, _last_uses, st.integers(0, 2), _overrides, st.sampled_from([(), None, ("a grant",)])
    ),
    st.builds(Observe, _numbers, st.none() | _states),
    st.builds(Release, _numbers, st.none() | _counts, st.integers(0, 2), _overrides),
    st.builds(MarkDeleted, _numbers),
    st.builds(Revoke, st.just("Ada")),
    st.builds(Reinstate, st.just("Ada")),
)


class LifecycleMachine(RuleBasedStateMachine):
    """Throws commands at one tenant and watches it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = cloud_state()
        self.at = NOW
        self.arn_of_number: dict[int, str] = {}

    @rule(command=_commands, days=st.integers(0, 3))
    def ask(self, command: Command, days: int) -> None:
        self.at += timedelta(days=days)
        before = self.state
        answer = decide(before, command, self.at)
        if isinstance(answer, Refusal):
            assert answer.rule
            assert answer.requirements
            return
        self.state = answer.state
        self._only_forward(before, answer.state)
        if isinstance(command, Retire):
            current = before.current
            assert current is not None
            assert current.integrated_at is not None
            assert (
                command.last_use.at is None
                or command.last_use.at < current.integrated_at
                or (command.last_use.knowledge is not LastUseKnowledge.USED)
            )

    def _only_forward(self, before: TenantState, after: TenantState) -> None:
        assert not (before.mode is Mode.ENTERPRISE and after.mode is Mode.CLOUD)
        assert after.epoch >= before.epoch
        assert after.current_number >= before.current_number
        for old in before.generations:
            new = after.find(old.number)
            if old.state is GenerationState.REGISTERED and new is None:
                continue
            assert new is not None
            assert _ORDER.index(new.state) >= _ORDER.index(old.state)
            if old.state is not GenerationState.REGISTERED:
                assert new.key_arn == old.key_arn

    @invariant()
    def an_arn_is_never_the_key_of_two_generations(self) -> None:
        families = [g.key_arn.family for g in self.state.generations]
        assert len(families) == len(set(families))

    @invariant()
    def an_enabled_tenant_has_one_current_generation_and_an_agreement(self) -> None:
        current = [g for g in self.state.generations if g.state is GenerationState.CURRENT]
        assert len(current) == (1 if self.state.mode is Mode.ENTERPRISE else 0)
        assert (self.state.agreement is not None) == (self.state.mode is Mode.ENTERPRISE)

    @invariant()
    def no_generation_is_let_go_while_the_current_one_was_never_integrated(self) -> None:
        let_go = {GenerationState.RETIRED, GenerationState.RELEASED, GenerationState.DELETED}
        for generation in self.state.generations:
            if generation.state in let_go:
                newer = [g for g in self.state.generations if g.number > generation.number]
                assert any(g.integrated_at is not None for g in newer)

    @invariant()
    def the_current_generation_is_the_newest(self) -> None:
        current = self.state.current
        if current is not None:
            assert current.number == max(g.number for g in self.state.generations)


LifecycleMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


TestLifecycleMachine = pytest.mark.requirement("EKM-11")(LifecycleMachine.TestCase)
