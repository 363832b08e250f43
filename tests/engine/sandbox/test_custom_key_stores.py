"""Custom key stores: connected, disconnected, unreachable; and what becomes of the keys in them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.sandbox.key_stores import CREDENTIAL, EXTERNAL, cloudhsm, external, make_store
from tests.engine.sandbox.keys import make_key
from tests.sandbox_fixtures import Account, refused

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

SERVICE = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"


def make_external_key(kms: KMSClient, store: str, xks_key_id: str = "key-1", **members: Any) -> str:
    return make_key(kms, Origin=EXTERNAL, CustomKeyStoreId=store, XksKeyId=xks_key_id, **members)


def shown(kms: KMSClient, store: str) -> dict[str, Any]:
    (entry,) = kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
    return dict(entry)


def state(kms: KMSClient, key: str) -> str | None:
    return kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState")


def test_a_store_is_made_disconnected_and_shows_no_secret(customer: Account) -> None:
    members = external()
    store = make_store(customer.kms, members, connect=False)
    entry = shown(customer.kms, store)
    assert (entry["ConnectionState"], entry["CustomKeyStoreType"]) == ("DISCONNECTED", EXTERNAL)
    assert entry["XksProxyConfiguration"] == {
        "Connectivity": "PUBLIC_ENDPOINT",
        "AccessKeyId": CREDENTIAL["AccessKeyId"],
        "UriEndpoint": members["XksProxyUriEndpoint"],
        "UriPath": "/kms/xks/v1",
    }
    cluster = cloudhsm()
    entry = shown(customer.kms, make_store(customer.kms, cluster))
    assert (entry["ConnectionState"], entry["CustomKeyStoreType"]) == ("CONNECTED", "AWS_CLOUDHSM")
    assert entry["CloudHsmClusterId"] == cluster["CloudHsmClusterId"]
    assert cluster["KeyStorePassword"] not in str(customer.kms.describe_custom_key_stores())
    assert CREDENTIAL["RawSecretAccessKey"] not in str(customer.kms.describe_custom_key_stores())


def test_a_key_in_an_external_store_works_while_it_is_connected(customer: Account) -> None:
    kms = customer.kms
    store = make_store(kms, external(), connect=False)
    with refused("CustomKeyStoreInvalidStateException"):
        make_external_key(kms, store)
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    key = make_external_key(kms, store)
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (metadata.get("Origin"), metadata.get("CustomKeyStoreId")) == (EXTERNAL, store)
    assert metadata.get("XksKeyConfiguration") == {"Id": "key-1"}
    assert "CurrentKeyMaterialId" not in metadata
    made: Any = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert "KeyMaterialId" not in made
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert state(kms, key) == "Unavailable"
    with refused("KMSInvalidStateException"):
        kms.decrypt(CiphertextBlob=made["CiphertextBlob"])
    with refused("KMSInvalidStateException"):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert state(kms, key) == "Enabled"
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]


def test_a_key_in_a_cloudhsm_store_names_its_cluster(customer: Account) -> None:
    members = cloudhsm()
    store = make_store(customer.kms, members)
    key = make_key(customer.kms, Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)
    metadata = customer.kms.describe_key(KeyId=key)["KeyMetadata"]
    assert metadata.get("CloudHsmClusterId") == members["CloudHsmClusterId"]
    blob = customer.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    assert customer.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"
    assert len(customer.kms.generate_random(NumberOfBytes=8, CustomKeyStoreId=store)["Plaintext"]) == 8
    with refused("UnsupportedOperationException"):
        customer.kms.rotate_key_on_demand(KeyId=key)
    with refused("UnsupportedOperationException"):
        customer.kms.enable_key_rotation(KeyId=key)
    with refused("UnsupportedOperationException"):
        customer.kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")


def test_an_outage_looks_like_a_revocation_but_for_describe_key(customer: Account) -> None:
    kms = customer.kms
    store = make_store(kms, external())
    key = make_external_key(kms, store)
    customer.sandbox.set_key_store_reachable(store, reachable=False)
    with refused("KMSInvalidStateException"):
        kms.encrypt(KeyId=key, Plaintext=b"data")
    assert state(kms, key) == "Enabled"
    assert shown(kms, store)["ConnectionState"] == "CONNECTED"
    customer.sandbox.set_key_store_reachable(store, reachable=True)
    kms.encrypt(KeyId=key, Plaintext=b"data")


def test_a_key_that_is_disabled_meanwhile_is_disabled_afterwards(customer: Account) -> None:
    kms = customer.kms
    store = make_store(kms, external())
    disabled, switched, dying = (make_external_key(kms, store, f"key-{n}") for n in range(3))
    kms.disable_key(KeyId=disabled)
    kms.schedule_key_deletion(KeyId=dying)
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    assert [state(kms, key) for key in (disabled, switched, dying)] == ["Unavailable", "Unavailable", "PendingDeletion"]
    kms.disable_key(KeyId=switched)
    kms.enable_key(KeyId=disabled)
    kms.cancel_key_deletion(KeyId=dying)
    assert [state(kms, key) for key in (disabled, switched, dying)] == ["Unavailable"] * 3
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert [state(kms, key) for key in (disabled, switched, dying)] == ["Enabled", "Disabled", "Disabled"]


def test_a_proxy_that_cannot_exist_is_not_reached(customer: Account) -> None:
    kms = customer.kms
    with refused("XksProxyUriUnreachableException"):
        make_store(kms, external(XksProxyUriEndpoint="https://proxy.invalid"))
    store = make_store(
        kms,
        external(
            XksProxyUriEndpoint="https://proxy.invalid",
            XksProxyConnectivity="VPC_ENDPOINT_SERVICE",
            XksProxyVpcEndpointServiceName=SERVICE,
        ),
    )
    entry = shown(kms, store)
    assert (entry["ConnectionState"], entry["ConnectionErrorCode"]) == ("FAILED", "XKS_PROXY_NOT_REACHABLE")
    assert entry["XksProxyConfiguration"]["VpcEndpointServiceOwner"] == customer.account_id
    with refused("CustomKeyStoreInvalidStateException"):
        kms.connect_custom_key_store(CustomKeyStoreId=store)
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyUriEndpoint="https://vpc.example.com")
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert shown(kms, store)["ConnectionState"] == "CONNECTED"
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.delete_custom_key_store(CustomKeyStoreId=store)


def test_most_of_a_store_changes_while_it_is_disconnected_only(customer: Account) -> None:
    kms = customer.kms
    store = make_store(kms, external())
    kms.update_custom_key_store(
        CustomKeyStoreId=store, NewCustomKeyStoreName="renamed", XksProxyUriPath="/p/kms/xks/v1"
    )
    entry = shown(kms, store)
    assert (entry["CustomKeyStoreName"], entry["XksProxyConfiguration"]["UriPath"]) == ("renamed", "/p/kms/xks/v1")
    with refused("CustomKeyStoreInvalidStateException"):
        kms.update_custom_key_store(CustomKeyStoreId=store, XksProxyUriEndpoint="https://other.example.com")
    with refused("ValidationException"):
        kms.update_custom_key_store(CustomKeyStoreId=store, KeyStorePassword="kmsuser-password")
    hsm = make_store(kms, cloudhsm())
    with refused("CustomKeyStoreInvalidStateException"):
        kms.update_custom_key_store(CustomKeyStoreId=hsm, KeyStorePassword="another-password")
    with refused("CustomKeyStoreNameInUseException"):
        kms.update_custom_key_store(CustomKeyStoreId=hsm, NewCustomKeyStoreName="renamed")


def test_a_store_with_keys_is_not_deleted(own: Account) -> None:
    kms = own.kms
    store = make_store(kms, external())
    key = make_external_key(kms, store)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    with refused("CustomKeyStoreHasCMKsException"):
        kms.delete_custom_key_store(CustomKeyStoreId=store)
    own.sandbox.clock.advance(timedelta(days=8))
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    with refused("CustomKeyStoreInvalidStateException"):
        kms.delete_custom_key_store(CustomKeyStoreId=store)
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    with refused("CustomKeyStoreInvalidStateException"):
        kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    kms.delete_custom_key_store(CustomKeyStoreId=store)
    with refused("CustomKeyStoreNotFoundException"):
        shown(kms, store)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        (cloudhsm(TrustAnchorCertificate="no certificate"), "IncorrectTrustAnchorException"),
        ({"CustomKeyStoreName": "nothing else"}, "ValidationException"),
        ({"CustomKeyStoreName": "nothing else", "CustomKeyStoreType": EXTERNAL}, "ValidationException"),
        (cloudhsm(XksProxyUriPath="/kms/xks/v1"), "ValidationException"),
        (external(KeyStorePassword="kmsuser-password"), "ValidationException"),
        (external(XksProxyConnectivity="VPC_ENDPOINT_SERVICE"), "ValidationException"),
        (external(XksProxyVpcEndpointServiceName=SERVICE), "ValidationException"),
        (external(XksProxyUriEndpoint="http://proxy.example.com"), "ValidationException"),
    ],
)
def test_a_store_that_lacks_something_is_not_made(customer: Account, members: dict[str, Any], code: str) -> None:
    before = customer.kms.describe_custom_key_stores()["CustomKeyStores"]
    with refused(code):
        customer.kms.create_custom_key_store(**members)
    assert customer.kms.describe_custom_key_stores()["CustomKeyStores"] == before


def test_two_stores_share_nothing(customer: Account) -> None:
    kms, members, cluster = customer.kms, external(), cloudhsm()
    make_store(kms, members)
    make_store(kms, cluster)
    for again, code in (
        (external(CustomKeyStoreName=members["CustomKeyStoreName"]), "CustomKeyStoreNameInUseException"),
        (external(XksProxyUriEndpoint=members["XksProxyUriEndpoint"]), "XksProxyUriInUseException"),
        (cloudhsm(CloudHsmClusterId=cluster["CloudHsmClusterId"]), "CloudHsmClusterInUseException"),
    ):
        with refused(code):
            make_store(kms, again)


def test_a_key_in_a_store_is_what_a_store_can_hold(customer: Account) -> None:
    kms = customer.kms
    store, hsm = make_store(kms, external()), make_store(kms, cloudhsm())
    make_external_key(kms, store)
    for members, code in (
        ({"XksKeyId": "key-1"}, "XksKeyAlreadyInUseException"),
        ({"XksKeyId": "key-2", "MultiRegion": True}, "UnsupportedOperationException"),
        (
            {"XksKeyId": "key-2", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            "UnsupportedOperationException",
        ),
        ({}, "ValidationException"),
        ({"XksKeyId": "key-2", "CustomKeyStoreId": hsm}, "ValidationException"),
        ({"XksKeyId": "key-2", "CustomKeyStoreId": "cks-0"}, "CustomKeyStoreNotFoundException"),
    ):
        with refused(code):
            make_key(kms, **{"Origin": EXTERNAL, "CustomKeyStoreId": store, **members})
    with refused("UnsupportedOperationException"):
        kms.generate_random(CustomKeyStoreId=store)
    kms.disconnect_custom_key_store(CustomKeyStoreId=hsm)
    with refused("CustomKeyStoreInvalidStateException"):
        kms.generate_random(CustomKeyStoreId=hsm)


def test_another_account_does_not_see_a_store(customer: Account, vendor: Account) -> None:
    store = make_store(customer.kms, external())
    with refused("CustomKeyStoreNotFoundException"):
        vendor.kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    with refused("CustomKeyStoreNotFoundException"):
        customer.client("kms", "eu-west-1").describe_custom_key_stores(CustomKeyStoreId=store)
    assert shown(customer.kms, store)["ConnectionState"] == "CONNECTED"
