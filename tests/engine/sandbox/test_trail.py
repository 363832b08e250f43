"""Failed calls are found by the key that they were about, however it was named: a key's end waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import CUSTOMER
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, make_key
from tests.sandbox_fixtures import refused

if TYPE_CHECKING:
    from tests.sandbox_fixtures import Account


def seen(account: Account, key: str) -> list[tuple[str, str]]:
    attributes = [{"AttributeKey": "ResourceName", "AttributeValue": key}]
    events: Any = account.client("cloudtrail").lookup_events(LookupAttributes=attributes)["Events"]
    return [(event["EventName"], event["Username"]) for event in events]


@pytest.mark.parametrize("named", ["by its ciphertext alone", "by its alias", "by its alias ARN", "by its ARN"])
def test_a_use_of_a_disabled_key_is_seen(customer: Account, vendor: Account, named: str) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    alias = f"alias/seen-{named.replace(' ', '-')}"
    customer.kms.create_alias(AliasName=alias, TargetKeyId=key)
    blob = customer.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    customer.kms.disable_key(KeyId=key)
    assert seen(customer, key) == []
    members: dict[str, Any] = {
        "by its ciphertext alone": {},
        "by its alias": {"KeyId": alias},
        "by its alias ARN": {"KeyId": f"arn:aws:kms:us-east-1:{CUSTOMER}:{alias}"},
        "by its ARN": {"KeyId": key},
    }
    who = customer if named == "by its alias" else vendor
    with refused("DisabledException"):
        who.kms.decrypt(CiphertextBlob=blob, **members[named])
    assert [name for name, _ in seen(customer, key)] == ["Decrypt"]


def test_both_keys_of_a_rewrap_are_seen(customer: Account) -> None:
    source, target = make_key(customer.kms), make_key(customer.kms)
    blob = customer.kms.encrypt(KeyId=source, Plaintext=b"data")["CiphertextBlob"]
    customer.kms.disable_key(KeyId=source)
    with refused("DisabledException"):
        customer.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=target)
    assert [seen(customer, key) for key in (source, target)] == [[("ReEncrypt", "keyturn-sandbox")]] * 2


@pytest.mark.parametrize("identifier", ["arn:aws:kms", "arn:aws:kms:us-east-1", "alias/", "not-a-key"])
def test_what_names_no_key_is_refused_as_ever(customer: Account, identifier: str) -> None:
    with refused("NotFoundException"):
        customer.kms.describe_key(KeyId=identifier)


def test_a_key_that_is_gone_is_known_by_its_name(customer: Account) -> None:
    gone = f"arn:aws:kms:us-east-1:{CUSTOMER}:key/00000000-0000-4000-8000-00000000dead"
    with refused("NotFoundException"):
        customer.kms.encrypt(KeyId=gone, Plaintext=b"data")
    assert [name for name, _ in seen(customer, gone)] == ["Encrypt"]
