"""GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial: keys with imported material."""

from __future__ import annotations

from tests.conformance.things import Ciphertext, ImportParameters, InDays, Key, Material, Wrapped
from tests.conformance.words import (
    ABSENT,
    DATA,
    MODEL,
    OK,
    PRESENT,
    Call,
    Refused,
    Row,
    Succeeds,
    Table,
    api,
    form,
    gives,
    guide,
    holding,
    refused,
)

_EXTERNAL = {"Origin": "EXTERNAL"}
_ORDINARY = Key("with KMS's own material")
_WAITING = Key("waiting for its import", _EXTERNAL)
_OTHER = Key("waiting for an import of its own", _EXTERNAL)
_OTHER_PARAMETERS = ImportParameters(_OTHER)
_NOWHERE = "00000000-0000-4000-8000-000000000000"
_OAEP = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
_ID = form("[0-9a-f]{64}")
_IMPORTING = guide("importing-keys-import-key-material")
_DELETING = guide("importing-keys-delete-key-material")


def _state(key: Key, state: str, **more: object) -> tuple[Call, Refused | Succeeds]:
    members = {"KeyMetadata.KeyState": state, **{f"KeyMetadata.{name}": more[name] for name in more}}
    return Call("DescribeKey", {"KeyId": key.id}), gives(members)


GET_PARAMETERS_FOR_IMPORT = Table(
    "GetParametersForImport",
    api("GetParametersForImport"),
    (
        Row(
            "what it answers",
            {"KeyId": _WAITING.id, **_OAEP},
            gives({"KeyId": _WAITING.arn, "ImportToken": PRESENT, "PublicKey": PRESENT, "ParametersValidTo": PRESENT}),
        ),
        Row(
            "the AES key wrap, which is for private keys",
            {"KeyId": _WAITING.id, **_OAEP, "WrappingAlgorithm": "RSA_AES_KEY_WRAP_SHA_256"},
            refused("UnsupportedOperation", "Validation"),
            judgement="the page says `supported for wrapping RSA and ECC key material`, not how others are refused",
        ),
        Row(
            "PKCS #1 v1.5, which KMS gave up",
            {"KeyId": _WAITING.id, **_OAEP, "WrappingAlgorithm": "RSAES_PKCS1_V1_5"},
            refused("UnsupportedOperation", "Validation"),
            judgement="the page says that it is no longer supported, not by which error it is refused",
        ),
        Row("a key that KMS made the material of", {"KeyId": _ORDINARY.id, **_OAEP}, refused("UnsupportedOperation")),
        Row("a key that is not there", {"KeyId": _NOWHERE, **_OAEP}, refused("NotFound")),
        Row("no algorithm", {"KeyId": _WAITING.id, "WrappingKeySpec": "RSA_2048"}, refused("Validation"), MODEL),
        Row(
            "a spec that there is not",
            {"KeyId": _WAITING.id, **_OAEP, "WrappingKeySpec": "RSA_1024"},
            refused("Validation"),
            MODEL,
        ),
    ),
)

_FIRST, _SECOND = Material(), Material()
_KEY = Key("with imported material", _EXTERNAL)
_KEY_PARAMETERS = ImportParameters(_KEY)
_ENABLING = Wrapped(_KEY_PARAMETERS, _FIRST)
_SHORT = Key("waiting for material that fits", _EXTERNAL)
_SHORT_PARAMETERS = ImportParameters(_SHORT)
_EXPIRING = Key("with material that expires", _EXTERNAL)
_EXPIRING_PARAMETERS = ImportParameters(_EXPIRING)
IMPORT_KEY_MATERIAL = Table(
    "ImportKeyMaterial",
    api("ImportKeyMaterial"),
    (
        Row(
            "the token of another key",
            {**Wrapped(_OTHER_PARAMETERS, _FIRST).arguments, "KeyId": _WAITING.id},
            refused("InvalidImportToken"),
            after=(_state(_WAITING, "PendingImport"),),
        ),
        Row(
            "a token that is none",
            {**_ENABLING.arguments, "ImportToken": b"x" * 256},
            refused("InvalidImportToken"),
        ),
        Row(
            "material that is not wrapped",
            {**_ENABLING.arguments, "EncryptedKeyMaterial": b"x" * 256},
            refused("InvalidCiphertext"),
        ),
        Row(
            "16 bytes of material",
            Wrapped(_SHORT_PARAMETERS, Material(16)).arguments,
            refused("IncorrectKeyMaterial", "InvalidCiphertext", "Validation"),
            judgement="the page says that 32 bytes are needed, not by which error others are refused",
            after=(_state(_SHORT, "PendingImport"),),
        ),
        Row(
            "it expires, and no date is given",
            {**_ENABLING.arguments, "ExpirationModel": "KEY_MATERIAL_EXPIRES"},
            refused("Validation"),
            judgement="the page says that the date is required then, not by which error its lack is refused",
        ),
        Row(
            "it does not expire, and a date is given",
            {**_ENABLING.arguments, "ValidTo": InDays(30)},
            refused("Validation"),
            judgement="the page says that the date must be omitted then, not by which error it is refused",
        ),
        Row(
            "it expired yesterday",
            {**_ENABLING.arguments, "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": InDays(-1)},
            refused("Validation"),
            judgement="the page says that the date is in the future, not by which error another is refused",
        ),
        Row(
            "it expires in 366 days",
            {**_ENABLING.arguments, "ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": InDays(366)},
            refused("Validation"),
            judgement="the page says that it is 365 days at the most, not by which error more are refused",
        ),
        Row(
            "nothing was imported by a refusal",
            {**_ENABLING.arguments, "ImportToken": b"y" * 256},
            refused("InvalidImportToken"),
            after=(
                _state(_KEY, "PendingImport"),
                (Call("Encrypt", {"KeyId": _KEY.id, "Plaintext": DATA}), refused("KMSInvalidState")),
            ),
        ),
        Row(
            "the key is enabled by it",
            _ENABLING.arguments,
            gives({"KeyId": _KEY.arn, "KeyMaterialId": _ID}),
            _IMPORTING,
            after=(
                _state(_KEY, "Enabled", ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE", ValidTo=ABSENT),
                (Call("Encrypt", {"KeyId": _KEY.id, "Plaintext": DATA}), OK),
            ),
        ),
        Row("the same again", Wrapped(_KEY_PARAMETERS, _FIRST).arguments, OK, _IMPORTING),
        Row(
            "other material as the existing one",
            {**Wrapped(_KEY_PARAMETERS, _SECOND).arguments, "ImportType": "EXISTING_KEY_MATERIAL"},
            refused("IncorrectKeyMaterial"),
        ),
        Row(
            "material that expires",
            {
                **Wrapped(_EXPIRING_PARAMETERS, Material()).arguments,
                "ExpirationModel": "KEY_MATERIAL_EXPIRES",
                "ValidTo": InDays(30),
            },
            OK,
            after=(_state(_EXPIRING, "Enabled", ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=PRESENT),),
        ),
        Row(
            "into a key that KMS made the material of",
            {**_ENABLING.arguments, "KeyId": _ORDINARY.id},
            refused("UnsupportedOperation"),
        ),
        Row("no token", {"KeyId": _WAITING.id, "EncryptedKeyMaterial": b"x"}, refused("Validation"), MODEL),
    ),
)

_GONE = Key("whose material is deleted", _EXTERNAL)
_GONE_PARAMETERS = ImportParameters(_GONE)
_ITS = Material()
_BEFORE = Ciphertext(_GONE)
_OPEN = Call("Decrypt", {"CiphertextBlob": _BEFORE.blob})
DELETE_IMPORTED_KEY_MATERIAL = Table(
    "DeleteImportedKeyMaterial",
    api("DeleteImportedKeyMaterial"),
    (
        Row(
            "what was encrypted before is shut at once",
            {"KeyId": _GONE.id},
            gives({"KeyId": _GONE.arn}),
            _DELETING,
            given=(Call("ImportKeyMaterial", Wrapped(_GONE_PARAMETERS, _ITS).arguments), _OPEN),
            after=(
                _state(_GONE, "PendingImport"),
                (_OPEN, refused("KMSInvalidState")),
            ),
        ),
        Row("a second time", {"KeyId": _GONE.id}, OK, guide("key-state")),
        Row(
            "other material does not open it",
            {"KeyId": _GONE.id},
            OK,
            _DELETING,
            after=(
                (
                    Call(
                        "ImportKeyMaterial",
                        {**Wrapped(_GONE_PARAMETERS, Material()).arguments, "ImportType": "EXISTING_KEY_MATERIAL"},
                    ),
                    refused("IncorrectKeyMaterial"),
                ),
                (_OPEN, refused("KMSInvalidState")),
            ),
        ),
        Row(
            "the same material opens it again",
            {"KeyId": _GONE.id},
            OK,
            _DELETING,
            after=(
                (Call("ImportKeyMaterial", Wrapped(_GONE_PARAMETERS, _ITS).arguments), OK),
                (_OPEN, gives({"Plaintext": DATA})),
            ),
        ),
        Row("a key that KMS made the material of", {"KeyId": _ORDINARY.id}, refused("UnsupportedOperation")),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)

_CANCELLED = Key("waiting, whose deletion is cancelled", _EXTERNAL)
CANCEL_KEY_DELETION = Table(
    "CancelKeyDeletion",
    guide("key-state"),
    (
        Row(
            "a key without material waits for it again",
            {"KeyId": _CANCELLED.id},
            OK,
            given=(Call("ScheduleKeyDeletion", {"KeyId": _CANCELLED.id, "PendingWindowInDays": 7}),),
            after=(_state(_CANCELLED, "PendingImport"),),
            judgement="the page says Disabled of keys in general; one that has no material cannot be it",
        ),
    ),
    "with imported material",
)

_UNROTATED = Key("with one material to be rotated", _EXTERNAL)
_UNROTATED_PARAMETERS = ImportParameters(_UNROTATED)
_UNROTATED_BLOB = Ciphertext(_UNROTATED)
ROTATE_KEY_ON_DEMAND = Table(
    "RotateKeyOnDemand",
    api("RotateKeyOnDemand"),
    (
        Row(
            "no new material was imported",
            {"KeyId": _UNROTATED.id},
            refused("KMSInvalidState", "UnsupportedOperation"),
            given=(Call("ImportKeyMaterial", Wrapped(_UNROTATED_PARAMETERS, Material()).arguments),),
            judgement="the page says that new material must be there, not by which error its lack is refused",
        ),
        Row(
            "new material was imported; what was encrypted before still opens",
            {"KeyId": _UNROTATED.id},
            OK,
            given=(
                Call("Decrypt", {"CiphertextBlob": _UNROTATED_BLOB.blob}),
                Call(
                    "ImportKeyMaterial",
                    {**Wrapped(_UNROTATED_PARAMETERS, Material()).arguments, "ImportType": "NEW_KEY_MATERIAL"},
                ),
            ),
            after=(
                (Call("Decrypt", {"CiphertextBlob": _UNROTATED_BLOB.blob}), gives({"Plaintext": DATA})),
                (
                    Call("ListKeyRotations", {"KeyId": _UNROTATED.id}),
                    gives({"Rotations": holding({"RotationType": "ON_DEMAND"})}),
                ),
            ),
        ),
    ),
    "with imported material",
)

TABLES = (
    GET_PARAMETERS_FOR_IMPORT,
    IMPORT_KEY_MATERIAL,
    DELETE_IMPORTED_KEY_MATERIAL,
    CANCEL_KEY_DELETION,
    ROTATE_KEY_ON_DEMAND,
)
