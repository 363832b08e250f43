"""The state machine of a tenant's keys: pure and total, without a clock and without AWS.

`cloud → enable → enterprise(1) → rotate(1→2) → enterprise(2), 1 retained → retire(1) → release(1) →
deleted(1)`. Every answer is a `Transition` or a `Refusal`; a refusal changes nothing. The rules:

- **activation** (EKM-03): until Druva Support has activated the account there is nothing to register.
- **one-way** (EKM-11): nothing leads back to cloud mode, and numbers only grow: a rotation goes to a
  higher number than any generation has had.
- **no-reuse** (EKM-11): an ARN, or another replica of its multi-Region key, that was ever a generation's
  key is never another generation's.
- **order** (EKM-25): a key is validated, then registered, then the terms are agreed, then it is enabled.
  A tenant's line begins with generation 1. A registered key may still be replaced; nothing is wrapped
  under it, and what is enabled is the key that was shown.
- **agreement** (EKM-26): enabling asks who agrees to which terms. A rotation asks for neither (EKM-36).
- **precedence** (EKM-12): enabling ends cloud mode in the same transition, and opens the move of the
  service's data keys to generation 1.
- **enabled-only** (EKM-30): only an enabled tenant rotates.
- **both-active** (EKM-32, EKM-35): during a move the older generations are retained, and stay so.
- **forward** (EKM-11, EKM-33): a move that cannot finish is resumed or superseded by a further one;
  the epoch tells the moves apart, and the end of an older one cannot finish a newer one.
- **integrated** (EKM-33): a move is complete when no data key is left under an older key, every one is
  proved to decrypt under the new key, none is set aside, and a person has confirmed that the console
  shows the new ARN.
- **retention** (EKM-33, EKM-34): a generation is retired only when it is not current, no move is in
  flight, no data key stands under it, the current one is integrated, the retention days have passed
  since, the current key carries over what its key gave (the vendor's access, grants, replicas), and KMS
  knows of no use since then. What nobody could look at refuses, unless a person answers for it.
- **observation** (EKM-09): what KMS says of a key is recorded as it is seen, in any mode; it changes no
  generation's state, and how long a key has been seen disabled counts from the first such look.
- **release** (EKM-17): a generation is released only when it is retired, and its key has been seen disabled
  for the days of the soak without an attempt to use it, failed or not. Not having looked is not "none", unless
  a person answers for it.
- **deletion**: a generation is deleted only when it is released and its key is seen gone or pending deletion.
- **revocation** (EKM-10): the customer may revoke at any time, in any mode; while revoked nothing is
  registered, enabled or rotated. Neither revoking nor reinstating changes the mode.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from engine.lifecycle.commands import (
    Answer,
    Command,
    Confirm,
    Enable,
    FinishRewrap,
    MarkDeleted,
    Observe,
    Refusal,
    Register,
    Reinstate,
    Release,
    Retire,
    Revoke,
    Rotate,
    Transition,
)
from engine.lifecycle.ending import mark_deleted, release, retire
from engine.lifecycle.state import (
    FIRST_GENERATION,
    Agreement,
    Confirmation,
    Generation,
    GenerationState,
    Mode,
    Observation,
    Rotation,
    TenantState,
)

if TYPE_CHECKING:
    from datetime import datetime


def decide(state: TenantState, command: Command, at: datetime) -> Answer:
    """Answer one command.

    Args:
        state: The head of the ledger.
        command: What is asked.
        at: The time of the command, in UTC.

    Returns:
        The transition to store, or the refusal to show; never an exception.
    """
    match command:
        case Register():
            return _register(state, command, at)
        case Enable():
            return _enable(state, command, at)
        case Rotate():
            return _rotate(state, command, at)
        case FinishRewrap():
            return _finish_rewrap(state, command, at)
        case Confirm():
            return _confirm(state, command, at)
        case Observe():
            return _observe(state, command, at)
        case Retire():
            return retire(state, command, at)
        case Release():
            return release(state, command, at)
        case MarkDeleted():
            return mark_deleted(state, command, at)
        case Revoke():
            return _revoke(state, command)
        case Reinstate():
            return _reinstate(state, command)
        case _:
            assert_never(command)


def _register(state: TenantState, command: Register, at: datetime) -> Answer:
    if not command.activated:
        return Refusal(
            "activation",
            "Druva Support has not activated Enterprise Key Management for this account",
            ("EKM-03",),
            "ask Druva Support; when the console shows its fields, set druva.activated: true in the declaration",
        )
    if state.mode is Mode.ENTERPRISE:
        return Refusal(
            "one-way",
            f"tenant {state.tenant!r} is already enabled, with generation {state.current_number}",
            ("EKM-11",),
            _goes_on(state),
        )
    if refusal := _not_while_revoked(state, "registering a key"):
        return refusal
    if command.number != FIRST_GENERATION:
        return Refusal(
            "order",
            f"generation {command.number} cannot be the first: a tenant's line begins with generation 1",
            ("EKM-25",),
            "set current: 1 in the declaration; after enabling, rotate to a further generation",
        )
    former = state.find(command.number)
    generation = Generation(command.number, command.key_arn, GenerationState.REGISTERED, at)
    return Transition(
        state.with_generation(generation),
        "registered",
        {
            "generation": command.number,
            "key_arn": str(command.key_arn),
            "replaces": str(former.key_arn) if former is not None and former.key_arn != command.key_arn else None,
        },
    )


def _enable(state: TenantState, command: Enable, at: datetime) -> Answer:
    if state.mode is Mode.ENTERPRISE:
        return Refusal(
            "one-way", f"tenant {state.tenant!r} is already enabled; there is nothing to agree to again", ("EKM-11",)
        )
    if refusal := _not_while_revoked(state, "enabling"):
        return refusal
    generation = state.find(command.number)
    if generation is None or generation.state is not GenerationState.REGISTERED:
        return Refusal(
            "order",
            f"generation {command.number} is not registered: its key must be validated and saved before the terms",
            ("EKM-25",),
        )
    if generation.key_arn != command.key_arn:
        return Refusal(
            "order",
            f"{generation.key_arn} is registered by now, not {command.key_arn}: somebody else replaced it",
            ("EKM-25",),
            "agree with the others on one key, then enable that",
        )
    if not command.agreed_by.strip() or not command.terms_sha256:
        return Refusal(
            "agreement", 'enabling asks for an explicit "Yes, I Agree": by whom, and to which terms', ("EKM-26",)
        )
    epoch = state.epoch + 1
    enabled = replace(
        state.with_generation(replace(generation, state=GenerationState.CURRENT, current_since=at)),
        mode=Mode.ENTERPRISE,
        agreement=Agreement(command.agreed_by, at, command.terms_sha256),
        rotation=Rotation(command.number, epoch, at),
        epoch=epoch,
    )
    return Transition(
        enabled,
        "enabled",
        {
            "generation": command.number,
            "key_arn": str(generation.key_arn),
            "agreed_by": command.agreed_by,
            "terms_sha256": command.terms_sha256,
            "epoch": epoch,
        },
    )


def _rotate(state: TenantState, command: Rotate, at: datetime) -> Answer:
    current = state.current
    if state.mode is not Mode.ENTERPRISE or current is None:
        return Refusal(
            "enabled-only",
            f"tenant {state.tenant!r} is not enabled: there is no key to update",
            ("EKM-30",),
            "enable the first generation with `keyturn enable`",
        )
    if refusal := _not_while_revoked(state, "rotating"):
        return refusal
    highest = max(g.number for g in state.generations)
    if command.to <= highest:
        return Refusal(
            "one-way",
            f"generation {command.to} is not newer than generation {highest}: there is no way back to an earlier key",
            ("EKM-11",),
            f"declare generation {highest + 1} with a key of its own",
        )
    for generation in state.generations:
        if generation.key_arn.family == command.key_arn.family:
            return Refusal(
                "no-reuse",
                f"{command.key_arn} is or was the key of generation {generation.number}",
                ("EKM-11",),
                "a new generation needs a key that was never used before",
            )
    epoch = state.epoch + 1
    moved = state.with_generation(replace(current, state=GenerationState.RETAINED))
    moved = moved.with_generation(
        Generation(command.to, command.key_arn, GenerationState.CURRENT, registered_at=at, current_since=at)
    )
    return Transition(
        replace(moved, rotation=Rotation(command.to, epoch, at), epoch=epoch),
        "rotation_started",
        {
            "from": current.number,
            "to": command.to,
            "key_arn": str(command.key_arn),
            "epoch": epoch,
            "supersedes": state.rotation.to if state.rotation is not None else None,
        },
    )


def _finish_rewrap(state: TenantState, command: FinishRewrap, at: datetime) -> Answer:
    rotation = state.rotation
    if rotation is None or rotation.epoch != command.epoch:
        return Refusal(
            "forward",
            f"the move of epoch {command.epoch} is no longer the one in flight",
            ("EKM-33",),
            "`keyturn status` shows where the tenant stands",
        )
    open_points = (
        (command.remaining, "still under an older key"),
        (command.unverified, "not yet proved to decrypt under the new key"),
        (command.set_aside, "set aside because they could not be moved"),
    )
    left = [f"{count} {what}" for count, what in open_points if count]
    if left:
        return Refusal(
            "integrated",
            f"generation {rotation.to} is not fully integrated: data keys {', '.join(left)}",
            ("EKM-33",),
            f"resume with `keyturn rotate --to {rotation.to}`",
        )
    moved = replace(state, rotation=replace(rotation, rewrapped_at=rotation.rewrapped_at or at))
    return _completed(moved, at, "rewrapped", {"to": rotation.to, "epoch": rotation.epoch})


def _confirm(state: TenantState, command: Confirm, at: datetime) -> Answer:
    generation = state.find(command.number)
    if generation is None or generation.state is not GenerationState.CURRENT:
        return Refusal(
            "integrated",
            f"generation {command.number} is not the current one ({state.current_number}): nothing to confirm",
            ("EKM-33",),
        )
    if generation.key_arn != command.key_arn:
        return Refusal(
            "integrated",
            f"the console shows {command.key_arn}, but generation {command.number} is {generation.key_arn}",
            ("EKM-31",),
            "set the ARN of the current generation in the Druva console, then confirm what it shows",
        )
    if not command.by.strip():
        return Refusal("integrated", "a confirmation asks for the name of who saw it", ("EKM-33",))
    confirmed = generation.confirmed or Confirmation(command.by, at)
    return _completed(
        state.with_generation(replace(generation, confirmed=confirmed)),
        at,
        "confirmed",
        {"generation": command.number, "key_arn": str(command.key_arn), "by": command.by},
    )


def _observe(state: TenantState, command: Observe, at: datetime) -> Answer:
    generation = state.find(command.number)
    if generation is None:
        return Refusal("observation", f"the ledger does not know generation {command.number}", ("EKM-09",))
    before = generation.observed
    since = at if before is None or before.key_state is not command.key_state else before.since
    return Transition(
        state.with_generation(replace(generation, observed=Observation(command.key_state, since))),
        "observed",
        {
            "generation": command.number,
            "key_arn": str(generation.key_arn),
            "key_state": "gone" if command.key_state is None else command.key_state.value,
        },
    )


def _completed(state: TenantState, at: datetime, event: str, details: dict[str, str | int | None]) -> Transition:
    """The transition itself, and with it the move's completion where nothing is missing any more."""
    rotation, current = state.rotation, state.current
    if rotation is None or rotation.rewrapped_at is None or current is None or current.confirmed is None:
        return Transition(state, event, details)
    integrated = state.with_generation(replace(current, integrated_at=at))
    return Transition(replace(integrated, rotation=None), event, {**details, "integrated": current.number})


def _revoke(state: TenantState, command: Revoke) -> Answer:
    if state.revoked:
        return Refusal("revocation", f"the access of tenant {state.tenant!r} is revoked already", ("EKM-10",))
    return Transition(replace(state, revoked=True), "revoked", {"by": command.by})


def _reinstate(state: TenantState, command: Reinstate) -> Answer:
    if not state.revoked:
        return Refusal("revocation", f"the access of tenant {state.tenant!r} is not revoked", ("EKM-10",))
    return Transition(replace(state, revoked=False), "reinstated", {"by": command.by})


def _goes_on(state: TenantState) -> str:
    """How an enabled tenant goes on: with the move in flight, or to a further generation."""
    if state.rotation is not None and state.rotation.rewrapped_at is None:
        return f"`keyturn rotate --to {state.rotation.to}` goes on moving data keys"
    return "to use another key, declare a further generation and run `keyturn rotate`"


def _not_while_revoked(state: TenantState, what: str) -> Refusal | None:
    if not state.revoked:
        return None
    return Refusal(
        "revocation", f"{what} is refused while the access is revoked", ("EKM-10",), "reinstate the access first"
    )
