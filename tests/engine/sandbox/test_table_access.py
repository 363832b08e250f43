"""DynamoDB by the caller's own IAM policies: every item, every index, and the partition keys that are named."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox.credentials import Credentials
from tests.ledger_stores import make_table
from tests.sandbox_fixtures import Account, make_client, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROW = {"partition_key": {"S": "northwind#head"}, "sort_key": {"S": "head"}}
THEIRS = {"partition_key": {"S": "southwind#head"}, "sort_key": {"S": "head"}}
OWN_ROWS = {
    "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["northwind#*"]},
    "Null": {"dynamodb:LeadingKeys": "false"},
}


@pytest.fixture(scope="module")
def table(customer: Account) -> Iterator[str]:
    name = f"rows-{secrets.token_hex(4)}"
    make_table(customer.client("dynamodb"), name)
    for row in (ROW, THEIRS):
        customer.client("dynamodb").put_item(TableName=name, Item=row)
    yield name
    customer.client("dynamodb").delete_table(TableName=name)


@pytest.fixture
def user(customer: Account, table: str) -> Iterator[Callable[..., Any]]:
    """Makes a user with these actions on the table's own rows; gives its client."""
    iam, name = customer.client("iam"), f"user-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]

    def with_actions(*actions: str, index: bool = False) -> Any:
        arn = f"arn:aws:dynamodb:us-east-1:{customer.account_id}:table/{table}"
        resources = [arn, f"{arn}/index/census"] if index else [arn]
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources, "Condition": OWN_ROWS}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
        credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        return make_client(customer.sandbox, credentials, "dynamodb")

    yield with_actions
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=name, PolicyName="own")
    iam.delete_user(UserName=name)


def requests(table: str, row: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """A request of each kind about a row, by the permission that it needs."""
    put = {"TableName": table, "Item": row}
    query = {
        "TableName": table,
        "KeyConditionExpression": "#p = :p",
        "ExpressionAttributeNames": {"#p": "partition_key"},
        "ExpressionAttributeValues": {":p": row["partition_key"]},
    }
    return {
        "GetItem": ("get_item", {"TableName": table, "Key": row}),
        "BatchGetItem": ("batch_get_item", {"RequestItems": {table: {"Keys": [row]}}}),
        "Query": ("query", query),
        "PutItem": ("put_item", put),
        "DeleteItem": ("transact_write_items", {"TransactItems": [{"Delete": {"TableName": table, "Key": row}}]}),
        "BatchWriteItem": ("batch_write_item", {"RequestItems": {table: [{"PutRequest": {"Item": row}}]}}),
        "ConditionCheckItem": (
            "transact_write_items",
            {
                "TransactItems": [
                    {
                        "ConditionCheck": {
                            "TableName": table,
                            "Key": row,
                            "ConditionExpression": "attribute_exists(sort_key)",
                        }
                    }
                ]
            },
        ),
    }


ACTIONS = tuple(requests("", ROW))


@pytest.mark.parametrize("action", ACTIONS)
def test_a_permission_is_for_its_own_requests_and_rows_alone(
    action: str, user: Callable[..., Any], table: str, customer: Account
) -> None:
    customer.client("dynamodb").put_item(TableName=table, Item=ROW)
    client = user(f"dynamodb:{action}")
    method, members = requests(table, ROW)[action]
    getattr(client, method)(**members)
    customer.client("dynamodb").put_item(TableName=table, Item=ROW)
    with refused("AccessDeniedException") as refusal:
        method, members = requests(table, THEIRS)[action]
        getattr(client, method)(**members)
    assert f"is not authorized to perform: dynamodb:{action} on resource" in refusal.message
    for other in set(ACTIONS) - {action}:
        with refused("AccessDeniedException"):
            method, members = requests(table, ROW)[other]
            getattr(client, method)(**members)
    rows = customer.client("dynamodb").scan(TableName=table)["Items"]
    assert sorted(rows, key=str) == sorted([ROW, THEIRS], key=str)


def test_a_transaction_with_one_row_too_many_writes_nothing(
    user: Callable[..., Any], table: str, customer: Account
) -> None:
    client = user("dynamodb:PutItem")
    more = {"note": {"S": "changed"}}
    with refused("AccessDeniedException"):
        client.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": {**row, **more}}} for row in (ROW, THEIRS)]
        )
    assert all("note" not in row for row in customer.client("dynamodb").scan(TableName=table)["Items"])


def test_a_scan_names_no_partition_and_an_index_needs_its_own_permission(user: Callable[..., Any], table: str) -> None:
    query = {**requests(table, ROW)["Query"][1], "IndexName": "census"}
    client = user("dynamodb:Query", "dynamodb:Scan")
    with refused("AccessDeniedException"):
        client.scan(TableName=table)
    with refused("AccessDeniedException"):
        client.query(**query)
    user("dynamodb:Query", index=True).query(**query)
