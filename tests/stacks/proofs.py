"""Signed evidence for the tests of the stacks."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.arn import parse_key_arn
from engine.evidence import (
    Certificate,
    Evidence,
    FileSigner,
    GenerationEvidence,
    JournalHead,
    Origin,
    Subject,
    sign_statement,
)
from engine.lifecycle import GenerationState
from stacks.evidence import EvidenceSource
from tests.stacks.declared import CUSTOMER, VENDOR

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
SUBJECT = Subject("northwind", CUSTOMER, VENDOR, "us-east-1", Origin.AWS)


def generation(
    number: int, state: GenerationState, data_keys: int = 0, *, integrated: bool = True, certified: bool | None = None
) -> GenerationEvidence:
    arn = parse_key_arn(f"arn:aws:kms:us-east-1:{CUSTOMER}:key/{number:08d}-12ab-34cd-56ef-1234567890ab")
    past = state in {GenerationState.RETIRED, GenerationState.RELEASED, GenerationState.DELETED}
    certificate = Certificate(SUBJECT, NOW, JournalHead(9, "cd" * 32), number, arn, number + 1, 40)
    certified = past if certified is None else certified
    return GenerationEvidence(number, arn, state, data_keys, integrated, certificate if certified else None)


def evidence(folder: Path, *generations: GenerationEvidence, revoked: bool = False, **changes: Any) -> EvidenceSource:
    """Signed evidence in a file of its own, for the tests' tenant."""
    statement = Evidence(
        **{
            "subject": SUBJECT,
            "issued_at": NOW,
            "expires_at": NOW + timedelta(hours=24),
            "journal": JournalHead(12, "ab" * 32),
            "enabled": True,
            "revoked": revoked,
            "current": max(entry.number for entry in generations),
            "rotation": None,
            "generations": generations,
            **changes,
        }
    )
    file = folder / "evidence.json"
    file.write_bytes(sign_statement(statement, FileSigner(PRIVATE)))
    return EvidenceSource(file, PUBLIC, sandbox=False, now=NOW)
