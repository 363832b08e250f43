"""What each KMS operation answers in each key state: the guide's table, as data.

Source: AWS KMS Developer Guide, "Key states of AWS KMS keys"; the operations that came after that table's
archived edition follow the errors that the KMS service model gives them. How its footnotes are read:

- On cryptographic operations and `CreateGrant` a key pending deletion answers `KMSInvalidStateException` or
  `DisabledException`. The first is given, the second stands beside it; a caller handles both.
- Cells that depend on where the key's material comes from (`?`) are allowed here: the state does not refuse.
- A state that a key of this type cannot have (`N/A`) is refused as for other keys.
- `UpdateAlias` has a source and a target: the state here is the target's.
- Pending import is a state of keys with imported material alone, unavailable one of keys in a custom key
  store, so what such keys never support is `UnsupportedOperationException` there.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.access.operations import KEYLESS_ACTIONS
from engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

DISABLED = "DisabledException"
INVALID_STATE = "KMSInvalidStateException"
UNSUPPORTED = "UnsupportedOperationException"


@dataclass(frozen=True, slots=True)
class StateRefusal:
    """Why a key's state does not allow an operation.

    Attributes:
        operation: The KMS operation, such as `Decrypt`.
        state: The key's state.
        code: The error code that AWS answers with.
        complaint: What AWS says of the key, such as `is disabled.`
        other_codes: Error codes that AWS answers with as well, in the same state.
    """

    operation: str
    state: KeyState
    code: str
    complaint: str
    other_codes: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """The complaint about a key whose ARN is not at hand."""
        return f"The KMS key {self.complaint}"

    def message_for(self, key_arn: str) -> str:
        """The message as AWS writes it: the key's ARN and the complaint."""
        return f"{key_arn} {self.complaint}"


@dataclass(frozen=True, slots=True)
class _Answer:
    """A cell of the table that refuses."""

    code: str
    complaint: str
    other_codes: tuple[str, ...] = ()


_Row = dict[KeyState, _Answer]


def _everywhere(code: str, complaint: str, states: tuple[KeyState, ...]) -> _Row:
    return {state: _Answer(code, complaint) for state in states}


_IS_DISABLED: _Row = {KeyState.DISABLED: _Answer(DISABLED, "is disabled.")}
_PENDING: _Row = {
    KeyState.PENDING_DELETION: _Answer(INVALID_STATE, "is pending deletion."),
    KeyState.PENDING_REPLICA_DELETION: _Answer(INVALID_STATE, "is pending replica deletion."),
}
_PENDING_USE: _Row = {
    state: _Answer(INVALID_STATE, answer.complaint, (DISABLED,)) for state, answer in _PENDING.items()
}
_PENDING_IMPORT: _Row = {KeyState.PENDING_IMPORT: _Answer(INVALID_STATE, "is pending import.")}
_UNAVAILABLE: _Row = {KeyState.UNAVAILABLE: _Answer(INVALID_STATE, "is unavailable.")}
_CREATING: _Row = {KeyState.CREATING: _Answer(INVALID_STATE, "is creating.")}
_UPDATING: _Row = {KeyState.UPDATING: _Answer(INVALID_STATE, "is updating.")}
_IMPORTED: _Row = {
    KeyState.PENDING_IMPORT: _Answer(UNSUPPORTED, "origin is EXTERNAL which is not valid for this operation.")
}
_IN_KEY_STORE: _Row = {
    KeyState.UNAVAILABLE: _Answer(UNSUPPORTED, "is in a custom key store, which is not valid for this operation.")
}

_ALWAYS: _Row = {}
_USE: _Row = _IS_DISABLED | _PENDING_USE | _PENDING_IMPORT | _UNAVAILABLE | _CREATING
_GRANTING: _Row = _IS_DISABLED | _PENDING_USE | _PENDING_IMPORT | _CREATING
_SWITCHING: _Row = _PENDING | _PENDING_IMPORT | _CREATING | _UPDATING
_ROTATING: _Row = _IS_DISABLED | _PENDING | _IMPORTED | _IN_KEY_STORE | _CREATING
_IMPORTING: _Row = _PENDING | _IN_KEY_STORE | _CREATING

_TABLE: Mapping[str, _Row] = MappingProxyType(
    {
        "CancelKeyDeletion": _everywhere(
            INVALID_STATE,
            "is not pending deletion (or pending replica deletion).",
            (
                KeyState.ENABLED,
                KeyState.DISABLED,
                KeyState.PENDING_IMPORT,
                KeyState.UNAVAILABLE,
                KeyState.CREATING,
                KeyState.UPDATING,
            ),
        ),
        "CreateAlias": _PENDING,
        "CreateGrant": _GRANTING,
        "Decapsulate": _USE,
        "Decrypt": _USE,
        "DeleteAlias": _ALWAYS,
        "DeleteImportedKeyMaterial": _IN_KEY_STORE | _CREATING | _UPDATING,
        "DeriveSharedSecret": _USE,
        "DescribeKey": _ALWAYS,
        "DisableKey": _SWITCHING,
        "DisableKeyRotation": _ROTATING,
        "EnableKey": _SWITCHING,
        "EnableKeyRotation": _ROTATING,
        "Encapsulate": _USE,
        "Encrypt": _USE,
        "GenerateDataKey": _USE,
        "GenerateDataKeyPair": _USE,
        "GenerateDataKeyPairWithoutPlaintext": _USE,
        "GenerateDataKeyWithoutPlaintext": _USE,
        "GenerateMac": _USE,
        "GetKeyLastUsage": _ALWAYS,
        "GetKeyPolicy": _ALWAYS,
        "GetKeyRotationStatus": _IMPORTED | _IN_KEY_STORE,
        "GetParametersForImport": _IMPORTING | _UPDATING,
        "GetPublicKey": _USE,
        "ImportKeyMaterial": _IMPORTING,
        "ListAliases": _ALWAYS,
        "ListGrants": _ALWAYS,
        "ListKeyPolicies": _ALWAYS,
        "ListKeyRotations": _ALWAYS,
        "ListResourceTags": _ALWAYS,
        "PutKeyPolicy": _ALWAYS,
        "ReEncrypt": _USE,
        "ReplicateKey": _USE | _UPDATING,
        "RetireGrant": _ALWAYS,
        "RevokeGrant": _ALWAYS,
        "RotateKeyOnDemand": _IS_DISABLED | _PENDING | _PENDING_IMPORT | _IN_KEY_STORE | _CREATING,
        "ScheduleKeyDeletion": _PENDING | _UPDATING,
        "Sign": _USE,
        "TagResource": _PENDING,
        "UntagResource": _PENDING,
        "UpdateAlias": _PENDING,
        "UpdateKeyDescription": _PENDING,
        "UpdatePrimaryRegion": _USE,
        "Verify": _USE,
        "VerifyMac": _USE,
    }
)
KEY_OPERATIONS = frozenset(_TABLE)


def state_refusal(operation: str, state: KeyState) -> StateRefusal | None:
    """Whether a key's state refuses an operation.

    Args:
        operation: The name of the KMS operation, such as `Decrypt` or `ReEncrypt`.
        state: The state that DescribeKey tells.

    Returns:
        None where the state allows it (or the operation is on no key), else the refusal.

    Raises:
        InputError: KMS has no such operation, as far as this table knows.
    """
    row = _TABLE.get(operation)
    if row is None:
        if operation in KEYLESS_ACTIONS:
            return None
        raise InputError(f"{operation!r} is not an operation of AWS KMS that is known here")
    answer = row.get(state)
    if answer is None:
        return None
    return StateRefusal(operation, state, answer.code, answer.complaint, answer.other_codes)
