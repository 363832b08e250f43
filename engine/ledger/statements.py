"""What the ledger's owner can say of it, to be signed: evidence, certificates, checkpoints.

A certificate for an old generation is given only while it holds: the generation is not the current one, no
move is in flight, no data key stands under its key by number or ARN, and every data key of this ledger is
proved to open under the key that it stands under now (EKM-33). The ledger is verified first: one that has lost
data keys would count none under any key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import ConflictError, RefusedError
from engine.evidence import (
    Certificate,
    Checkpoint,
    Evidence,
    GenerationEvidence,
    JournalHead,
    RotationEvidence,
    Subject,
)
from engine.ledger.verification import verify_data_keys, verify_journal
from engine.lifecycle import GenerationState, Mode

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from engine.evidence import Origin
    from engine.ledger.interface import Census, Head, Ledger
    from engine.lifecycle import Generation

_ATTEMPTS = 10


def make_evidence(ledger: Ledger, origin: Origin, at: datetime, lifetime: timedelta) -> Evidence:
    """Evidence of all that the ledger knows now.

    Args:
        ledger: The tenant's ledger.
        origin: With what it works: AWS or a sandbox.
        at: Now, UTC.
        lifetime: How long it counts.

    Raises:
        DamagedError: The ledger is damaged: it certifies nothing.
        ConflictError: It keeps changing.
    """
    head, census = _at_one_point(ledger)
    state = head.state
    if not all(_open_points(head, census, generation) for generation in state.generations):
        verify_data_keys(ledger, verify_journal(ledger))
    rotation = state.rotation
    return Evidence(
        subject=_subject(head, origin),
        issued_at=at,
        expires_at=at + lifetime,
        journal=JournalHead(head.journal_length, head.journal_hash),
        enabled=state.mode is Mode.ENTERPRISE,
        revoked=state.revoked,
        current=state.current_number,
        rotation=None if rotation is None else RotationEvidence(rotation.to, rotation.epoch),
        generations=tuple(
            GenerationEvidence(
                number=generation.number,
                key_arn=generation.key_arn,
                state=generation.state,
                data_keys=census.under(generation.number, str(generation.key_arn)),
                integrated=generation.integrated_at is not None,
                certificate=None
                if _open_points(head, census, generation)
                else _certificate(head, census, generation, origin, at),
            )
            for generation in state.generations
        ),
    )


def make_certificate(ledger: Ledger, number: int, origin: Origin, at: datetime) -> Certificate:
    """A certificate that nothing is left under an old generation's key.

    Raises:
        RefusedError: It would not be true; the message says why (EKM-33).
        DamagedError: The ledger is damaged: it certifies nothing.
    """
    head, census = _at_one_point(ledger)
    generation = head.state.find(number)
    points = ["the ledger does not know it"] if generation is None else _open_points(head, census, generation)
    if generation is None or points:
        raise RefusedError(
            "certificate",
            f"generation {number} has no certificate: {'; '.join(points)}",
            ("EKM-33",),
            "`keyturn status` shows where the tenant stands",
        )
    verify_data_keys(ledger, verify_journal(ledger))
    return _certificate(head, census, generation, origin, at)


def make_checkpoint(ledger: Ledger, origin: Origin, at: datetime) -> Checkpoint:
    """A point of the journal, to be held against the ledger later."""
    head = ledger.head()
    return Checkpoint(_subject(head, origin), at, JournalHead(head.journal_length, head.journal_hash))


def _at_one_point(ledger: Ledger) -> tuple[Head, Census]:
    """A head and the census that belongs to it: no transition came between them.

    Raises:
        ConflictError: The ledger keeps changing.
    """
    for _ in range(_ATTEMPTS):
        head, census = ledger.head(), ledger.census()
        if ledger.head().version == head.version:
            return head, census
    raise ConflictError("compare-and-swap", "the ledger keeps changing", hint="wait for the other commands to end")


def _open_points(head: Head, census: Census, generation: Generation) -> list[str]:
    """Why a generation has no certificate; empty where it has one."""
    points = []
    if generation.state in {GenerationState.REGISTERED, GenerationState.CURRENT}:
        points.append(f"it is {generation.state.value}")
    if head.state.rotation is not None:
        points.append(f"the move to generation {head.state.rotation.to} is not complete")
    if left := census.under(generation.number, str(generation.key_arn)):
        points.append(f"{left} data keys stand under its key")
    if unverified := sum(row.unverified for row in census.rows):
        points.append(f"{unverified} data keys are not proved to open")
    if set_aside := sum(row.set_aside for row in census.rows):
        points.append(f"{set_aside} data keys are set aside")
    return points


def _certificate(head: Head, census: Census, generation: Generation, origin: Origin, at: datetime) -> Certificate:
    return Certificate(
        subject=_subject(head, origin),
        issued_at=at,
        journal=JournalHead(head.journal_length, head.journal_hash),
        generation=generation.number,
        key_arn=generation.key_arn,
        moved_to=head.state.current_number,
        data_keys=census.total,
    )


def _subject(head: Head, origin: Origin) -> Subject:
    state = head.state
    return Subject(state.tenant, state.account_id, state.vendor_account_id, state.region, origin)
