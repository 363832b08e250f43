"""What every operation answers in every state of a key: the guide's table, as calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.grids import Asked, read_grid
from tests.conformance.things import MARK, OTHER, OWNER, Alias, Key, Used
from tests.conformance.words import DATA, PREFIX, Json, guide, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.words import Named

# Both of `KMSInvalidState/Disabled` stand in the guide's footnotes: a caller has to handle either.
GRID = """
operation                        Enabled          Disabled         PendingDeletion           PendingImport
Encrypt                          ok               Disabled         KMSInvalidState/Disabled  KMSInvalidState
Decrypt                          ok               Disabled         KMSInvalidState/Disabled  -
ReEncrypt                        ok               Disabled         KMSInvalidState/Disabled  -
GenerateDataKey                  ok               Disabled         KMSInvalidState/Disabled  KMSInvalidState
GenerateDataKeyWithoutPlaintext  ok               Disabled         KMSInvalidState/Disabled  KMSInvalidState
GenerateDataKeyPair              ok               Disabled         KMSInvalidState/Disabled  KMSInvalidState
GenerateDataKeyPairWithoutPlaintext  ok           Disabled         KMSInvalidState/Disabled  KMSInvalidState
CreateGrant                      ok               Disabled         KMSInvalidState/Disabled  KMSInvalidState
DescribeKey                      ok               ok               ok                        ok
GetKeyPolicy                     ok               ok               ok                        ok
PutKeyPolicy                     ok               ok               ok                        ok
ListKeyPolicies                  ok               ok               ok                        ok
ListGrants                       ok               ok               ok                        ok
ListAliases                      ok               ok               ok                        ok
ListResourceTags                 ok               ok               ok                        ok
GetKeyRotationStatus             ok               ok               ok                        UnsupportedOperation~
EnableKeyRotation                ok               Disabled         KMSInvalidState           UnsupportedOperation
DisableKeyRotation               ok               Disabled         KMSInvalidState           UnsupportedOperation
RotateKeyOnDemand                ok               Disabled         KMSInvalidState KMSInvalidState/UnsupportedOperation~
ListKeyRotations                 ok               ok               ok                        ok
GetKeyLastUsage                  ok               ok               ok                        ok
GetParametersForImport           UnsupportedOperation  UnsupportedOperation  KMSInvalidState/UnsupportedOperation  ok
DeleteImportedKeyMaterial        UnsupportedOperation  UnsupportedOperation  UnsupportedOperation~  ok
TagResource                      ok               ok               KMSInvalidState           ok
UntagResource                    ok               ok               KMSInvalidState           ok
UpdateKeyDescription             ok               ok               KMSInvalidState           ok
CreateAlias                      ok               ok               KMSInvalidState           ok
UpdateAlias                      ok               ok               KMSInvalidState           -
DeleteAlias                      ok               ok               ok                        -
EnableKey                        ok               ok               KMSInvalidState           KMSInvalidState
DisableKey                       ok               ok               KMSInvalidState           KMSInvalidState
ScheduleKeyDeletion              ok               ok               KMSInvalidState           ok
CancelKeyDeletion                KMSInvalidState  KMSInvalidState  ok                        KMSInvalidState
"""
_JUDGED = "where both the state and the origin of a key are against it, the guide does not say which is told"

_STATES: Mapping[str, tuple[tuple[str, Mapping[str, object]], ...]] = {
    "Enabled": (),
    "Disabled": (("DisableKey", {}),),
    "PendingDeletion": (("ScheduleKeyDeletion", {"PendingWindowInDays": 7}),),
}
_EXTERNAL = {"Origin": "EXTERNAL"}
_CHANGES_THE_KEY = frozenset({"EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion", "DeleteAlias"})

# The rows that leave a key in its state share these.
_SHARED = {state: Used(f"state {state}", steps) for state, steps in _STATES.items()}
_WAITING = Key("state PendingImport", _EXTERNAL)
_TARGET = Key("where data and aliases are moved to")
_MOVED = Alias("moved-between-states", _TARGET)
_POLICY = Json(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": OWNER.root}, "Action": "kms:*", "Resource": "*"}],
    }
)


def _asked(operation: str, state: str) -> Asked:
    about = f"a key in state {state}"
    if operation in _CHANGES_THE_KEY:
        if state == "PendingImport":
            return Asked(about, {"KeyId": Key(f"{state} for {operation}", _EXTERNAL).id})
        own = Used(f"{state} for {operation}", _STATES[state])
        return Asked(about, {"AliasName": own.alias} if operation == "DeleteAlias" else {"KeyId": own.id})
    if state == "PendingImport":
        return Asked(about, _arguments(operation, _WAITING.id, None, state))
    shared = _SHARED[state]
    return Asked(about, _arguments(operation, shared.id, shared.blob, state))


def _arguments(operation: str, key: Named, blob: Named | None, state: str) -> Mapping[str, object]:
    further: dict[str, Mapping[str, object]] = {
        "Encrypt": {"Plaintext": DATA},
        "GenerateDataKey": {"KeySpec": "AES_256"},
        "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
        "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
        "GenerateDataKeyPairWithoutPlaintext": {"KeyPairSpec": "ECC_NIST_P256"},
        "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
        "CreateGrant": {"GranteePrincipal": OTHER.root, "Operations": ["Encrypt"]},
        "PutKeyPolicy": {"Policy": _POLICY},
        "TagResource": {"Tags": [{"TagKey": "state", "TagValue": state}]},
        "UntagResource": {"TagKeys": ["state"]},
        "UpdateKeyDescription": {"Description": f"keyturn conformance: {state}"},
    }
    match operation:
        case "Decrypt":
            return {"CiphertextBlob": blob}
        case "ReEncrypt":
            return {"CiphertextBlob": blob, "DestinationKeyId": _TARGET.id}
        case "CreateAlias":
            return {"AliasName": text(f"alias/{PREFIX}{{mark}}-made-in-{state}", mark=MARK), "TargetKeyId": key}
        case "UpdateAlias":
            return {"AliasName": _MOVED.name, "TargetKeyId": key}
    return {"KeyId": key, **further.get(operation, {})}


TABLES = read_grid(GRID, source=lambda _: guide("key-state"), about="by key state", judged=_JUDGED, asked=_asked)
