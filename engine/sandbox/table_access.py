"""DynamoDB for users and roles: each item that a request is about needs an allow of the caller's own IAM policies.

A transaction and a batch ask for the permission of every write and read within them, a query on an index for the
index. `dynamodb:LeadingKeys` holds the partition keys that a request names, so that a policy can keep a tenant to
its own. An administrator is asked nothing. (Amazon DynamoDB Developer Guide, "Using IAM policy conditions for
fine-grained access control", "DynamoDB API permissions")
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from engine.access.model import Request
from engine.sandbox.caller_context import context_of
from engine.sandbox.identity_policies import Opinion
from engine.sandbox.refusals import Names, refuse_as

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from engine.sandbox.credentials import Principal
    from engine.sandbox.http_messages import HttpRequest, HttpResponse

_DYNAMODB = "dynamodb"
_WITHIN_A_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}
_EQUALS = re.compile(r"(?P<name>[#\w]+)\s*=\s*(?P<value>:\w+)")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One permission that a request needs; `leading_keys` is None where it names no partition."""

    operation: str
    table: str | None
    index: str | None = None
    leading_keys: tuple[str, ...] | None = None


def refuse_items(request: HttpRequest, principal: Principal, now: datetime, region: str) -> HttpResponse | None:
    """The refusal of a request to DynamoDB, or None where the caller's IAM policies allow all of it.

    Args:
        request: The request, signed for DynamoDB.
        principal: The caller.
        now: The sandbox's time, UTC.
        region: The Region that it was signed for.
    """
    if principal.policies is None:
        return None
    operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        asked = tuple(_permissions(operation, json.loads(request.body or b"{}"), principal, region))
    except (ValueError, TypeError, AttributeError, KeyError):
        asked = (_Asked(operation, None),)  # nobody can tell what it is about
    for one in asked:
        action, resource = f"{_DYNAMODB}:{one.operation}", _arn(one, principal, region)
        context = context_of(principal, now, region, request.client_address[0])
        if one.leading_keys is not None:
            context["dynamodb:LeadingKeys"] = one.leading_keys
        permission = Request(action, resource, principal.account_id, context, complete=True)
        if principal.opinion(permission) is not Opinion.ALLOWED:
            message = (
                f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} "
                f"because no identity-based policy allows the {action} action"
            )
            name = "com.amazon.coral.service#AccessDeniedException"
            return refuse_as(request, _DYNAMODB, Names(HTTPStatus.BAD_REQUEST, name, name, name, message))
    return None


def _permissions(operation: str, body: Mapping[str, Any], principal: Principal, region: str) -> Iterator[_Asked]:
    def leading(table: str, *items: Mapping[str, Any]) -> tuple[str, ...]:
        name = _partition_key(table, principal, region)
        return tuple(dict.fromkeys(str(next(iter(item[name].values()))) for item in items if name in item))

    match operation:
        case "TransactWriteItems" | "TransactGetItems":
            for entry in body["TransactItems"]:
                for kind, members in entry.items():
                    table = members["TableName"]
                    keys = leading(table, members.get("Key") or members["Item"])
                    yield _Asked(_WITHIN_A_TRANSACTION[kind], table, leading_keys=keys)
        case "BatchGetItem":
            for table, members in body["RequestItems"].items():
                yield _Asked(operation, table, leading_keys=leading(table, *members["Keys"]))
        case "BatchWriteItem":
            for table, writes in body["RequestItems"].items():
                items = [one.get("Item") or one["Key"] for write in writes for one in write.values()]
                yield _Asked(operation, table, leading_keys=leading(table, *items))
        case "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem":
            table = body["TableName"]
            yield _Asked(operation, table, leading_keys=leading(table, body.get("Key") or body["Item"]))
        case "Query":
            table = body["TableName"]
            yield _Asked(
                operation, table, body.get("IndexName"), _queried(body, _partition_key(table, principal, region))
            )
        case _:
            yield _Asked(operation, body.get("TableName"), body.get("IndexName"))


def _queried(body: Mapping[str, Any], partition_key: str) -> tuple[str, ...]:
    """The partition that a query names; it always names one."""
    names, values = body.get("ExpressionAttributeNames", {}), body.get("ExpressionAttributeValues", {})
    for found in _EQUALS.finditer(body.get("KeyConditionExpression", "")):
        if names.get(found["name"], found["name"]) == partition_key and found["value"] in values:
            return (str(next(iter(values[found["value"]].values()))),)
    return ()


def _partition_key(table: str, principal: Principal, region: str) -> str:
    """The name of a table's partition key; of one that is not there, no item has it."""
    from moto.dynamodb.models import dynamodb_backends

    found = dynamodb_backends[principal.account_id][region].tables.get(table.rpartition("/")[2])
    return "" if found is None else str(found.hash_key_attr)


def _arn(asked: _Asked, principal: Principal, region: str) -> str:
    if asked.table is None:
        return "*"
    name = asked.table.rpartition("/")[2]
    index = f"/index/{asked.index}" if asked.index else ""
    return f"arn:{principal.partition}:{_DYNAMODB}:{region}:{principal.account_id}:table/{name}{index}"
