"""What a call brings to a key policy's conditions, as the guide's page "AWS KMS condition keys" has it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import VENDOR
from tests.engine.sandbox.imported_material import import_material
from tests.engine.sandbox.keys import OWNER, allow, deny, make_key, root
from tests.sandbox_fixtures import refused

if TYPE_CHECKING:
    from tests.sandbox_fixtures import Account

IMPORTING = "kms:ImportKeyMaterial"


def test_a_bypass_that_is_not_asked_for_is_no_condition_key(customer: Account) -> None:
    # kms:BypassPolicyLockoutSafetyCheck: Null allows only where the request does not include the parameter.
    asked = {"Null": {"kms:BypassPolicyLockoutSafetyCheck": "false"}}
    key = make_key(customer.kms, OWNER, deny("*", "kms:PutKeyPolicy", Condition=asked))
    text = customer.kms.get_key_policy(KeyId=key)["Policy"]
    with refused("AccessDeniedException"):
        customer.kms.put_key_policy(KeyId=key, Policy=text, BypassPolicyLockoutSafetyCheck=True)
    customer.kms.put_key_policy(KeyId=key, Policy=text)


@pytest.mark.parametrize(
    ("condition", "expires_in", "lets"),
    [
        ({"Null": {"kms:ExpirationModel": "true"}}, 30, True),
        ({"Null": {"kms:ExpirationModel": "true"}}, None, False),
        ({"StringEquals": {"kms:ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}}, None, True),
        ({"StringEquals": {"kms:ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}}, 30, False),
        ({"NumericLessThanEquals": {"kms:ValidTo": "FUTURE"}}, 30, True),
        ({"NumericLessThanEquals": {"kms:ValidTo": "FUTURE"}}, 90, False),
        ({"NumericLessThanEquals": {"kms:ValidTo": "FUTURE"}}, None, False),
    ],
)
def test_the_expiration_of_imported_material_is_a_condition(
    customer: Account, condition: Any, expires_in: int | None, *, lets: bool
) -> None:
    future = str((datetime.now(UTC) + timedelta(days=60)).timestamp())
    condition = {
        operator: {key: future if value == "FUTURE" else value for key, value in keys.items()}
        for operator, keys in condition.items()
    }
    rest = {"Effect": "Allow", "Principal": {"AWS": root(customer.account_id)}, "NotAction": IMPORTING, "Resource": "*"}
    importer = allow(root(customer.account_id), IMPORTING, Condition=condition)
    key = make_key(customer.kms, rest, importer, Origin="EXTERNAL")
    expiry: Any = {} if expires_in is None else {"ValidTo": datetime.now(UTC) + timedelta(days=expires_in)}
    if lets:
        import_material(customer.kms, key, secrets.token_bytes(32), **expiry)
        return
    with refused("AccessDeniedException"):
        import_material(customer.kms, key, secrets.token_bytes(32), **expiry)
    assert customer.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"


def test_retiring_brings_the_constraint_of_the_grant(customer: Account, vendor: Account) -> None:
    kept = {"StringEquals": {"kms:EncryptionContext:tenant": "kept"}}
    key = make_key(customer.kms, OWNER, deny("*", "kms:RetireGrant", Condition=kept))
    grants = {
        tenant: customer.kms.create_grant(
            KeyId=key,
            GranteePrincipal=root(VENDOR),
            RetiringPrincipal=root(VENDOR),
            Operations=["Encrypt"],
            Constraints={"EncryptionContextSubset": {"tenant": tenant}},
        )["GrantId"]
        for tenant in ("kept", "gone")
    }
    with refused("AccessDeniedException"):
        vendor.kms.retire_grant(KeyId=key, GrantId=grants["kept"])
    vendor.kms.retire_grant(KeyId=key, GrantId=grants["gone"])
    assert [grant["GrantId"] for grant in customer.kms.list_grants(KeyId=key)["Grants"]] == [grants["kept"]]


@pytest.mark.parametrize("action", ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"])
def test_what_is_for_aws_services_alone_can_be_denied_to_people(customer: Account, action: str) -> None:
    key = make_key(customer.kms, OWNER, deny("*", action, Condition={"Bool": {"kms:GrantIsForAWSResource": "false"}}))
    calls: dict[str, Any] = {
        "kms:CreateGrant": lambda: customer.kms.create_grant(
            KeyId=key, GranteePrincipal=root(VENDOR), Operations=["Encrypt"]
        ),
        "kms:ListGrants": lambda: customer.kms.list_grants(KeyId=key),
        "kms:RevokeGrant": lambda: customer.kms.revoke_grant(KeyId=key, GrantId="0" * 64),
    }
    with refused("AccessDeniedException"):
        calls[action]()


def test_keys_of_the_context_that_differ_in_their_letters_hide_nothing(customer: Account) -> None:
    restricted = {"StringEquals": {"kms:EncryptionContext:stage": "restricted"}}
    key = make_key(customer.kms, OWNER, deny("*", "kms:Encrypt", Condition=restricted))
    for context in ({"stage": "restricted", "Stage": "open"}, {"Stage": "open", "stage": "restricted"}):
        with refused("AccessDeniedException"):
            customer.kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext=context)


def test_a_set_operator_on_a_pair_of_the_context_is_refused(customer: Account) -> None:
    loose = {"ForAllValues:StringEquals": {"kms:EncryptionContext:tenant": "northwind"}}
    with refused("MalformedPolicyDocumentException") as refusal:
        make_key(customer.kms, OWNER, allow(root(VENDOR), "kms:Encrypt", Condition=loose))
    assert refusal.message.startswith("OverlyPermissiveCondition:EncryptionContext")
