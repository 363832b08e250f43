"""GetKeyLastUsage: the last use that succeeded, told to the key's own account alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.engine.sandbox.keys import OWNER, allow, make_key, root
from tests.sandbox_fixtures import Account, refused

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


def last(kms: KMSClient, key: str) -> Any:
    return kms.get_key_last_usage(KeyId=key)["KeyLastUsage"].get("Operation")


def test_only_a_use_that_succeeded_counts(customer: Account, vendor: Account) -> None:
    kms = customer.kms
    key, other = make_key(kms, OWNER, allow(root(vendor.account_id), "kms:*")), make_key(kms)
    answer = kms.get_key_last_usage(KeyId=key)
    assert answer["KeyLastUsage"] == {}
    assert answer["TrackingStartDate"] == answer["KeyCreationDate"]
    assert answer["KeyCreationDate"] == kms.describe_key(KeyId=key)["KeyMetadata"].get("CreationDate")
    with refused("DryRunOperationException"):
        kms.encrypt(KeyId=key, Plaintext=b"data", DryRun=True)
    assert last(kms, key) is None
    blob = vendor.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    assert last(kms, key) == "Encrypt"
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
    assert last(kms, key) == "Encrypt"
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)
    assert (last(kms, key), last(kms, other)) == ("ReEncrypt", "ReEncrypt")
    kms.disable_key(KeyId=key)
    assert last(kms, key) == "ReEncrypt"


def test_nobody_else_is_told(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, allow(root(vendor.account_id), "kms:*"))
    with refused("AccessDeniedException"):
        vendor.kms.get_key_last_usage(KeyId=key)
    customer.kms.create_alias(AliasName="alias/last-usage", TargetKeyId=key)
    with refused("NotFoundException"):
        customer.kms.get_key_last_usage(KeyId="alias/last-usage")


def test_the_time_is_the_sandboxs(own: Account) -> None:
    key = make_key(own.kms)
    own.sandbox.clock.advance(timedelta(days=3))
    before = own.sandbox.clock.now()
    own.kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    used = own.kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Timestamp"]
    assert before - timedelta(seconds=1) <= used <= own.sandbox.clock.now()
