"""Buckets are their account's alone, and S3 does not pretend to encrypt under a KMS key."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.builders import REGION
from tests.sandbox_fixtures import refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sandbox_fixtures import Account

CALLS: dict[str, Any] = {
    "reading": lambda s3: s3.get_object(Bucket="customers-own", Key="vault/one"),
    "writing": lambda s3: s3.put_object(Bucket="customers-own", Key="vault/two", Body=b"x"),
    "deleting": lambda s3: s3.delete_object(Bucket="customers-own", Key="vault/one"),
    "deleting several": lambda s3: s3.delete_objects(
        Bucket="customers-own", Delete={"Objects": [{"Key": "vault/one"}]}
    ),
    "listing": lambda s3: s3.list_objects_v2(Bucket="customers-own"),
    "its policy": lambda s3: s3.put_bucket_policy(Bucket="customers-own", Policy="{}"),
    "its versions": lambda s3: s3.put_bucket_versioning(
        Bucket="customers-own", VersioningConfiguration={"Status": "Suspended"}
    ),
    "copying from it": lambda s3: s3.copy_object(
        Bucket="vendors-own", Key="stolen", CopySource="customers-own/vault/one"
    ),
    "deleting it": lambda s3: s3.delete_bucket(Bucket="customers-own"),
}


@pytest.fixture(scope="module", autouse=True)
def buckets(customer: Account, vendor: Account) -> Iterator[None]:
    customer.client("s3").create_bucket(Bucket="customers-own")
    customer.client("s3").put_object(Bucket="customers-own", Key="vault/one", Body=b"precious")
    vendor.client("s3").create_bucket(Bucket="vendors-own")
    yield
    customer.client("s3").delete_object(Bucket="customers-own", Key="vault/one")
    customer.client("s3").delete_bucket(Bucket="customers-own")
    vendor.client("s3").delete_bucket(Bucket="vendors-own")


@pytest.mark.parametrize("call", CALLS)
def test_another_accounts_bucket_is_shut(customer: Account, vendor: Account, call: str) -> None:
    with refused("AccessDenied"):
        CALLS[call](vendor.client("s3"))
    assert customer.client("s3").get_object(Bucket="customers-own", Key="vault/one")["Body"].read() == b"precious"
    assert customer.client("s3").list_objects_v2(Bucket="customers-own")["KeyCount"] == 1
    assert vendor.client("s3").list_objects_v2(Bucket="vendors-own")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("127.0.0.1", "/customers-own/vault/one"),
        ("LOCALHOST", "/customers-own/vault/one"),
        ("sandbox", "/customers-own/vault/one"),
        ("0.0.0.0", "/customers-own/vault/one"),  # noqa: S104 - a name in a header
        ("s3.amazonaws.com", "/customers-own/vault/one"),
        ("s3.us-east-1.amazonaws.com", "/customers-own/vault/one"),
        ("customers-own.localhost", "/vault/one"),
        ("customers-own.s3.amazonaws.com", "/vault/one"),
        ("www.customers-own.localhost", "/vault/one"),
    ],
)
def test_no_name_of_the_host_opens_another_accounts_bucket(
    customer: Account, vendor: Account, host: str, target: str
) -> None:
    def get(account: Account) -> int:
        credentials = Credentials(account.credentials.access_key_id, account.credentials.secret_access_key)
        request = AWSRequest("GET", "http://localhost/")
        SigV4Auth(credentials, "s3", REGION).add_auth(request)
        connection = HTTPConnection("127.0.0.1", account.sandbox.port)
        connection.putrequest("GET", target, skip_host=True)
        for name, value in {"Host": host, **dict(request.headers.items())}.items():
            connection.putheader(name, value)
        connection.endheaders()
        status = connection.getresponse().status
        connection.close()
        return status

    assert (get(customer), get(vendor)) == (200, 403)


def test_looking_whether_it_is_there_is_forbidden_too(vendor: Account) -> None:
    with pytest.raises(ClientError) as refusal:
        vendor.client("s3").head_bucket(Bucket="customers-own")
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_name_that_another_account_has_is_taken(vendor: Account) -> None:
    with refused("BucketAlreadyExists"):
        vendor.client("s3").create_bucket(Bucket="customers-own")


def test_an_object_is_not_encrypted_under_a_kms_key_in_appearance(customer: Account) -> None:
    s3, key = customer.client("s3"), customer.kms.create_key()["KeyMetadata"]["KeyId"]
    with refused("NotImplemented"):
        s3.put_object(Bucket="customers-own", Key="e", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    with refused("NotImplemented"):
        s3.put_bucket_encryption(Bucket="customers-own", ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket="customers-own", Key="vault/one", Body=b"precious", ServerSideEncryption="AES256")
    assert s3.list_objects_v2(Bucket="customers-own")["KeyCount"] == 1
