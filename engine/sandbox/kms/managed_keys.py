"""AWS managed keys: made by AWS for its own services, when DescribeKey is asked for their alias.

Such a key belongs to the account and to no one's administration: its policy, which nobody can change, lets the
account look at it and a service use it for the account. AWS rotates it every year. (AWS KMS API Reference,
DescribeKey: "if you specify a predefined AWS alias"; Developer Guide, "AWS managed keys")
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.key_policies import read_policy
from engine.sandbox.kms.model import (
    DEFAULT_ROTATION_PERIOD,
    ENCRYPT_DECRYPT,
    MADE_BY_KMS,
    MANAGED_BY_AWS,
    SYMMETRIC,
    AliasRecord,
    KeyMaterial,
    KeyRecord,
    Rotation,
)

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call

_PREFIX = "alias/aws/"
_SERVICES = frozenset(
    {
        *("acm", "backup", "dynamodb", "ebs", "elasticfilesystem", "es", "fsx", "glue", "kinesis", "lambda"),
        *("rds", "redshift", "s3", "secretsmanager", "sns", "sqs", "ssm"),
    }
)


def make_managed_key(call: Call, identifier: str) -> None:
    """Make the key of a predefined alias of the caller's account, where there is none yet."""
    alias = identifier.partition(f":{call.account_id}:")[2] if identifier.startswith("arn:") else identifier
    service = alias.removeprefix(_PREFIX)
    if not alias.startswith(_PREFIX) or service not in _SERVICES:
        return
    with call.store.lock:
        if call.store.alias(call.account_id, call.region, alias) is not None:
            return
        text = _policy(call, service)
        key = KeyRecord(
            partition=call.partition,
            region=call.region,
            account_id=call.account_id,
            key_id=str(uuid.uuid4()),
            spec=SYMMETRIC,
            usage=ENCRYPT_DECRYPT,
            origin=MADE_BY_KMS,
            state=KeyState.ENABLED,
            description=f"Default key that protects my {service} data when no other key is defined",
            created=call.now,
            policy_text=text,
            policy=read_policy(text),
            tags=(),
            materials=(KeyMaterial.generate(),),
            rotation=Rotation(DEFAULT_ROTATION_PERIOD, call.now),
            manager=MANAGED_BY_AWS,
        )
        call.store.put_key(key)
        call.store.put_alias(
            AliasRecord(call.partition, call.region, call.account_id, alias, key.key_id, call.now, call.now)
        )


def _policy(call: Call, service: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": f"auto-{service}-1",
            "Statement": [
                {
                    "Sid": f"Allow access through {service} for all principals in the account",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": [
                        "kms:Encrypt",
                        "kms:Decrypt",
                        "kms:ReEncrypt*",
                        "kms:GenerateDataKey*",
                        "kms:CreateGrant",
                        "kms:DescribeKey",
                    ],
                    "Resource": "*",
                    "Condition": {
                        "StringEquals": {
                            "kms:CallerAccount": call.account_id,
                            "kms:ViaService": f"{service}.{call.region}.amazonaws.com",
                        }
                    },
                },
                {
                    "Sid": "Allow direct access to key metadata to the account",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:{call.partition}:iam::{call.account_id}:root"},
                    "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                    "Resource": "*",
                },
            ],
        }
    )
