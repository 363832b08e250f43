"""What the change does to the declaration itself, held against the target branch's.

A pull request must bring no judge of its own: what it changes in the declaration that it is judged by is told, each
change with an event of its own. Without the target branch's declaration there is nothing to compare with, and the rules
about it are not exercised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.declaration import DeclaredState
from engine.review.detect.context import is_replica, key_event, nobody, proof_facts
from engine.review.events import Event, EventKind
from engine.review.resources import Moment
from engine.review.values import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.declaration import Declaration, DeclaredGeneration
    from engine.review.detect.context import Context
    from engine.review.events import Told

_DECLARATION = "the declaration"
_STATES = tuple(DeclaredState)
_FIXED = ("origin", "custom_key_store_id", "xks_key_id", "multi_region", "key_arn", "address")


def detect_declarations(context: Context) -> Iterator[Told]:
    """The events of the differences."""
    base, change = context.declared.base, context.declared.change
    if base is None:
        return
    yield EventKind.DECLARATION
    yield EventKind.DECLARED_STATE
    yield from _differences(context, base, change)
    yield from _states(context, base, change)


def _event(context: Context, change: str, before: str, after: str, *, number: int | None = None) -> Told:
    proof = context.declared.proof
    generation = None if proof is None or number is None else proof.of_number(number)
    return Event(
        EventKind.DECLARATION,
        _DECLARATION,
        {
            "change": change,
            "integrated": generation is not None and generation.integrated,
            "proved_not_revoked": context.declared.proved_not_revoked,
        },
        {"before": printable(before), "after": printable(after)},
    )


def _differences(context: Context, base: Declaration, change: Declaration) -> Iterator[Told]:
    for name, was, will in (
        ("tenant", base.tenant, change.tenant),
        ("account", base.account.account_id, change.account.account_id),
        ("region", base.account.region, change.account.region),
        ("vendor_account", base.vendor.account_id, change.vendor.account_id),
    ):
        if was != will:
            yield _event(context, name, was, will)
    if base.vendor.activated and not change.vendor.activated:
        yield _event(context, "deactivated", "true", "false")
    for name, was, will in (
        ("ledger", base.ledger, change.ledger),
        ("vault", base.vault, change.vault),
        ("state", base.terraform_state or "a local state", change.terraform_state or "a local state"),
    ):
        if was != will:
            yield _event(context, f"{name}_moved", was, will)
    if change.retention_days < base.retention_days:
        yield _event(context, "retention_shortened", str(base.retention_days), str(change.retention_days))
    for principal in sorted(set(change.break_glass) - set(base.break_glass)):
        yield _event(context, "break_glass_added", "(none)", principal)
    for principal in sorted(set(base.key_administrators) - set(change.key_administrators)):
        yield _event(context, "administrator_removed", principal, "(none)")
    for product in (product for product in base.products if product not in change.products):
        yield _event(context, "product_removed", product.title, "(none)")
    if base.revoked and not change.revoked:
        yield _event(context, "revoked_withdrawn", "true", "false")
    if change.current != base.current:
        name = "current_lowered" if change.current < base.current else "current_raised"
        yield _event(context, name, str(base.current), str(change.current), number=change.current)
    yield from _generations(context, base, change)


def _generations(context: Context, base: Declaration, change: Declaration) -> Iterator[Told]:
    now = {generation.number: generation for generation in change.generations}
    for was in base.generations:
        will = now.get(was.number)
        if will is None:
            yield _event(context, "generation_removed", f"generation {was.number}", "(none)", number=was.number)
            continue
        changed = [name for name in _FIXED if _differs(name, was, will)]
        if was.key_arn is None and _contradicted(context, will):
            changed.append("key_arn")
        if changed or _STATES.index(will.state) < _STATES.index(was.state):
            what = ", ".join(changed) or "state"
            yield _event(context, "generation_changed", f"generation {was.number}", what, number=was.number)
    arns = {generation.number: generation.key_arn for generation in base.generations}
    for will in change.generations:
        other = None if arns.get(will.number) is not None else _owner(context, will)
        if other is not None:
            what = f"key_arn of generation {other}"
            yield _event(context, "generation_changed", f"generation {will.number}", what, number=will.number)


def _owner(context: Context, generation: DeclaredGeneration) -> int | None:
    """Another generation whose key the declared ARN is, as the evidence or the key's own tags say."""
    arn = "" if generation.key_arn is None else str(generation.key_arn)
    proof = None if context.declared.proof is None else context.declared.proof.of_key(arn)
    numbers = {
        None if proof is None else proof.number,
        *(context.generations.tagged(key, Moment.OBSERVED) for key in context.generations.keys_of_arn.get(arn, ())),
    }
    return next((number for number in numbers if number not in (None, generation.number)), None)


def _differs(name: str, was: DeclaredGeneration, will: DeclaredGeneration) -> bool:
    before, after = getattr(was, name), getattr(will, name)
    if name in ("key_arn", "address") and before is None:
        return False  # told later than the generation: its ARN is an output of the deploy
    return bool(before != after)


def _contradicted(context: Context, generation: DeclaredGeneration) -> bool:
    """Whether an ARN that the change declares is not the one that the evidence, or the plan's own key, has for it."""
    if generation.key_arn is None:
        return False
    proof = None if context.declared.proof is None else context.declared.proof.of_number(generation.number)
    known = {str(proof.key_arn)} if proof is not None else set()
    if proof is None:
        keys = context.generations.existing(generation.number)
        known = {key.arn for key in keys if key.arn is not None and not is_replica(key)}
    return bool(known - {str(generation.key_arn)})


def _states(context: Context, base: Declaration, change: Declaration) -> Iterator[Told]:
    """A generation declared to be further along its life than the target branch says."""
    before = {generation.number: generation.state for generation in base.generations}
    by_number = {subject.number: subject for subject in context.subjects.values() if subject.number is not None}
    for generation in change.generations:
        was = _STATES.index(before.get(generation.number, DeclaredState.ACTIVE))
        will = _STATES.index(generation.state)
        if will <= was:
            continue
        proof = None if context.declared.proof is None else context.declared.proof.of_number(generation.number)
        subject = by_number.get(generation.number) or nobody(f"generation {generation.number}")
        yield key_event(
            subject,
            EventKind.DECLARED_STATE,
            {"to": generation.state.value, "skips": will - was > 1, **proof_facts(proof)},
            address=_DECLARATION,
            before=_STATES[was].value,
            after=generation.state.value,
            number=str(generation.number),
        )
