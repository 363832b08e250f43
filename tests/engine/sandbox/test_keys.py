"""Making, describing, listing and tagging keys; their policies and rotation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import CUSTOMER
from tests.engine.sandbox.keys import OWNER, allow, make_key, policy, root
from tests.sandbox_fixtures import Account, make_client, refused


def test_a_key_is_made_as_aws_makes_it(customer: Account) -> None:
    metadata = customer.kms.create_key(Description="generation 1")["KeyMetadata"]
    assert metadata == {
        "AWSAccountId": CUSTOMER,
        "KeyId": metadata["KeyId"],
        "Arn": f"arn:aws:kms:us-east-1:{CUSTOMER}:key/{metadata['KeyId']}",
        "CreationDate": metadata.get("CreationDate"),
        "Enabled": True,
        "Description": "generation 1",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
        "CurrentKeyMaterialId": metadata.get("CurrentKeyMaterialId"),
    }
    assert customer.kms.describe_key(KeyId=metadata["KeyId"])["KeyMetadata"] == metadata


def test_a_multi_region_key_is_recognised_by_its_id(customer: Account) -> None:
    metadata = customer.kms.create_key(MultiRegion=True)["KeyMetadata"]
    assert metadata["KeyId"].startswith("mrk-")
    assert metadata.get("MultiRegionConfiguration") == {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": metadata.get("Arn"), "Region": "us-east-1"},
        "ReplicaKeys": [],
    }


def test_a_key_with_imported_material_waits_for_it(customer: Account) -> None:
    metadata = customer.kms.create_key(Origin="EXTERNAL")["KeyMetadata"]
    assert (metadata.get("KeyState"), metadata.get("Enabled")) == ("PendingImport", False)
    assert "CurrentKeyMaterialId" not in metadata


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"KeySpec": "RSA_1024"}, "ValidationException"),
        ({"KeySpec": "RSA_2048"}, "ValidationException"),
        ({"KeySpec": "HMAC_256", "KeyUsage": "ENCRYPT_DECRYPT"}, "ValidationException"),
        ({"KeyUsage": "SIGN_VERIFY"}, "ValidationException"),
        ({"KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT"}, "ValidationException"),
        ({"Origin": "AWS_CLOUDHSM"}, "ValidationException"),
        ({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1"}, "CustomKeyStoreNotFoundException"),
        ({"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": "cks-1"}, "ValidationException"),
        (
            {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": "cks-1", "XksKeyId": "key-1"},
            "CustomKeyStoreNotFoundException",
        ),
        ({"CustomKeyStoreId": "cks-1"}, "ValidationException"),
        ({"Description": "x" * 8193}, "ValidationException"),
        ({"Tags": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]}, "TagException"),
        ({"Tags": [{"TagKey": "aws:a", "TagValue": "1"}]}, "TagException"),
        ({"Tags": [{"TagKey": f"t{n}", "TagValue": "1"} for n in range(51)]}, "LimitExceededException"),
        ({"Policy": "{"}, "MalformedPolicyDocumentException"),
        ({"Policy": policy(allow(root(CUSTOMER), "kms:Encrypt"))}, "MalformedPolicyDocumentException"),
    ],
)
def test_what_is_no_key_is_refused_and_makes_none(customer: Account, members: Any, code: str) -> None:
    before = customer.kms.list_keys(Limit=1000)["Keys"]
    with refused(code):
        customer.kms.create_key(**members)
    assert customer.kms.list_keys(Limit=1000)["Keys"] == before


def test_keys_are_listed_page_by_page(sandbox: Any) -> None:
    kms = make_client(sandbox, sandbox.issue_credentials("555555555555"), "kms")
    made = {make_key(kms) for _ in range(7)}
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Keys"]) for page in pages] == [3, 3, 1]
    assert {key["KeyArn"] for page in pages for key in page["Keys"]} == made
    with refused("InvalidMarkerException"):
        kms.list_keys(Marker="ÿ")


def test_a_description_can_be_changed(customer: Account) -> None:
    key = make_key(customer.kms, Description="old")
    customer.kms.update_key_description(KeyId=key, Description="new")
    assert customer.kms.describe_key(KeyId=key)["KeyMetadata"].get("Description") == "new"


def test_tags_are_set_changed_and_taken_away(customer: Account) -> None:
    key = make_key(customer.kms, Tags=[{"TagKey": "keyturn:tenant", "TagValue": "northwind"}])
    customer.kms.tag_resource(
        KeyId=key,
        Tags=[{"TagKey": "keyturn:generation", "TagValue": "1"}, {"TagKey": "keyturn:tenant", "TagValue": "n"}],
    )
    tags = customer.kms.list_resource_tags(KeyId=key)["Tags"]
    assert {tag["TagKey"]: tag["TagValue"] for tag in tags} == {"keyturn:tenant": "n", "keyturn:generation": "1"}
    customer.kms.untag_resource(KeyId=key, TagKeys=["keyturn:tenant", "never there"])
    assert [tag["TagKey"] for tag in customer.kms.list_resource_tags(KeyId=key)["Tags"]] == ["keyturn:generation"]
    with refused("LimitExceededException"):
        customer.kms.tag_resource(KeyId=key, Tags=[{"TagKey": f"t{n}", "TagValue": ""} for n in range(50)])
    assert len(customer.kms.list_resource_tags(KeyId=key)["Tags"]) == 1


def test_a_policy_is_given_back_as_it_was_written(customer: Account) -> None:
    text = json.dumps(json.loads(policy(OWNER)), indent=3)
    key = customer.kms.create_key(Policy=text)["KeyMetadata"]["KeyId"]
    assert customer.kms.get_key_policy(KeyId=key)["Policy"] == text
    assert customer.kms.get_key_policy(KeyId=key, PolicyName="default").get("PolicyName") == "default"
    assert customer.kms.list_key_policies(KeyId=key)["PolicyNames"] == ["default"]
    with refused("NotFoundException"):
        customer.kms.get_key_policy(KeyId=key, PolicyName="other")


def test_a_key_without_a_policy_has_the_default_one(customer: Account) -> None:
    text = customer.kms.get_key_policy(KeyId=make_key(customer.kms))["Policy"]
    assert json.loads(text) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not JSON", "MalformedPolicyDocumentException"),
        ("[]", "MalformedPolicyDocumentException"),
        ('{"Version": "2012-10-17"}', "MalformedPolicyDocumentException"),
        (policy({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}), "MalformedPolicyDocumentException"),
        (policy(OWNER, allow("arn:aws:iam::12:root", "kms:*")), "MalformedPolicyDocumentException"),
        (policy(OWNER, {**OWNER, "Sid": "x" * 33_000}), "LimitExceededException"),
        (policy(allow(root(CUSTOMER), "kms:Encrypt")), "MalformedPolicyDocumentException"),
        (policy(OWNER, {**OWNER, "Effect": "Deny"}), "MalformedPolicyDocumentException"),
    ],
)
def test_a_policy_that_is_none_or_locks_out_is_refused(customer: Account, text: str, code: str) -> None:
    key = make_key(customer.kms, OWNER)
    with refused(code):
        customer.kms.put_key_policy(KeyId=key, Policy=text)
    assert customer.kms.get_key_policy(KeyId=key)["Policy"] == policy(OWNER)


def test_the_lockout_check_can_be_bypassed_and_then_the_key_is_locked(customer: Account) -> None:
    key = make_key(customer.kms)
    customer.kms.put_key_policy(
        KeyId=key, Policy=policy(allow(root(CUSTOMER), "kms:DescribeKey")), BypassPolicyLockoutSafetyCheck=True
    )
    customer.kms.describe_key(KeyId=key)
    with refused("AccessDeniedException"):
        customer.kms.put_key_policy(KeyId=key, Policy=policy(OWNER))
    with refused("AccessDeniedException"):
        customer.kms.schedule_key_deletion(KeyId=key)


def test_rotation_is_switched_on_and_off(customer: Account) -> None:
    key = make_key(customer.kms)
    assert customer.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    customer.kms.enable_key_rotation(KeyId=key)
    assert customer.kms.get_key_rotation_status(KeyId=key).get("RotationPeriodInDays") == 365
    customer.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = customer.kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status.get("RotationPeriodInDays")) == (True, 90)
    customer.kms.schedule_key_deletion(KeyId=key)
    assert customer.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    customer.kms.cancel_key_deletion(KeyId=key)
    assert customer.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True
    customer.kms.enable_key(KeyId=key)
    customer.kms.disable_key_rotation(KeyId=key)
    assert customer.kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    for days in (89, 2561):
        with refused("ValidationException"):
            customer.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=days)


def test_only_symmetric_keys_rotate(customer: Account) -> None:
    key = make_key(customer.kms, KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    with refused("UnsupportedOperationException"):
        customer.kms.enable_key_rotation(KeyId=key)


def test_a_predefined_alias_names_a_key_that_only_aws_administers(customer: Account, vendor: Account) -> None:
    kms = customer.kms
    metadata = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (metadata.get("KeyManager"), metadata.get("KeyState")) == ("AWS", "Enabled")
    arn = f"arn:aws:kms:us-east-1:{CUSTOMER}:alias/aws/s3"
    assert kms.describe_key(KeyId=arn)["KeyMetadata"] == metadata
    assert kms.get_key_rotation_status(KeyId=metadata["KeyId"])["KeyRotationEnabled"] is True
    with refused("AccessDeniedException"):
        kms.schedule_key_deletion(KeyId=metadata["KeyId"])
    with refused("AccessDeniedException"):
        kms.put_key_policy(KeyId=metadata["KeyId"], Policy=policy(OWNER))
    with refused("AccessDeniedException"):
        kms.encrypt(KeyId="alias/aws/s3", Plaintext=b"data")
    with refused("AccessDeniedException"):
        vendor.kms.describe_key(KeyId=arn)
    with refused("NotFoundException"):
        kms.describe_key(KeyId="alias/aws/nothing")
