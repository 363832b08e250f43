"""The lifecycle as a named table of stories: what is allowed, and what is refused with which rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

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
    Transition,
    decide,
)
from tests.builders import NOW, cloud_state, key_arn

TERMS = "ab" * 32
NEVER_USED = LastUse(LastUseKnowledge.NEVER_USED)
REGISTER = Register(1, key_arn(1), activated=True)
ENABLE = Enable(1, key_arn(1), "Ada", TERMS)
MOVED_1 = FinishRewrap(epoch=1, remaining=0, unverified=0, set_aside=0)
CONFIRM_1 = Confirm(1, key_arn(1), "Ada")
ROTATE_2 = Rotate(2, key_arn(2))
MOVED_2 = FinishRewrap(epoch=2, remaining=0, unverified=0, set_aside=0)
CONFIRM_2 = Confirm(2, key_arn(2), "Ada")
RETIRE_1 = Retire(1, data_keys=0, last_use=NEVER_USED, retention_days=0, not_carried_over=())
DISABLED_1 = Observe(1, KeyState.DISABLED)
RELEASE_1 = Release(1, failed_attempts=0, soak_days=0)
GONE_1 = Observe(1, KeyState.PENDING_DELETION)
DELETED_1 = MarkDeleted(1)

SIGNED = Override("Ada", "looked in CloudTrail")

ENABLED = (REGISTER, ENABLE, MOVED_1, CONFIRM_1)
ROTATED = (*ENABLED, ROTATE_2, MOVED_2, CONFIRM_2)
RETIRED = (*ROTATED, RETIRE_1)


def after(*commands: Command, state: TenantState | None = None) -> TenantState:
    """The state after these commands, each of which must be allowed."""
    state = state or cloud_state()
    for command in commands:
        answer = decide(state, command, NOW)
        assert isinstance(answer, Transition), answer
        state = answer.state
    return state


def refusal(state: TenantState, command: Command, rule: str, requirement: str) -> Refusal:
    """The refusal of a command; the state it was asked of is untouched, being frozen."""
    answer = decide(state, command, NOW)
    assert isinstance(answer, Refusal), answer
    assert answer.rule == rule
    assert requirement in answer.requirements
    return answer


def states(state: TenantState) -> dict[int, GenerationState]:
    return {g.number: g.state for g in state.generations}


def test_a_whole_life_from_cloud_to_a_deleted_first_generation() -> None:
    state = after(*ROTATED, RETIRE_1, DISABLED_1, RELEASE_1, GONE_1, DELETED_1)
    assert state.mode is Mode.ENTERPRISE
    assert states(state) == {1: GenerationState.DELETED, 2: GenerationState.CURRENT}
    assert state.rotation is None


@pytest.mark.requirement("EKM-03")
def test_nothing_is_registered_before_druva_support_has_activated_the_account() -> None:
    answer = refusal(cloud_state(), replace(REGISTER, activated=False), "activation", "EKM-03")
    assert "Druva Support has not activated" in answer.message


@pytest.mark.requirement("EKM-12")
def test_enabling_disables_cloud_mode_in_the_same_transition_and_opens_the_move() -> None:
    before = after(REGISTER)
    answer = decide(before, ENABLE, NOW)
    assert isinstance(answer, Transition)
    assert before.mode is Mode.CLOUD
    assert answer.state.mode is Mode.ENTERPRISE
    assert answer.state.rotation is not None
    assert answer.state.rotation.to == 1
    assert answer.event == "enabled"


@pytest.mark.requirement("EKM-25")
def test_a_key_is_not_enabled_before_it_is_registered() -> None:
    refusal(cloud_state(), ENABLE, "order", "EKM-25")


@pytest.mark.requirement("EKM-26")
@pytest.mark.parametrize(("by", "terms"), [("", TERMS), ("   ", TERMS), ("Ada", "")])
def test_enabling_asks_who_agrees_to_which_terms(by: str, terms: str) -> None:
    refusal(after(REGISTER), Enable(1, key_arn(1), by, terms), "agreement", "EKM-26")


@pytest.mark.requirement("EKM-26")
def test_who_agreed_when_and_to_what_is_recorded() -> None:
    agreement = after(REGISTER, ENABLE).agreement
    assert agreement is not None
    assert (agreement.by, agreement.at, agreement.terms_sha256) == ("Ada", NOW, TERMS)


@pytest.mark.requirement("EKM-25")
def test_a_key_that_was_replaced_meanwhile_is_not_enabled_in_the_place_of_the_one_that_was_shown() -> None:
    state = after(REGISTER, Register(1, key_arn(7), activated=True))
    answer = refusal(state, ENABLE, "order", "EKM-25")
    assert "somebody else replaced it" in answer.message


def test_a_tenants_line_begins_with_generation_1() -> None:
    refusal(cloud_state(), Register(2, key_arn(2), activated=True), "order", "EKM-25")


def test_a_registered_key_may_be_replaced_before_the_terms_are_agreed() -> None:
    state = after(REGISTER, Register(1, key_arn(7), activated=True))
    assert [g.key_arn for g in state.generations] == [key_arn(7)]
    assert state.mode is Mode.CLOUD


@pytest.mark.requirement("EKM-11")
@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (Register(2, key_arn(3), activated=True), "one-way"),
        (Enable(1, key_arn(1), "Ada", TERMS), "one-way"),
        (Rotate(1, key_arn(3)), "one-way"),
        (Rotate(2, key_arn(3)), "one-way"),
        (Rotate(3, key_arn(1)), "no-reuse"),
        (Rotate(3, key_arn(2)), "no-reuse"),
    ],
)
def test_no_way_leads_back(command: Command, rule: str) -> None:
    refusal(after(*ROTATED), command, rule, "EKM-11")


@pytest.mark.requirement("EKM-11")
def test_a_replica_of_a_used_multi_region_key_is_a_used_key() -> None:
    family = "mrk-" + "0" * 32
    first = replace(key_arn(1), key_id=family)
    state = after(Register(1, first, activated=True), Enable(1, first, "Ada", TERMS), MOVED_1, Confirm(1, first, "Ada"))
    refusal(state, Rotate(2, replace(first, region="eu-west-1")), "no-reuse", "EKM-11")


@pytest.mark.requirement("EKM-30")
def test_only_an_enabled_tenant_rotates() -> None:
    refusal(after(REGISTER), ROTATE_2, "enabled-only", "EKM-30")


@pytest.mark.requirement("EKM-32")
def test_during_a_rotation_the_old_generation_is_retained_and_must_stay_enabled() -> None:
    state = after(*ENABLED, ROTATE_2)
    assert states(state) == {1: GenerationState.RETAINED, 2: GenerationState.CURRENT}
    assert all(g.must_stay_enabled for g in state.generations)


@pytest.mark.requirement("EKM-36")
def test_a_rotation_asks_for_no_new_agreement() -> None:
    before = after(*ENABLED)
    assert after(*ROTATED).agreement == before.agreement


@pytest.mark.requirement("EKM-33")
@pytest.mark.parametrize(
    "finding",
    [
        FinishRewrap(2, remaining=1, unverified=0, set_aside=0),
        FinishRewrap(2, remaining=0, unverified=1, set_aside=0),
        FinishRewrap(2, remaining=0, unverified=0, set_aside=1),
    ],
)
def test_a_move_is_not_done_while_a_data_key_is_left_unproved_or_set_aside(finding: FinishRewrap) -> None:
    refusal(after(*ENABLED, ROTATE_2), finding, "integrated", "EKM-33")


@pytest.mark.requirement("EKM-33")
def test_a_rotation_is_complete_only_with_the_consoles_confirmation_in_either_order() -> None:
    moved = after(*ENABLED, ROTATE_2, MOVED_2)
    assert moved.rotation is not None
    confirmed_first = after(*ENABLED, ROTATE_2, CONFIRM_2)
    assert confirmed_first.rotation is not None
    for state in (after(CONFIRM_2, state=moved), after(MOVED_2, state=confirmed_first)):
        assert state.rotation is None
        current = state.current
        assert current is not None
        assert current.integrated_at == NOW


def test_a_confirmation_of_another_arn_or_generation_is_refused() -> None:
    state = after(*ENABLED, ROTATE_2)
    refusal(state, Confirm(2, key_arn(1), "Ada"), "integrated", "EKM-31")
    refusal(state, Confirm(1, key_arn(1), "Ada"), "integrated", "EKM-33")


def test_the_end_of_a_superseded_move_does_not_finish_the_newer_one() -> None:
    state = after(*ENABLED, ROTATE_2, Rotate(3, key_arn(3)))
    assert state.rotation is not None
    assert (state.rotation.to, state.rotation.epoch) == (3, 3)
    refusal(state, MOVED_2, "forward", "EKM-33")
    assert states(state)[2] is GenerationState.RETAINED


@pytest.mark.requirement("EKM-33")
@pytest.mark.requirement("EKM-34")
@pytest.mark.parametrize(
    ("commands", "retire", "reason"),
    [
        (ENABLED, RETIRE_1, "current"),
        ((*ENABLED, ROTATE_2), RETIRE_1, "not complete"),
        ((*ENABLED, ROTATE_2, MOVED_2), RETIRE_1, "`keyturn confirm 2` is missing"),
        (ROTATED, replace(RETIRE_1, data_keys=3), "3 data keys"),
        (ROTATED, replace(RETIRE_1, retention_days=30), "retained until 2026-03-31"),
        (ROTATED, replace(RETIRE_1, last_use=LastUse(LastUseKnowledge.UNKNOWN)), "does not tell"),
        (ROTATED, replace(RETIRE_1, last_use=LastUse(LastUseKnowledge.USED, NOW)), "after the newer one"),
        (ROTATED, replace(RETIRE_1, last_use=LastUse(LastUseKnowledge.USED)), "unknown time"),
        (
            ROTATED,
            replace(RETIRE_1, last_use=LastUse(LastUseKnowledge.USED, NOW), override=SIGNED),
            "after the newer one",
        ),
        (ROTATED, replace(RETIRE_1, number=9), "does not know"),
        (ROTATED, replace(RETIRE_1, not_carried_over=("it has no replica in eu-west-1",)), "no replica in eu-west-1"),
        (ROTATED, replace(RETIRE_1, not_carried_over=("no replica",), override=SIGNED), "does not carry over"),
        (ROTATED, replace(RETIRE_1, not_carried_over=None), "nobody could look"),
        ((*ROTATED, RETIRE_1), RETIRE_1, "it is retired"),
    ],
)
def test_a_generation_is_not_retired_while_anything_may_depend_on_it(
    commands: tuple[Command, ...], retire: Retire, reason: str
) -> None:
    answer = refusal(after(*commands), retire, "retention", "EKM-33")
    assert reason in answer.message


def test_an_unknown_last_use_is_overridden_by_name_and_reason_alone() -> None:
    unknown = replace(RETIRE_1, last_use=LastUse(LastUseKnowledge.UNKNOWN))
    state = after(*ROTATED)
    refusal(state, replace(unknown, override=Override("", "looked in CloudTrail")), "retention", "EKM-33")
    refusal(state, replace(unknown, override=Override("Ada", " ")), "retention", "EKM-33")
    answer = decide(state, replace(unknown, override=Override("Ada", "looked in CloudTrail")), NOW)
    assert isinstance(answer, Transition)
    assert answer.details["override_by"] == "Ada"


def test_a_use_before_the_integration_does_not_stop_a_retirement() -> None:
    earlier = LastUse(LastUseKnowledge.USED, NOW - timedelta(seconds=1))
    assert states(after(*ROTATED, replace(RETIRE_1, last_use=earlier)))[1] is GenerationState.RETIRED


@pytest.mark.requirement("EKM-17")
@pytest.mark.parametrize(
    ("commands", "release", "reason"),
    [
        ((*ROTATED, DISABLED_1), RELEASE_1, "not retired"),
        (RETIRED, RELEASE_1, "was never looked at"),
        ((*RETIRED, Observe(1, KeyState.ENABLED)), RELEASE_1, "last seen Enabled, not Disabled"),
        ((*RETIRED, DISABLED_1, Observe(1, KeyState.ENABLED)), RELEASE_1, "last seen Enabled, not Disabled"),
        ((*RETIRED, DISABLED_1), replace(RELEASE_1, soak_days=1), "soaks until"),
        ((*RETIRED, DISABLED_1), replace(RELEASE_1, failed_attempts=2), "2 attempts"),
        ((*RETIRED, DISABLED_1), replace(RELEASE_1, failed_attempts=2, override=SIGNED), "2 attempts"),
        ((*RETIRED, DISABLED_1), replace(RELEASE_1, failed_attempts=None), "nobody looked"),
        (
            (*RETIRED, DISABLED_1),
            replace(RELEASE_1, failed_attempts=None, override=Override("Ada", "")),
            "nobody looked",
        ),
    ],
)
def test_a_generation_is_not_released_before_it_is_retired_disabled_and_soaked(
    commands: tuple[Command, ...], release: Release, reason: str
) -> None:
    answer = refusal(after(*commands), release, "release", "EKM-17")
    assert reason in answer.message


def test_the_soak_counts_from_the_first_of_an_unbroken_row_of_looks_at_a_disabled_key() -> None:
    state = after(*RETIRED, DISABLED_1)
    for days, command in ((1, DISABLED_1), (2, Observe(1, KeyState.ENABLED)), (3, DISABLED_1), (4, DISABLED_1)):
        answer = decide(state, command, NOW + timedelta(days=days))
        assert isinstance(answer, Transition)
        state = answer.state
    release = replace(RELEASE_1, soak_days=7)
    assert isinstance(decide(state, release, NOW + timedelta(days=9)), Refusal)
    assert isinstance(decide(state, release, NOW + timedelta(days=10)), Transition)


def test_where_nobody_could_look_a_person_may_answer_for_it() -> None:
    command = replace(RELEASE_1, failed_attempts=None, override=SIGNED)
    assert states(after(*RETIRED, DISABLED_1, command))[1] is GenerationState.RELEASED


@pytest.mark.requirement("EKM-09")
def test_an_observation_changes_no_state_of_any_generation() -> None:
    before = after(*ROTATED)
    for key_state in (*KeyState, None):
        for number in (1, 2):
            assert states(after(Observe(number, key_state), state=before)) == states(before)
    refusal(before, Observe(9, None), "observation", "EKM-09")


def test_only_a_released_generation_whose_key_is_seen_to_go_is_deleted() -> None:
    refusal(after(*RETIRED, GONE_1), DELETED_1, "deletion", "EKM-17")
    released = after(*RETIRED, DISABLED_1, RELEASE_1)
    refusal(released, DELETED_1, "deletion", "EKM-09")
    for seen in (None, KeyState.PENDING_DELETION):
        assert states(after(Observe(1, seen), DELETED_1, state=released))[1] is GenerationState.DELETED


@pytest.mark.requirement("EKM-10")
def test_revoking_changes_no_mode_and_nothing_moves_until_reinstated() -> None:
    state = after(*ENABLED, Revoke("Ada"))
    assert state.mode is Mode.ENTERPRISE
    refusal(state, ROTATE_2, "revocation", "EKM-10")
    refusal(state, Revoke("Ada"), "revocation", "EKM-10")
    assert isinstance(decide(after(Reinstate("Ada"), state=state), ROTATE_2, NOW), Transition)
    refusal(cloud_state(), Reinstate("Ada"), "revocation", "EKM-10")


@pytest.mark.requirement("EKM-10")
def test_the_access_may_be_revoked_before_enabling_too_and_then_nothing_is_enabled() -> None:
    state = after(REGISTER, Revoke("Ada"))
    assert state.mode is Mode.CLOUD
    refusal(state, ENABLE, "revocation", "EKM-10")
    refusal(state, REGISTER, "revocation", "EKM-10")
    assert after(Reinstate("Ada"), ENABLE, state=state).mode is Mode.ENTERPRISE
