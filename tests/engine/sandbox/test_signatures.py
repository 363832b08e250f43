"""Asymmetric and HMAC keys: what they can do, what they are for, and that nothing else is pretended."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from engine.evidence.keys import KmsSigner
from engine.kms import Kms
from tests.engine.sandbox.keys import OWNER, allow, make_key, root
from tests.sandbox_fixtures import Account, refused

ED25519 = {"KeySpec": "ECC_NIST_EDWARDS25519", "KeyUsage": "SIGN_VERIFY"}


def test_an_ed25519_key_signs_what_anyone_can_verify(customer: Account) -> None:
    kms, message = customer.kms, b"evidence"
    key = make_key(kms, **ED25519)
    public = kms.get_public_key(KeyId=key)
    assert (public["KeySpec"], public["KeyUsage"]) == ("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
    assert public["SigningAlgorithms"] == ["ED25519_SHA_512", "ED25519_PH_SHA_512"]
    made = kms.sign(KeyId=key, Message=message, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512")
    verifier = load_der_public_key(public["PublicKey"])
    assert isinstance(verifier, Ed25519PublicKey)
    verifier.verify(made["Signature"], message)
    checked = kms.verify(KeyId=key, Message=message, Signature=made["Signature"], SigningAlgorithm="ED25519_SHA_512")
    assert checked["SignatureValid"] is True
    with refused("KMSInvalidSignatureException"):
        kms.verify(KeyId=key, Message=b"other", Signature=made["Signature"], SigningAlgorithm="ED25519_SHA_512")
    with refused("ValidationException"):
        kms.sign(KeyId=key, Message=message, MessageType="DIGEST", SigningAlgorithm="ED25519_SHA_512")
    with refused("UnsupportedOperationException"):
        kms.sign(KeyId=key, Message=b"x" * 64, MessageType="DIGEST", SigningAlgorithm="ED25519_PH_SHA_512")


def test_evidence_is_signed_with_a_kms_key(customer: Account) -> None:
    signer = KmsSigner(Kms(customer.kms, "the customer"), make_key(customer.kms, **ED25519))
    assert len(signer.sign(b"{}")) == 64


@pytest.mark.parametrize(
    ("spec", "algorithms"),
    [
        ("RSA_2048", ["RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PSS_SHA_512"]),
        ("ECC_NIST_P256", ["ECDSA_SHA_256"]),
        ("ECC_NIST_P384", ["ECDSA_SHA_384"]),
        ("ECC_SECG_P256K1", ["ECDSA_SHA_256"]),
    ],
)
def test_other_key_pairs_sign_messages_and_digests(customer: Account, spec: str, algorithms: list[str]) -> None:
    kms: Any = customer.kms
    key = make_key(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
    assert isinstance(
        load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"]), RSAPublicKey | EllipticCurvePublicKey
    )
    for algorithm in algorithms:
        digest = hashlib.new(f"sha{algorithm[-3:]}", b"message").digest()
        signature = kms.sign(KeyId=key, Message=digest, MessageType="DIGEST", SigningAlgorithm=algorithm)["Signature"]
        assert kms.verify(KeyId=key, Message=b"message", Signature=signature, SigningAlgorithm=algorithm)[
            "SignatureValid"
        ]
        with refused("KMSInvalidSignatureException"):
            kms.verify(KeyId=key, Message=b"other", Signature=signature, SigningAlgorithm=algorithm)
        with refused("ValidationException"):
            kms.sign(KeyId=key, Message=b"no digest", MessageType="DIGEST", SigningAlgorithm=algorithm)
    with refused("InvalidKeyUsageException"):
        kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ED25519_SHA_512")


def test_a_mac_is_made_and_verified(customer: Account) -> None:
    kms = customer.kms
    key = make_key(kms, KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    mac = kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]
    assert kms.verify_mac(KeyId=key, Message=b"m", Mac=mac, MacAlgorithm="HMAC_SHA_256")["MacValid"] is True
    with refused("KMSInvalidMacException"):
        kms.verify_mac(KeyId=key, Message=b"n", Mac=mac, MacAlgorithm="HMAC_SHA_256")
    with refused("InvalidKeyUsageException"):
        kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_512")


@pytest.mark.parametrize(
    ("spec", "usage", "member", "algorithms"),
    [
        ("RSA_3072", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]),
        ("ECC_NIST_P521", "KEY_AGREEMENT", "KeyAgreementAlgorithms", ["ECDH"]),
        ("HMAC_512", "GENERATE_VERIFY_MAC", "MacAlgorithms", ["HMAC_SHA_512"]),
        ("ML_DSA_65", "SIGN_VERIFY", "SigningAlgorithms", ["ML_DSA_SHAKE_256"]),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms", ["ML_KEM"]),
    ],
)
def test_a_key_tells_what_it_can_do(
    customer: Account, spec: str, usage: str, member: str, algorithms: list[str]
) -> None:
    metadata = customer.kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]  # type: ignore[arg-type]
    assert (metadata.get("KeySpec"), metadata.get("KeyUsage")) == (spec, usage)
    assert metadata.get(member) == algorithms
    assert "CurrentKeyMaterialId" not in metadata


def test_key_pairs_that_the_sandbox_does_not_have_are_refused(customer: Account) -> None:
    key = make_key(customer.kms, KeySpec="ML_DSA_65", KeyUsage="SIGN_VERIFY")
    with refused("UnsupportedOperationException"):
        customer.kms.get_public_key(KeyId=key)
    with refused("UnsupportedOperationException"):
        customer.kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ML_DSA_SHAKE_256")
    with refused("UnsupportedOperationException"):
        customer.kms.create_key(KeySpec="SM2", KeyUsage="SIGN_VERIFY")


def test_a_symmetric_key_has_no_public_key_and_does_not_sign(customer: Account) -> None:
    key = make_key(customer.kms)
    with refused("UnsupportedOperationException"):
        customer.kms.get_public_key(KeyId=key)
    with refused("InvalidKeyUsageException"):
        customer.kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ED25519_SHA_512")


def test_another_account_signs_where_the_policy_lets_it(customer: Account, vendor: Account) -> None:
    arguments: Any = {"Message": b"m", "SigningAlgorithm": "ED25519_SHA_512"}
    open_key = make_key(customer.kms, OWNER, allow(root(vendor.account_id), "kms:Sign"), **ED25519)
    assert len(vendor.kms.sign(KeyId=open_key, **arguments)["Signature"]) == 64
    with refused("AccessDeniedException"):
        vendor.kms.get_public_key(KeyId=open_key)
    condition = {"Condition": {"StringEquals": {"kms:MessageType": "DIGEST"}}}
    closed = make_key(customer.kms, OWNER, allow(root(vendor.account_id), "kms:Sign", **condition), **ED25519)
    with refused("AccessDeniedException"):
        vendor.kms.sign(KeyId=closed, **arguments)


def test_a_disabled_key_does_not_sign_and_a_dry_run_makes_no_signature(customer: Account) -> None:
    kms, key = customer.kms, make_key(customer.kms, **ED25519)
    with refused("DryRunOperationException"):
        kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ED25519_SHA_512", DryRun=True)
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"] == {}
    kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ED25519_SHA_512")
    with refused("DisabledException"):
        kms.get_public_key(KeyId=key)


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "ECC_NIST_EDWARDS25519"])
def test_a_data_key_pair_comes_with_its_private_key_wrapped(customer: Account, spec: str) -> None:
    kms: Any = customer.kms
    key = make_key(kms)
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec, EncryptionContext={"a": "b"})
    assert pair["KeyPairSpec"] == spec
    opened = kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext={"a": "b"})
    assert opened["Plaintext"] == pair["PrivateKeyPlaintext"]
    private = load_der_private_key(pair["PrivateKeyPlaintext"], password=None)
    public = load_der_public_key(pair["PublicKey"])
    assert private.public_key() == public
    silent = kms.generate_data_key_pair_without_plaintext(KeyId=key, KeyPairSpec=spec)
    assert "PrivateKeyPlaintext" not in silent
