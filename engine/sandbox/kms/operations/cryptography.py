"""Encrypt, Decrypt, ReEncrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom.

- Only symmetric encryption keys: what the sandbox does not have, it refuses.
- A ciphertext names the key that made it. A `KeyId` beside it must name the same key, else
  `IncorrectKeyException`; without one, a key that is not there and one that the caller may not use are
  refused in the same words.
- Access comes first, then the key's state, then the ciphertext itself.
- ReEncrypt needs `kms:ReEncryptFrom` on the one key and `kms:ReEncryptTo` on the other.
- With `DryRun` everything is checked and nothing done; with the modifier `IGNORE_CIPHERTEXT` the ciphertext
  is not looked at, and the key must be named.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from engine.sandbox.kms.authorization import authorize, authorize_identity, refuse_state, target_of
from engine.sandbox.kms.call import Operation
from engine.sandbox.kms.ciphertext import material_of, seal, unseal
from engine.sandbox.kms.conditions import encryption_context
from engine.sandbox.kms.dry_run import end_dry_run
from engine.sandbox.kms.errors import (
    KmsError,
    access_denied,
    invalid_ciphertext,
    invalid_state,
    unsupported,
    validation,
)
from engine.sandbox.kms.grant_tokens import check_grant_tokens
from engine.sandbox.kms.identifiers import Target
from engine.sandbox.kms.model import ENCRYPT_DECRYPT, SYMMETRIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyMaterial, KeyRecord

_NO_SUCH_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
    "or you are not allowed to access."
)
_INCORRECT_KEY = "The key ID in the request does not identify a CMK that can perform this operation."
_DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}
_DEFAULT_RANDOM = 32


def encrypt(call: Call) -> Reply:
    """Encrypt up to 4096 bytes. The answer carries no `KeyMaterialId`."""
    context = call.parameters.pairs("EncryptionContext")
    key = _key_to_use(call, "KeyId", context)
    _symmetric_algorithm(call, "EncryptionAlgorithm")
    end_dry_run(call)
    sealed = seal(_material(key), call.parameters.blob("Plaintext") or b"", context)
    return {"CiphertextBlob": _base64(sealed), "KeyId": key.arn, "EncryptionAlgorithm": SYMMETRIC}


def decrypt(call: Call) -> Reply:
    """Decrypt."""
    context = call.parameters.pairs("EncryptionContext")
    _refuse_recipient(call)
    _symmetric_algorithm(call, "EncryptionAlgorithm")
    key, plaintext, material = _open(call, context, "KeyId")
    end_dry_run(call)
    return {
        "KeyId": key.arn,
        "Plaintext": _base64(plaintext),
        "EncryptionAlgorithm": SYMMETRIC,
        "KeyMaterialId": material.material_id,
    }


def re_encrypt(call: Call) -> Reply:
    """ReEncrypt: the plaintext never leaves."""
    source_context = call.parameters.pairs("SourceEncryptionContext")
    context = call.parameters.pairs("DestinationEncryptionContext")
    _symmetric_algorithm(call, "SourceEncryptionAlgorithm")
    _symmetric_algorithm(call, "DestinationEncryptionAlgorithm")
    # Both keys must be known before either half can be authorised: whether they are one is a condition key.
    destination = target_of(call, call.parameters.text("DestinationKeyId"), aliases=True, action="kms:ReEncryptTo")
    source, plaintext, material = _open(call, source_context, "SourceKeyId", destination.key)
    key = _use(
        call, destination, context, "kms:ReEncryptTo", {"kms:ReEncryptOnSameKey": _same(source, destination.key)}
    )
    end_dry_run(call)
    new_material = _material(key)
    return {
        "CiphertextBlob": _base64(seal(new_material, plaintext, context)),
        "SourceKeyId": source.arn,
        "KeyId": key.arn,
        "SourceEncryptionAlgorithm": SYMMETRIC,
        "DestinationEncryptionAlgorithm": SYMMETRIC,
        "SourceKeyMaterialId": material.material_id,
        "DestinationKeyMaterialId": new_material.material_id,
    }


def generate_data_key(call: Call) -> Reply:
    """GenerateDataKey: a new data key, in clear and wrapped."""
    return _data_key(call, with_plaintext=True)


def generate_data_key_without_plaintext(call: Call) -> Reply:
    """GenerateDataKeyWithoutPlaintext: a new data key, wrapped."""
    return _data_key(call, with_plaintext=False)


def generate_random(call: Call) -> Reply:
    """GenerateRandom: a matter of the caller's IAM alone."""
    _refuse_recipient(call)
    authorize_identity(call)
    if (store := call.parameters.optional_text("CustomKeyStoreId")) is not None:
        raise KmsError("CustomKeyStoreNotFoundException", f"Custom key store with ID '{store}' not found.")
    return {"Plaintext": _base64(secrets.token_bytes(call.parameters.integer("NumberOfBytes") or _DEFAULT_RANDOM))}


def _data_key(call: Call, *, with_plaintext: bool) -> Reply:
    spec, asked = call.parameters.optional_text("KeySpec"), call.parameters.integer("NumberOfBytes")
    if (spec is None) == (asked is None):
        raise validation("Please specify either number of bytes or key spec.")
    _refuse_recipient(call)
    context = call.parameters.pairs("EncryptionContext")
    key = _key_to_use(call, "KeyId", context)
    end_dry_run(call)
    data_key = secrets.token_bytes(_DATA_KEY_BYTES[spec] if spec is not None else asked or 0)
    material = _material(key)
    return {
        "CiphertextBlob": _base64(seal(material, data_key, context)),
        **({"Plaintext": _base64(data_key)} if with_plaintext else {}),
        "KeyId": key.arn,
        "KeyMaterialId": material.material_id,
    }


def _key_to_use(call: Call, member: str, context: Mapping[str, str]) -> KeyRecord:
    return _use(call, target_of(call, call.parameters.text(member), aliases=True), context)


def _use(
    call: Call,
    target: Target,
    context: Mapping[str, str],
    action: str | None = None,
    conditions: Mapping[str, tuple[str, ...]] | None = None,
) -> KeyRecord:
    """Let a key be used: by access, then by state, then by what it is for."""
    check_grant_tokens(call)
    brought = {"kms:EncryptionAlgorithm": (SYMMETRIC,), **encryption_context(context), **(conditions or {})}
    authorize(call, target, action, brought)
    refuse_state(call.operation, target.key)
    if target.key.usage != ENCRYPT_DECRYPT:
        raise KmsError(
            "InvalidKeyUsageException",
            f"{target.key.arn} key usage is {target.key.usage} which is not valid for {call.operation}.",
        )
    if target.key.spec != SYMMETRIC:
        raise unsupported(f"The sandbox does not encrypt under keys of spec {target.key.spec}")
    return target.key


def _open(
    call: Call, context: Mapping[str, str], member: str, destination: KeyRecord | None = None
) -> tuple[KeyRecord, bytes, KeyMaterial]:
    """Let the key of a ciphertext be used and open the ciphertext; ReEncrypt's destination is known by then."""
    action = "kms:Decrypt" if destination is None else "kms:ReEncryptFrom"
    named, blob = call.parameters.optional_text(member), call.parameters.blob("CiphertextBlob")
    ignored = "IGNORE_CIPHERTEXT" in call.parameters.texts("DryRunModifiers")
    if ignored and not call.parameters.flag("DryRun"):
        raise validation("DryRunModifiers can only be specified when DryRun is true.")
    if ignored and named is None:
        raise validation(f"{member} must be specified with the modifier IGNORE_CIPHERTEXT")
    if not ignored and blob is None:
        raise validation("CiphertextBlob must be specified")
    if named is not None:
        target = target_of(call, named, aliases=True, action=action)
    else:
        target = _target_of_ciphertext(call, blob or b"")
    same = {} if destination is None else {"kms:ReEncryptOnSameKey": _same(target.key, destination)}
    try:
        key = _use(call, target, context, action, same)
    except KmsError as error:
        if named is None and error.code == "AccessDeniedException":
            raise access_denied(_NO_SUCH_KEY) from error
        raise
    if ignored:
        return key, b"", _material(key)
    return _unsealed(call, key, blob or b"", context)


def _target_of_ciphertext(call: Call, blob: bytes) -> Target:
    material_id = material_of(blob)
    if not call.store.knows_material(material_id):
        raise invalid_ciphertext()
    key = call.store.key_of_material(material_id, call.region)
    if key is None:
        raise access_denied(_NO_SUCH_KEY)
    return Target(key)


def _unsealed(
    call: Call, key: KeyRecord, blob: bytes, context: Mapping[str, str]
) -> tuple[KeyRecord, bytes, KeyMaterial]:
    material_id = material_of(blob)
    for material in key.materials:
        if material.material_id == material_id:
            return key, unseal(material, blob, context), material
    if call.store.knows_material(material_id):
        raise KmsError("IncorrectKeyException", _INCORRECT_KEY)
    raise invalid_ciphertext()


def _material(key: KeyRecord) -> KeyMaterial:
    material = key.material
    if material is None:
        raise invalid_state(f"{key.arn} is pending import.")
    return material


def _same(source: KeyRecord, destination: KeyRecord) -> tuple[str, ...]:
    return ("true" if source.arn == destination.arn else "false",)


def _symmetric_algorithm(call: Call, member: str) -> None:
    if (algorithm := call.parameters.optional_text(member)) not in (None, SYMMETRIC):
        raise KmsError("InvalidKeyUsageException", f"The algorithm {algorithm} is not valid for this key.")


def _refuse_recipient(call: Call) -> None:
    if "Recipient" in call.parameters:
        raise unsupported("The sandbox has no attested recipients")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


OPERATIONS = (
    Operation("Encrypt", encrypt),
    Operation("Decrypt", decrypt),
    Operation("ReEncrypt", re_encrypt),
    Operation("GenerateDataKey", generate_data_key),
    Operation("GenerateDataKeyWithoutPlaintext", generate_data_key_without_plaintext),
    Operation("GenerateRandom", generate_random),
)
