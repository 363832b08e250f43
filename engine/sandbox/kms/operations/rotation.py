"""EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus.

Automatic rotation is for symmetric encryption keys with material that KMS made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.authorization import admitted
from engine.sandbox.kms.call import Operation, epoch_seconds
from engine.sandbox.kms.errors import unsupported
from engine.sandbox.kms.model import DEFAULT_ROTATION_PERIOD, Rotation

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyRecord


def enable_key_rotation(call: Call) -> Reply:
    """EnableKeyRotation: every year, or every 90 to 2560 days."""
    asked = call.parameters.integer("RotationPeriodInDays")
    target = admitted(call, {} if asked is None else {"kms:RotationPeriodInDays": (str(asked),)})
    _refuse_unsupported(target.key)
    call.store.put_key(replace(target.key, rotation=Rotation(asked or DEFAULT_ROTATION_PERIOD, call.now)))
    return {}


def disable_key_rotation(call: Call) -> Reply:
    """DisableKeyRotation."""
    key = admitted(call).key
    _refuse_unsupported(key)
    call.store.put_key(replace(key, rotation=None))
    return {}


def get_key_rotation_status(call: Call) -> Reply:
    """GetKeyRotationStatus: also across accounts; no while the key is pending deletion, then as before."""
    key = admitted(call).key
    rotation = None if key.state is KeyState.PENDING_DELETION else key.rotation
    reply: Reply = {"KeyId": key.arn, "KeyRotationEnabled": rotation is not None}
    if rotation is not None:
        reply["RotationPeriodInDays"] = rotation.period_in_days
        reply["NextRotationDate"] = epoch_seconds(rotation.next_date)
    return reply


def _refuse_unsupported(key: KeyRecord) -> None:
    if not key.symmetric_encryption or key.origin != "AWS_KMS":
        raise unsupported(f"{key.arn} does not support automatic rotation: spec {key.spec}, origin {key.origin}")


OPERATIONS = (
    Operation("EnableKeyRotation", enable_key_rotation, changes=True),
    Operation("DisableKeyRotation", disable_key_rotation, changes=True),
    Operation("GetKeyRotationStatus", get_key_rotation_status),
)
