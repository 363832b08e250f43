"""Statements as JSON documents, signed: what the ledger's owner writes.

A document is `{"statement": {…}, "signature": {"key_id", "value"}}`. The statement stands there to be read by
people; what is signed is its canonical form (RFC 8785).
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, assert_never

import rfc8785

from engine.evidence.statements import Certificate, Checkpoint, Evidence
from engine.times import format_time

if TYPE_CHECKING:
    from engine.evidence.keys import Signer
    from engine.evidence.statements import GenerationEvidence, JournalHead, Statement, Subject

EVIDENCE, CERTIFICATE, CHECKPOINT = "keyturn evidence 1", "keyturn certificate 1", "keyturn checkpoint 1"


def sign_statement(statement: Statement, signer: Signer) -> bytes:
    """Write a statement as a signed JSON document.

    Args:
        statement: What is said.
        signer: Who says it.

    Returns:
        The document, indented for people, with a final line feed.

    Raises:
        KeyAccessError: The signer is a key of KMS, and KMS said no.
    """
    document = to_document(statement)
    signature = signer.sign(rfc8785.dumps(document))
    signed = {
        "statement": document,
        "signature": {"key_id": signer.key_id, "value": base64.b64encode(signature).decode()},
    }
    return json.dumps(signed, indent=2, ensure_ascii=False).encode() + b"\n"


def to_document(statement: Statement) -> dict[str, Any]:
    """A statement as JSON values."""
    match statement:
        case Evidence():
            return _evidence(statement)
        case Certificate():
            return _certificate(statement)
        case Checkpoint():
            return {
                "kind": CHECKPOINT,
                **_subject(statement.subject),
                "issued_at": format_time(statement.issued_at),
                "journal": _journal(statement.journal),
            }
        case _:
            assert_never(statement)


def _evidence(evidence: Evidence) -> dict[str, Any]:
    rotation = evidence.rotation
    return {
        "kind": EVIDENCE,
        **_subject(evidence.subject),
        "issued_at": format_time(evidence.issued_at),
        "expires_at": format_time(evidence.expires_at),
        "journal": _journal(evidence.journal),
        "enabled": evidence.enabled,
        "revoked": evidence.revoked,
        "current": evidence.current,
        "rotation": None if rotation is None else {"to": rotation.to, "epoch": rotation.epoch},
        "generations": [_generation(entry) for entry in evidence.generations],
    }


def _generation(entry: GenerationEvidence) -> dict[str, Any]:
    return {
        "number": entry.number,
        "key_arn": str(entry.key_arn),
        "state": entry.state.value,
        "data_keys": entry.data_keys,
        "integrated": entry.integrated,
        "certificate": None if entry.certificate is None else _certificate(entry.certificate),
    }


def _certificate(certificate: Certificate) -> dict[str, Any]:
    return {
        "kind": CERTIFICATE,
        **_subject(certificate.subject),
        "issued_at": format_time(certificate.issued_at),
        "journal": _journal(certificate.journal),
        "generation": certificate.generation,
        "key_arn": str(certificate.key_arn),
        "moved_to": certificate.moved_to,
        "data_keys": certificate.data_keys,
    }


def _subject(subject: Subject) -> dict[str, str]:
    return {
        "tenant": subject.tenant,
        "account_id": subject.account_id,
        "vendor_account_id": subject.vendor_account_id,
        "region": subject.region,
        "origin": subject.origin.value,
    }


def _journal(journal: JournalHead) -> dict[str, Any]:
    return {"length": journal.length, "hash": journal.hash}
