"""How an older generation comes to its end: retired, released, deleted, never sooner than it may.

The rules *retention*, *release* and *deletion* stand as prose in `engine.lifecycle.rules`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from engine.access.model import KeyState
from engine.lifecycle.commands import (
    Answer,
    LastUse,
    LastUseKnowledge,
    MarkDeleted,
    Override,
    Refusal,
    Release,
    Retire,
    Transition,
)
from engine.lifecycle.state import GenerationState, Rotation, TenantState

_OVERRIDE_ATTEMPTS = "if you looked yourself, say so: --override-by NAME --override-reason TEXT"
_GONE = {None, KeyState.PENDING_DELETION}
_OVERRIDE = "if you know that nothing uses it, say so: --override-by NAME --override-reason TEXT"


def retire(state: TenantState, command: Retire, at: datetime) -> Answer:
    """Answer `Retire` by the rule *retention* (EKM-33, EKM-34); `at` is in UTC."""

    def refused(message: str, hint: str | None = None) -> Refusal:
        message = f"generation {command.number} cannot be retired: {message}"
        return Refusal("retention", message, ("EKM-33", "EKM-34"), hint)

    generation, current = state.find(command.number), state.current
    if generation is None:
        return refused("the ledger does not know it")
    if generation.state is GenerationState.CURRENT:
        return refused("it is the current one, under which every new data key is wrapped", "rotate first")
    if generation.state is not GenerationState.RETAINED:
        return refused(f"it is {generation.state.value}")
    if state.rotation is not None:
        missing = _missing(state, state.rotation)
        return refused(f"the move to generation {state.rotation.to} is not complete ({missing})")
    if command.data_keys != 0:
        return refused(
            f"{command.data_keys} data keys still stand under its key",
            f"move them with `keyturn rotate --to {state.current_number}`",
        )
    if current is None or current.integrated_at is None:
        return refused(f"generation {state.current_number} is not fully integrated")
    due = current.integrated_at + timedelta(days=command.retention_days)
    if at < due:
        return refused(
            f"its key is retained until {due:%Y-%m-%d %H:%M} UTC, {command.retention_days} days after generation"
            f" {current.number} was integrated"
        )
    if command.not_carried_over is None and not _is_signed(command.override):
        return refused("nobody could look whether the current key carries over what its key gave", _OVERRIDE)
    if command.not_carried_over:
        return refused(
            f"the key of generation {current.number} does not carry over what its key gave:"
            f" {'; '.join(command.not_carried_over)}",
            "give it there first: replicas, policy and grants of the newer key are yours to deploy",
        )
    used = _used_since(command.last_use, current.integrated_at)
    if used is not None and (_is_known(command.last_use) or not _is_signed(command.override)):
        hint = "find out what still uses it" if _is_known(command.last_use) else _OVERRIDE
        return refused(used, hint)
    return Transition(
        state.with_generation(replace(generation, state=GenerationState.RETIRED, retired_at=at)),
        "retired",
        {
            "generation": command.number,
            "key_arn": str(generation.key_arn),
            "last_use": command.last_use.knowledge.value,
            "override_by": command.override.by if command.override else None,
            "override_reason": command.override.reason if command.override else None,
        },
    )


def _text(key_state: KeyState | None) -> str:
    return "gone" if key_state is None else key_state.value


def _is_known(last_use: LastUse) -> bool:
    """Whether KMS tells when the key was used: a known use is never overridden."""
    return last_use.knowledge is LastUseKnowledge.USED and last_use.at is not None


def _is_signed(override: Override | None) -> bool:
    return override is not None and bool(override.by.strip()) and bool(override.reason.strip())


def _used_since(last_use: LastUse, integrated_at: datetime) -> str | None:
    match last_use.knowledge:
        case LastUseKnowledge.NEVER_USED:
            return None
        case LastUseKnowledge.UNKNOWN:
            return "KMS does not tell when its key was last used"
        case LastUseKnowledge.USED:
            if last_use.at is not None and last_use.at < integrated_at:
                return None
            when = f"{last_use.at:%Y-%m-%d %H:%M} UTC" if last_use.at is not None else "an unknown time"
            return f"its key was used at {when}, after the newer one was integrated"
        case _:
            assert_never(last_use.knowledge)


def _missing(state: TenantState, rotation: Rotation) -> str:
    parts = []
    if rotation.rewrapped_at is None:
        parts.append("data keys are still being moved")
    if state.current is None or state.current.confirmed is None:
        parts.append(f"`keyturn confirm {rotation.to}` is missing")
    return " and ".join(parts) or "it has yet to be recorded"


def release(state: TenantState, command: Release, at: datetime) -> Answer:
    """Answer `Release` by the rule *release* (EKM-17); `at` is in UTC."""

    def refused(message: str, hint: str | None = None) -> Refusal:
        return Refusal("release", f"generation {command.number} cannot be released: {message}", ("EKM-17",), hint)

    generation = state.find(command.number)
    if generation is None:
        return refused("the ledger does not know it")
    if generation.state is not GenerationState.RETIRED or generation.retired_at is None:
        return refused(f"it is {generation.state.value}, not retired", f"`keyturn retire {command.number}` first")
    seen = generation.observed
    if seen is None or seen.key_state is not KeyState.DISABLED:
        what = "was never looked at" if seen is None else f"was last seen {_text(seen.key_state)}, not Disabled"
        return refused(
            f"its key {what}", f"declare generation {command.number} as state: retired and deploy: that disables it"
        )
    due = max(seen.since, generation.retired_at) + timedelta(days=command.soak_days)
    if at < due:
        return refused(f"it soaks until {due:%Y-%m-%d %H:%M} UTC, {command.soak_days} days after it was seen disabled")
    if command.failed_attempts is None and not _is_signed(command.override):
        return refused("nobody looked for failed attempts to use the disabled key", _OVERRIDE_ATTEMPTS)
    if command.failed_attempts:
        return refused(
            f"{command.failed_attempts} attempts to use the disabled key were seen",
            "something still depends on it: enable the key and find out what",
        )
    return Transition(
        state.with_generation(replace(generation, state=GenerationState.RELEASED, released_at=at)),
        "released",
        {
            "generation": command.number,
            "key_arn": str(generation.key_arn),
            "disabled_since": f"{seen.since:%Y-%m-%d %H:%M} UTC",
            "override_by": command.override.by if command.override else None,
            "override_reason": command.override.reason if command.override else None,
        },
    )


def mark_deleted(state: TenantState, command: MarkDeleted, at: datetime) -> Answer:
    """Answer `MarkDeleted` by the rule *deletion* (EKM-09, EKM-17); `at` is in UTC."""
    generation = state.find(command.number)
    if generation is None or generation.state is not GenerationState.RELEASED:
        standing = generation.state.value if generation is not None else "unknown to the ledger"
        return Refusal("deletion", f"generation {command.number} is {standing}, not released", ("EKM-17",))
    seen = generation.observed
    if seen is None or seen.key_state not in _GONE:
        what = "was never looked at" if seen is None else f"is still {_text(seen.key_state)}"
        return Refusal("deletion", f"the key of generation {command.number} {what}", ("EKM-09",))
    return Transition(
        state.with_generation(replace(generation, state=GenerationState.DELETED, deleted_at=at)),
        "deleted",
        {"generation": command.number, "key_arn": str(generation.key_arn)},
    )
