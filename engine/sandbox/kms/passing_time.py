"""What the passing of time does to a key, pure: material expires, material is rotated, a key is deleted.

- Imported material that expires is gone; its key waits for the import of the same material (PendingImport).
- Automatic rotation gives an enabled key new material whenever its period is over. A key that is disabled
  or pending deletion is not rotated meanwhile; once it is enabled again it is rotated at once, one time.
- A multi-Region key is rotated as a whole, by its primary.
- A key is deleted when its deletion date has passed; the store does that, and asks here for the date.

(AWS KMS Developer Guide, "Rotate AWS KMS keys", "Setting an expiration time", "Deleting AWS KMS keys")
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.model import IMPORTED, KeyMaterial, RotationType

if TYPE_CHECKING:
    from datetime import datetime

    from engine.sandbox.kms.model import KeyRecord


def next_event(key: KeyRecord) -> datetime | None:
    """When time will change this key by itself; None where it will not."""
    if key.rotation is None and key.deletion_date is None and key.origin != IMPORTED:
        return None
    moments = [material.valid_to for material in _imported(key) if material.valid_to and material.secret]
    if key.state is KeyState.PENDING_DELETION and key.deletion_date is not None:
        moments.append(key.deletion_date)
    if (rotation := next_rotation(key)) is not None:
        moments.append(rotation)
    return min(moments, default=None)


def next_rotation(key: KeyRecord) -> datetime | None:
    """When this key will be rotated by itself; None for a replica, which its primary rotates."""
    if key.rotation is None or key.state is not KeyState.ENABLED or key.replica:
        return None
    return key.rotation.next_date


def deleted(key: KeyRecord, now: datetime) -> bool:
    """Whether a key's deletion date has passed."""
    return key.state is KeyState.PENDING_DELETION and key.deletion_date is not None and key.deletion_date <= now


def without_expired_material(key: KeyRecord, now: datetime) -> KeyRecord:
    """The key after whatever imported material of it has expired is gone."""
    pending = key.pending_material
    return settled(
        replace(
            key,
            materials=tuple(_unless_expired(material, now) for material in key.materials),
            pending_material=None if pending is None else _unless_expired(pending, now),
        )
    )


def settled(key: KeyRecord) -> KeyRecord:
    """The key in the state that its imported material leaves it in: PendingImport while any is missing."""
    if key.complete or key.state in (KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION):
        return key
    return replace(key, state=KeyState.PENDING_IMPORT)


def rotate(key: KeyRecord, material: KeyMaterial, moment: datetime, kind: RotationType) -> KeyRecord:
    """The key with other material as its current one; what was current before still decrypts."""
    current = replace(material, rotated=moment, rotation_type=kind)
    rotation = key.rotation
    if rotation is not None and kind is RotationType.AUTOMATIC:
        rotation = replace(rotation, counted_from=moment)
    return replace(key, materials=(*key.materials, current), rotation=rotation)


def _imported(key: KeyRecord) -> tuple[KeyMaterial, ...]:
    return key.materials if key.pending_material is None else (*key.materials, key.pending_material)


def _unless_expired(material: KeyMaterial, now: datetime) -> KeyMaterial:
    if material.valid_to is None or material.valid_to > now:
        return material
    return replace(material, secret=None)
