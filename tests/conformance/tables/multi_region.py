"""ReplicateKey, UpdatePrimaryRegion, and keys of several Regions."""

from __future__ import annotations

from tests.conformance.things import ABROAD, HOME, OTHER, TAGS, Ciphertext, Key, Replica
from tests.conformance.words import (
    DATA,
    MODEL,
    OK,
    Call,
    Identity,
    Place,
    Row,
    Table,
    api,
    gives,
    guide,
    holding,
    refused,
    size,
)

_MULTI = {"MultiRegion": True}
_OVERVIEW = guide("multi-region-keys-overview")
_PRIMARY = Key(
    "of two Regions",
    _MULTI,
    policy=({"Effect": "Allow", "Principal": {"AWS": OTHER.root}, "Action": "kms:Encrypt", "Resource": "*"},),
)
_REPLICA = Replica(_PRIMARY)
_SINGLE = Key("of a single Region")
_NEW = Key("to be replicated", _MULTI)
_OFF = Key("disabled, to be replicated", _MULTI, state=(("DisableKey", {}),))
_BLOB, _SINGLE_BLOB = Ciphertext(_PRIMARY), Ciphertext(_SINGLE)
_NOWHERE = "mrk-00000000000000000000000000000000"
_TO = {"ReplicaRegion": ABROAD.name, "Tags": TAGS}

REPLICATE_KEY = Table(
    "ReplicateKey",
    api("ReplicateKey"),
    (
        Row(
            "what it answers",
            {"KeyId": _NEW.id, **_TO, "Description": "a replica"},
            gives(
                {
                    "ReplicaKeyMetadata": {
                        "KeyId": _NEW.id,
                        "KeyState": "Creating",
                        "MultiRegion": True,
                        "Description": "a replica",
                        "Origin": "AWS_KMS",
                    },
                    "ReplicaKeyMetadata.MultiRegionConfiguration.MultiRegionKeyType": "REPLICA",
                    "ReplicaKeyMetadata.MultiRegionConfiguration.PrimaryKey": {"Arn": _NEW.arn, "Region": HOME.name},
                }
            ),
            after=(
                (
                    Call("DescribeKey", {"KeyId": _NEW.id}),
                    gives({"KeyMetadata.MultiRegionConfiguration.ReplicaKeys": holding({"Region": ABROAD.name})}),
                ),
            ),
        ),
        Row(
            "a second time",
            {"KeyId": _PRIMARY.id, **_TO},
            refused("AlreadyExists"),
            given=(Call("DescribeKey", {"KeyId": _REPLICA.id}),),
        ),
        Row(
            "into its own Region",
            {"KeyId": _PRIMARY.id, "ReplicaRegion": HOME.name, "Tags": TAGS},
            refused("Validation", "AlreadyExists", "UnsupportedOperation"),
            judgement="the page says that it must be another Region, not by which error its own is refused",
        ),
        Row("a key of a single Region", {"KeyId": _SINGLE.id, **_TO}, refused("UnsupportedOperation")),
        Row("a disabled key", {"KeyId": _OFF.id, **_TO}, refused("Disabled"), guide("key-state")),
        Row(
            "a replica",
            {"KeyId": _REPLICA.arn, "ReplicaRegion": HOME.name, "Tags": TAGS},
            refused("UnsupportedOperation", "AlreadyExists", "Validation"),
            place=Place.ABROAD,
            judgement="the page says that only the primary is replicated, not by which error a replica is refused",
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE, **_TO}, refused("NotFound")),
        Row("no Region", {"KeyId": _PRIMARY.id, "Tags": TAGS}, refused("Validation"), MODEL),
        Row(
            "a policy that locks its writer out",
            {"KeyId": Key("to be replicated with a policy", _MULTI).id, **_TO, "Policy": "{}"},
            refused("MalformedPolicyDocument"),
        ),
    ),
)

DECRYPT = Table(
    "Decrypt",
    _OVERVIEW,
    (
        Row(
            "in the other Region, encrypted in this one",
            {"CiphertextBlob": _BLOB.blob, "KeyId": _REPLICA.arn},
            gives({"Plaintext": DATA, "KeyId": _REPLICA.arn}),
            place=Place.ABROAD,
        ),
        Row(
            "in the other Region, no key named",
            {"CiphertextBlob": _BLOB.blob},
            gives({"KeyId": _REPLICA.arn}),
            place=Place.ABROAD,
        ),
        Row(
            "in the other Region, by the primary's ARN",
            {"CiphertextBlob": _BLOB.blob, "KeyId": _PRIMARY.arn},
            refused("NotFound", "AccessDenied"),
            place=Place.ABROAD,
            judgement="no page says which error answers an ARN of another Region",
        ),
        Row(
            "in the other Region, of a key of a single Region",
            {"CiphertextBlob": _SINGLE_BLOB.blob},
            refused("AccessDenied", "InvalidCiphertext"),
            place=Place.ABROAD,
            judgement="the page says that such a key is used in its own Region alone, not by which error it is refused",
        ),
        Row(
            "the replica is disabled, the primary is not",
            {"CiphertextBlob": _BLOB.blob},
            gives({"Plaintext": DATA}),
            given=(Call("DisableKey", {"KeyId": _REPLICA.arn}, place=Place.ABROAD),),
            after=(
                (Call("Decrypt", {"CiphertextBlob": _BLOB.blob}, place=Place.ABROAD), refused("Disabled")),
                (Call("EnableKey", {"KeyId": _REPLICA.arn}, place=Place.ABROAD), OK),
                (Call("Decrypt", {"CiphertextBlob": _BLOB.blob}, place=Place.ABROAD), gives({"Plaintext": DATA})),
            ),
        ),
    ),
    "in several Regions",
)
ENCRYPT = Table(
    "Encrypt",
    guide("multi-region-keys-auth"),
    (
        Row(
            "the primary's policy lets the other account",
            {"KeyId": _PRIMARY.arn, "Plaintext": DATA},
            OK,
            caller=Identity.OTHER,
        ),
        Row(
            "the replica's policy does not",
            {"KeyId": _REPLICA.arn, "Plaintext": DATA},
            refused("AccessDenied"),
            caller=Identity.OTHER,
            place=Place.ABROAD,
        ),
    ),
    "in several Regions",
)
ENABLE_KEY_ROTATION = Table(
    "EnableKeyRotation",
    guide("rotate-keys"),
    (
        Row(
            "a replica",
            {"KeyId": _REPLICA.arn},
            refused("UnsupportedOperation"),
            place=Place.ABROAD,
            judgement="the page says that it is set on the primary, not by which error a replica is refused",
        ),
        Row(
            "the primary, and its replica follows",
            {"KeyId": _PRIMARY.id},
            OK,
            after=(
                (
                    Call("GetKeyRotationStatus", {"KeyId": _REPLICA.arn}, place=Place.ABROAD),
                    gives({"KeyRotationEnabled": True}),
                ),
            ),
        ),
    ),
    "in several Regions",
)

_LEAVING = Key("of two Regions, to be deleted", _MULTI)
_LEAVING_REPLICA = Replica(_LEAVING)
SCHEDULE_KEY_DELETION = Table(
    "ScheduleKeyDeletion",
    guide("multi-region-keys-delete"),
    (
        Row(
            "a primary waits for its replicas",
            {"KeyId": _LEAVING.id, "PendingWindowInDays": 7},
            gives({"KeyState": "PendingReplicaDeletion"}),
            given=(Call("DescribeKey", {"KeyId": _LEAVING_REPLICA.arn}, place=Place.ABROAD),),
            after=(
                (Call("Encrypt", {"KeyId": _LEAVING.id, "Plaintext": DATA}), refused("KMSInvalidState", "Disabled")),
                (Call("Encrypt", {"KeyId": _LEAVING_REPLICA.arn, "Plaintext": DATA}, place=Place.ABROAD), OK),
                (Call("CancelKeyDeletion", {"KeyId": _LEAVING.id}), OK),
                (Call("DescribeKey", {"KeyId": _LEAVING.id}), gives({"KeyMetadata.KeyState": "Disabled"})),
            ),
        ),
        Row(
            "a replica alone",
            {"KeyId": _LEAVING_REPLICA.arn, "PendingWindowInDays": 7},
            gives({"KeyState": "PendingDeletion"}),
            place=Place.ABROAD,
            after=((Call("DescribeKey", {"KeyId": _LEAVING.id}), gives({"KeyMetadata.KeyState": "Disabled"})),),
        ),
    ),
    "in several Regions",
)

_MOVING = Key("whose primary moves", _MULTI)
_MOVING_REPLICA = Replica(_MOVING)
UPDATE_PRIMARY_REGION = Table(
    "UpdatePrimaryRegion",
    api("UpdatePrimaryRegion"),
    (
        Row(
            "to where no replica is",
            {"KeyId": _MOVING.id, "PrimaryRegion": "eu-west-3"},
            refused("NotFound", "UnsupportedOperation", "Validation"),
            judgement="the page says that a replica must be there, not by which error its lack is refused",
        ),
        Row(
            "to its replica",
            {"KeyId": _MOVING.id, "PrimaryRegion": ABROAD.name},
            OK,
            given=(Call("DescribeKey", {"KeyId": _MOVING_REPLICA.arn}, place=Place.ABROAD),),
            after=(
                (
                    Call("DescribeKey", {"KeyId": _MOVING.id}),
                    gives(
                        {
                            "KeyMetadata.MultiRegionConfiguration.MultiRegionKeyType": "REPLICA",
                            "KeyMetadata.MultiRegionConfiguration.PrimaryKey": {"Arn": _MOVING_REPLICA.arn},
                            "KeyMetadata.MultiRegionConfiguration.ReplicaKeys": size(1),
                        }
                    ),
                ),
            ),
        ),
        Row(
            "a key of a single Region",
            {"KeyId": _SINGLE.id, "PrimaryRegion": ABROAD.name},
            refused("UnsupportedOperation"),
        ),
    ),
)

TABLES = (
    REPLICATE_KEY,
    DECRYPT,
    ENCRYPT,
    ENABLE_KEY_ROTATION,
    SCHEDULE_KEY_DELETION,
    UPDATE_PRIMARY_REGION,
)
