"""Which operations take a key id, a key ARN, an alias name, an alias ARN.

The page of every operation says what its `KeyId` may be; which error answers an alias where only a key is
taken, it does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.grids import Asked, read_grid
from tests.conformance.things import OTHER, Alias, Ciphertext, Key
from tests.conformance.words import DATA, api

if TYPE_CHECKING:
    from collections.abc import Mapping

GRID = """
operation                        key-id  key-ARN  alias-name            alias-ARN
Encrypt                          ok      ok       ok                    ok
Decrypt                          ok      ok       ok                    ok
ReEncrypt                        ok      ok       ok                    ok
GenerateDataKey                  ok      ok       ok                    ok
GenerateDataKeyWithoutPlaintext  ok      ok       ok                    ok
DescribeKey                      ok      ok       ok                    ok
EnableKey                        ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
DisableKeyRotation               ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
EnableKeyRotation                ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
GetKeyRotationStatus             ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
GetKeyPolicy                     ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
ListKeyPolicies                  ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
ListGrants                       ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
ListResourceTags                 ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
TagResource                      ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
UntagResource                    ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
UpdateKeyDescription             ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
CreateGrant                      ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
GenerateDataKeyPair              ok      ok       ok                    ok
ListKeyRotations                 ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
GetKeyLastUsage                  ok      ok       NotFound/InvalidArn~  NotFound/InvalidArn~
RotateKeyOnDemand                -       -        NotFound/InvalidArn~  NotFound/InvalidArn~
DisableKey                       -       -        NotFound/InvalidArn~  NotFound/InvalidArn~
ScheduleKeyDeletion              -       -        NotFound/InvalidArn~  NotFound/InvalidArn~
CancelKeyDeletion                -       -        NotFound/InvalidArn~  NotFound/InvalidArn~
"""
_JUDGED = "the page says what is taken; which of the operation's errors answers an alias is judged"

_KEY = Key("named in every way")
_ALIAS = Alias("named-in-every-way", _KEY)
_BLOB = Ciphertext(_KEY)
_NAMES = {"key-id": _KEY.id, "key-ARN": _KEY.arn, "alias-name": _ALIAS.name, "alias-ARN": _ALIAS.arn}
_FURTHER: Mapping[str, Mapping[str, object]] = {
    "Encrypt": {"Plaintext": DATA},
    "Decrypt": {"CiphertextBlob": _BLOB.blob},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
    "TagResource": {"Tags": [{"TagKey": "named", "TagValue": "yes"}]},
    "UntagResource": {"TagKeys": ["named"]},
    "UpdateKeyDescription": {"Description": "keyturn conformance: named in every way"},
    "CreateGrant": {"GranteePrincipal": OTHER.root, "Operations": ["Encrypt"], "Name": "named"},
}


def _asked(operation: str, column: str) -> Asked:
    about = f"named by its {column.replace('-', ' ')}"
    if operation == "ReEncrypt":
        named = _NAMES[column]
        return Asked(about, {"CiphertextBlob": _BLOB.blob, "SourceKeyId": named, "DestinationKeyId": named})
    return Asked(about, {"KeyId": _NAMES[column], **_FURTHER.get(operation, {})})


TABLES = read_grid(GRID, source=api, about="by identifier", judged=_JUDGED, asked=_asked)
