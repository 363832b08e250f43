"""Sign, Verify, GetPublicKey, GenerateMac, VerifyMac.

A signature or a MAC that does not verify is an error, never an answer that says no.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from engine.sandbox.kms.authorization import authorize, refuse_state, target_of
from engine.sandbox.kms.call import Operation
from engine.sandbox.kms.dry_run import end_dry_run
from engine.sandbox.kms.errors import KmsError, unsupported
from engine.sandbox.kms.grant_tokens import check_grant_tokens
from engine.sandbox.kms.key_pairs import public_key, verifies
from engine.sandbox.kms.key_pairs import sign as make_signature
from engine.sandbox.kms.specifications import ALGORITHM_MEMBERS, MESSAGE_CODES, SIGN_VERIFY, SPECIFICATIONS
from engine.sandbox.kms.use import current_secret, let_use, remember_use, to_base64

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyRecord


def sign(call: Call) -> Reply:
    """Sign."""
    key, algorithm = _signing_key(call)
    secret = current_secret(key)
    signature = make_signature(secret, algorithm, *_message(call))
    end_dry_run(call)
    remember_use(call, key)
    return {"KeyId": key.arn, "Signature": to_base64(signature), "SigningAlgorithm": algorithm}


def verify(call: Call) -> Reply:
    """Verify: a signature that is not the key's is `KMSInvalidSignatureException`."""
    key, algorithm = _signing_key(call)
    secret = current_secret(key)
    valid = verifies(secret, algorithm, *_message(call), call.parameters.blob("Signature") or b"")
    end_dry_run(call)
    if not valid:
        raise KmsError("KMSInvalidSignatureException", "")
    remember_use(call, key)
    return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


def get_public_key(call: Call) -> Reply:
    """GetPublicKey: of an asymmetric key, also across accounts; no cryptographic use."""
    check_grant_tokens(call)
    target = target_of(call, call.parameters.text("KeyId"), aliases=True)
    authorize(call, target)
    key = target.key
    refuse_state(call.operation, key)
    specification = SPECIFICATIONS[key.spec]
    if not specification.asymmetric:
        raise unsupported(f"{key.arn} key spec is {key.spec} which is not valid for {call.operation}.")
    return {
        "KeyId": key.arn,
        "PublicKey": to_base64(public_key(current_secret(key))),
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "KeyUsage": key.usage,
        ALGORITHM_MEMBERS[key.usage]: list(specification.algorithms[key.usage]),
    }


def generate_mac(call: Call) -> Reply:
    """GenerateMac."""
    key, algorithm = _code_key(call)
    end_dry_run(call)
    remember_use(call, key)
    return {"KeyId": key.arn, "Mac": to_base64(_code(call, key, algorithm)), "MacAlgorithm": algorithm}


def verify_mac(call: Call) -> Reply:
    """VerifyMac: a MAC that is not the key's is `KMSInvalidMacException`."""
    key, algorithm = _code_key(call)
    end_dry_run(call)
    if not hmac.compare_digest(_code(call, key, algorithm), call.parameters.blob("Mac") or b""):
        raise KmsError("KMSInvalidMacException", "")
    remember_use(call, key)
    return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": algorithm}


def _signing_key(call: Call) -> tuple[KeyRecord, str]:
    algorithm = call.parameters.text("SigningAlgorithm")
    target = target_of(call, call.parameters.text("KeyId"), aliases=True)
    brought = {"kms:SigningAlgorithm": (algorithm,), "kms:MessageType": (_message(call)[1],)}
    key = let_use(call, target, SIGN_VERIFY, brought)
    return key, _checked_algorithm(key, algorithm)


def _code_key(call: Call) -> tuple[KeyRecord, str]:
    algorithm = call.parameters.text("MacAlgorithm")
    target = target_of(call, call.parameters.text("KeyId"), aliases=True)
    key = let_use(call, target, MESSAGE_CODES, {"kms:MacAlgorithm": (algorithm,)})
    return key, _checked_algorithm(key, algorithm)


def _checked_algorithm(key: KeyRecord, algorithm: str) -> str:
    if algorithm not in SPECIFICATIONS[key.spec].algorithms[key.usage]:
        raise KmsError("InvalidKeyUsageException", f"Algorithm {algorithm} is incompatible with key spec {key.spec}.")
    return algorithm


def _message(call: Call) -> tuple[bytes, str]:
    return call.parameters.blob("Message") or b"", call.parameters.optional_text("MessageType") or "RAW"


def _code(call: Call, key: KeyRecord, algorithm: str) -> bytes:
    return hmac.digest(current_secret(key), _message(call)[0], f"sha{algorithm.rpartition('_')[2]}")


OPERATIONS = (
    Operation("Sign", sign),
    Operation("Verify", verify),
    Operation("GetPublicKey", get_public_key),
    Operation("GenerateMac", generate_mac),
    Operation("VerifyMac", verify_mac),
)
