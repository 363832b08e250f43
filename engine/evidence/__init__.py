"""Signed evidence, certificates and checkpoints: written by the ledger's owner, read by review and stacks.

- A statement is bound to its tenant, both accounts, the Region, the journal's head and the endpoint that it
  was made with, and expires.
- It is checked against a public key that the pipeline gives, never one that comes with a change.
- What was made with a sandbox counts only where a sandbox is expected.
"""

from engine.evidence.keys import (
    FileSigner,
    KmsSigner,
    Signer,
    VerificationKey,
    create_key_file,
    read_verification_key,
)
from engine.evidence.reading import (
    Expected,
    read_certificate,
    read_checkpoint,
    read_evidence,
    read_evidence_or_certificate,
)
from engine.evidence.statements import (
    Certificate,
    Checkpoint,
    Evidence,
    GenerationEvidence,
    JournalHead,
    Origin,
    RotationEvidence,
    Subject,
)
from engine.evidence.writing import sign_statement

__all__ = [
    "Certificate",
    "Checkpoint",
    "Evidence",
    "Expected",
    "FileSigner",
    "GenerationEvidence",
    "JournalHead",
    "KmsSigner",
    "Origin",
    "RotationEvidence",
    "Signer",
    "Subject",
    "VerificationKey",
    "create_key_file",
    "read_certificate",
    "read_checkpoint",
    "read_evidence",
    "read_evidence_or_certificate",
    "read_verification_key",
    "sign_statement",
]
