"""Differences of custody: what ledger, declaration and key state say of each generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import KeyState
from engine.declaration import DeclaredState
from engine.diagnosis.model import Case, Difference, KeyFacts
from engine.lifecycle import GenerationState, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.declaration import Declaration
    from engine.kms import KeyDetails
    from engine.lifecycle import TenantState

_DECLARED_AS = {
    GenerationState.RETIRED: DeclaredState.RETIRED,
    GenerationState.RELEASED: DeclaredState.RELEASED,
    GenerationState.DELETED: DeclaredState.DELETED,
}


def compare_tenant(declaration: Declaration, state: TenantState, alias_target: str | None) -> Iterator[Difference]:
    """What the tenant as a whole is declared to be, against the ledger and the alias."""
    if declaration.revoked != state.revoked:
        yield Difference(
            None,
            "revocation",
            f"declared {_yes(declaration.revoked)}, ledger {_yes(state.revoked)}",
            "the same in both",
            "The next deploy would do what the declaration says, against what was done.",
            "`keyturn revoke` or `keyturn reinstate`",
        )
    current = state.current
    if state.mode is Mode.CLOUD or current is None:
        return
    if declaration.current > current.number:
        yield Difference(
            None,
            "current",
            f"declared {declaration.current}, ledger {current.number}",
            f"at most {current.number}",
            "The ledger leads: new data keys do not go to the declared generation yet.",
            f"`keyturn rotate --to {declaration.current}`, or declare `current: {current.number}`",
        )
    elif declaration.current < current.number and state.rotation is None:
        yield Difference(
            None,
            "current",
            f"declared {declaration.current}, ledger {current.number}",
            str(current.number),
            "The rotation is complete, but the declaration and with it the alias have not followed.",
            f"set `current: {current.number}` and deploy",
        )
    expected = state.find(declaration.current)
    if expected is not None and alias_target != str(expected.key_arn):
        yield Difference(
            None,
            "alias",
            f"{declaration.alias} points to {alias_target or 'nothing'}",
            str(expected.key_arn),
            "Who goes by the alias takes another key for the current one.",
            "`npx cdktf deploy`",
        )


def compare_ledger_and_declaration(case: Case) -> Iterator[Difference]:
    """What is declared of a generation, against how far the ledger says it is."""
    if case.declared is None:
        yield Difference(
            case.number,
            "declaration",
            "not declared",
            "every generation that was ever used",
            "The stacks let go of a key that is not declared.",
            "put its entry back; a deleted key keeps it with `state: deleted`",
        )
        return
    known = case.known
    ledger = DeclaredState.ACTIVE if known is None else _DECLARED_AS.get(known.state, DeclaredState.ACTIVE)
    order = list(DeclaredState)
    if order.index(case.declared.state) > order.index(ledger):
        yield Difference(
            case.number,
            "state",
            f"declared {case.declared.state.value}, ledger {ledger.value}",
            f"at most {ledger.value}",
            "A deploy would let the key go before the ledger says that nothing depends on it.",
            f"declare it {ledger.value} again, or `keyturn retire {case.number}` first",
        )
    elif order.index(case.declared.state) < order.index(ledger):
        yield Difference(
            case.number,
            "state",
            f"declared {case.declared.state.value}, ledger {ledger.value}",
            ledger.value,
            "The key could go on to its next step, which a deploy makes.",
            f"declare `state: {ledger.value}` and deploy, with the evidence",
        )


def compare_state(state: TenantState, case: Case, details: KeyDetails) -> Iterator[Difference]:
    """The key's state, against what depends on it."""
    known = case.known
    if known is None:
        return
    if known.must_stay_enabled and not state.revoked and details.state is not KeyState.ENABLED:
        yield Difference(
            case.number,
            "key state",
            details.state.value,
            "Enabled",
            f"{case.data_keys} data keys stand under it: backups and restores of theirs fail.",
            "cancel its deletion and enable it"
            if details.state is KeyState.PENDING_DELETION
            else "enable it, or find out why it is not",
        )
    if known.state is GenerationState.RETIRED and details.state is KeyState.ENABLED:
        yield Difference(
            case.number,
            "key state",
            "Enabled",
            "Disabled",
            "A retired key soaks disabled before it is released.",
            f"declare generation {case.number} as `state: retired` and deploy",
        )
    if known.state is GenerationState.RETIRED and details.state is KeyState.PENDING_DELETION:
        yield Difference(
            case.number,
            "key state",
            f"PendingDeletion until {details.deletion_at:%Y-%m-%d}" if details.deletion_at else "PendingDeletion",
            "Disabled",
            "It is about to be deleted before it was released.",
            "`aws kms cancel-key-deletion`",
        )


def compare_kind(case: Case, details: KeyDetails) -> Iterator[Difference]:
    """What kind of key it is, its rotation and replicas, against what is declared."""
    declared, facts = case.declared, case.facts
    if declared is None or facts is None:
        return
    if details.origin != declared.origin.value or (details.spec, details.usage) != (
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
    ):
        yield Difference(
            case.number,
            "kind",
            f"{details.origin}, {details.spec} for {details.usage}",
            f"{declared.origin.value}, SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT",
            "It is another kind of key than was declared.",
            "rotate to a key of the declared kind",
        )
    if facts.rotation_days != declared.rotation_period_in_days and details.state is KeyState.ENABLED:
        yield Difference(
            case.number,
            "automatic rotation",
            f"every {facts.rotation_days} days" if facts.rotation_days else "off",
            f"every {declared.rotation_period_in_days} days" if declared.rotation_period_in_days else "off",
            "KMS changes the key's material at another pace than declared; nothing is rewrapped by it.",
            "`npx cdktf deploy`",
        )
    missing = sorted(set(declared.replicas) - {arn.split(":")[3] for arn in details.family})
    if missing:
        yield Difference(
            case.number,
            "replicas",
            f"none in {', '.join(missing)}",
            ", ".join(declared.replicas),
            "What reads in that Region cannot open data keys there.",
            "`npx cdktf deploy`",
        )


def compare_last_use(state: TenantState, case: Case, facts: KeyFacts) -> Iterator[Difference]:
    """The key's last use, against when a newer one took its place."""
    known, current = case.known, state.current
    if known is None or current is None or facts.usage is None or current.integrated_at is None:
        return
    used = facts.usage.last_used_at
    if (
        known.state in {GenerationState.RETAINED, GenerationState.RETIRED}
        and used is not None
        and used > current.integrated_at
    ):
        yield Difference(
            case.number,
            "last use",
            f"{used:%Y-%m-%d %H:%M} UTC",
            f"before {current.integrated_at:%Y-%m-%d %H:%M} UTC, when generation {current.number} was integrated",
            "Something still depends on the old key.",
            "find out what uses it in CloudTrail; do not retire or release it",
        )


def _yes(value: bool) -> str:
    return "revoked" if value else "not revoked"
