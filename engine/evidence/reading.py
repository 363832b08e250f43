"""Signed statements, read and checked: what review and stacks rely on.

In this order, and each refusal says which: the form, the signature against the pipeline's key, the kind, the
binding (tenant, accounts, Region, origin), the time (not from the future, not expired), and that it is not
from before what the target branch already declares. Evidence of an earlier current generation than the one
that the target branch declares is stale: a replay.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import rfc8785

from engine.arn import parse_key_arn
from engine.errors import InputError, UntrustedError
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
from engine.evidence.writing import CERTIFICATE, CHECKPOINT, EVIDENCE
from engine.lifecycle import GenerationState
from engine.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from engine.evidence.keys import VerificationKey

_Read = TypeVar("_Read")

MAX_BYTES = 4 * 1024 * 1024
_EXPORT = "export it anew with `keyturn status --evidence`"
CLOCK_TOLERANCE = timedelta(minutes=5)  # between the machine that signs and the one that reads


@dataclass(frozen=True, slots=True)
class Expected:
    """What a statement must be bound to.

    Attributes:
        tenant: The tenant.
        account_id: The customer's AWS account.
        vendor_account_id: Druva's AWS account.
        region: The Region of the keys.
        sandbox: Whether a sandbox's word counts.
        key_arns: Declared key ARNs by generation, which evidence must not contradict.
        current: The current generation of the target branch, than which evidence must not be older.
    """

    tenant: str
    account_id: str
    vendor_account_id: str
    region: str
    sandbox: bool = False
    key_arns: tuple[tuple[int, str], ...] = ()
    current: int = 0


def read_evidence(name: str, data: bytes, key: VerificationKey, expected: Expected, now: datetime) -> Evidence:
    """Read and check evidence.

    Args:
        name: The file as the user named it.
        data: Its bytes.
        key: The public key that the pipeline gives.
        expected: What it must be bound to.
        now: The time, UTC.

    Raises:
        InputError: It is no such document.
        UntrustedError: It proves nothing here; the message says why.
    """
    return _checked_evidence(name, _verified(name, data, key, EVIDENCE), expected, now)


def read_certificate(name: str, data: bytes, key: VerificationKey, expected: Expected, now: datetime) -> Certificate:
    """Read and check a certificate; arguments and errors as `read_evidence`."""
    return _checked_certificate(name, _verified(name, data, key, CERTIFICATE), expected, now)


def read_evidence_or_certificate(
    name: str, data: bytes, key: VerificationKey, expected: Expected, now: datetime
) -> Evidence | Certificate:
    """Read and check whichever of the two it is; arguments and errors as `read_evidence`."""
    document = _verified(name, data, key, EVIDENCE, CERTIFICATE)
    if document["kind"] == CERTIFICATE:
        return _checked_certificate(name, document, expected, now)
    return _checked_evidence(name, document, expected, now)


def _checked_evidence(name: str, document: dict[str, Any], expected: Expected, now: datetime) -> Evidence:
    evidence = _read(name, lambda: _evidence(document))
    _check_binding(name, evidence.subject, expected)
    _check_issued(name, evidence.issued_at, now)
    if now >= evidence.expires_at:
        raise UntrustedError(
            f"{name} expired at {evidence.expires_at:%Y-%m-%d %H:%M} UTC",
            "export it anew with `keyturn status --evidence`",
        )
    for number, key_arn in expected.key_arns:
        entry = evidence.generation(number)
        if entry is not None and str(entry.key_arn) != key_arn:
            raise UntrustedError(f"{name} says that generation {number} is {entry.key_arn}, declared is {key_arn}")
    if evidence.current < expected.current:
        raise UntrustedError(
            f"{name} is from before generation {expected.current} became current: it knows of generation"
            f" {evidence.current}",
            _EXPORT,
        )
    for entry in evidence.generations:
        _check_certificate_of(name, entry, evidence)
    return evidence


def _checked_certificate(name: str, document: dict[str, Any], expected: Expected, now: datetime) -> Certificate:
    certificate = _read(name, lambda: _certificate(document))
    _check_binding(name, certificate.subject, expected)
    _check_issued(name, certificate.issued_at, now)
    for number, key_arn in expected.key_arns:
        if number == certificate.generation and str(certificate.key_arn) != key_arn:
            raise UntrustedError(
                f"{name} says that generation {number} is {certificate.key_arn}, declared is {key_arn}"
            )
    return certificate


def read_checkpoint(name: str, data: bytes, key: VerificationKey, expected: Expected, now: datetime) -> Checkpoint:
    """Read and check a checkpoint; arguments and errors as `read_evidence`."""
    document = _verified(name, data, key, CHECKPOINT)
    checkpoint = _read(
        name,
        lambda: Checkpoint(_subject(document), parse_time(document["issued_at"]), _journal(document["journal"])),
    )
    _check_binding(name, checkpoint.subject, expected)
    _check_issued(name, checkpoint.issued_at, now)
    return checkpoint


def _verified(name: str, data: bytes, key: VerificationKey, *kinds: str) -> dict[str, Any]:
    """The statement of a document whose signature holds."""
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES // 1024} KiB")
    try:
        document = json.loads(data, object_pairs_hook=_no_key_twice)
        statement, signature = document["statement"], document["signature"]
        value = base64.b64decode(signature["value"], validate=True)
        key_id = signature["key_id"]
        canonical = rfc8785.dumps(statement)
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as error:
        raise InputError(f"{name} is no signed statement of Keyturn") from error
    if key_id != key.key_id:
        raise UntrustedError(
            f"{name} is signed with the key {str(key_id)[:16]}…, trusted is {key.key_id[:16]}…",
            "give the public key of the ledger's owner with --evidence-key",
        )
    key.verify(canonical, value)
    found = statement.get("kind") if isinstance(statement, dict) else None
    if not isinstance(statement, dict) or found not in kinds:
        wanted = " or ".join(repr(kind) for kind in kinds)
        raise UntrustedError(f"{name} is a statement of the kind {found!r}, not {wanted}")
    return statement


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice")
    return document


def _read(name: str, read: Callable[[], _Read]) -> _Read:
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError, InputError) as error:
        raise InputError(f"{name} is signed, but cannot be read: {error}") from error


def _check_binding(name: str, subject: Subject, expected: Expected) -> None:
    for what, found, wanted in (
        ("tenant", subject.tenant, expected.tenant),
        ("AWS account", subject.account_id, expected.account_id),
        ("vendor account", subject.vendor_account_id, expected.vendor_account_id),
        ("Region", subject.region, expected.region),
    ):
        if found != wanted:
            raise UntrustedError(f"{name} is about the {what} {found!r}, not {wanted!r}")
    if subject.origin is Origin.SANDBOX and not expected.sandbox:
        raise UntrustedError(
            f"{name} was made with a sandbox: it proves nothing about AWS", "for a rehearsal on a sandbox add --sandbox"
        )


def _check_issued(name: str, issued_at: datetime, now: datetime) -> None:
    if issued_at > now + CLOCK_TOLERANCE:
        raise UntrustedError(f"{name} is from the future: {issued_at:%Y-%m-%d %H:%M} UTC")


def _check_certificate_of(name: str, entry: GenerationEvidence, evidence: Evidence) -> None:
    certificate = entry.certificate
    if certificate is None:
        return
    if (
        certificate.generation != entry.number
        or certificate.key_arn != entry.key_arn
        or certificate.subject != evidence.subject
        or certificate.journal.length > evidence.journal.length
    ):
        raise UntrustedError(f"{name} holds a certificate for generation {entry.number} that is not of it")


def _evidence(document: dict[str, Any]) -> Evidence:
    rotation = document["rotation"]
    return Evidence(
        subject=_subject(document),
        issued_at=parse_time(document["issued_at"]),
        expires_at=parse_time(document["expires_at"]),
        journal=_journal(document["journal"]),
        enabled=_boolean(document["enabled"]),
        revoked=_boolean(document["revoked"]),
        current=_number(document["current"]),
        rotation=None if rotation is None else RotationEvidence(_number(rotation["to"]), _number(rotation["epoch"])),
        generations=tuple(_generation(entry) for entry in document["generations"]),
    )


def _generation(entry: dict[str, Any]) -> GenerationEvidence:
    certificate = entry["certificate"]
    return GenerationEvidence(
        number=_number(entry["number"]),
        key_arn=parse_key_arn(entry["key_arn"]),
        state=GenerationState(entry["state"]),
        data_keys=_number(entry["data_keys"]),
        integrated=_boolean(entry["integrated"]),
        certificate=None if certificate is None else _certificate(certificate),
    )


def _certificate(document: dict[str, Any]) -> Certificate:
    return Certificate(
        subject=_subject(document),
        issued_at=parse_time(document["issued_at"]),
        journal=_journal(document["journal"]),
        generation=_number(document["generation"]),
        key_arn=parse_key_arn(document["key_arn"]),
        moved_to=_number(document["moved_to"]),
        data_keys=_number(document["data_keys"]),
    )


def _subject(document: dict[str, Any]) -> Subject:
    return Subject(
        tenant=str(document["tenant"]),
        account_id=str(document["account_id"]),
        vendor_account_id=str(document["vendor_account_id"]),
        region=str(document["region"]),
        origin=Origin(document["origin"]),
    )


def _journal(document: dict[str, Any]) -> JournalHead:
    return JournalHead(_number(document["length"]), str(document["hash"]))


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value
