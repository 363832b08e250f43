from __future__ import annotations

from typing import Any

import pytest

from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.keys import OWNER, allow, deny, make_key, policy, root
from tests.sandbox_fixtures import Account, refused

USE = ["Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey", "ReEncryptFrom", "ReEncryptTo"]


def test_a_grant_alone_lets_the_vendor_in(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms)
    customer.kms.create_grant(KeyId=key, GranteePrincipal=root(VENDOR), Operations=["Encrypt", "Decrypt"])
    blob = vendor.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    assert vendor.kms.decrypt(CiphertextBlob=blob, KeyId=key)["Plaintext"] == b"data"
    with refused("AccessDeniedException"):
        vendor.kms.generate_data_key(KeyId=key, KeySpec="AES_256")


def test_revoking_it_shuts_the_vendor_out(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms)
    grant = customer.kms.create_grant(KeyId=key, GranteePrincipal=root(VENDOR), Operations=["Encrypt", "Decrypt"])
    blob = vendor.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    customer.kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    with refused("AccessDeniedException"):
        vendor.kms.decrypt(CiphertextBlob=blob, KeyId=key)
    # A token of a grant that is gone gives nothing.
    with refused("AccessDeniedException"):
        vendor.kms.decrypt(CiphertextBlob=blob, KeyId=key, GrantTokens=[grant["GrantToken"]])
    assert customer.kms.list_grants(KeyId=key)["Grants"] == []
    with refused("NotFoundException"):
        customer.kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])


def test_a_deny_in_the_policy_beats_a_grant(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, deny(root(VENDOR), "kms:Encrypt"))
    customer.kms.create_grant(KeyId=key, GranteePrincipal=root(VENDOR), Operations=["Encrypt"])
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=key, Plaintext=b"data")


@pytest.mark.parametrize(
    ("constraints", "allowed", "denied"),
    [
        ({"EncryptionContextSubset": {"tenant": "n"}}, [{"tenant": "n"}, {"tenant": "n", "more": "x"}], [{}]),
        ({"EncryptionContextEquals": {"tenant": "n"}}, [{"tenant": "n"}], [{}, {"tenant": "n", "more": "x"}]),
        ({"EncryptionContextEquals": {"tenant": "n"}}, [{"tenant": "n"}], [{"tenant": "m"}]),
    ],
)
def test_a_constraint_is_held_against_the_encryption_context(
    customer: Account,
    vendor: Account,
    constraints: dict[str, Any],
    allowed: list[dict[str, str]],
    denied: list[dict[str, str]],
) -> None:
    key = make_key(customer.kms)
    made: Any = {"GranteePrincipal": root(VENDOR), "Operations": ["Encrypt"], "Constraints": constraints}
    customer.kms.create_grant(KeyId=key, **made)
    for context in allowed:
        vendor.kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext=context)
    for context in denied:
        with refused("AccessDeniedException"):
            vendor.kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext=context)
    assert customer.kms.list_grants(KeyId=key)["Grants"][0].get("Constraints") == constraints


def test_a_grant_is_shown_as_it_was_made(customer: Account) -> None:
    key = make_key(customer.kms)
    made = customer.kms.create_grant(
        KeyId=key, Name="vendor", GranteePrincipal=root(VENDOR), RetiringPrincipal=root(VENDOR), Operations=["Decrypt"]
    )
    (shown,) = customer.kms.list_grants(KeyId=key)["Grants"]
    assert shown.get("GrantId") == made["GrantId"]
    assert shown.get("KeyId") == key
    assert shown.get("Name") == "vendor"
    assert shown.get("GranteePrincipal") == shown.get("RetiringPrincipal") == root(VENDOR)
    assert shown.get("IssuingAccount") == root(CUSTOMER)
    assert shown.get("Operations") == ["Decrypt"]


def test_the_same_named_grant_is_made_once(customer: Account) -> None:
    key = make_key(customer.kms)
    members: Any = {"KeyId": key, "GranteePrincipal": root(VENDOR), "Operations": ["Decrypt"]}
    first = customer.kms.create_grant(Name="vendor", **members)
    again = customer.kms.create_grant(Name="vendor", **members)
    assert again["GrantId"] == first["GrantId"]
    assert again["GrantToken"] != first["GrantToken"]
    other = customer.kms.create_grant(Name="vendor", **{**members, "Operations": ["Encrypt"]})
    nameless = [customer.kms.create_grant(**members)["GrantId"] for _ in range(2)]
    assert len({first["GrantId"], other["GrantId"], *nameless}) == 4
    assert len(customer.kms.list_grants(KeyId=key)["Grants"]) == 4


def test_grants_are_listed_by_grantee_id_and_page(customer: Account) -> None:
    key = make_key(customer.kms)
    reader = f"arn:aws:iam::{CUSTOMER}:role/Reader"
    for grantee in [root(VENDOR)] * 3 + [reader] * 2:
        customer.kms.create_grant(KeyId=key, GranteePrincipal=grantee, Operations=["Decrypt"])
    pages = list(customer.kms.get_paginator("list_grants").paginate(KeyId=key, PaginationConfig={"PageSize": 2}))
    found = [grant for page in pages for grant in page["Grants"]]
    assert len(pages) == 3
    assert len({grant.get("GrantId") for grant in found}) == 5
    of_reader = customer.kms.list_grants(KeyId=key, GranteePrincipal=reader)["Grants"]
    assert len(of_reader) == 2
    one = customer.kms.list_grants(KeyId=key, GrantId=str(found[0].get("GrantId")))["Grants"]
    assert one == [found[0]]


def test_the_retiring_principal_retires_across_accounts(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms)
    members: Any = {"KeyId": key, "GranteePrincipal": root(VENDOR), "Operations": ["Decrypt"]}
    by_id = customer.kms.create_grant(RetiringPrincipal=root(VENDOR), **members)
    by_token = customer.kms.create_grant(RetiringPrincipal=root(VENDOR), **members)
    retirable = vendor.kms.list_retirable_grants(RetiringPrincipal=root(VENDOR))["Grants"]
    assert {by_id["GrantId"], by_token["GrantId"]} <= {str(grant.get("GrantId")) for grant in retirable}
    vendor.kms.retire_grant(KeyId=key, GrantId=by_id["GrantId"])
    vendor.kms.retire_grant(GrantToken=by_token["GrantToken"])
    assert customer.kms.list_grants(KeyId=key)["Grants"] == []


def test_a_grantee_retires_only_where_the_grant_says_so(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms)
    members: Any = {"KeyId": key, "GranteePrincipal": root(VENDOR)}
    keeps = customer.kms.create_grant(Operations=["Decrypt"], **members)
    gives = customer.kms.create_grant(Operations=["Decrypt", "RetireGrant"], **members)
    with refused("AccessDeniedException"):
        vendor.kms.retire_grant(KeyId=key, GrantId=keeps["GrantId"])
    vendor.kms.retire_grant(KeyId=key, GrantId=gives["GrantId"])
    assert [g.get("GrantId") for g in customer.kms.list_grants(KeyId=key)["Grants"]] == [keeps["GrantId"]]


def test_a_grant_can_be_passed_on_but_not_widened(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms)
    customer.kms.create_grant(
        KeyId=key, GranteePrincipal=root(VENDOR), Operations=["CreateGrant", "Decrypt", "Encrypt"]
    )
    worker = f"arn:aws:iam::{VENDOR}:role/Worker"
    vendor.kms.create_grant(KeyId=key, GranteePrincipal=worker, Operations=["Decrypt"])
    with refused("AccessDeniedException"):
        vendor.kms.create_grant(KeyId=key, GranteePrincipal=worker, Operations=["Decrypt", "GenerateDataKey"])


def test_grants_for_aws_services_alone_are_refused_to_people(customer: Account, vendor: Account) -> None:
    # The second statement that the console writes for another account.
    attach = allow(
        root(VENDOR),
        *("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"),
        Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}},
    )
    key = make_key(customer.kms, OWNER, attach)
    with refused("AccessDeniedException"):
        vendor.kms.create_grant(KeyId=key, GranteePrincipal=root(VENDOR), Operations=["Decrypt"])


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"GranteePrincipal": "arn:aws:iam::210987654321:group/Staff", "Operations": USE}, "InvalidArnException"),
        ({"GranteePrincipal": "not-an-arn", "Operations": USE}, "InvalidArnException"),
        ({"GranteePrincipal": root(VENDOR), "RetiringPrincipal": "x", "Operations": USE}, "InvalidArnException"),
        ({"GranteePrincipal": root(VENDOR), "Operations": []}, "ValidationException"),
        ({"GranteePrincipal": root(VENDOR), "Operations": ["Sign"]}, "ValidationException"),
        ({"GranteePrincipal": root(VENDOR), "Operations": ["DisableKey"]}, "ValidationException"),
        ({"Operations": ["Decrypt"]}, "ValidationException"),
        ({"GranteePrincipal": root(VENDOR), "Operations": USE, "GrantTokens": ["zzz"]}, "InvalidGrantTokenException"),
        ({"GranteePrincipal": root(VENDOR), "Operations": USE, "DryRun": True}, "DryRunOperationException"),
        ({"GranteeServicePrincipal": "a.amazonaws.com", "Operations": USE}, "UnsupportedOperationException"),
    ],
)
def test_what_is_no_grant_is_refused_and_makes_none(customer: Account, members: Any, code: str) -> None:
    key = make_key(customer.kms)
    with refused(code):
        customer.kms.create_grant(KeyId=key, **members)
    assert customer.kms.list_grants(KeyId=key)["Grants"] == []


def test_a_key_that_takes_no_context_takes_no_constraint_on_one(customer: Account) -> None:
    key = make_key(customer.kms, KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    members: Any = {"GranteePrincipal": root(VENDOR), "Operations": ["Sign"]}
    with refused("ValidationException"):
        customer.kms.create_grant(KeyId=key, Constraints={"EncryptionContextEquals": {"a": "b"}}, **members)
    customer.kms.create_grant(KeyId=key, **members)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "ValidationException"),
        ({"GrantToken": "zzz"}, "InvalidGrantTokenException"),
        ({"GrantId": "a" * 64}, "ValidationException"),
    ],
)
def test_a_grant_to_retire_must_be_named(customer: Account, members: Any, code: str) -> None:
    with refused(code):
        customer.kms.retire_grant(**members)


def test_retirable_grants_are_listed_for_ones_own_principals(customer: Account) -> None:
    with refused("AccessDeniedException"):
        customer.kms.list_retirable_grants(RetiringPrincipal=root(VENDOR))
    with refused("InvalidArnException"):
        customer.kms.list_retirable_grants(RetiringPrincipal="nobody")


def test_a_dry_run_revokes_nothing(customer: Account) -> None:
    key = make_key(customer.kms)
    grant = customer.kms.create_grant(KeyId=key, GranteePrincipal=root(VENDOR), Operations=["Decrypt"])
    for call in (customer.kms.revoke_grant, customer.kms.retire_grant):
        with refused("DryRunOperationException"):
            call(KeyId=key, GrantId=grant["GrantId"], DryRun=True)
    assert len(customer.kms.list_grants(KeyId=key)["Grants"]) == 1


def test_revoking_needs_the_permission(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms)
    grant = customer.kms.create_grant(KeyId=key, GranteePrincipal=root(VENDOR), Operations=["Decrypt"])
    with refused("AccessDeniedException"):
        vendor.kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    customer.kms.put_key_policy(KeyId=key, Policy=policy(OWNER, allow(root(VENDOR), "kms:RevokeGrant")))
    vendor.kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
