"""Keys as the tests want them: in any state, with any policy, with the vendor or without."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.key_stores import cloudhsm, make_store

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

Statement = dict[str, Any]

VENDOR_USE = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey")


def root(account_id: str) -> str:
    return f"arn:aws:iam::{account_id}:root"


def allow(principal: str, *actions: str, **more: Any) -> Statement:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions), "Resource": "*", **more}


def deny(principal: str, *actions: str, **more: Any) -> Statement:
    return {**allow(principal, *actions, **more), "Effect": "Deny"}


OWNER = allow(root(CUSTOMER), "kms:*")
VENDOR_STATEMENT = allow(root(VENDOR), *VENDOR_USE)


def policy(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def make_key(kms: KMSClient, *statements: Statement, **members: Any) -> str:
    """Make a key with this policy (the default one without statements); its ARN."""
    if statements:
        members["Policy"] = policy(*statements)
    return kms.create_key(**members)["KeyMetadata"]["Arn"]


def make_key_in_state(kms: KMSClient, state: str, *statements: Statement) -> str:
    """Make a key and bring it into a state that can be reached; its ARN."""
    members: dict[str, Any] = {}
    if state == "PendingImport":
        members = {"Origin": "EXTERNAL"}
    elif state == "PendingReplicaDeletion":
        members = {"MultiRegion": True}
    elif state == "Unavailable":
        members = {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": make_store(kms, cloudhsm())}
    arn = make_key(kms, *statements, **members)
    if state == "Disabled":
        kms.disable_key(KeyId=arn)
    elif state == "PendingReplicaDeletion":
        kms.replicate_key(KeyId=arn, ReplicaRegion="eu-west-1")
    elif state == "Unavailable":
        kms.disconnect_custom_key_store(CustomKeyStoreId=members["CustomKeyStoreId"])
    if state in ("PendingDeletion", "PendingReplicaDeletion"):
        kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    assert kms.describe_key(KeyId=arn)["KeyMetadata"].get("KeyState") == state
    return arn
