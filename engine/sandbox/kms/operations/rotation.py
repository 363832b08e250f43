"""EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand, ListKeyRotations.

- Automatic rotation is for symmetric encryption keys with material that KMS made. It happens when the
  sandbox's clock reaches its date (`passing_time`).
- Rotation on demand is also for imported material: the new material is imported first, into every Region of
  a multi-Region key, and the rotation makes it current. A key is rotated on demand at most 25 times, and not
  within the 20 minutes before it is rotated automatically.
- A multi-Region key is rotated by its primary, for all of its Regions at once.
- Nothing is wrapped anew and no ARN changes: what was wrapped before is opened with the older material.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.authorization import admitted
from engine.sandbox.kms.call import Operation, epoch_seconds
from engine.sandbox.kms.errors import KmsError, invalid_state, unsupported
from engine.sandbox.kms.key_metadata import DOES_NOT_EXPIRE, EXPIRES
from engine.sandbox.kms.model import (
    DEFAULT_ROTATION_PERIOD,
    IMPORTED,
    MADE_BY_KMS,
    KeyMaterial,
    Rotation,
    RotationType,
)
from engine.sandbox.kms.paging import page
from engine.sandbox.kms.passing_time import next_rotation, rotate

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyRecord

_MOST_ON_DEMAND = 25
_ABOUT_TO_ROTATE = timedelta(minutes=20)
_ALL = "ALL_KEY_MATERIAL"


def enable_key_rotation(call: Call) -> Reply:
    """EnableKeyRotation: every year, or every 90 to 2560 days."""
    asked = call.parameters.integer("RotationPeriodInDays")
    target = admitted(call, {} if asked is None else {"kms:RotationPeriodInDays": (str(asked),)})
    _refuse_unsupported(target.key)
    _refuse_replica(call, target.key)
    for member in call.store.family(target.key):
        call.store.put_key(replace(member, rotation=Rotation(asked or DEFAULT_ROTATION_PERIOD, call.now)))
    return {}


def disable_key_rotation(call: Call) -> Reply:
    """DisableKeyRotation."""
    key = admitted(call).key
    _refuse_unsupported(key)
    _refuse_replica(call, key)
    for member in call.store.family(key):
        call.store.put_key(replace(member, rotation=None))
    return {}


def get_key_rotation_status(call: Call) -> Reply:
    """GetKeyRotationStatus: also across accounts; no while the key is pending deletion, then as before."""
    key = admitted(call).key
    pending = key.state in (KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION)
    rotation = None if pending else key.rotation
    reply: Reply = {"KeyId": key.arn, "KeyRotationEnabled": rotation is not None}
    if rotation is not None:
        reply["RotationPeriodInDays"] = rotation.period_in_days
        reply["NextRotationDate"] = epoch_seconds(rotation.next_date)
    return reply


def rotate_key_on_demand(call: Call) -> Reply:
    """RotateKeyOnDemand: the answer to the next call already comes from the new material."""
    key = admitted(call).key
    if not key.symmetric_encryption or key.custom_key_store_id is not None:
        raise unsupported(f"{key.arn} does not support rotation: spec {key.spec}, origin {key.origin}")
    _refuse_replica(call, key)
    if sum(material.rotation_type is RotationType.ON_DEMAND for material in key.materials) >= _MOST_ON_DEMAND:
        raise KmsError("LimitExceededException", f"{key.arn} was rotated on demand {_MOST_ON_DEMAND} times.")
    if (planned := next_rotation(key)) is not None and planned <= call.now + _ABOUT_TO_ROTATE:
        raise KmsError("ConflictException", f"{key.arn} is about to be rotated automatically.")
    members = call.store.family(key)
    generated = KeyMaterial.generate()
    for member in members:
        if member.origin == IMPORTED and (member.pending_material is None or member.pending_material.secret is None):
            raise invalid_state(f"{member.arn} has no key material that is pending rotation.")
    for member in members:
        material = member.pending_material or generated
        rotated = rotate(member, material, call.now, RotationType.ON_DEMAND)
        call.store.put_key(replace(rotated, pending_material=None))
    return {"KeyId": key.arn}


def list_key_rotations(call: Call) -> Reply:
    """ListKeyRotations: completed rotations, or with `ALL_KEY_MATERIAL` the first and the pending one too."""
    key = admitted(call).key
    if not key.symmetric_encryption or key.custom_key_store_id is not None:
        raise unsupported(f"{key.arn} does not support rotation: spec {key.spec}, origin {key.origin}")
    materials = list(key.materials)
    if key.pending_material is not None:
        materials.append(key.pending_material)
    whole = call.parameters.optional_text("IncludeKeyMaterial") == _ALL
    shown = [(at, material) for at, material in enumerate(materials) if whole or material.rotated is not None]
    return page(
        call,
        shown,
        member="Rotations",
        identity=lambda entry: f"{entry[0]:06d}",
        show=lambda entry: _show(call, key, entry[1]),
    )


def _show(call: Call, key: KeyRecord, material: KeyMaterial) -> Reply:
    reply: Reply = {
        "KeyId": key.arn,
        "KeyMaterialId": material.material_id,
        "KeyMaterialState": _state(call, key, material),
    }
    if key.origin == IMPORTED:
        reply["ImportState"] = "PENDING_IMPORT" if material.secret is None else "IMPORTED"
        if material.secret is not None:
            reply["ExpirationModel"] = DOES_NOT_EXPIRE if material.valid_to is None else EXPIRES
            if material.valid_to is not None:
                reply["ValidTo"] = epoch_seconds(material.valid_to)
        if material.description is not None:
            reply["KeyMaterialDescription"] = material.description
    if material.rotated is not None and material.rotation_type is not None:
        reply["RotationDate"] = epoch_seconds(material.rotated)
        reply["RotationType"] = material.rotation_type.value
    return reply


def _state(call: Call, key: KeyRecord, material: KeyMaterial) -> str:
    if material is key.pending_material:
        members = call.store.family(key)
        there = all(member.pending_material is not None and member.pending_material.secret for member in members)
        return "PENDING_ROTATION" if there or not key.multi_region else "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    return "CURRENT" if material is key.material else "NON_CURRENT"


def _refuse_unsupported(key: KeyRecord) -> None:
    if not key.symmetric_encryption or key.origin != MADE_BY_KMS:
        raise unsupported(f"{key.arn} does not support automatic rotation: spec {key.spec}, origin {key.origin}")


def _refuse_replica(call: Call, key: KeyRecord) -> None:
    if key.replica:
        raise unsupported(f"{call.operation} is for the primary key of a multi-Region key; {key.arn} is a replica.")


OPERATIONS = (
    Operation("EnableKeyRotation", enable_key_rotation, changes=True),
    Operation("DisableKeyRotation", disable_key_rotation, changes=True),
    Operation("GetKeyRotationStatus", get_key_rotation_status),
    Operation("RotateKeyOnDemand", rotate_key_on_demand, changes=True),
    Operation("ListKeyRotations", list_key_rotations),
)
