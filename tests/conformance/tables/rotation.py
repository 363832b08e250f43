"""EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand, ListKeyRotations."""

from __future__ import annotations

from tests.conformance.things import Ciphertext, Key
from tests.conformance.words import (
    ABSENT,
    DATA,
    MODEL,
    OK,
    PRESENT,
    Call,
    Row,
    Table,
    api,
    gives,
    guide,
    holding,
    other_than,
    refused,
    size,
)

_KEY, _PERIOD, _PLAIN = Key("that rotates"), Key("that rotates often"), Key("that does not rotate")
_RSA = Key("of RSA, which does not rotate", {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"})
_MAC = Key("for MACs, which does not rotate", {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
_NOWHERE = "00000000-0000-4000-8000-000000000000"
_OFF = gives({"KeyRotationEnabled": False, "NextRotationDate": ABSENT, "RotationPeriodInDays": ABSENT})


def _status(key: Key) -> Call:
    return Call("GetKeyRotationStatus", {"KeyId": key.id})


ENABLE_KEY_ROTATION = Table(
    "EnableKeyRotation",
    api("EnableKeyRotation"),
    (
        Row(
            "every year",
            {"KeyId": _KEY.id},
            OK,
            after=(
                (
                    _status(_KEY),
                    gives({"KeyRotationEnabled": True, "RotationPeriodInDays": 365, "NextRotationDate": PRESENT}),
                ),
            ),
        ),
        Row(
            "every 90 days",
            {"KeyId": _PERIOD.id, "RotationPeriodInDays": 90},
            OK,
            after=((_status(_PERIOD), gives({"RotationPeriodInDays": 90})),),
        ),
        Row("every 2560 days", {"KeyId": _PERIOD.id, "RotationPeriodInDays": 2560}, OK),
        Row("every 89 days", {"KeyId": _PERIOD.id, "RotationPeriodInDays": 89}, refused("Validation"), MODEL),
        Row("every 2561 days", {"KeyId": _PERIOD.id, "RotationPeriodInDays": 2561}, refused("Validation"), MODEL),
        Row("a key of RSA", {"KeyId": _RSA.id}, refused("UnsupportedOperation")),
        Row("a key for MACs", {"KeyId": _MAC.id}, refused("UnsupportedOperation")),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)
DISABLE_KEY_ROTATION = Table(
    "DisableKeyRotation",
    api("DisableKeyRotation"),
    (
        Row(
            "it stops",
            {"KeyId": _KEY.id},
            OK,
            given=(Call("EnableKeyRotation", {"KeyId": _KEY.id}),),
            after=((_status(_KEY), _OFF),),
        ),
        Row("where it never was", {"KeyId": _PLAIN.id}, OK),
        Row("a key of RSA", {"KeyId": _RSA.id}, refused("UnsupportedOperation")),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)
_AWAY = Key("that rotates, to be deleted")
GET_KEY_ROTATION_STATUS = Table(
    "GetKeyRotationStatus",
    api("GetKeyRotationStatus"),
    (
        Row("a new key", {"KeyId": _PLAIN.id}, gives({"KeyId": _PLAIN.arn, "KeyRotationEnabled": False})),
        Row(
            "pending deletion it does not rotate",
            {"KeyId": _AWAY.id},
            _OFF,
            given=(
                Call("EnableKeyRotation", {"KeyId": _AWAY.id}),
                Call("ScheduleKeyDeletion", {"KeyId": _AWAY.id, "PendingWindowInDays": 7}),
            ),
            after=(
                (Call("CancelKeyDeletion", {"KeyId": _AWAY.id}), OK),
                (_status(_AWAY), gives({"KeyRotationEnabled": True})),
            ),
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)

_ROTATED = Key("rotated on demand")
_BEFORE = Ciphertext(_ROTATED)
_OFF_KEY = Key("disabled, to be rotated", state=(("DisableKey", {}),))
_AWAY_KEY = Key("to be deleted, to be rotated", state=(("ScheduleKeyDeletion", {"PendingWindowInDays": 7}),))
ROTATE_KEY_ON_DEMAND = Table(
    "RotateKeyOnDemand",
    api("RotateKeyOnDemand"),
    (
        Row(
            "what was encrypted before still opens, with its material",
            {"KeyId": _ROTATED.id},
            gives({"KeyId": _ROTATED.arn}),
            given=(Call("Decrypt", {"CiphertextBlob": _BEFORE.blob}),),
            after=(
                (
                    Call("ListKeyRotations", {"KeyId": _ROTATED.id}),
                    gives({"Rotations": holding({"KeyId": _ROTATED.arn, "RotationType": "ON_DEMAND"})}),
                ),
                (
                    Call("Decrypt", {"CiphertextBlob": _BEFORE.blob}),
                    gives({"Plaintext": DATA, "KeyId": _ROTATED.arn, "KeyMaterialId": _ROTATED.property("material")}),
                ),
                (
                    Call("GenerateDataKey", {"KeyId": _ROTATED.id, "KeySpec": "AES_256"}),
                    gives({"KeyId": _ROTATED.arn, "KeyMaterialId": other_than(_ROTATED.property("material"))}),
                ),
            ),
        ),
        Row("automatic rotation stays off", {"KeyId": _ROTATED.id}, OK, after=((_status(_ROTATED), _OFF),)),
        Row("a disabled key", {"KeyId": _OFF_KEY.id}, refused("Disabled"), guide("key-state")),
        Row("a key pending deletion", {"KeyId": _AWAY_KEY.id}, refused("KMSInvalidState"), guide("key-state")),
        Row("a key of RSA", {"KeyId": _RSA.id}, refused("UnsupportedOperation")),
        Row("a key for MACs", {"KeyId": _MAC.id}, refused("UnsupportedOperation")),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)
LIST_KEY_ROTATIONS = Table(
    "ListKeyRotations",
    api("ListKeyRotations"),
    (
        Row("a key that was not rotated", {"KeyId": _PLAIN.id}, gives({"Rotations": size(0)})),
        Row(
            "its first material too",
            {"KeyId": _PLAIN.id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"},
            gives(
                {"Rotations": holding({"KeyMaterialId": _PLAIN.property("material"), "KeyMaterialState": "CURRENT"})}
            ),
        ),
        Row("a key of RSA", {"KeyId": _RSA.id}, refused("UnsupportedOperation")),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)

TABLES = (
    ENABLE_KEY_ROTATION,
    DISABLE_KEY_ROTATION,
    GET_KEY_ROTATION_STATUS,
    ROTATE_KEY_ON_DEMAND,
    LIST_KEY_ROTATIONS,
)
