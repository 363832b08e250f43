from __future__ import annotations

import pytest

from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.keys import OWNER, allow, make_key, root
from tests.sandbox_fixtures import Account, refused


def target_of(account: Account, name: str) -> str | None:
    return account.kms.describe_key(KeyId=name)["KeyMetadata"].get("Arn")


def test_an_alias_is_made_moved_and_taken_away(customer: Account) -> None:
    first, second = make_key(customer.kms), make_key(customer.kms)
    customer.kms.create_alias(AliasName="alias/moves", TargetKeyId=first)
    assert target_of(customer, "alias/moves") == first
    customer.kms.update_alias(AliasName="alias/moves", TargetKeyId=second.rpartition("/")[2])
    assert target_of(customer, "alias/moves") == second
    (shown,) = customer.kms.list_aliases(KeyId=second)["Aliases"]
    assert shown.get("AliasName") == "alias/moves"
    assert shown.get("AliasArn") == f"arn:aws:kms:us-east-1:{CUSTOMER}:alias/moves"
    assert shown.get("TargetKeyId") == second.rpartition("/")[2]
    assert customer.kms.list_aliases(KeyId=first)["Aliases"] == []
    customer.kms.delete_alias(AliasName="alias/moves")
    with refused("NotFoundException"):
        customer.kms.describe_key(KeyId="alias/moves")
    assert customer.kms.describe_key(KeyId=second)["KeyMetadata"].get("KeyState") == "Enabled"


def test_a_taken_name_is_not_repointed_by_create(customer: Account) -> None:
    first, second = make_key(customer.kms), make_key(customer.kms)
    customer.kms.create_alias(AliasName="alias/taken", TargetKeyId=first)
    with refused("AlreadyExistsException") as refusal:
        customer.kms.create_alias(AliasName="alias/taken", TargetKeyId=second)
    assert refusal.message == f"An alias with the name arn:aws:kms:us-east-1:{CUSTOMER}:alias/taken already exists"
    assert target_of(customer, "alias/taken") == first


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no-prefix", "ValidationException"),
        ("alias/", "ValidationException"),
        ("alias/a:b", "ValidationException"),
        ("alias/with space", "ValidationException"),
        ("alias/aws/s3", "NotAuthorizedException"),
        ("alias/" + "x" * 251, "ValidationException"),
    ],
)
def test_a_name_that_is_none_is_refused(customer: Account, name: str, code: str) -> None:
    key = make_key(customer.kms)
    with refused(code):
        customer.kms.create_alias(AliasName=name, TargetKeyId=key)
    assert customer.kms.list_aliases(KeyId=key)["Aliases"] == []


@pytest.mark.parametrize("call", ["update_alias", "delete_alias"])
def test_an_alias_that_is_not_there_is_not_found(customer: Account, call: str) -> None:
    members = {"TargetKeyId": make_key(customer.kms)} if call == "update_alias" else {}
    with refused("NotFoundException"):
        getattr(customer.kms, call)(AliasName="alias/never-made", **members)


def test_an_alias_points_to_keys_of_its_own_type(customer: Account) -> None:
    key, signing = make_key(customer.kms), make_key(customer.kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    customer.kms.create_alias(AliasName="alias/typed", TargetKeyId=key)
    with refused("KMSInvalidStateException"):
        customer.kms.update_alias(AliasName="alias/typed", TargetKeyId=signing)
    with refused("ValidationException"):
        customer.kms.update_alias(AliasName="alias/typed", TargetKeyId="alias/typed")
    assert target_of(customer, "alias/typed") == key


def test_moving_an_alias_needs_the_permission_on_both_keys(customer: Account) -> None:
    first = make_key(customer.kms)
    guarded = make_key(
        customer.kms, OWNER, {**allow("*", "kms:UpdateAlias", "kms:CreateAlias", "kms:DeleteAlias"), "Effect": "Deny"}
    )
    customer.kms.create_alias(AliasName="alias/guarded", TargetKeyId=first)
    with refused("AccessDeniedException"):
        customer.kms.update_alias(AliasName="alias/guarded", TargetKeyId=guarded)
    with refused("AccessDeniedException"):
        customer.kms.create_alias(AliasName="alias/guarded-2", TargetKeyId=guarded)
    assert target_of(customer, "alias/guarded") == first


def test_accounts_have_aliases_of_their_own(customer: Account, vendor: Account) -> None:
    mine, theirs = make_key(customer.kms), make_key(vendor.kms)
    customer.kms.create_alias(AliasName="alias/same-name", TargetKeyId=mine)
    vendor.kms.create_alias(AliasName="alias/same-name", TargetKeyId=theirs)
    assert target_of(customer, "alias/same-name") == mine
    assert target_of(vendor, "alias/same-name") == theirs
    shared = make_key(customer.kms, OWNER, allow(root(VENDOR), "kms:*"))
    with refused("AccessDeniedException"):
        vendor.kms.update_alias(AliasName="alias/same-name", TargetKeyId=shared)


def test_a_key_pending_deletion_takes_no_new_alias_but_loses_its_old_one(customer: Account) -> None:
    key = make_key(customer.kms)
    customer.kms.create_alias(AliasName="alias/doomed", TargetKeyId=key)
    customer.kms.schedule_key_deletion(KeyId=key)
    with refused("KMSInvalidStateException"):
        customer.kms.create_alias(AliasName="alias/doomed-too", TargetKeyId=key)
    customer.kms.delete_alias(AliasName="alias/doomed")
    assert customer.kms.list_aliases(KeyId=key)["Aliases"] == []


def test_an_alias_in_the_call_is_a_condition_and_those_of_the_key_are_none_in_a_key_policy(
    customer: Account, vendor: Account
) -> None:
    by_alias = {"StringEquals": {"kms:RequestAlias": "alias/by-alias-only"}}
    key = make_key(customer.kms, OWNER, allow(root(VENDOR), "kms:Encrypt", Condition=by_alias))
    customer.kms.create_alias(AliasName="alias/by-alias-only", TargetKeyId=key)
    vendor.kms.encrypt(KeyId=f"arn:aws:kms:us-east-1:{CUSTOMER}:alias/by-alias-only", Plaintext=b"data")
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=key, Plaintext=b"data")
    with_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/marked"}}
    marked = make_key(customer.kms, OWNER, allow(root(VENDOR), "kms:Encrypt", Condition=with_alias))
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=marked, Plaintext=b"data")
    customer.kms.create_alias(AliasName="alias/marked", TargetKeyId=marked)
    # AWS KMS Developer Guide, "AWS KMS condition keys": kms:ResourceAliases is for IAM policies alone.
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=marked, Plaintext=b"data")
