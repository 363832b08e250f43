"""Encrypt, Decrypt, ReEncrypt.

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

from typing import TYPE_CHECKING

from engine.sandbox.kms.authorization import target_of
from engine.sandbox.kms.call import Operation
from engine.sandbox.kms.ciphertext import material_of, seal, unseal
from engine.sandbox.kms.dry_run import end_dry_run
from engine.sandbox.kms.errors import KmsError, access_denied, invalid_ciphertext, validation
from engine.sandbox.kms.identifiers import Target
from engine.sandbox.kms.model import SYMMETRIC
from engine.sandbox.kms.use import (
    current_material,
    let_use_symmetric,
    material_members,
    refuse_recipient,
    remember_use,
    to_base64,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyMaterial, KeyRecord

_NO_SUCH_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this region, "
    "or you are not allowed to access."
)
_INCORRECT_KEY = "The key ID in the request does not identify a CMK that can perform this operation."


def encrypt(call: Call) -> Reply:
    """Encrypt up to 4096 bytes. The answer carries no `KeyMaterialId`."""
    context = call.parameters.pairs("EncryptionContext")
    key = let_use_symmetric(call, target_of(call, call.parameters.text("KeyId"), aliases=True), context)
    _symmetric_algorithm(call, "EncryptionAlgorithm")
    end_dry_run(call)
    sealed = seal(current_material(key), call.parameters.blob("Plaintext") or b"", context)
    remember_use(call, key)
    return {"CiphertextBlob": to_base64(sealed), "KeyId": key.arn, "EncryptionAlgorithm": SYMMETRIC}


def decrypt(call: Call) -> Reply:
    """Decrypt."""
    context = call.parameters.pairs("EncryptionContext")
    refuse_recipient(call)
    _symmetric_algorithm(call, "EncryptionAlgorithm")
    key, plaintext, material = _open(call, context, "KeyId")
    end_dry_run(call)
    remember_use(call, key)
    return {
        "KeyId": key.arn,
        "Plaintext": to_base64(plaintext),
        "EncryptionAlgorithm": SYMMETRIC,
        **material_members(key, material),
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
    key = let_use_symmetric(
        call, destination, context, "kms:ReEncryptTo", {"kms:ReEncryptOnSameKey": _same(source, destination.key)}
    )
    end_dry_run(call)
    new_material = current_material(key)
    remember_use(call, source, key)
    return {
        "CiphertextBlob": to_base64(seal(new_material, plaintext, context)),
        "SourceKeyId": source.arn,
        "KeyId": key.arn,
        "SourceEncryptionAlgorithm": SYMMETRIC,
        "DestinationEncryptionAlgorithm": SYMMETRIC,
        **material_members(source, material, "SourceKeyMaterialId"),
        **material_members(key, new_material, "DestinationKeyMaterialId"),
    }


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
        key = let_use_symmetric(call, target, context, action, same)
    except KmsError as error:
        if named is None and error.code == "AccessDeniedException":
            raise access_denied(_NO_SUCH_KEY) from error
        raise
    if ignored:
        return key, b"", current_material(key)
    return _unsealed(call, key, blob or b"", context)


def _target_of_ciphertext(call: Call, blob: bytes) -> Target:
    material_id = material_of(blob)
    if not call.store.knows_material(material_id):
        raise invalid_ciphertext()
    key = call.store.key_of_material(material_id, call.region)
    if key is None:
        raise access_denied(_NO_SUCH_KEY)
    call.touched.append(key.arn)
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


def _same(source: KeyRecord, destination: KeyRecord) -> tuple[str, ...]:
    return ("true" if source.arn == destination.arn else "false",)


def _symmetric_algorithm(call: Call, member: str) -> None:
    if (algorithm := call.parameters.optional_text(member)) not in (None, SYMMETRIC):
        raise KmsError("InvalidKeyUsageException", f"The algorithm {algorithm} is not valid for this key.")


OPERATIONS = (
    Operation("Encrypt", encrypt),
    Operation("Decrypt", decrypt),
    Operation("ReEncrypt", re_encrypt),
)
