"""EnableKey, DisableKey, ScheduleKeyDeletion, CancelKeyDeletion.

A deletion is scheduled 7 to 30 days ahead, 30 unless the call says otherwise. A key whose deletion is
cancelled is Disabled, never Enabled by itself. When the date passes the key is gone (`KeyStore`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.authorization import admitted
from engine.sandbox.kms.call import Operation, epoch_seconds
from engine.sandbox.kms.errors import validation

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply

_SHORTEST_WINDOW, _LONGEST_WINDOW = 7, 30  # days


def enable_key(call: Call) -> Reply:
    """EnableKey."""
    return _set_state(call, KeyState.ENABLED)


def disable_key(call: Call) -> Reply:
    """DisableKey: for the owner's account alone."""
    return _set_state(call, KeyState.DISABLED)


def schedule_key_deletion(call: Call) -> Reply:
    """ScheduleKeyDeletion."""
    asked = call.parameters.integer("PendingWindowInDays")
    days = _LONGEST_WINDOW if asked is None else asked
    if not _SHORTEST_WINDOW <= days <= _LONGEST_WINDOW:
        raise validation(f"PendingWindowInDays must be between {_SHORTEST_WINDOW} and {_LONGEST_WINDOW}, inclusive.")
    # The condition key is of the parameter: absent where the call leaves the window to KMS.
    target = admitted(call, {} if asked is None else {"kms:ScheduleKeyDeletionPendingWindowInDays": (str(asked),)})
    key = replace(target.key, state=KeyState.PENDING_DELETION, deletion_date=call.now + timedelta(days=days))
    call.store.put_key(key)
    return {
        "KeyId": key.arn,
        "DeletionDate": epoch_seconds(call.now + timedelta(days=days)),
        "KeyState": key.state.value,
        "PendingWindowInDays": days,
    }


def cancel_key_deletion(call: Call) -> Reply:
    """CancelKeyDeletion: the key is Disabled then, or waits for its import again."""
    key = admitted(call).key
    state = KeyState.DISABLED if key.materials else KeyState.PENDING_IMPORT
    call.store.put_key(replace(key, state=state, deletion_date=None))
    return {"KeyId": key.arn}


def _set_state(call: Call, state: KeyState) -> Reply:
    key = admitted(call).key
    call.store.put_key(replace(key, state=state))
    return {}


OPERATIONS = (
    Operation("EnableKey", enable_key, changes=True),
    Operation("DisableKey", disable_key, changes=True),
    Operation("ScheduleKeyDeletion", schedule_key_deletion, changes=True),
    Operation("CancelKeyDeletion", cancel_key_deletion, changes=True),
)
