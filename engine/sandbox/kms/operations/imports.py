"""GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial.

- The first material that is imported belongs to the key for good: when it is deleted or has expired, the same
  material can be imported again, and no other. Its id is made from the key's id and the material, so that it
  is the same in every Region of a multi-Region key.
- Further material of a symmetric encryption key is imported as `NEW_KEY_MATERIAL`, into the primary first, and
  waits for RotateKeyOnDemand. Until then it can be deleted and another imported in its place.
- Material that lacks makes the whole key wait: it is PendingImport until all of it is there.
- An import token works for its own key, for 24 hours.

(AWS KMS Developer Guide, "Importing key material for AWS KMS keys")
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.authorization import admitted
from engine.sandbox.kms.call import Operation, epoch_seconds
from engine.sandbox.kms.errors import KmsError, not_found, unsupported, validation
from engine.sandbox.kms.key_metadata import EXPIRES
from engine.sandbox.kms.key_pairs import is_private_key, make_private_key, public_key
from engine.sandbox.kms.key_wrapping import can_wrap, unwrap
from engine.sandbox.kms.model import IMPORTED, KeyMaterial
from engine.sandbox.kms.passing_time import settled
from engine.sandbox.kms.specifications import SPECIFICATIONS
from engine.sandbox.kms.store import ImportParameters
from engine.sandbox.kms.use import to_base64

if TYPE_CHECKING:
    from datetime import datetime

    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyRecord

_TOKEN_BYTES = 256
_VALID_FOR = timedelta(hours=24)
_LONGEST_EXPIRATION = timedelta(days=365)
_NEW, _EXISTING = "NEW_KEY_MATERIAL", "EXISTING_KEY_MATERIAL"


def get_parameters_for_import(call: Call) -> Reply:
    """GetParametersForImport: a wrapping key of RSA and its import token."""
    algorithm, spec = call.parameters.text("WrappingAlgorithm"), call.parameters.text("WrappingKeySpec")
    context = {"kms:WrappingAlgorithm": (algorithm,), "kms:WrappingKeySpec": (spec,)}
    key = admitted(call, context).key
    _refuse_other_origin(call, key)
    private = make_private_key(spec) if can_wrap(algorithm, spec, key.spec) else None
    if private is None:
        raise unsupported(f"The wrapping algorithm {algorithm} with {spec} is not supported for {key.spec}.")
    token = secrets.token_bytes(_TOKEN_BYTES)
    parameters = ImportParameters(key.arn, algorithm, call.now + _VALID_FOR, private)
    call.store.put_import(token, parameters)
    return {
        "KeyId": key.arn,
        "ImportToken": to_base64(token),
        "PublicKey": to_base64(public_key(private)),
        "ParametersValidTo": epoch_seconds(parameters.valid_to),
    }


def import_key_material(call: Call) -> Reply:
    """ImportKeyMaterial."""
    valid_to = call.parameters.moment("ValidTo")
    asked = call.parameters.optional_text("ExpirationModel")
    model = asked or EXPIRES
    context = {} if asked is None else {"kms:ExpirationModel": (asked,)}
    if valid_to is not None:
        context["kms:ValidTo"] = (str(valid_to.timestamp()),)
    key = admitted(call, context).key
    _refuse_other_origin(call, key)
    _check_expiration(call, model, valid_to)
    for member in ("ImportType", "KeyMaterialId", "KeyMaterialDescription"):
        if member in call.parameters and not key.symmetric_encryption:
            raise validation(f"{member} is for symmetric encryption keys only.")
    secret = _unwrapped(call, key)
    material_id = hashlib.sha256(f"{key.account_id}/{key.key_id}/".encode() + secret).hexdigest()
    if call.parameters.optional_text("KeyMaterialId") not in (None, material_id):
        raise _incorrect("The key material is not the one that KeyMaterialId names.")
    description = call.parameters.optional_text("KeyMaterialDescription")
    kind = call.parameters.optional_text("ImportType") or (_EXISTING if key.materials else _NEW)
    if kind == _NEW:
        material = KeyMaterial(material_id, secret, valid_to=valid_to, description=description)
        key = _with_new(call, key, material)
    else:
        key = _with_existing(key, material_id, secret, valid_to, description)
    if key.state is KeyState.PENDING_IMPORT and key.complete:
        key = replace(key, state=KeyState.ENABLED)
    call.store.put_key(key)
    return {"KeyId": key.arn, "KeyMaterialId": material_id}


def delete_imported_key_material(call: Call) -> Reply:
    """DeleteImportedKeyMaterial: the current material, or the one that is named; at once."""
    key = admitted(call).key
    _refuse_other_origin(call, key)
    material_id = call.parameters.optional_text("KeyMaterialId")
    if material_id is None:
        material_id = key.material.material_id if key.material is not None else ""
    if key.pending_material is not None and key.pending_material.material_id == material_id:
        _forget_pending(call, key)
    elif any(material.material_id == material_id for material in key.materials):
        materials = tuple(
            replace(material, secret=None, valid_to=None) if material.material_id == material_id else material
            for material in key.materials
        )
        call.store.put_key(settled(replace(key, materials=materials)))
    elif material_id:
        raise not_found(f"{key.arn} has no key material {material_id}")
    return {"KeyId": key.arn, "KeyMaterialId": material_id}


def _with_new(call: Call, key: KeyRecord, material: KeyMaterial) -> KeyRecord:
    """The key with material that it did not have before: its first, or the next to be rotated to."""
    if key.replica:
        raise unsupported(f"New key material is imported into the primary key first; {key.arn} is a replica.")
    if any(known.material_id == material.material_id for known in key.materials):
        raise _incorrect("The key material is already associated with the KMS key.")
    if not key.materials:
        return replace(key, materials=(material,))
    pending = key.pending_material
    if pending is not None and pending.material_id != material.material_id:
        raise _incorrect("Other key material is pending rotation; delete it or rotate the key first.")
    for member in call.store.family(key):
        if member.replica:
            call.store.put_key(replace(member, pending_material=replace(material, secret=None, valid_to=None)))
    return replace(key, pending_material=material)


def _with_existing(
    key: KeyRecord, material_id: str, secret: bytes, valid_to: datetime | None, description: str | None
) -> KeyRecord:
    """The key with material that it had before, or that its primary has."""

    def again(material: KeyMaterial) -> KeyMaterial:
        kept = material.description if description is None else description
        return replace(material, secret=secret, valid_to=valid_to, description=kept)

    if key.pending_material is not None and key.pending_material.material_id == material_id:
        return replace(key, pending_material=again(key.pending_material))
    if not any(material.material_id == material_id for material in key.materials):
        raise _incorrect("The key material is not associated with the KMS key.")
    return replace(
        key,
        materials=tuple(
            again(material) if material.material_id == material_id else material for material in key.materials
        ),
    )


def _forget_pending(call: Call, key: KeyRecord) -> None:
    """Take away material that waits for a rotation: from the primary everywhere, from a replica there alone."""
    pending = key.pending_material
    if pending is not None and key.replica:
        call.store.put_key(replace(key, pending_material=replace(pending, secret=None, valid_to=None)))
        return
    for member in call.store.family(key):
        call.store.put_key(replace(member, pending_material=None))


def _check_expiration(call: Call, model: str, valid_to: datetime | None) -> None:
    if (model == EXPIRES) != (valid_to is not None):
        needed = "must" if model == EXPIRES else "must not"
        raise validation(f"A ValidTo date {needed} be set when the ExpirationModel is {model}.")
    if valid_to is not None and not call.now < valid_to <= call.now + _LONGEST_EXPIRATION:
        raise validation("ValidTo must be in the future, at most 365 days ahead.")


def _unwrapped(call: Call, key: KeyRecord) -> bytes:
    parameters = call.store.import_parameters(call.parameters.blob("ImportToken") or b"")
    if parameters is None or parameters.key_arn != key.arn:
        raise KmsError("InvalidImportTokenException", "")
    if parameters.valid_to <= call.now:
        raise KmsError("ExpiredImportTokenException", "")
    wrapped = call.parameters.blob("EncryptedKeyMaterial") or b""
    secret = unwrap(parameters.private_key, parameters.algorithm, wrapped)
    specification = SPECIFICATIONS[key.spec]
    if specification.asymmetric:
        if not is_private_key(key.spec, secret):
            raise _incorrect(f"The key material is not a private key of spec {key.spec} in PKCS #8.")
    elif len(secret) != specification.secret_bytes:
        raise _incorrect(f"The key material must be {specification.secret_bytes} bytes.")
    return secret


def _refuse_other_origin(call: Call, key: KeyRecord) -> None:
    if key.origin != IMPORTED:
        raise unsupported(f"{key.arn} origin is {key.origin} which is not valid for {call.operation}.")


def _incorrect(message: str) -> KmsError:
    return KmsError("IncorrectKeyMaterialException", message)


OPERATIONS = (
    Operation("GetParametersForImport", get_parameters_for_import),
    Operation("ImportKeyMaterial", import_key_material, changes=True),
    Operation("DeleteImportedKeyMaterial", delete_imported_key_material, changes=True),
)
