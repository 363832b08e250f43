"""Differences of one key: its state and its replicas', its kind, its rotation, its last use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import KeyState
from engine.diagnosis.model import Case, Difference, unseen
from engine.lifecycle import GenerationState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.kms import KeyDetails
    from engine.lifecycle import TenantState

_GOING = {KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION}


def compare_state(state: TenantState, case: Case, details: KeyDetails) -> Iterator[Difference]:
    """The key's state, against what depends on it."""
    known, seen = case.known, details.state
    text = f"{seen.value} until {details.deletion_at:%Y-%m-%d}" if details.deletion_at is not None else seen.value
    if known.must_stay_enabled:
        if not state.revoked and seen is not KeyState.ENABLED:
            yield Difference(
                case.number,
                "key state",
                text,
                KeyState.ENABLED.value,
                f"{case.data_keys} data keys stand under it: backups and restores of theirs fail.",
                _enabling(seen, str(known.key_arn)),
            )
        elif seen in _GOING:
            yield Difference(
                case.number,
                "key state",
                text,
                KeyState.DISABLED.value,
                f"{case.data_keys} data keys stand under it, and will be lost when it is deleted.",
                f"`aws kms cancel-key-deletion --key-id {known.key_arn}`",
            )
    elif known.state is GenerationState.RETIRED:
        if seen in _GOING:
            yield Difference(
                case.number,
                "key state",
                text,
                KeyState.DISABLED.value,
                "It is about to be deleted before it was released.",
                f"`aws kms cancel-key-deletion --key-id {known.key_arn}`",
            )
        elif seen is not KeyState.DISABLED:
            yield Difference(
                case.number,
                "key state",
                text,
                KeyState.DISABLED.value,
                "A retired key soaks disabled before it is released.",
                f"declare generation {case.number} as `state: retired` and deploy",
            )
    elif known.state is GenerationState.RELEASED and seen in _GOING:
        yield Difference(
            case.number,
            "key state",
            text,
            "recorded as deleted",
            "The released key is about to be deleted, and the ledger does not know it yet.",
            f"`keyturn release {case.number}` records it",
        )
    elif known.state in {GenerationState.RELEASED, GenerationState.DELETED} and seen is KeyState.ENABLED:
        yield Difference(
            case.number,
            "key state",
            text,
            KeyState.DISABLED.value,
            "Somebody enabled a key that was let go: something may depend on it again.",
            "find out who uses it in CloudTrail, then disable it",
        )


def compare_replicas(state: TenantState, case: Case, details: KeyDetails) -> Iterator[Difference]:
    """The keys of its multi-Region family: those that are declared are there, each in the state of the key."""
    own = str(case.known.key_arn)
    regions = {arn.split(":")[3] for arn in details.family}
    declared = set(case.declared.replicas) if case.declared is not None else set()
    if missing := sorted(declared - regions):
        yield Difference(
            case.number,
            "replicas",
            f"none in {', '.join(missing)}",
            f"one in {', '.join(sorted(declared))}",
            "What reads in that Region cannot open data keys there.",
            "`aws kms replicate-key`, as declared",
        )
    if more := sorted(regions - declared - {case.known.key_arn.region}):
        yield Difference(
            case.number,
            "replicas",
            f"one in {', '.join(more)}",
            f"none but in {', '.join(sorted(declared))}" if declared else "none",
            "A key with the same material stands where nobody declared it, with a policy of its own.",
            "declare it under `replicas`, or delete it there",
        )
    for arn, seen in case.facts.replicas.items():
        if arn == own:
            continue
        if seen is None:
            yield unseen(case.number, "replica", case.why_not(arn), f"{arn} is not known.")
        elif seen.state is not KeyState.ENABLED and case.known.must_stay_enabled and not state.revoked:
            yield Difference(
                case.number,
                "replica state",
                f"{arn} is {seen.state.value}",
                KeyState.ENABLED.value,
                "What reads in that Region cannot open data keys there.",
                _enabling(seen.state, arn),
            )
        elif seen.state is KeyState.ENABLED and not case.known.must_stay_enabled:
            yield Difference(
                case.number,
                "replica state",
                f"{arn} is {seen.state.value}",
                KeyState.DISABLED.value,
                "Through this replica all that stands under the key can still be read.",
                f"`aws kms disable-key --key-id {arn}`",
            )


def compare_kind(case: Case, details: KeyDetails) -> Iterator[Difference]:
    """What kind of key it is, and its automatic rotation, against what is declared."""
    declared = case.declared
    if declared is None:
        return
    symmetric = ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    if details.origin != declared.origin.value or (details.spec, details.usage) != symmetric:
        yield Difference(
            case.number,
            "kind",
            f"{details.origin}, {details.spec} for {details.usage}",
            f"{declared.origin.value}, SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT",
            "It is another kind of key than was declared.",
            "rotate to a key of the declared kind",
        )
    days = case.facts.rotation_days
    if days is None:
        if details.origin == "AWS_KMS" and details.state is KeyState.ENABLED:
            reason = case.facts.troubles.get("rotation", "nobody looked")
            yield unseen(
                case.number, "automatic rotation", reason, "At what pace KMS changes its material is not known."
            )
    elif days != (declared.rotation_period_in_days or 0) and details.state is KeyState.ENABLED:
        yield Difference(
            case.number,
            "automatic rotation",
            f"every {days} days" if days else "off",
            f"every {declared.rotation_period_in_days} days" if declared.rotation_period_in_days else "off",
            "KMS changes the key's material at another pace than declared; nothing is rewrapped by it.",
            "`npx cdktf deploy`",
        )


def compare_last_use(state: TenantState, case: Case) -> Iterator[Difference]:
    """The last use of an older key and its replicas, against when a newer one took its place."""
    current = state.current
    if current is None or current.integrated_at is None:
        return
    if case.known.state not in {GenerationState.RETAINED, GenerationState.RETIRED}:
        return
    usages = {str(case.known.key_arn): case.facts.usage}
    usages |= {arn: seen.usage for arn, seen in case.facts.replicas.items() if seen is not None}
    for arn, usage in usages.items():
        where = "" if arn == str(case.known.key_arn) else f" of {arn}"
        if usage is None or usage.is_blind:
            reason = case.why_not(f"usage {arn}" if where else "usage")
            reason = f"recorded since {usage.tracked_since:%Y-%m-%d} only" if usage is not None else reason
            meaning = f"Whether something still uses the old key{where} is not known."
            yield unseen(case.number, "last use", reason, meaning)
        elif usage.last_used_at is not None and usage.last_used_at > current.integrated_at:
            yield Difference(
                case.number,
                "last use",
                f"{usage.last_used_at:%Y-%m-%d %H:%M} UTC{where}",
                f"before {current.integrated_at:%Y-%m-%d %H:%M} UTC, when generation {current.number} was integrated",
                "Something still depends on the old key.",
                "find out what uses it in CloudTrail; do not retire or release it",
            )


def _enabling(seen: KeyState, key_arn: str) -> str:
    """How a key in this state becomes usable again."""
    if seen in _GOING:
        return f"`aws kms cancel-key-deletion --key-id {key_arn}`, then `aws kms enable-key`"
    if seen is KeyState.DISABLED:
        return f"`aws kms enable-key --key-id {key_arn}`; `keyturn revoke` records a revocation that is meant"
    if seen is KeyState.PENDING_IMPORT:
        return "import its material again"
    return "AWS KMS or the key store behind it is out of reach: wait, or look at the key store"
