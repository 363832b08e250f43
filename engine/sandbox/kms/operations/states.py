"""EnableKey, DisableKey, ScheduleKeyDeletion, CancelKeyDeletion.

- A deletion is scheduled 7 to 30 days ahead, 30 unless the call says otherwise. When the date passes the key
  is gone (`KeyStore`). A primary that has replicas waits for them to be gone first.
- A key whose deletion is cancelled is Disabled, never Enabled by itself; one that lacks its imported material
  waits for it, one whose custom key store is not connected is Unavailable.
- A key that is Unavailable can be enabled and disabled: that shows once its store is connected again.
- A key whose rotation came due while it was disabled is rotated as soon as it is enabled.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.authorization import admitted
from engine.sandbox.kms.call import Operation, epoch_seconds
from engine.sandbox.kms.errors import validation
from engine.sandbox.kms.model import KeyMaterial, RotationType
from engine.sandbox.kms.passing_time import next_rotation, rotate, settled

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyRecord

_SHORTEST_WINDOW, _LONGEST_WINDOW = 7, 30  # days


def enable_key(call: Call) -> Reply:
    """EnableKey."""
    key = _set_state(call, KeyState.ENABLED)
    if (due := next_rotation(key)) is not None and due <= call.now:
        material = KeyMaterial.generate()
        for member in call.store.family(key):
            call.store.put_key(rotate(member, material, call.now, RotationType.AUTOMATIC))
    return {}


def disable_key(call: Call) -> Reply:
    """DisableKey: for the owner's account alone."""
    _set_state(call, KeyState.DISABLED)
    return {}


def schedule_key_deletion(call: Call) -> Reply:
    """ScheduleKeyDeletion."""
    asked = call.parameters.integer("PendingWindowInDays")
    days = _LONGEST_WINDOW if asked is None else asked
    if not _SHORTEST_WINDOW <= days <= _LONGEST_WINDOW:
        raise validation(f"PendingWindowInDays must be between {_SHORTEST_WINDOW} and {_LONGEST_WINDOW}, inclusive.")
    # The condition key is of the parameter: absent where the call leaves the window to KMS.
    target = admitted(call, {} if asked is None else {"kms:ScheduleKeyDeletionPendingWindowInDays": (str(asked),)})
    key = replace(target.key, state_once_connected=None)
    if key.multi_region and not key.replica and len(call.store.family(key)) > 1:
        key = replace(key, state=KeyState.PENDING_REPLICA_DELETION, deletion_window=days)
    else:
        key = replace(key, state=KeyState.PENDING_DELETION, deletion_date=call.now + timedelta(days=days))
    call.store.put_key(key)
    return {
        "KeyId": key.arn,
        **({} if key.deletion_date is None else {"DeletionDate": epoch_seconds(key.deletion_date)}),
        "KeyState": key.state.value,
        "PendingWindowInDays": days,
    }


def cancel_key_deletion(call: Call) -> Reply:
    """CancelKeyDeletion: the key is Disabled then, Unavailable, or waits for its import."""
    key = admitted(call).key
    key = replace(key, state=KeyState.DISABLED, deletion_date=None, deletion_window=None)
    store = call.store.custom_key_store_of(key)
    if store is not None and not store.connected:
        key = replace(key, state=KeyState.UNAVAILABLE, state_once_connected=KeyState.DISABLED)
    call.store.put_key(settled(key))
    return {"KeyId": key.arn}


def _set_state(call: Call, state: KeyState) -> KeyRecord:
    key = admitted(call).key
    if key.state is KeyState.UNAVAILABLE:
        return call.store.put_key(replace(key, state_once_connected=state))
    return call.store.put_key(replace(key, state=state))


OPERATIONS = (
    Operation("EnableKey", enable_key, changes=True),
    Operation("DisableKey", disable_key, changes=True),
    Operation("ScheduleKeyDeletion", schedule_key_deletion, changes=True),
    Operation("CancelKeyDeletion", cancel_key_deletion, changes=True),
)
