"""The one edge to Amazon DynamoDB: consistent reads, conditional and transactional writes, errors in our words.

- Every read is strongly consistent.
- Throttling and lost connections are retried by botocore, with backoff. A transaction that met another one
  on the same item was not carried out at all, and is tried again here. What a condition refused is never
  retried, and neither is anything else.
- A transaction carries an idempotency token, so one whose answer was lost is carried out once.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from engine.errors import AwsError, DamagedError, InputError
from engine.ledger.dynamodb_table import CENSUS_INDEX, PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from engine.ledger.dynamodb_items import Item

_ATTEMPTS = 12
_LONGEST_WAIT = 1.0  # seconds
_BATCH = 100  # BatchGetItem takes no more
_WRITTEN = 100  # nor does TransactWriteItems
_READS = {"GetItem", "BatchGetItem", "Query"}
_PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
_BUSY = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionInProgressException",
}


class RefusedWriteError(Exception):
    """A condition said no; nothing was written. Never leaves the ledger.

    Attributes:
        refused: For each write of the transaction whether its own condition said no.
        stored: What stands in the place of a single write, where it was asked for.
    """

    def __init__(self, refused: tuple[bool, ...], stored: Item | None = None) -> None:
        super().__init__("a condition said no")
        self.refused = refused
        self.stored = stored


class DynamoDbTable:
    """One table, with one client; safe to use from several threads."""

    def __init__(self, client: Any, name: str, pause: Callable[[float], None] = time.sleep) -> None:
        """Use `connect_table`."""
        self._client = client
        self.name = name
        self._pause = pause

    def get(self, key: Item) -> Item | None:
        """Read one item, or None."""
        with self._translated("GetItem"):
            answer = self._client.get_item(TableName=self.name, Key=key, ConsistentRead=True)
            item: Item | None = answer.get("Item")
            return item

    def get_all(self, keys: Sequence[Item]) -> list[Item]:
        """Read items by their keys, in no order; those that are not there are left out."""
        found: list[Item] = []
        for start in range(0, len(keys), _BATCH):
            left: Any = {self.name: {"Keys": list(keys[start : start + _BATCH]), "ConsistentRead": True}}
            attempt = 0
            while left:
                with self._translated("BatchGetItem"):
                    answer = self._client.batch_get_item(RequestItems=left)
                found.extend(answer["Responses"].get(self.name, ()))
                left = answer.get("UnprocessedKeys")
                if left:
                    attempt = self._wait(attempt)
        return found

    def query(
        self,
        partition: str,
        *,
        after: str | None = None,
        up_to: str | None = None,
        first: int | None = None,
        condition: str | None = None,
        values: Mapping[str, Mapping[str, Any]] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Iterator[Item]:
        """Read a partition in the order of its sort keys, page by page.

        Args:
            partition: The partition key.
            after: Only what sorts behind this.
            up_to: Only what sorts before this, or is it.
            first: How many items the first page reads; the later ones are as large as DynamoDB makes them.
            condition: A filter expression over names and values.
            values: Its values.
            names: Its names.
        """
        expression, texts = "#partition = :partition", {":partition": {"S": partition}}
        placeholders = {"#partition": PARTITION_KEY}
        bounds = {":after": after, ":up_to": up_to}
        texts.update({name: {"S": bound} for name, bound in bounds.items() if bound is not None})
        if len(texts) > 1:
            placeholders["#sort"] = SORT_KEY
        match after, up_to:
            case str(), str():
                expression += " AND #sort BETWEEN :after AND :up_to"  # its lower bound is in it, and left out below
            case str(), None:
                expression += " AND #sort > :after"
            case None, str():
                expression += " AND #sort <= :up_to"
        request: dict[str, Any] = {
            "KeyConditionExpression": expression,
            "ExpressionAttributeNames": {**placeholders, **(names or {})},
            "ExpressionAttributeValues": {**texts, **(values or {})},
        }
        if condition is not None:
            request["FilterExpression"] = condition
        for item in self._pages(request, first):
            if after is None or item[SORT_KEY] != {"S": after}:
                yield item

    def query_census(self, partition: str) -> Iterator[Item]:
        """Read the index entries of a partition."""
        yield from self._pages(
            {
                "IndexName": CENSUS_INDEX,
                "KeyConditionExpression": "#partition = :partition",
                "ExpressionAttributeNames": {"#partition": PARTITION_KEY},
                "ExpressionAttributeValues": {":partition": {"S": partition}},
            },
            None,
        )

    def write(self, operation: str, request: Mapping[str, Any]) -> None:
        """Carry out one conditional write: `put_item`, `update_item` or `delete_item`.

        Raises:
            RefusedWriteError: Its condition said no.
            AwsError: The item was in use by transactions all the time.
        """
        call = getattr(self._client, operation)
        self._until_free(
            operation,
            lambda: call(TableName=self.name, ReturnValuesOnConditionCheckFailure="ALL_OLD", **request),
        )

    def transact(self, *writes: Mapping[str, Mapping[str, Any]]) -> None:
        """Carry out several writes, such as `{"Put": {…}}`, all or none.

        Raises:
            RefusedWriteError: A condition said no; nothing was written.
            AwsError: The items were in use by other transactions all the time.
        """
        items = [{kind: {"TableName": self.name, **members} for kind, members in write.items()} for write in writes]
        self._until_free("TransactWriteItems", lambda: self._client.transact_write_items(TransactItems=items))

    def put_all(self, items: Iterable[Item], check: Mapping[str, Any]) -> None:
        """Write items in the place of what stands there, in transactions, each only where a condition check holds.

        Raises:
            RefusedWriteError: The check said no; what was written before stays.
            AwsError: The items were in use by other transactions all the time.
        """
        for batch in _batches(items, _WRITTEN - 1):
            self.transact({"ConditionCheck": check}, *({"Put": {"Item": item}} for item in batch))

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()

    def _until_free(self, operation: str, call: Callable[[], object]) -> None:
        """Carry out a write, again where it met a transaction on the same item and was not carried out."""
        attempt = 0
        while True:
            try:
                with self._translated(operation):
                    call()
            except _PassingTroubleError:
                attempt = self._wait(attempt)
            else:
                return

    def _pages(self, request: Mapping[str, Any], first: int | None) -> Iterator[Item]:
        more: dict[str, Any] = {} if first is None else {"Limit": first}
        while True:
            with self._translated("Query"):
                answer = self._client.query(TableName=self.name, ConsistentRead=True, **request, **more)
            yield from answer["Items"]
            last = answer.get("LastEvaluatedKey")
            if last is None:
                return
            more = {"ExclusiveStartKey": last}

    def _wait(self, attempt: int) -> int:
        if attempt + 1 >= _ATTEMPTS:
            raise self._busy()
        self._pause(random.uniform(0, min(_LONGEST_WAIT, 0.02 * 2**attempt)))  # noqa: S311 - jitter, no secret
        return attempt + 1

    def _busy(self) -> AwsError:
        return AwsError(
            f"the ledger's table {self.name!r} is too busy: DynamoDB asks to slow down",
            "try again, or raise the table's capacity",
        )

    @contextmanager
    def _translated(self, operation: str) -> Iterator[None]:
        """Turn every error of botocore into ours."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise self._from_client_error(operation, error) from error
        except BotoCoreError as error:
            raise AwsError(
                f"the ledger's table {self.name!r} cannot be used: {operation} failed: {error}",
                "check the network and the AWS credentials in use"
                + ("" if operation in _READS else "; whether it was stored is not known: `keyturn history` shows it"),
            ) from error

    def _from_client_error(self, operation: str, error: Any) -> Exception:
        code = str(error.response.get("Error", {}).get("Code", "")).rpartition("#")[2]
        if code == "ConditionalCheckFailedException":
            return RefusedWriteError((True,), error.response.get("Item"))
        if code == "TransactionCanceledException":
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", ())]
            if "ConditionalCheckFailed" in reasons:
                return RefusedWriteError(tuple(reason == "ConditionalCheckFailed" for reason in reasons))
            if set(reasons) & _PASSING:
                return _PassingTroubleError(code)
            code = f"{code} ({', '.join(str(reason) for reason in reasons)})"
        if code == "TransactionConflictException":
            return _PassingTroubleError(code)
        if code in _BUSY:
            return self._busy()
        if code == "ResourceNotFoundException":
            return InputError(
                f"there is no DynamoDB table {self.name!r} in this account and Region",
                "deploy the stack that makes it, or look at `ledger` in the declaration and at the credentials",
            )
        if code == "ValidationException":
            return DamagedError(
                f"the table {self.name!r} is not a ledger's, or cannot hold this: {operation} was refused as invalid:"
                f" {error.response['Error'].get('Message', '')}",
                "the ledger's stack makes the table with its index",
            )
        return AwsError(
            f"the ledger's table {self.name!r} cannot be used: {operation} failed; AWS answered {code or 'no code'}",
            "check the credentials in use and their IAM policy"
            " (engine/ledger/dynamodb.py names the permissions that it needs)",
        )


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


class _PassingTroubleError(Exception):
    """A transaction met another one on the same item, and was not carried out."""


def connect_table(region: str, name: str) -> DynamoDbTable:
    """Connect to a table with boto3's usual chain of credentials.

    Args:
        region: The Region of the table.
        name: Its name.

    Raises:
        AwsError: No client can be made of the settings in use.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 6}, max_pool_connections=32
    )
    try:
        connect: Any = boto3.Session(region_name=region).client
        return DynamoDbTable(connect("dynamodb", config=config), name)
    except (BotoCoreError, ValueError) as error:
        raise AwsError(f"Amazon DynamoDB cannot be used: {error}", "check the AWS profile and settings") from error
