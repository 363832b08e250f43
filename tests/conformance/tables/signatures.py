"""Sign, Verify, GetPublicKey, GenerateMac, VerifyMac, and data key pairs."""

from __future__ import annotations

from tests.conformance.things import Key, Reply
from tests.conformance.words import (
    ABSENT,
    DATA,
    DRY_RUN,
    MODEL,
    OK,
    PRESENT,
    Call,
    Row,
    Table,
    api,
    gives,
    guide,
    refused,
)

_SIGNING = Key("that signs", {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"})
_ANOTHER = Key("that signs too", {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"})
_MAC = Key("that makes MACs", {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
_SYMMETRIC = Key("that neither signs nor makes MACs")
_ECDSA = {"SigningAlgorithm": "ECDSA_SHA_256"}
_HMAC = {"MacAlgorithm": "HMAC_SHA_256"}
_SIGNATURE = Reply(Call("Sign", {"KeyId": _SIGNING.id, "Message": DATA, **_ECDSA}), ("Signature",)).property(
    "Signature"
)
_CODE = Reply(Call("GenerateMac", {"KeyId": _MAC.id, "Message": DATA, **_HMAC}), ("Mac",)).property("Mac")
_NOWHERE = "00000000-0000-4000-8000-000000000000"
_TESTING = guide("testing-permissions")

SIGN = Table(
    "Sign",
    api("Sign"),
    (
        Row(
            "what it answers",
            {"KeyId": _SIGNING.id, "Message": DATA, **_ECDSA},
            gives({"KeyId": _SIGNING.arn, "Signature": PRESENT, "SigningAlgorithm": "ECDSA_SHA_256"}),
        ),
        Row("a digest", {"KeyId": _SIGNING.id, "Message": b"x" * 32, "MessageType": "DIGEST", **_ECDSA}, OK),
        Row(
            "a digest of another length",
            {"KeyId": _SIGNING.id, "Message": b"x" * 31, "MessageType": "DIGEST", **_ECDSA},
            refused("Validation"),
            judgement="the page says that the length must fit, not by which error another is refused",
        ),
        Row("4097 bytes", {"KeyId": _SIGNING.id, "Message": b"x" * 4097, **_ECDSA}, refused("Validation"), MODEL),
        Row(
            "an algorithm of another spec",
            {"KeyId": _SIGNING.id, "Message": DATA, "SigningAlgorithm": "RSASSA_PSS_SHA_256"},
            refused("InvalidKeyUsage"),
        ),
        Row("a symmetric key", {"KeyId": _SYMMETRIC.id, "Message": DATA, **_ECDSA}, refused("InvalidKeyUsage")),
        Row("a key for MACs", {"KeyId": _MAC.id, "Message": DATA, **_ECDSA}, refused("InvalidKeyUsage")),
        Row("a key that is not there", {"KeyId": _NOWHERE, "Message": DATA, **_ECDSA}, refused("NotFound")),
        Row("DryRun", {"KeyId": _SIGNING.id, "Message": DATA, **_ECDSA, "DryRun": True}, DRY_RUN, _TESTING),
    ),
)
VERIFY = Table(
    "Verify",
    api("Verify"),
    (
        Row(
            "its own signature",
            {"KeyId": _SIGNING.id, "Message": DATA, "Signature": _SIGNATURE, **_ECDSA},
            gives({"SignatureValid": True, "KeyId": _SIGNING.arn}),
        ),
        Row(
            "of another message",
            {"KeyId": _SIGNING.id, "Message": b"another", "Signature": _SIGNATURE, **_ECDSA},
            refused("KMSInvalidSignature"),
        ),
        Row(
            "of another key",
            {"KeyId": _ANOTHER.id, "Message": DATA, "Signature": _SIGNATURE, **_ECDSA},
            refused("KMSInvalidSignature"),
        ),
        Row(
            "no signature at all",
            {"KeyId": _SIGNING.id, "Message": DATA, "Signature": b"x", **_ECDSA},
            refused("KMSInvalidSignature"),
        ),
    ),
)
GET_PUBLIC_KEY = Table(
    "GetPublicKey",
    api("GetPublicKey"),
    (
        Row(
            "what it answers",
            {"KeyId": _SIGNING.id},
            gives({"KeyId": _SIGNING.arn, "PublicKey": PRESENT, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}),
        ),
        Row("a symmetric key", {"KeyId": _SYMMETRIC.id}, refused("UnsupportedOperation")),
        Row("a key for MACs", {"KeyId": _MAC.id}, refused("UnsupportedOperation")),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)
GENERATE_MAC = Table(
    "GenerateMac",
    api("GenerateMac"),
    (
        Row(
            "what it answers", {"KeyId": _MAC.id, "Message": DATA, **_HMAC}, gives({"KeyId": _MAC.arn, "Mac": PRESENT})
        ),
        Row("the same again", {"KeyId": _MAC.id, "Message": DATA, **_HMAC}, gives({"Mac": _CODE})),
        Row(
            "an algorithm of another spec",
            {"KeyId": _MAC.id, "Message": DATA, "MacAlgorithm": "HMAC_SHA_512"},
            refused("InvalidKeyUsage"),
        ),
        Row("a symmetric key", {"KeyId": _SYMMETRIC.id, "Message": DATA, **_HMAC}, refused("InvalidKeyUsage")),
        Row("DryRun", {"KeyId": _MAC.id, "Message": DATA, **_HMAC, "DryRun": True}, DRY_RUN, _TESTING),
    ),
)
VERIFY_MAC = Table(
    "VerifyMac",
    api("VerifyMac"),
    (
        Row("its own MAC", {"KeyId": _MAC.id, "Message": DATA, "Mac": _CODE, **_HMAC}, gives({"MacValid": True})),
        Row(
            "of another message",
            {"KeyId": _MAC.id, "Message": b"another", "Mac": _CODE, **_HMAC},
            refused("KMSInvalidMac"),
        ),
    ),
)
_PAIR = {"KeyId": _SYMMETRIC.id, "KeyPairSpec": "ECC_NIST_P256"}
GENERATE_DATA_KEY_PAIR = Table(
    "GenerateDataKeyPair",
    api("GenerateDataKeyPair"),
    (
        Row(
            "what it answers",
            _PAIR,
            gives(
                {
                    "KeyId": _SYMMETRIC.arn,
                    "PublicKey": PRESENT,
                    "PrivateKeyPlaintext": PRESENT,
                    "PrivateKeyCiphertextBlob": PRESENT,
                    "KeyPairSpec": "ECC_NIST_P256",
                }
            ),
        ),
        Row(
            "under an asymmetric key",
            {**_PAIR, "KeyId": _SIGNING.id},
            refused("InvalidKeyUsage", "UnsupportedOperation"),
            judgement="the page has both errors and does not tell them apart",
        ),
        Row("a spec that there is not", {**_PAIR, "KeyPairSpec": "ECC_NIST_P192"}, refused("Validation"), MODEL),
        Row("DryRun", {**_PAIR, "DryRun": True}, DRY_RUN, _TESTING),
    ),
)
GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT = Table(
    "GenerateDataKeyPairWithoutPlaintext",
    api("GenerateDataKeyPairWithoutPlaintext"),
    (
        Row(
            "no plaintext in it",
            _PAIR,
            gives({"PrivateKeyPlaintext": ABSENT, "PrivateKeyCiphertextBlob": PRESENT, "PublicKey": PRESENT}),
        ),
        Row("DryRun", {**_PAIR, "DryRun": True}, DRY_RUN, _TESTING),
    ),
)

TABLES = (
    SIGN,
    VERIFY,
    GET_PUBLIC_KEY,
    GENERATE_MAC,
    VERIFY_MAC,
    GENERATE_DATA_KEY_PAIR,
    GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT,
)
