"""What another account can do with a key: the line *Cross-account use* of every operation's page.

*shared* is a key whose policy allows the other account `kms:*`; *closed* is one with the default policy;
*nowhere* is an ARN of the owner's account under which no key is. The other account's own IAM policies must
allow everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.grids import Asked, read_grid
from tests.conformance.things import ABROAD, HOME, OTHER, OWNER, TAGS, Ciphertext, Key
from tests.conformance.words import DATA, Identity, Json, api, text

if TYPE_CHECKING:
    from collections.abc import Mapping

GRID = """
operation                        shared         closed         nowhere
Encrypt                          ok             AccessDenied   AccessDenied~
Decrypt                          ok             AccessDenied   AccessDenied~
ReEncrypt                        ok             AccessDenied   AccessDenied~
GenerateDataKey                  ok             AccessDenied   AccessDenied~
GenerateDataKeyWithoutPlaintext  ok             AccessDenied   AccessDenied~
GenerateDataKeyPair              ok             AccessDenied   AccessDenied~
DescribeKey                      ok             AccessDenied   AccessDenied~
CreateGrant                      ok             AccessDenied   AccessDenied~
ListGrants                       ok             AccessDenied   AccessDenied~
GetKeyRotationStatus             ok             AccessDenied   AccessDenied~
EnableKey                        AccessDenied~  AccessDenied~  AccessDenied~
DisableKey                       AccessDenied~  AccessDenied~  AccessDenied~
ScheduleKeyDeletion              AccessDenied~  AccessDenied~  AccessDenied~
CancelKeyDeletion                AccessDenied~  AccessDenied~  AccessDenied~
GetKeyPolicy                     AccessDenied~  AccessDenied~  AccessDenied~
PutKeyPolicy                     AccessDenied~  AccessDenied~  AccessDenied~
ListKeyPolicies                  AccessDenied~  AccessDenied~  AccessDenied~
ListResourceTags                 AccessDenied~  AccessDenied~  AccessDenied~
TagResource                      AccessDenied~  AccessDenied~  AccessDenied~
UntagResource                    AccessDenied~  AccessDenied~  AccessDenied~
UpdateKeyDescription             AccessDenied~  AccessDenied~  AccessDenied~
EnableKeyRotation                AccessDenied~  AccessDenied~  AccessDenied~
DisableKeyRotation               AccessDenied~  AccessDenied~  AccessDenied~
RotateKeyOnDemand                AccessDenied~  AccessDenied~  AccessDenied~
ListKeyRotations                 AccessDenied~  AccessDenied~  AccessDenied~
GetKeyLastUsage                  AccessDenied~  AccessDenied~  AccessDenied~
GetParametersForImport           AccessDenied~  AccessDenied~  AccessDenied~
DeleteImportedKeyMaterial        AccessDenied~  AccessDenied~  AccessDenied~
ReplicateKey                     AccessDenied~  AccessDenied~  AccessDenied~
UpdatePrimaryRegion              AccessDenied~  AccessDenied~  AccessDenied~
"""
_JUDGED = "the page says that it is not done across accounts, not by which error; and nobody can probe for keys"

_ALLOWED = {"Effect": "Allow", "Principal": {"AWS": OTHER.root}, "Action": "kms:*", "Resource": "*"}
_SHARED = Key("shared with the other account", policy=(_ALLOWED,))
_CLOSED = Key("closed to the other account")
_ARNS = {
    "shared": _SHARED.arn,
    "closed": _CLOSED.arn,
    "nowhere": text(
        "arn:{partition}:kms:{region}:{account}:key/00000000-0000-4000-8000-000000000000",
        partition=HOME.partition,
        region=HOME.name,
        account=OWNER.id,
    ),
}
_BLOBS = {"shared": Ciphertext(_SHARED).blob, "closed": Ciphertext(_CLOSED).blob, "nowhere": Ciphertext(_SHARED).blob}
_OTHERS_OWN = Key("of the other account", caller=Identity.OTHER)
_FURTHER: Mapping[str, Mapping[str, object]] = {
    "Encrypt": {"Plaintext": DATA},
    "GenerateDataKey": {"KeySpec": "AES_256"},
    "GenerateDataKeyWithoutPlaintext": {"KeySpec": "AES_256"},
    "GenerateDataKeyPair": {"KeyPairSpec": "ECC_NIST_P256"},
    "GetParametersForImport": {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"},
    "ReplicateKey": {"ReplicaRegion": ABROAD.name, "Tags": TAGS},
    "UpdatePrimaryRegion": {"PrimaryRegion": ABROAD.name},
    "CreateGrant": {"GranteePrincipal": OTHER.root, "Operations": ["Encrypt"], "Name": "across"},
    "PutKeyPolicy": {"Policy": Json({"Version": "2012-10-17", "Statement": [_ALLOWED]})},
    "TagResource": {"Tags": [{"TagKey": "across", "TagValue": "accounts"}]},
    "UntagResource": {"TagKeys": ["across"]},
    "UpdateKeyDescription": {"Description": "keyturn conformance: across accounts"},
}


def _asked(operation: str, column: str) -> Asked:
    arn = _ARNS[column]
    arguments: Mapping[str, object] = {"KeyId": arn, **_FURTHER.get(operation, {})}
    if operation == "Decrypt":
        arguments = {"KeyId": arn, "CiphertextBlob": _BLOBS[column]}
    if operation == "ReEncrypt":
        arguments = {"SourceKeyId": arn, "CiphertextBlob": _BLOBS[column], "DestinationKeyId": _OTHERS_OWN.id}
    return Asked(f"from the other account, a key that is {column}", arguments, Identity.OTHER)


TABLES = read_grid(GRID, source=api, about="across accounts", judged=_JUDGED, asked=_asked)
