"""Who may do what: key policies, accounts, Regions. Expectations are literal; none is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity
from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, allow, deny, make_key, policy, root
from tests.sandbox_fixtures import Account, make_client, refused

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

    from engine.sandbox import Sandbox

CONCEALED = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)
Call = Callable[["KMSClient", str], Any]

# What KMS takes from another account at all, when the key policy gives everything.
ACROSS_ACCOUNTS: dict[str, Call] = {
    "Encrypt": lambda kms, key: kms.encrypt(KeyId=key, Plaintext=b"data"),
    "Decrypt": lambda kms, key: kms.decrypt(
        KeyId=key, CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    ),
    "ReEncrypt": lambda kms, key: kms.re_encrypt(
        DestinationKeyId=key, CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    ),
    "GenerateDataKey": lambda kms, key: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
    "DescribeKey": lambda kms, key: kms.describe_key(KeyId=key),
    "CreateGrant": lambda kms, key: kms.create_grant(KeyId=key, GranteePrincipal=root(VENDOR), Operations=["Decrypt"]),
    "ListGrants": lambda kms, key: kms.list_grants(KeyId=key),
    "GetKeyRotationStatus": lambda kms, key: kms.get_key_rotation_status(KeyId=key),
}
WITHIN_THE_ACCOUNT: dict[str, Call] = {
    "DisableKey": lambda kms, key: kms.disable_key(KeyId=key),
    "EnableKey": lambda kms, key: kms.enable_key(KeyId=key),
    "ScheduleKeyDeletion": lambda kms, key: kms.schedule_key_deletion(KeyId=key),
    "CancelKeyDeletion": lambda kms, key: kms.cancel_key_deletion(KeyId=key),
    "PutKeyPolicy": lambda kms, key: kms.put_key_policy(KeyId=key, Policy=policy(OWNER)),
    "GetKeyPolicy": lambda kms, key: kms.get_key_policy(KeyId=key),
    "TagResource": lambda kms, key: kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}]),
    "ListResourceTags": lambda kms, key: kms.list_resource_tags(KeyId=key),
    "UpdateKeyDescription": lambda kms, key: kms.update_key_description(KeyId=key, Description="taken over"),
    "EnableKeyRotation": lambda kms, key: kms.enable_key_rotation(KeyId=key),
    "CreateAlias": lambda kms, key: kms.create_alias(AliasName="alias/taken-over", TargetKeyId=key),
}


def test_the_default_policy_leaves_the_vendor_out(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms)
    with refused("AccessDeniedException") as refusal:
        vendor.kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert refusal.message == (
        f"User: arn:aws:iam::{VENDOR}:user/keyturn-sandbox is not authorized to perform: kms:GenerateDataKey "
        f"on resource: {key} {CONCEALED}"
    )


def test_the_vendor_statement_lets_the_vendor_in_and_no_further(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    blob = vendor.kms.generate_data_key(KeyId=key, KeySpec="AES_256")["CiphertextBlob"]
    assert vendor.kms.decrypt(CiphertextBlob=blob)["KeyId"] == key
    assert vendor.kms.describe_key(KeyId=key)["KeyMetadata"]["AWSAccountId"] == CUSTOMER
    with refused("AccessDeniedException"):
        vendor.kms.create_grant(KeyId=key, GranteePrincipal=root(VENDOR), Operations=["Decrypt"])


def test_taking_the_statement_away_stops_the_vendor_at_once(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    blob = vendor.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    customer.kms.put_key_policy(KeyId=key, Policy=policy(OWNER))
    with refused("AccessDeniedException"):
        vendor.kms.decrypt(CiphertextBlob=blob, KeyId=key)
    assert customer.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"
    customer.kms.put_key_policy(KeyId=key, Policy=policy(OWNER, VENDOR_STATEMENT))
    assert vendor.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"


@pytest.mark.parametrize("principal", ["*", root(VENDOR)])
def test_a_deny_beats_every_allow(customer: Account, vendor: Account, principal: str) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT, deny(principal, "kms:Decrypt"))
    blob = vendor.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("AccessDeniedException"):
        vendor.kms.decrypt(CiphertextBlob=blob, KeyId=key)


def test_the_owner_without_a_statement_is_out_too(customer: Account, vendor: Account) -> None:
    administrator = f"arn:aws:iam::{CUSTOMER}:user/keyturn-sandbox"
    key = make_key(customer.kms, allow(administrator, "kms:PutKeyPolicy", "kms:DescribeKey"), VENDOR_STATEMENT)
    with refused("AccessDeniedException") as refusal:
        customer.kms.encrypt(KeyId=key, Plaintext=b"data")
    assert refusal.message == (
        f"User: {administrator} is not authorized to perform: kms:Encrypt on resource: {key} "
        "because no resource-based policy allows the kms:Encrypt action"
    )
    vendor.kms.encrypt(KeyId=key, Plaintext=b"data")


def test_a_condition_on_the_encryption_context_is_held_against_the_call(customer: Account, vendor: Account) -> None:
    only = {"StringEquals": {"kms:EncryptionContext:tenant": "northwind"}}
    key = make_key(customer.kms, OWNER, allow(root(VENDOR), "kms:Encrypt", Condition=only))
    vendor.kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext={"tenant": "northwind"})
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext={"tenant": "southwind"})
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=key, Plaintext=b"data")


def test_a_short_deletion_window_can_be_denied(customer: Account) -> None:
    short = {"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"}}
    key = make_key(customer.kms, OWNER, deny("*", "kms:ScheduleKeyDeletion", Condition=short))
    with refused("AccessDeniedException"):
        customer.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    customer.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)


@pytest.mark.parametrize("operation", sorted(ACROSS_ACCOUNTS))
def test_what_kms_takes_from_another_account(customer: Account, vendor: Account, operation: str) -> None:
    key = make_key(customer.kms, OWNER, allow(root(VENDOR), "kms:*"))
    ACROSS_ACCOUNTS[operation](vendor.kms, key)


@pytest.mark.parametrize("operation", sorted(WITHIN_THE_ACCOUNT))
def test_what_kms_does_not_take_from_another_account_whatever_the_policy_says(
    customer: Account, vendor: Account, operation: str
) -> None:
    key = make_key(customer.kms, OWNER, allow(root(VENDOR), "kms:*"))
    before = customer.kms.describe_key(KeyId=key)["KeyMetadata"], customer.kms.get_key_policy(KeyId=key)["Policy"]
    with refused("AccessDeniedException"):
        WITHIN_THE_ACCOUNT[operation](vendor.kms, key)
    after = customer.kms.describe_key(KeyId=key)["KeyMetadata"], customer.kms.get_key_policy(KeyId=key)["Policy"]
    assert after == before


def test_another_accounts_key_needs_its_arn(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    key_id = key.rpartition("/")[2]
    with refused("NotFoundException") as refusal:
        vendor.kms.describe_key(KeyId=key_id)
    assert refusal.message == f"Key 'arn:aws:kms:us-east-1:{VENDOR}:key/{key_id}' does not exist"


def test_another_accounts_alias_needs_its_arn(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    customer.kms.create_alias(AliasName="alias/across", TargetKeyId=key)
    arn = f"arn:aws:kms:us-east-1:{CUSTOMER}:alias/across"
    assert vendor.kms.describe_key(KeyId=arn)["KeyMetadata"].get("Arn") == key
    assert vendor.kms.encrypt(KeyId=arn, Plaintext=b"data")["KeyId"] == key
    with refused("NotFoundException") as refusal:
        vendor.kms.describe_key(KeyId="alias/across")
    assert refusal.message == f"Alias arn:aws:kms:us-east-1:{VENDOR}:alias/across is not found."


def test_nobody_can_probe_for_keys_of_another_account(customer: Account, vendor: Account) -> None:
    there = make_key(customer.kms)
    missing = there[:-12] + "0" * 12
    messages = []
    for arn in (there, missing):
        with refused("AccessDeniedException") as refusal:
            vendor.kms.encrypt(KeyId=arn, Plaintext=b"data")
        messages.append(refusal.message.replace(arn, "ARN"))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("operation", ["describe_key", "disable_key", "get_key_policy"])
def test_another_regions_arn_is_not_found(customer: Account, operation: str) -> None:
    key = make_key(customer.kms)
    with refused("NotFoundException") as refusal:
        getattr(customer.client("kms", "eu-west-1"), operation)(KeyId=key)
    assert refusal.message == "Invalid arn us-east-1"


def test_regions_have_keys_of_their_own(customer: Account) -> None:
    here, there = customer.kms, customer.client("kms", "eu-west-1")
    key = make_key(there)
    assert key.startswith(f"arn:aws:kms:eu-west-1:{CUSTOMER}:key/")
    blob = there.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("NotFoundException"):
        here.describe_key(KeyId=key.rpartition("/")[2])
    with refused("AccessDeniedException") as refusal:
        here.decrypt(CiphertextBlob=blob)
    assert "does not exist in this region" in refusal.message


@pytest.mark.parametrize(
    "identifier",
    [
        "nonsense",
        "arn:aws:kms:us-east-1:123456789012:nonsense",
        "arn:aws:kms:us-east-1:1234:key/6f6cdd6c-ab52-4ff7-982f-23e63d63b7ba",
        "arn:aws-cn:kms:us-east-1:123456789012:key/6f6cdd6c-ab52-4ff7-982f-23e63d63b7ba",
        "arn:aws:s3:us-east-1:123456789012:key/6f6cdd6c-ab52-4ff7-982f-23e63d63b7ba",
        "6f6cdd6c-ab52-4ff7-982f-23e63d63b7ba",
        "arn:aws:kms:us-east-1:123456789012:key/6f6cdd6c-ab52-4ff7-982f-23e63d63b7ba",
        "alias/nothing",
    ],
)
def test_what_names_no_key_is_not_found(customer: Account, identifier: str) -> None:
    with refused("NotFoundException"):
        customer.kms.describe_key(KeyId=identifier)


@pytest.mark.parametrize("operation", ["disable_key", "schedule_key_deletion", "get_key_policy", "list_resource_tags"])
def test_what_manages_a_key_takes_no_alias(customer: Account, operation: str) -> None:
    key = make_key(customer.kms)
    name = f"alias/managed-{operation}"
    customer.kms.create_alias(AliasName=name, TargetKeyId=key)
    with refused("NotFoundException"):
        getattr(customer.kms, operation)(KeyId=name)


def test_any_account_works_without_being_configured(sandbox: Sandbox) -> None:
    kms = make_client(sandbox, sandbox.issue_credentials("000000000001"), "kms")
    assert make_key(kms).startswith("arn:aws:kms:us-east-1:000000000001:key/")


def test_a_third_account_has_nothing(sandbox: Sandbox, customer: Account) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    stranger = make_client(sandbox, sandbox.issue_credentials("333333333333"), "kms")
    with refused("AccessDeniedException"):
        stranger.encrypt(KeyId=key, Plaintext=b"data")


def test_the_services_own_key_is_the_vendors_alone(sandbox: Sandbox, customer: Account, vendor: Account) -> None:
    arn = sandbox.service_key_arn
    assert arn == sandbox.environment(Identity.CUSTOMER)["KEYTURN_SERVICE_KEY"]
    metadata = vendor.kms.describe_key(KeyId=arn)["KeyMetadata"]
    assert metadata["AWSAccountId"] == VENDOR
    assert metadata.get("KeyState") == "Enabled"
    vendor.kms.generate_data_key(KeyId=arn, KeySpec="AES_256")
    with refused("AccessDeniedException"):
        customer.kms.generate_data_key(KeyId=arn, KeySpec="AES_256")


def test_the_vendor_can_move_a_data_key_from_the_services_key_to_the_customers(
    sandbox: Sandbox, customer: Account, vendor: Account
) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    context = {"tenant": "northwind"}
    made = vendor.kms.generate_data_key(KeyId=sandbox.service_key_arn, KeySpec="AES_256", EncryptionContext=context)
    moved = vendor.kms.re_encrypt(
        CiphertextBlob=made["CiphertextBlob"],
        SourceKeyId=sandbox.service_key_arn,
        SourceEncryptionContext=context,
        DestinationKeyId=key,
        DestinationEncryptionContext=context,
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (sandbox.service_key_arn, key)
    opened = vendor.kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=key, EncryptionContext=context)
    assert opened["Plaintext"] == made["Plaintext"]
