"""CreateKey, DescribeKey, ListKeys, UpdateKeyDescription, and switching keys on, off and away."""

from __future__ import annotations

from tests.conformance.things import MARK, OTHER, OWNER, TAGS, Key, Used
from tests.conformance.words import (
    ABSENT,
    DATA,
    MODEL,
    OK,
    PREFIX,
    PRESENT,
    Call,
    Json,
    Row,
    Table,
    api,
    form,
    gives,
    guide,
    refused,
    size,
    text,
)

_KEY = Key("to be described")
_NOWHERE = "00000000-0000-4000-8000-000000000000"
_OF_NOBODY = text("alias/" + PREFIX + "{mark}-nobody", mark=MARK)
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SPECS = guide("symm-asymm-choose-key-spec")
_POLICIES = guide("key-policy-overview")


def _made(about: str, expected: dict[str, object], source: str | None = None, **arguments: object) -> Row:
    return Row(
        about, {"Tags": TAGS, **arguments}, gives({f"KeyMetadata.{name}": expected[name] for name in expected}), source
    )


def _not_made(
    about: str, code: str, source: str | None = None, judgement: str | None = None, **arguments: object
) -> Row:
    return Row(about, {"Tags": TAGS, **arguments}, refused(code), source, judgement)


def _policy(*statements: object) -> Json:
    return Json({"Version": "2012-10-17", "Statement": list(statements)})


_ALL_FOR_OWNER = {"Effect": "Allow", "Principal": {"AWS": OWNER.root}, "Action": "kms:*", "Resource": "*"}

CREATE_KEY = Table(
    "CreateKey",
    api("CreateKey"),
    (
        _made(
            "nothing said",
            {
                "KeyState": "Enabled",
                "Enabled": True,
                "KeySpec": "SYMMETRIC_DEFAULT",
                "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
                "KeyUsage": "ENCRYPT_DECRYPT",
                "Origin": "AWS_KMS",
                "KeyManager": "CUSTOMER",
                "MultiRegion": False,
                "Description": "",
                "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
                "AWSAccountId": OWNER.id,
                "KeyId": form(_UUID),
                "Arn": form(rf"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{{12}}:key/{_UUID}"),
                "CreationDate": PRESENT,
                "DeletionDate": ABSENT,
                "MultiRegionConfiguration": ABSENT,
            },
        ),
        _made("its material has an id", {"CurrentKeyMaterialId": form("[0-9a-f]{64}")}),
        _made("a description", {"Description": "backups"}, Description="backups"),
        _made(
            "multi-Region",
            {
                "MultiRegion": True,
                "KeyId": form("mrk-[0-9a-f]{32}"),
                "MultiRegionConfiguration.MultiRegionKeyType": "PRIMARY",
            },
            guide("multi-region-keys-overview"),
            MultiRegion=True,
        ),
        _made(
            "material to be imported",
            {"Origin": "EXTERNAL", "KeyState": "PendingImport", "Enabled": False},
            guide("importing-keys-create-cmk"),
            Origin="EXTERNAL",
        ),
        _made(
            "a spec and its usage",
            {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
            _SPECS,
            KeySpec="RSA_2048",
            KeyUsage="SIGN_VERIFY",
        ),
        _made(
            "a spec for MACs",
            {"KeyUsage": "GENERATE_VERIFY_MAC"},
            _SPECS,
            KeySpec="HMAC_256",
            KeyUsage="GENERATE_VERIFY_MAC",
        ),
        _made(
            "the older name of the spec", {"KeySpec": "SYMMETRIC_DEFAULT"}, CustomerMasterKeySpec="SYMMETRIC_DEFAULT"
        ),
        _not_made(
            "a usage that the spec does not have",
            "Validation",
            _SPECS,
            "no page says by which error",
            KeyUsage="SIGN_VERIFY",
        ),
        _not_made(
            "RSA without a usage",
            "Validation",
            None,
            "the page says that it is required then, not by which error",
            KeySpec="RSA_2048",
        ),
        _not_made("a spec that there is not", "Validation", MODEL, KeySpec="AES_512"),
        _not_made("a usage that there is not", "Validation", MODEL, KeyUsage="ENCRYPT"),
        _not_made("an origin that there is not", "Validation", MODEL, Origin="AZURE"),
        _not_made("a description of 8193 characters", "Validation", MODEL, Description="x" * 8193),
        _not_made(
            "a tag twice", "Tag", None, "the page names the error, not what makes tags invalid", Tags=[*TAGS, *TAGS]
        ),
        _not_made(
            "a tag of AWS's own prefix",
            "Tag",
            "https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html",
            "the page says that the prefix is reserved, not by which error",
            Tags=[*TAGS, {"TagKey": "aws:own", "TagValue": "x"}],
        ),
        _not_made("a policy that is no JSON", "MalformedPolicyDocument", None, None, Policy="{"),
        _not_made(
            "a policy that locks its writer out",
            "MalformedPolicyDocument",
            None,
            None,
            Policy=_policy({**_ALL_FOR_OWNER, "Action": "kms:Decrypt"}),
        ),
        _not_made(
            "a policy that gives the key to another account",
            "MalformedPolicyDocument",
            None,
            None,
            Policy=_policy({**_ALL_FOR_OWNER, "Principal": {"AWS": OTHER.root}}),
        ),
        _not_made(
            "a policy for a principal that there is not",
            "MalformedPolicyDocument",
            _POLICIES,
            None,
            Policy=_policy(_ALL_FOR_OWNER, {**_ALL_FOR_OWNER, "Principal": {"AWS": "nobody"}}),
        ),
        _not_made(
            "a custom key store that is not named",
            "Validation",
            None,
            "the page says that it is required then, not by which error",
            Origin="AWS_CLOUDHSM",
        ),
        _not_made(
            "a custom key store that is not there",
            "CustomKeyStoreNotFound",
            Origin="AWS_CLOUDHSM",
            CustomKeyStoreId="cks-00000000000000000",
        ),
        _not_made(
            "a custom key store with the usual origin",
            "Validation",
            None,
            "the page says that the origin must be of a key store, not by which error",
            CustomKeyStoreId="cks-00000000000000000",
        ),
    ),
)

DESCRIBE_KEY = Table(
    "DescribeKey",
    api("DescribeKey"),
    (
        Row(
            "what it answers",
            {"KeyId": _KEY.id},
            gives({"KeyMetadata": {"Arn": _KEY.arn, "KeyId": _KEY.id, "KeyState": "Enabled"}}),
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
        Row("an alias that is not there", {"KeyId": _OF_NOBODY}, refused("NotFound")),
        Row("no KeyId", {}, refused("Validation"), MODEL),
        Row("an empty KeyId", {"KeyId": ""}, refused("Validation"), MODEL),
        Row("a KeyId of 2049 characters", {"KeyId": "x" * 2049}, refused("Validation"), MODEL),
        Row(
            "a text that names nothing",
            {"KeyId": "not-a-key"},
            refused("NotFound"),
            judgement="the page names the error; that a bare text is no key rather than no valid parameter is judged",
        ),
        Row(
            "an ARN that is none",
            {"KeyId": "arn:aws:kms"},
            refused("NotFound", "InvalidArn"),
            judgement="the page has both errors and does not tell them apart",
        ),
    ),
)

LIST_KEYS = Table(
    "ListKeys",
    api("ListKeys"),
    (
        Row("a page of one", {"Limit": 1}, gives({"Keys": size(1)}), given=(Call("DescribeKey", {"KeyId": _KEY.id}),)),
        Row("Limit 0", {"Limit": 0}, refused("Validation"), MODEL),
        Row("Limit 1001", {"Limit": 1001}, refused("Validation"), MODEL),
        Row("a marker that is none", {"Marker": "bm90LWEtbWFya2Vy~"}, refused("InvalidMarker")),
    ),
)

_DESCRIBED = Key("with a description")
UPDATE_KEY_DESCRIPTION = Table(
    "UpdateKeyDescription",
    api("UpdateKeyDescription"),
    (
        Row(
            "another one",
            {"KeyId": _DESCRIBED.id, "Description": "another"},
            OK,
            after=((Call("DescribeKey", {"KeyId": _DESCRIBED.id}), gives({"KeyMetadata.Description": "another"})),),
        ),
        Row(
            "an empty one",
            {"KeyId": _DESCRIBED.id, "Description": ""},
            OK,
            after=((Call("DescribeKey", {"KeyId": _DESCRIBED.id}), gives({"KeyMetadata.Description": ""})),),
        ),
        Row("8193 characters", {"KeyId": _DESCRIBED.id, "Description": "x" * 8193}, refused("Validation"), MODEL),
        Row("none", {"KeyId": _DESCRIBED.id}, refused("Validation"), MODEL),
        Row("a key that is not there", {"KeyId": _NOWHERE, "Description": "x"}, refused("NotFound")),
    ),
)

_SWITCHED = Used("switched off and on")
_OPENED = Call("Decrypt", {"CiphertextBlob": _SWITCHED.blob})
DISABLE_KEY = Table(
    "DisableKey",
    api("DisableKey"),
    (
        Row(
            "what was encrypted before is shut",
            {"KeyId": _SWITCHED.id},
            OK,
            guide("enabling-keys"),
            after=(
                (_OPENED, refused("Disabled")),
                (
                    Call("DescribeKey", {"KeyId": _SWITCHED.id}),
                    gives({"KeyMetadata.KeyState": "Disabled", "KeyMetadata.Enabled": False}),
                ),
            ),
        ),
        Row("a second time", {"KeyId": _SWITCHED.id}, OK, guide("key-state")),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
        Row("no KeyId", {}, refused("Validation"), MODEL),
    ),
)
ENABLE_KEY = Table(
    "EnableKey",
    api("EnableKey"),
    (
        Row(
            "what was encrypted before is open again",
            {"KeyId": _SWITCHED.id},
            OK,
            guide("enabling-keys"),
            given=(Call("DisableKey", {"KeyId": _SWITCHED.id}),),
            after=((_OPENED, gives({"Plaintext": DATA})),),
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)

_AWAY, _MONTH, _BACK = Used("to be deleted"), Key("to be deleted in a month"), Used("back from deletion")
SCHEDULE_KEY_DELETION = Table(
    "ScheduleKeyDeletion",
    api("ScheduleKeyDeletion"),
    (
        Row("6 days", {"KeyId": _AWAY.id, "PendingWindowInDays": 6}, refused("Validation")),
        Row("31 days", {"KeyId": _AWAY.id, "PendingWindowInDays": 31}, refused("Validation")),
        Row("0 days", {"KeyId": _AWAY.id, "PendingWindowInDays": 0}, refused("Validation"), MODEL),
        Row(
            "the key is as before after a refusal",
            {"KeyId": _AWAY.id, "PendingWindowInDays": 366},
            refused("Validation"),
            MODEL,
            after=((Call("Decrypt", {"CiphertextBlob": _AWAY.blob}), gives({"Plaintext": DATA})),),
        ),
        Row(
            "7 days",
            {"KeyId": _AWAY.id, "PendingWindowInDays": 7},
            gives(
                {"KeyId": _AWAY.arn, "KeyState": "PendingDeletion", "PendingWindowInDays": 7, "DeletionDate": PRESENT}
            ),
            after=(
                (
                    Call("DescribeKey", {"KeyId": _AWAY.id}),
                    gives({"KeyMetadata.KeyState": "PendingDeletion", "KeyMetadata.DeletionDate": PRESENT}),
                ),
                (Call("Decrypt", {"CiphertextBlob": _AWAY.blob}), refused("KMSInvalidState", "Disabled")),
            ),
        ),
        Row(
            "nothing said",
            {"KeyId": _MONTH.id},
            gives({"PendingWindowInDays": 30}),
            after=((Call("CancelKeyDeletion", {"KeyId": _MONTH.id}), OK),),
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE, "PendingWindowInDays": 7}, refused("NotFound")),
    ),
)
CANCEL_KEY_DELETION = Table(
    "CancelKeyDeletion",
    api("CancelKeyDeletion"),
    (
        Row(
            "the key is disabled then, and opens once enabled",
            {"KeyId": _BACK.id},
            gives({"KeyId": _BACK.arn}),
            given=(Call("ScheduleKeyDeletion", {"KeyId": _BACK.id, "PendingWindowInDays": 7}),),
            after=(
                (
                    Call("DescribeKey", {"KeyId": _BACK.id}),
                    gives({"KeyMetadata.KeyState": "Disabled", "KeyMetadata.DeletionDate": ABSENT}),
                ),
                (Call("Decrypt", {"CiphertextBlob": _BACK.blob}), refused("Disabled")),
                (Call("EnableKey", {"KeyId": _BACK.id}), OK),
                (Call("Decrypt", {"CiphertextBlob": _BACK.blob}), gives({"Plaintext": DATA})),
            ),
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)

TABLES = (
    CREATE_KEY,
    DESCRIBE_KEY,
    LIST_KEYS,
    UPDATE_KEY_DESCRIPTION,
    DISABLE_KEY,
    ENABLE_KEY,
    SCHEDULE_KEY_DELETION,
    CANCEL_KEY_DELETION,
)
