from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from engine.errors import InputError
from stacks.key_policy import Effect, key_policy
from tests.stacks.declared import ADMINISTRATOR, declare

ROOT: dict[str, Any] = {
    "Sid": "Enable IAM User Permissions",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "kms:*",
    "Resource": "*",
}
ADMINISTRATORS: dict[str, Any] = {
    "Sid": "Allow access for Key Administrators",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:role/KeyAdmin"},
    "Action": [
        "kms:Create*",
        "kms:Describe*",
        "kms:Enable*",
        "kms:List*",
        "kms:Put*",
        "kms:Update*",
        "kms:Revoke*",
        "kms:Disable*",
        "kms:Get*",
        "kms:Delete*",
        "kms:TagResource",
        "kms:UntagResource",
        "kms:ScheduleKeyDeletion",
        "kms:CancelKeyDeletion",
    ],
    "Resource": "*",
}
VENDOR_USE: dict[str, Any] = {
    "Sid": "Allow use of the Key for Druva inSync",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::021098765432:root"},
    "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
    "Resource": "*",
}
VENDOR_GRANTS: dict[str, Any] = {
    "Sid": "Allow attachment of persistent resources",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::021098765432:root"},
    "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
    "Resource": "*",
    "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
}
RETENTION: dict[str, Any] = {
    "Sid": "Deny deletion of the key until it is released",
    "Effect": "Deny",
    "Principal": {"AWS": "*"},
    "Action": ["kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial"],
    "Resource": "*",
}


def document(number: int = 1, **changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(key_policy(declare(**changes), number).to_json())
    return content


def sids(number: int = 1, **changes: Any) -> list[str]:
    return [statement["Sid"] for statement in document(number, **changes)["Statement"]]


@pytest.mark.requirement("EKM-18")
@pytest.mark.requirement("EKM-19")
@pytest.mark.requirement("EKM-20")
def test_the_policy_is_the_consoles_with_the_vendors_statement_and_the_retention() -> None:
    assert document() == {
        "Version": "2012-10-17",
        "Id": "key-consolepolicy-3",
        "Statement": [ROOT, ADMINISTRATORS, VENDOR_USE, VENDOR_GRANTS, RETENTION],
    }


@pytest.mark.requirement("EKM-13")
def test_a_leading_zero_of_the_vendors_account_survives() -> None:
    assert "arn:aws:iam::021098765432:root" in key_policy(declare(), 1).to_json()


@pytest.mark.requirement("EKM-16")
def test_every_administrator_is_named_and_none_may_use_the_key_for_data() -> None:
    other = "arn:aws:iam::123456789012:user/security/Alex"
    statement = document(key_administrators=[ADMINISTRATOR, other])["Statement"][1]
    assert statement["Principal"] == {"AWS": [ADMINISTRATOR, other]}
    assert not {"kms:Encrypt", "kms:Decrypt", "kms:*", "kms:ReEncrypt*"} & set(statement["Action"])
    assert {"kms:Disable*", "kms:Enable*", "kms:Update*", "kms:Revoke*"} <= set(statement["Action"])


@pytest.mark.requirement("EKM-17")
def test_without_the_right_to_delete_the_administrators_can_neither_schedule_nor_cancel_a_deletion() -> None:
    statement = document(allow_key_deletion=False)["Statement"][1]
    assert statement["Action"] == ADMINISTRATORS["Action"][:-2]


@pytest.mark.requirement("EKM-17")
def test_releasing_a_generation_takes_the_denial_away_and_leaves_the_right_to_delete() -> None:
    for state, denied in (("active", True), ("retired", True), ("released", False)):
        generations = [{"number": 1, "state": state}, {"number": 2}]
        statements = document(current=2, generations=generations)["Statement"]
        assert (RETENTION in statements) is denied
        assert statements[1] == ADMINISTRATORS


def test_the_denial_exempts_the_break_glass_principals_alone() -> None:
    one, two = "arn:aws:iam::123456789012:role/BreakGlass", "arn:aws:iam::123456789012:user/Emergency"
    assert document(break_glass=[one])["Statement"][-1] == {
        **RETENTION,
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": one}},
    }
    assert document(break_glass=[one, two])["Statement"][-1]["Condition"] == {
        "ArnNotEquals": {"aws:PrincipalArn": [one, two]}
    }


@pytest.mark.requirement("EKM-10")
def test_a_revoked_tenants_policy_does_not_name_the_vendor_and_still_denies_deletion() -> None:
    assert "021098765432" not in key_policy(declare(revoked=True), 1).to_json()
    assert sids(revoked=True) == [ROOT["Sid"], ADMINISTRATORS["Sid"], RETENTION["Sid"]]


def test_a_vendor_with_a_grant_alone_is_not_in_the_policy() -> None:
    assert "021098765432" not in key_policy(declare(vendor_access="grant"), 1).to_json()


@pytest.mark.parametrize(("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")])
def test_every_arn_is_of_the_regions_partition(region: str, partition: str) -> None:
    policy = key_policy(
        declare(
            aws={"account_id": "123456789012", "region": region},
            key_administrators=[f"arn:{partition}:iam::123456789012:role/KeyAdmin"],
        ),
        1,
    ).to_json()
    assert "arn:aws:" not in policy
    assert f"arn:{partition}:iam::021098765432:root" in policy


def test_nothing_is_ever_allowed_to_everyone() -> None:
    for access, revoked, deletion in product(("key_policy", "grant", "both"), (True, False), (True, False)):
        policy = key_policy(declare(vendor_access=access, revoked=revoked, allow_key_deletion=deletion), 1)
        assert all("*" not in s.principals for s in policy.statements if s.effect is Effect.ALLOW)


@pytest.mark.requirement("EKM-19")
def test_every_statement_explains_itself_to_people() -> None:
    for statement in key_policy(declare(), 1).statements:
        assert statement.explanation.endswith(".")
        assert statement.requirements


@pytest.mark.requirement("EKM-19")
def test_the_policy_of_a_key_that_is_yet_to_be_made_elsewhere_can_be_shown() -> None:
    assert sids(generations=[{"number": 1, "address": "aws_kms_key.ekm"}])[2] == VENDOR_USE["Sid"]


def test_the_policy_reads_the_same_for_people_and_for_aws() -> None:
    policy = key_policy(declare(), 1)
    assert json.loads(policy.to_json(indent=2)) == json.loads(policy.to_json())
    assert "\n" not in policy.to_json()


def test_a_deleted_generation_has_no_policy() -> None:
    declaration = declare(current=2, generations=[{"number": 1, "state": "deleted"}, {"number": 2}])
    with pytest.raises(InputError, match="generation 1 of tenant 'northwind' is deleted"):
        key_policy(declaration, 1)


def test_an_undeclared_generation_has_no_policy() -> None:
    with pytest.raises(InputError, match="generation 9 is not declared"):
        key_policy(declare(), 9)
