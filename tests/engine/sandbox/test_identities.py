"""Who a request comes from, and in whose account it then lives: KMS, S3, STS, IAM, DynamoDB."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox.access_keys import make_access_key_id
from engine.sandbox.credentials import Credentials
from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.keys import OWNER, allow, make_key
from tests.sandbox_fixtures import Account, make_client, refused

if TYPE_CHECKING:
    from engine.sandbox import Sandbox

STRANGER = Credentials(make_access_key_id("444444444444"), "never issued")
ANYONE: dict[str, Any] = {"Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **ANYONE}]})


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("kms", lambda client: client.list_keys(), "UnrecognizedClientException"),
        ("sts", lambda client: client.get_caller_identity(), "InvalidClientTokenId"),
        ("iam", lambda client: client.list_users(), "InvalidClientTokenId"),
        ("s3", lambda client: client.list_buckets(), "InvalidAccessKeyId"),
        ("dynamodb", lambda client: client.list_tables(), "UnrecognizedClientException"),
    ],
)
def test_credentials_that_were_never_issued_are_refused(sandbox: Sandbox, service: str, call: Any, code: str) -> None:
    with refused(code):
        call(make_client(sandbox, STRANGER, service))


def test_a_request_without_a_signature_is_refused(sandbox: Sandbox) -> None:
    for headers in ({}, {"X-Amz-Target": "TrentService.ListKeys"}, {"Authorization": "AWS4-HMAC-SHA256 nonsense"}):
        request = urllib.request.Request(sandbox.endpoint_url + "/", b"{}", dict(headers))  # noqa: S310 - our own
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request)  # noqa: S310 - our own
        with raised.value:
            assert raised.value.code == 403
            assert b"not signed" in raised.value.read()


def test_moto_cannot_be_reset_from_outside(sandbox: Sandbox) -> None:
    request = urllib.request.Request(sandbox.endpoint_url + "/moto-api/reset", b"", method="POST")  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)  # noqa: S310 - our own
    with raised.value:
        assert raised.value.code == 403


def test_kms_is_not_reached_under_another_services_name(sandbox: Sandbox, customer: Account) -> None:
    scope = f"{customer.credentials.access_key_id}/20260301/us-east-1/%s/aws4_request"
    for service, target in (("s3", "TrentService.ListKeys"), ("kms", "Other.ListKeys"), ("kms", "")):
        request = urllib.request.Request(  # noqa: S310 - our own
            sandbox.endpoint_url + "/",
            b"{}",
            {
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope % service}, SignedHeaders=host, Signature=0",
                **({"X-Amz-Target": target} if target else {}),
            },
        )
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request)  # noqa: S310 - our own
        with raised.value:
            assert raised.value.code == 403


def test_each_identity_is_told_its_own_account(customer: Account, vendor: Account) -> None:
    for account, account_id in ((customer, CUSTOMER), (vendor, VENDOR)):
        identity = account.sts.get_caller_identity()
        assert identity["Account"] == account_id
        assert identity["Arn"] == f"arn:aws:iam::{account_id}:user/keyturn-sandbox"


def test_buckets_tables_and_users_live_in_the_account_of_the_caller(customer: Account, vendor: Account) -> None:
    customer.client("s3").create_bucket(Bucket="vault-of-the-customer")
    vendor.client("s3").create_bucket(Bucket="vault-of-the-vendor")
    seen = {bucket["Name"] for bucket in vendor.client("s3").list_buckets()["Buckets"]}
    assert "vault-of-the-vendor" in seen
    assert "vault-of-the-customer" not in seen
    customer.client("dynamodb").create_table(
        TableName="ledger-of-the-customer",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert "ledger-of-the-customer" in customer.client("dynamodb").list_tables()["TableNames"]
    assert vendor.client("dynamodb").list_tables()["TableNames"] == []
    made = customer.client("iam").create_user(UserName="somebody")["User"]
    assert made["Arn"] == f"arn:aws:iam::{CUSTOMER}:user/somebody"


def test_a_client_cannot_choose_the_account_by_a_header(sandbox: Sandbox, customer: Account, vendor: Account) -> None:
    s3 = make_client(sandbox, customer.credentials, "s3")
    s3.meta.events.register(
        "before-send.s3", lambda request, **_: request.headers.__setitem__("x-moto-account-id", VENDOR)
    )
    s3.create_bucket(Bucket="not-the-vendors")
    assert "not-the-vendors" in [b["Name"] for b in customer.client("s3").list_buckets()["Buckets"]]
    assert "not-the-vendors" not in [b["Name"] for b in vendor.client("s3").list_buckets()["Buckets"]]


def test_objects_come_back_as_they_were_put(customer: Account) -> None:
    s3 = customer.client("s3")
    s3.create_bucket(Bucket="objects")
    body = bytes(range(256)) * 20_000
    s3.put_object(Bucket="objects", Key="a folder/ä +%.bin", Body=body, Metadata={"with_underscore": "kept"})
    found = s3.get_object(Bucket="objects", Key="a folder/ä +%.bin")
    assert found["Body"].read() == body
    assert found["Metadata"] == {"with_underscore": "kept"}
    assert s3.head_object(Bucket="objects", Key="a folder/ä +%.bin")["ContentLength"] == len(body)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="objects")["Contents"]] == ["a folder/ä +%.bin"]
    with refused("PreconditionFailed"):
        s3.put_object(Bucket="objects", Key="a folder/ä +%.bin", Body=b"", IfNoneMatch="*")
    with refused("NoSuchKey"):
        s3.get_object(Bucket="objects", Key="nothing")
    s3.delete_object(Bucket="objects", Key="a folder/ä +%.bin")
    assert "Contents" not in s3.list_objects_v2(Bucket="objects")


def test_a_presigned_url_works_and_a_forged_one_does_not(sandbox: Sandbox, customer: Account) -> None:
    s3 = customer.client("s3")
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="a", Body=b"data")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "a"})
    if "X-Amz-Credential" in url:
        with urllib.request.urlopen(url) as response:  # noqa: S310 - our own
            assert response.read() == b"data"
    forged = f"{sandbox.endpoint_url}/presigned/a?X-Amz-Credential={STRANGER.access_key_id}%2F20260301%2Fus-east-1"
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(forged + "%2Fs3%2Faws4_request")  # noqa: S310 - our own
    with raised.value:
        assert raised.value.code == 403


def test_an_assumed_role_has_what_the_key_policy_gives_it_by_name(sandbox: Sandbox, customer: Account) -> None:
    role = customer.client("iam").create_role(RoleName="KeyAdmin", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    assumed = customer.sts.assume_role(RoleArn=role, RoleSessionName="morning")["Credentials"]
    credentials = Credentials(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
    kms = make_client(sandbox, credentials, "kms")
    identity = make_client(sandbox, credentials, "sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{CUSTOMER}:assumed-role/KeyAdmin/morning"
    key = make_key(customer.kms, OWNER, allow(role, "kms:DisableKey"))
    kms.disable_key(KeyId=key)
    assert customer.kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "Disabled"
    # Its IAM policies allow it nothing: the statement for the account does not reach it.
    with refused("AccessDeniedException"):
        kms.enable_key(KeyId=key)
    with refused("AccessDeniedException"):
        kms.create_key()
    stolen = make_client(sandbox, Credentials(assumed["AccessKeyId"], assumed["SecretAccessKey"], "other"), "kms")
    with refused("UnrecognizedClientException"):
        stolen.disable_key(KeyId=key)


def test_a_user_made_in_the_sandbox_is_itself_and_goes_with_its_access_key(sandbox: Sandbox, customer: Account) -> None:
    iam = customer.client("iam")
    user = iam.create_user(UserName="reader")["User"]["Arn"]
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    kms = make_client(sandbox, Credentials(made["AccessKeyId"], made["SecretAccessKey"]), "kms")
    key = make_key(customer.kms, OWNER, allow(user, "kms:Encrypt"))
    kms.encrypt(KeyId=key, Plaintext=b"data")
    with refused("AccessDeniedException") as refusal:
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert refusal.message.startswith(f"User: {user} is not authorized")
    iam.delete_access_key(UserName="reader", AccessKeyId=made["AccessKeyId"])
    with refused("UnrecognizedClientException"):
        kms.encrypt(KeyId=key, Plaintext=b"data")
