"""What each operation answers in each key state, written out (AWS KMS Developer Guide, "Key states")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity
from tests.builders import CUSTOMER
from tests.engine.sandbox.keys import OWNER, make_key, make_key_in_state, policy
from tests.sandbox_fixtures import Account, refused, start_sandbox

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

Call = Callable[["KMSClient", str], Any]

DISABLED, INVALID = "DisabledException", "KMSInvalidStateException"
UNSUPPORTED = "UnsupportedOperationException"


def update_alias(kms: KMSClient, key: str) -> None:
    name = f"alias/update-{key[-36:]}"
    kms.create_alias(AliasName=name, TargetKeyId=make_key(kms))
    kms.update_alias(AliasName=name, TargetKeyId=key)


CALLS: dict[str, Call] = {
    "Encrypt": lambda kms, key: kms.encrypt(KeyId=key, Plaintext=b"data"),
    "GenerateDataKey": lambda kms, key: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
    "GenerateDataKeyWithoutPlaintext": lambda kms, key: kms.generate_data_key_without_plaintext(
        KeyId=key, KeySpec="AES_256"
    ),
    "CreateGrant": lambda kms, key: kms.create_grant(
        KeyId=key, GranteePrincipal="arn:aws:iam::123456789012:role/Reader", Operations=["Decrypt"]
    ),
    "DescribeKey": lambda kms, key: kms.describe_key(KeyId=key),
    "GetKeyPolicy": lambda kms, key: kms.get_key_policy(KeyId=key),
    "PutKeyPolicy": lambda kms, key: kms.put_key_policy(KeyId=key, Policy=kms.get_key_policy(KeyId=key)["Policy"]),
    "ListGrants": lambda kms, key: kms.list_grants(KeyId=key),
    "ListResourceTags": lambda kms, key: kms.list_resource_tags(KeyId=key),
    "TagResource": lambda kms, key: kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}]),
    "UntagResource": lambda kms, key: kms.untag_resource(KeyId=key, TagKeys=["a"]),
    "UpdateKeyDescription": lambda kms, key: kms.update_key_description(KeyId=key, Description="new"),
    "CreateAlias": lambda kms, key: kms.create_alias(AliasName=f"alias/{key[-36:]}", TargetKeyId=key),
    "EnableKey": lambda kms, key: kms.enable_key(KeyId=key),
    "DisableKey": lambda kms, key: kms.disable_key(KeyId=key),
    "EnableKeyRotation": lambda kms, key: kms.enable_key_rotation(KeyId=key),
    "DisableKeyRotation": lambda kms, key: kms.disable_key_rotation(KeyId=key),
    "GetKeyRotationStatus": lambda kms, key: kms.get_key_rotation_status(KeyId=key),
    "GetKeyLastUsage": lambda kms, key: kms.get_key_last_usage(KeyId=key),
    "ListKeyPolicies": lambda kms, key: kms.list_key_policies(KeyId=key),
    "ListAliases": lambda kms, key: kms.list_aliases(KeyId=key),
    "RotateKeyOnDemand": lambda kms, key: kms.rotate_key_on_demand(KeyId=key),
    "UpdateAlias": update_alias,
    "ScheduleKeyDeletion": lambda kms, key: kms.schedule_key_deletion(KeyId=key),
    "CancelKeyDeletion": lambda kms, key: kms.cancel_key_deletion(KeyId=key),
}

DELETING = {"PendingDeletion": INVALID, "PendingReplicaDeletion": INVALID}
USE = {"Disabled": DISABLED, **DELETING, "PendingImport": INVALID, "Unavailable": INVALID}
ROTATING = {"Disabled": DISABLED, **DELETING, "PendingImport": UNSUPPORTED, "Unavailable": UNSUPPORTED}
# A state that is not named allows it.
EXPECTED: dict[str, dict[str, str]] = {
    "Encrypt": USE,
    "GenerateDataKey": USE,
    "GenerateDataKeyWithoutPlaintext": USE,
    "CreateGrant": {"Disabled": DISABLED, **DELETING, "PendingImport": INVALID},
    "DescribeKey": {},
    "GetKeyLastUsage": {},
    "GetKeyPolicy": {},
    "PutKeyPolicy": {},
    "ListAliases": {},
    "ListGrants": {},
    "ListKeyPolicies": {},
    "ListResourceTags": {},
    "TagResource": DELETING,
    "UntagResource": DELETING,
    "UpdateKeyDescription": DELETING,
    "CreateAlias": DELETING,
    "UpdateAlias": DELETING,
    "EnableKey": {**DELETING, "PendingImport": INVALID},
    "DisableKey": {**DELETING, "PendingImport": INVALID},
    "EnableKeyRotation": ROTATING,
    "DisableKeyRotation": ROTATING,
    "RotateKeyOnDemand": {**ROTATING, "PendingImport": INVALID},
    "GetKeyRotationStatus": {"PendingImport": UNSUPPORTED, "Unavailable": UNSUPPORTED},
    "ScheduleKeyDeletion": DELETING,
    "CancelKeyDeletion": dict.fromkeys(("Enabled", "Disabled", "PendingImport", "Unavailable"), INVALID),
}
STATES = ("Enabled", "Disabled", "PendingDeletion", "PendingImport", "PendingReplicaDeletion", "Unavailable")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", sorted(CALLS))
def test_an_operation_answers_as_the_state_table_says(customer: Account, operation: str, state: str) -> None:
    key = make_key_in_state(customer.kms, state)
    before = customer.kms.describe_key(KeyId=key)["KeyMetadata"]
    expected = EXPECTED[operation].get(state)
    if expected is None:
        CALLS[operation](customer.kms, key)
        return
    with refused(expected) as refusal:
        CALLS[operation](customer.kms, key)
    assert key in refusal.message
    assert customer.kms.describe_key(KeyId=key)["KeyMetadata"] == before


@pytest.mark.parametrize(("state", "expected"), [("Disabled", DISABLED), ("PendingDeletion", INVALID)])
def test_what_was_wrapped_before_cannot_be_opened(customer: Account, state: str, expected: str) -> None:
    kms = customer.kms
    key, other = make_key(kms), make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    other_blob = kms.encrypt(KeyId=other, Plaintext=b"data")["CiphertextBlob"]
    if state == "Disabled":
        kms.disable_key(KeyId=key)
    else:
        kms.schedule_key_deletion(KeyId=key)
    with refused(expected):
        kms.decrypt(CiphertextBlob=blob, KeyId=key)
    with refused(expected):
        kms.decrypt(CiphertextBlob=blob)
    with refused(expected):
        kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=key, DestinationKeyId=other)
    with refused(expected):
        kms.re_encrypt(CiphertextBlob=other_blob, DestinationKeyId=key)


def test_an_enabled_key_works_again(customer: Account) -> None:
    kms = customer.kms
    key = make_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"


def test_a_cancelled_deletion_leaves_the_key_disabled(customer: Account) -> None:
    kms = customer.kms
    key = make_key(kms)
    scheduled = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert scheduled["KeyId"] == key
    assert scheduled["KeyState"] == "PendingDeletion"
    assert scheduled["PendingWindowInDays"] == 7
    assert kms.describe_key(KeyId=key)["KeyMetadata"].get("DeletionDate") == scheduled["DeletionDate"]
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == key
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert metadata.get("KeyState") == "Disabled"
    assert "DeletionDate" not in metadata


@pytest.mark.parametrize("days", [1, 6, 31, 365])
def test_a_deletion_window_has_7_to_30_days(customer: Account, days: int) -> None:
    key = make_key(customer.kms)
    with refused("ValidationException"):
        customer.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)
    assert customer.kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "Enabled"


def test_a_deleted_key_is_gone_with_its_aliases_and_its_data() -> None:
    with start_sandbox() as sandbox:
        kms = Account(sandbox, Identity.CUSTOMER, CUSTOMER).kms
        key = make_key(kms)
        kms.create_alias(AliasName="alias/gone", TargetKeyId=key)
        blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        sandbox.clock.advance(timedelta(days=6, hours=23))
        assert kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "PendingDeletion"
        sandbox.clock.advance(timedelta(hours=2))
        with refused("NotFoundException"):
            kms.describe_key(KeyId=key)
        with refused("NotFoundException"):
            kms.describe_key(KeyId="alias/gone")
        with refused("NotFoundException"):
            kms.cancel_key_deletion(KeyId=key)
        with refused("AccessDeniedException"):
            kms.decrypt(CiphertextBlob=blob)
        assert kms.list_keys()["Keys"] == []
        assert kms.list_aliases()["Aliases"] == []


def test_access_comes_before_state(customer: Account, vendor: Account) -> None:
    key = make_key_in_state(customer.kms, "Disabled")
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=key, Plaintext=b"data")


def test_every_written_policy_can_be_read_in_every_state(customer: Account) -> None:
    text = policy(OWNER)
    for state in STATES:
        key = make_key_in_state(customer.kms, state, OWNER)
        assert customer.kms.get_key_policy(KeyId=key)["Policy"] == text
