"""Which products and workflows would stop: from the access that the plan takes away to the catalogue's rows.

- Every workflow of a declared product that uses the customer's key stops where the vendor can no longer use the key
  of the current generation; legal hold downloads go on, being outside Enterprise Key Management (EKM-43).
- Where it is an earlier generation's key, a workflow stops for data whose data keys still stand under it; without
  evidence nobody can say that there is none.
- A key that evidence proves retired, released or deleted stops nothing, nor does one that the plan itself creates.
- What cannot be told may stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.catalogue import workflows_of
from engine.review.events import EventKind, OneOf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.catalogue import Product
    from engine.review.events import Event, Fact

# For each kind of event the particular that tells, and per value what then happens to the key's use.
_LOSSES: Mapping[EventKind, tuple[str, Mapping[str, str]]] = {
    EventKind.KEY_LEAVES: (
        "how",
        {
            "destroyed": "the key of {key} is scheduled for deletion, which can be called back for {days} days",
            "replaced": "the key of {key} is replaced and scheduled for deletion",
            "lost": "the key of {key} is gone, or its deletion is pending",
        },
    ),
    EventKind.KEY_STATE: ("change", {"disabled": "the key of {key} is disabled"}),
    EventKind.VENDOR_ACCESS: (
        "change",
        {
            "lost": "Druva loses the use of {key}",
            "denied": "Druva's use of {key} is denied",
            "narrowed": "Druva loses a part of its use of {key}",
        },
    ),
    EventKind.KEY_STORE: (
        "change",
        {
            "deleted": "the key store of {key} is deleted",
            "replaced": "the key store of {key} is replaced",
            "lost": "the key store of {key} is gone",
        },
    ),
    EventKind.ORGANIZATION_POLICY: (
        "change",
        {"denied": "the organisation's policy denies Druva the use of the keys"},
    ),
}
_DOUBTS: Mapping[EventKind, tuple[str, Mapping[str, str]]] = {
    EventKind.VENDOR_ACCESS: ("change", {"conditional": "Druva's use of {key} comes to depend on a condition"}),
    EventKind.KEY_STORE: ("change", {"changed": "the connection of the key store of {key} changes"}),
    EventKind.ORGANIZATION_POLICY: (
        "change",
        {"conditional": "Druva's use of the keys comes to depend on a condition of the organisation's policy"},
    ),
}


@dataclass(frozen=True, slots=True)
class Impact:
    """One workflow that would or may stop.

    Attributes:
        product: The product's name for people.
        workflow: The kind of workflow, such as `backup`.
        variant: Which of its kind.
        effect: What happens to it, and why.
        certain: Whether it stops, or only may.
    """

    product: str
    workflow: str
    variant: str
    effect: str
    certain: bool


def impact_of(events: Iterable[Event], products: tuple[Product, ...]) -> tuple[Impact, ...]:
    """The workflows that would or may stop.

    Args:
        events: Of one plan.
        products: The declared products.

    Returns:
        One row a workflow, in the catalogue's order; empty where nothing stops.
    """
    found = {effect for event in events if (effect := _effect(event)) is not None}
    if not found:
        return ()
    certain = any(not effect.doubtful for effect in found)
    shown = sorted(effect for effect in found if effect.doubtful is not certain)
    text = "; ".join(dict.fromkeys(entry.text for entry in shown))
    return tuple(
        Impact(workflow.product.title, workflow.kind.value, workflow.variant, text, certain)
        for workflow in workflows_of(products)
        if workflow.uses_customer_key
    )


@dataclass(frozen=True, slots=True, order=True)
class _Effect:
    """What one event does to the workflows: whether that is in doubt, whether for a part of the data only."""

    doubtful: bool
    partial: bool
    text: str


def _effect(event: Event) -> _Effect | None:
    role, retired, revocation = (event.facts.get(name) for name in ("role", "retired", "revocation"))
    if retired is True or revocation == "known" or event.facts.get("replica") is True:
        return None
    reason, doubtful = _reason(event)
    if reason is None:
        return None
    already = event.facts.get("how") == "lost" or event.facts.get("by") == "outside"
    verb = "may stop" if doubtful else ("has stopped" if already else "stops")
    since = "already" if already else "when the plan is applied"
    partial = role not in ("current", "undeclared", None)
    part = f" for data under {event.words['key']}" if partial else ""
    return _Effect(doubtful, partial, f"{verb}{part} {since}: {reason.format_map(dict(event.words))}")


def _reason(event: Event) -> tuple[str | None, bool]:
    """Why the key's use is lost, and whether that is in doubt; None where it is not lost."""
    for table, doubtful in ((_LOSSES, False), (_DOUBTS, True)):
        if event.kind not in table:
            continue
        name, reasons = table[event.kind]
        value: Fact = event.facts.get(name)
        if isinstance(value, OneOf):
            possible = [reason for possibility, reason in reasons.items() if possibility in value.values]
            if possible:
                return possible[0], True
        elif isinstance(value, str) and value in reasons:
            return reasons[value], doubtful
    return None, False
