"""A sandbox that runs for long takes no more memory for what is over."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.ledger_stores import DynamoDbStore


def _kept() -> int:
    return sum(type(one).__qualname__ in {"Table", "Item", "DynamoType"} for one in gc.get_objects())


def test_transactions_leave_no_copies_of_the_table_behind(dynamodb_store: DynamoDbStore) -> None:
    """moto copies a table for each transaction, and remembers every copy."""
    client, name = dynamodb_store.client(), dynamodb_store.table
    key = {"partition_key": {"S": "long"}, "sort_key": {"S": "run"}}

    def transact(count: int) -> int:
        for number in range(count):
            item = {**key, "number": {"N": str(number)}}
            client.transact_write_items(TransactItems=[{"Put": {"TableName": name, "Item": item}}])
        gc.collect()
        return _kept()

    before = transact(20)
    assert transact(60) <= before + 50
