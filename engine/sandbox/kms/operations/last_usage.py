"""GetKeyLastUsage: for the key's own account alone.

The sandbox records from the moment a key is made, so an empty answer means that it was never used. There is no
CloudTrail behind the sandbox: the answer names the operation and the time, and no event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sandbox.kms.authorization import admitted
from engine.sandbox.kms.call import Operation, epoch_seconds

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply


def get_key_last_usage(call: Call) -> Reply:
    """GetKeyLastUsage: the last cryptographic operation that succeeded; each Region's key has its own."""
    key = admitted(call).key
    use = call.store.last_use(key)
    return {
        "KeyId": key.key_id,
        "KeyLastUsage": {} if use is None else {"Operation": use.operation, "Timestamp": epoch_seconds(use.moment)},
        "TrackingStartDate": epoch_seconds(key.created),
        "KeyCreationDate": epoch_seconds(key.created),
    }


OPERATIONS = (Operation("GetKeyLastUsage", get_key_last_usage),)
