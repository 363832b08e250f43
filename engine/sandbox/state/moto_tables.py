"""DynamoDB's tables in a state folder: one entry for a table without its items, one for each item.

A call's own parameters tell which items it may have changed, so a write costs what it writes and not what
the table holds. Backups and exports of tables are not kept.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from engine.sandbox.state.moto_pickles import dump, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.sandbox.state.folder import StateFolder

Changes = dict[str, "bytes | None"]
_PREFIX = "dynamodb/"
_SELF = "table"
_READS = ("Describe", "Get", "List", "Query", "Scan", "BatchGet", "TransactGet")


class StoredTables:
    """The rows of DynamoDB, of every account and Region.

    Args:
        folder: Where they are; what it holds is put into moto.

    Raises:
        DamagedError: An entry cannot be read.
    """

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._restore()

    def changes(self, account_id: str, region: str, operation: str, body: bytes) -> Changes:
        """What a call has changed.

        Args:
            account_id: Who called.
            region: The Region.
            operation: Such as `PutItem`.
            body: The call's parameters.
        """
        from moto.dynamodb.models import dynamodb_backends

        if operation.startswith(_READS):
            return {}
        tables = dynamodb_backends[account_id][region].tables
        prefix = f"{_PREFIX}{account_id}/{region}/"
        named = _written_items(operation, json.loads(body or b"{}"))
        if named is None:
            kept = {name.removeprefix(f"{prefix}table/") for name in self._folder.names(f"{prefix}table/")}
            changes: Changes = {}
            for name in {*tables, *kept}:
                changes |= self._whole(prefix, name, tables.get(name))
            return changes
        changes = {}
        for name, attributes in named:
            name = name.rpartition("/")[2]  # noqa: PLW2901 - a table's ARN stands for its name
            if (table := tables.get(name)) is not None:
                changes |= _one(prefix, name, table, attributes)
        return changes

    def _whole(self, prefix: str, name: str, table: Any) -> Changes:
        row, items = f"{prefix}table/{name}", f"{prefix}item/{name}/"
        if table is None:
            return dict.fromkeys((row, *self._folder.names(items)))
        changes: Changes = dict.fromkeys(self._folder.names(items))
        changes[row] = _table_row(table)
        for item in table.all_items():
            changes[f"{items}{_key_of(table, item.to_json()['Attributes'])}"] = dump(item)
        return changes

    def _restore(self) -> None:
        from moto.dynamodb.models import dynamodb_backends
        from moto.dynamodb.models.table import Table

        items: list[tuple[str, str, str, bytes]] = []
        for name, value in self._folder.read(_PREFIX):
            account_id, region, kind, table_name, *_ = name.removeprefix(_PREFIX).split("/", 4)
            if kind == "item":
                items.append((account_id, region, table_name, value))
                continue
            table: Any = Table.__new__(Table)
            table.__dict__.update(load(value, {_SELF: table}.__getitem__))
            dynamodb_backends[account_id][region].tables[table_name] = table
        for account_id, region, table_name, value in items:
            table, item = dynamodb_backends[account_id][region].tables[table_name], load(value)
            if item.range_key is None:
                table.items[item.hash_key] = item
            else:
                table.items[item.hash_key][item.range_key] = item


def _written_items(operation: str, parameters: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]] | None:
    """The tables and keys, or whole items, that a call writes; None where that cannot be told."""
    if operation in {"PutItem", "UpdateItem", "DeleteItem"}:
        return [(parameters["TableName"], parameters.get("Item") or parameters["Key"])]
    if operation == "TransactWriteItems":
        return list(_of_transaction(parameters))
    if operation == "BatchWriteItem":
        return [
            (name, (request.get("PutRequest") or {}).get("Item") or request["DeleteRequest"]["Key"])
            for name, requests in parameters["RequestItems"].items()
            for request in requests
        ]
    return None


def _of_transaction(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for step in parameters["TransactItems"]:
        for kind, write in step.items():
            if kind != "ConditionCheck":
                yield write["TableName"], write.get("Item") or write["Key"]


def _one(prefix: str, name: str, table: Any, attributes: Mapping[str, Any]) -> Changes:
    from moto.dynamodb.models.dynamo_type import DynamoType

    row = f"{prefix}item/{name}/{_key_of(table, attributes)}"
    held: Any = table.items.get(DynamoType(attributes[table.hash_key_attr]))
    if held is not None and table.range_key_attr is not None:
        held = held.get(DynamoType(attributes[table.range_key_attr]))
    changes: Changes = {row: None if held is None else dump(held)}
    if table.stream_shard is not None:
        changes[f"{prefix}table/{name}"] = _table_row(table)
    return changes


def _key_of(table: Any, attributes: Mapping[str, Any]) -> str:
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name is not None]
    return json.dumps([attributes[name] for name in names], sort_keys=True)


def _table_row(table: Any) -> bytes:
    members = {name: value for name, value in table.__dict__.items() if name != "items"}
    return dump({**members, "items": defaultdict(dict)}, lambda found: _SELF if found is table else None)
