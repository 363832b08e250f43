"""Conditional writes at once: S3's 412 and 409, and DynamoDB's conditions and transactions, in both accounts."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox_fixtures import Account, Refusal, make_client, refused

if TYPE_CHECKING:
    from engine.sandbox import Sandbox

ACCOUNTS = ("customer", "vendor")


@pytest.fixture(params=ACCOUNTS)
def account(request: pytest.FixtureRequest) -> Account:
    """One account after the other."""
    found: Account = request.getfixturevalue(request.param)
    return found


def _bucket(account: Account) -> str:
    name = f"conditional-writes-of-{account.identity.value}"
    account.client("s3").create_bucket(Bucket=name)
    return name


def _code(call: Any) -> str:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "OK"


def test_a_write_on_condition_is_refused_with_412_once_the_object_is_another(account: Account) -> None:
    s3, bucket = account.client("s3"), _bucket(account)
    made = s3.put_object(Bucket=bucket, Key="a", Body=b"one", IfNoneMatch="*")
    for members in ({"IfNoneMatch": "*"}, {"IfMatch": '"0123456789abcdef0123456789abcdef"'}):
        with refused("PreconditionFailed"):
            s3.put_object(Bucket=bucket, Key="a", Body=b"two", **members)
        with refused("PreconditionFailed"):
            s3.copy_object(Bucket=bucket, Key="a", CopySource=f"{bucket}/a", MetadataDirective="REPLACE", **members)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"one"
    with refused("NoSuchKey"):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a", IfMatch=made["ETag"])
    s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a", IfNoneMatch="*")
    with refused("PreconditionFailed"):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key="a", Body=b"two", IfMatch=made["ETag"])
    s3.delete_object(Bucket=bucket, Key="a")
    s3.put_object(Bucket=bucket, Key="a", Body=b"three", IfNoneMatch="*")


@pytest.mark.parametrize("operation", ["put", "copy", "complete"])
def test_what_changes_an_object_during_a_write_on_condition_makes_it_a_409(
    sandbox: Sandbox, customer: Account, operation: str
) -> None:
    s3, bucket = customer.client("s3"), _bucket(customer)
    slow = make_client(sandbox, customer.credentials, "s3")
    s3.put_object(Bucket=bucket, Key="source", Body=b"source")
    s3.delete_object(Bucket=bucket, Key=operation)
    upload = slow.create_multipart_upload(Bucket=bucket, Key=operation)["UploadId"]
    part = slow.upload_part(Bucket=bucket, Key=operation, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    to: dict[str, Any] = {"Bucket": bucket, "Key": operation, "IfNoneMatch": "*"}
    calls: dict[str, Any] = {
        "put": lambda: slow.put_object(**to, Body=b"slow"),
        "copy": lambda: slow.copy_object(**to, CopySource=f"{bucket}/source"),
        "complete": lambda: slow.complete_multipart_upload(
            **to, UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]}
        ),
    }
    refusal = Refusal()

    def conflicting() -> None:
        with refused("ConditionalRequestConflict") as found:
            calls[operation]()
        refusal.code = found.code

    name = {"put": "PutObject", "copy": "CopyObject", "complete": "CompleteMultipartUpload"}[operation]
    with sandbox.faults.during(f"slow s3:{name} count=1 seconds=1"):
        thread = threading.Thread(target=conflicting)
        thread.start()
        while not sandbox.faults.standing()[0].struck:
            pass
        s3.put_object(Bucket=bucket, Key=operation, Body=b"quick")
        thread.join()
    assert refusal.code == "ConditionalRequestConflict"
    assert s3.get_object(Bucket=bucket, Key=operation)["Body"].read() == b"quick"
    with refused("PreconditionFailed"):
        calls[operation]()


def test_of_many_writers_of_one_object_one_is_first(sandbox: Sandbox, account: Account) -> None:
    bucket = _bucket(account)
    clients = [make_client(sandbox, account.credentials, "s3") for _ in range(8)]

    def write(number: int) -> str:
        to = {"Bucket": bucket, "Key": f"race-{number // 8}", "IfNoneMatch": "*"}
        return _code(lambda: clients[number % 8].put_object(**to, Body=b"%d" % number))

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(write, range(80)))
    assert codes.count("OK") == 10
    assert set(codes) <= {"OK", "PreconditionFailed", "ConditionalRequestConflict"}


def test_conditions_and_transactions_of_a_table_hold_among_many_writers(sandbox: Sandbox, account: Account) -> None:
    dynamodb, table = account.client("dynamodb"), "conditional-writes"
    dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=table, Item={"id": {"S": "head"}, "epoch": {"N": "0"}})
    clients = [make_client(sandbox, account.credentials, "dynamodb") for _ in range(8)]

    def advance(number: int) -> int:
        client, done = clients[number], 0
        while done < 3:
            epoch = int(client.get_item(TableName=table, Key={"id": {"S": "head"}})["Item"]["epoch"]["N"])
            values = {":old": {"N": str(epoch)}, ":new": {"N": str(epoch + 1)}}
            head = {
                "TableName": table,
                "Key": {"id": {"S": "head"}},
                "UpdateExpression": "SET epoch = :new",
                "ConditionExpression": "epoch = :old",
                "ExpressionAttributeValues": values,
            }
            entry = {
                "TableName": table,
                "Item": {"id": {"S": f"entry-{epoch}"}},
                "ConditionExpression": "attribute_not_exists(id)",
            }
            code = _code(lambda: client.transact_write_items(TransactItems=[{"Update": head}, {"Put": entry}]))  # noqa: B023 - called at once
            assert code in {"OK", "TransactionCanceledException", "TransactionConflictException"}
            done += code == "OK"
        return done

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(advance, range(8))) == 24
    items = {item["id"]["S"]: item for item in dynamodb.scan(TableName=table)["Items"]}
    assert items.pop("head")["epoch"] == {"N": "24"}
    assert set(items) == {f"entry-{number}" for number in range(24)}
    with refused("ConditionalCheckFailedException"):
        dynamodb.put_item(
            TableName=table, Item={"id": {"S": "entry-0"}}, ConditionExpression="attribute_not_exists(id)"
        )
    dynamodb.delete_table(TableName=table)
