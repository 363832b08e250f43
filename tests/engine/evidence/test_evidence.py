"""Evidence: what is signed is believed, and nothing else; every attack is told apart."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, MachineError, UntrustedError
from engine.evidence import (
    Certificate,
    Checkpoint,
    Evidence,
    Expected,
    FileSigner,
    GenerationEvidence,
    JournalHead,
    Origin,
    Subject,
    VerificationKey,
    read_certificate,
    read_checkpoint,
    read_evidence,
    read_verification_key,
    sign_statement,
)
from engine.lifecycle import GenerationState
from tests.builders import CUSTOMER, NOW, REGION, VENDOR, key_arn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = FileSigner(PRIVATE)
KEY = VerificationKey(PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
SUBJECT = Subject("northwind", CUSTOMER, VENDOR, REGION, Origin.AWS)
JOURNAL = JournalHead(12, "ab" * 32)
EXPECTED = Expected("northwind", CUSTOMER, VENDOR, REGION)
CERTIFICATE = Certificate(SUBJECT, NOW, JournalHead(11, "cd" * 32), 1, key_arn(1), 2, 40)
EVIDENCE = Evidence(
    subject=SUBJECT,
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=24),
    journal=JOURNAL,
    enabled=True,
    revoked=False,
    current=2,
    rotation=None,
    generations=(
        GenerationEvidence(1, key_arn(1), GenerationState.RETIRED, 0, integrated=True, certificate=CERTIFICATE),
        GenerationEvidence(2, key_arn(2), GenerationState.CURRENT, 40, integrated=True, certificate=None),
    ),
)
SIGNED = sign_statement(EVIDENCE, SIGNER)


def read(data: bytes = SIGNED, expected: Expected = EXPECTED, key: VerificationKey = KEY, days: float = 0) -> Evidence:
    return read_evidence("evidence.json", data, key, expected, NOW + timedelta(days=days))


def altered(change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(SIGNED)
    change(document)
    return json.dumps(document).encode()


def test_what_was_signed_is_read_back_as_it_was() -> None:
    assert read() == EVIDENCE
    assert json.loads(SIGNED)["statement"]["generations"][0]["state"] == "retired"


def test_its_layout_does_not_matter_but_every_value_does() -> None:
    assert read(json.dumps(json.loads(SIGNED)).encode()) == EVIDENCE
    for change in (
        lambda d: d["statement"].update(tenant="southwind"),
        lambda d: d["statement"]["generations"][1].update(state="released"),
        lambda d: d["statement"]["generations"][0].update(data_keys=1),
        lambda d: d["statement"].update(expires_at="2099-01-01T00:00:00.000000Z"),
        lambda d: d["statement"].update(extra=1),
        lambda d: d["statement"].pop("revoked"),
        lambda d: d["signature"].update(value=base64.b64encode(bytes(64)).decode()),
    ):
        with pytest.raises(UntrustedError) as caught:
            read(altered(change))
        assert "signature does not hold" in caught.value.message


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_no_altered_byte_is_believed(position: int, flip: int) -> None:
    data = bytearray(SIGNED)
    data[position] ^= flip
    try:
        assert read(bytes(data)) == EVIDENCE  # white space outside of values
    except InputError as error:
        assert error.exit_code == 3


@pytest.mark.parametrize(
    ("expected", "days", "reason"),
    [
        (replace(EXPECTED, tenant="southwind"), 0, "about the tenant 'northwind'"),
        (replace(EXPECTED, account_id="999999999999"), 0, "about the AWS account"),
        (replace(EXPECTED, vendor_account_id="999999999999"), 0, "about the vendor account"),
        (replace(EXPECTED, region="eu-west-1"), 0, "about the Region"),
        (EXPECTED, 1, "expired at 2026-03-02 12:00 UTC"),
        (EXPECTED, -1, "from the future"),
        (replace(EXPECTED, current=3), 0, "from before generation 3 became current"),
        (replace(EXPECTED, key_arns=((1, str(key_arn(9))),)), 0, "declared is"),
    ],
)
def test_evidence_of_another_tenant_time_or_key_proves_nothing(expected: Expected, days: float, reason: str) -> None:
    with pytest.raises(UntrustedError) as caught:
        read(expected=expected, days=days)
    assert reason in caught.value.message


def test_what_a_sandbox_signed_counts_only_where_a_sandbox_is_expected() -> None:
    of_sandbox = replace(
        EVIDENCE, subject=replace(SUBJECT, origin=Origin.SANDBOX), generations=EVIDENCE.generations[1:]
    )
    data = sign_statement(of_sandbox, SIGNER)
    with pytest.raises(UntrustedError) as caught:
        read(data)
    assert "sandbox" in caught.value.message
    assert read(data, replace(EXPECTED, sandbox=True)) == of_sandbox


def test_another_signer_is_not_trusted_even_under_the_trusted_keys_id() -> None:
    other = FileSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with pytest.raises(UntrustedError) as caught:
        read(sign_statement(EVIDENCE, other))
    assert "trusted is" in caught.value.message
    document = json.loads(sign_statement(EVIDENCE, other))
    document["signature"]["key_id"] = KEY.key_id
    with pytest.raises(UntrustedError):
        read(json.dumps(document).encode())


def test_a_certificate_of_another_key_or_tenant_in_the_evidence_is_refused() -> None:
    for certificate in (
        replace(CERTIFICATE, key_arn=key_arn(9)),
        replace(CERTIFICATE, generation=2),
        replace(CERTIFICATE, subject=replace(SUBJECT, tenant="southwind")),
        replace(CERTIFICATE, journal=JournalHead(13, "ab" * 32)),
    ):
        first = replace(EVIDENCE.generations[0], certificate=certificate)
        with pytest.raises(UntrustedError) as caught:
            read(sign_statement(replace(EVIDENCE, generations=(first,)), SIGNER))
        assert "certificate for generation 1" in caught.value.message


def test_certificates_and_checkpoints_stand_on_their_own_and_are_not_taken_for_each_other() -> None:
    checkpoint = Checkpoint(SUBJECT, NOW, JOURNAL)
    signed_certificate, signed_checkpoint = sign_statement(CERTIFICATE, SIGNER), sign_statement(checkpoint, SIGNER)
    assert read_certificate("c", signed_certificate, KEY, EXPECTED, NOW) == CERTIFICATE
    assert read_checkpoint("c", signed_checkpoint, KEY, EXPECTED, NOW) == checkpoint
    with pytest.raises(UntrustedError):
        read_checkpoint("c", signed_certificate, KEY, EXPECTED, NOW)
    with pytest.raises(UntrustedError):
        read(signed_checkpoint)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"\xff", b"null", b"[" * 100_000, b'{"statement": {}, "signature": {}}', SIGNED[:-40]],
)
def test_what_is_no_statement_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read(data)
    assert "no signed statement" in caught.value.message


def test_a_key_that_stands_twice_is_refused() -> None:
    doubled = SIGNED.replace(b'"revoked": false,', b'"revoked": true, "revoked": false,')
    with pytest.raises(InputError):
        read(doubled)


def private_pem(key: Any = PRIVATE) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def test_a_key_file_signs_and_its_public_key_is_read_in_every_form(tmp_path: Path) -> None:
    path = tmp_path / "evidence.key"
    path.write_bytes(private_pem())
    path.chmod(0o600)
    signer = FileSigner.read(path, tmp_path / "ledger")
    public = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "evidence.pub").write_bytes(public)
    encoded = base64.b64encode(KEY.raw).decode()
    (tmp_path / "evidence.b64").write_text(encoded + "\n")
    for given_key in ("evidence.pub", "evidence.b64", str(tmp_path / "evidence.pub"), encoded, public.decode()):
        key = read_verification_key(given_key, tmp_path)
        assert key.key_id == signer.key_id
        assert read(sign_statement(EVIDENCE, signer), key=key) == EVIDENCE


def test_a_key_file_that_others_can_read_or_that_lies_beside_the_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evidence.key"
    path.write_bytes(private_pem())
    path.chmod(0o644)
    with pytest.raises(MachineError) as caught:
        FileSigner.read(path, None)
    assert "others can read" in caught.value.message
    path.chmod(0o600)
    with pytest.raises(MachineError) as caught:
        FileSigner.read(path, tmp_path)
    assert "beside the ledger" in caught.value.message


@pytest.mark.parametrize("content", [b"", b"nothing", private_pem(generate_private_key(SECP256R1()))])
def test_a_file_without_an_ed25519_key_is_refused_with_how_to_make_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "evidence.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(InputError) as caught:
        FileSigner.read(path, None)
    assert "keyturn evidence new-key" in (caught.value.hint or "")
    with pytest.raises(InputError):
        read_verification_key("evidence.key", tmp_path)


@pytest.mark.parametrize("given", ["", "  ", "\n"])
def test_an_empty_public_key_is_said_to_be_empty(tmp_path: Path, given: str) -> None:
    with pytest.raises(InputError, match="the evidence key is empty"):
        read_verification_key(given, tmp_path)
