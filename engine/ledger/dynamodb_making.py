"""Making, opening and restoring a tenant's ledger in a DynamoDB table."""

from __future__ import annotations

import secrets
from itertools import chain
from typing import TYPE_CHECKING

from engine.errors import DamagedError, InputError
from engine.ledger.conflicts import (
    another_recovery,
    not_empty,
    recovery_taken_over,
    recovery_under_way,
)
from engine.ledger.dynamodb import DynamoDbLedger
from engine.ledger.dynamodb_client import DynamoDbTable, RefusedWriteError
from engine.ledger.dynamodb_items import (
    NEW,
    RESTORE,
    data_key_item,
    head_item,
    head_key,
    journal_item,
    key,
    number,
    text,
    workload_item,
)
from engine.ledger.dynamodb_table import (
    PARTITION_KEY,
    RECOVERY,
    SCHEMA_VERSION,
    SHARDS,
    data_key_partition,
    journal_partition,
    recovery_partition,
)
from engine.ledger.interface import Head
from engine.ledger.journal import GENESIS, make_entry
from engine.ledger.state_document import encode_state, state_hash

if TYPE_CHECKING:
    from datetime import datetime

    from engine.ledger.actor import Actor
    from engine.ledger.contents import LedgerContents
    from engine.lifecycle import TenantState


def create_dynamodb_ledger(table: DynamoDbTable, state: TenantState, actor: Actor, at: datetime) -> DynamoDbLedger:
    """Make a tenant's ledger with its first journal entry, or open the one that another process just made.

    Raises:
        InputError: There is no such table.
        AwsError: DynamoDB said no or cannot be reached.
        ConflictError: It is being recovered.
        DamagedError: There is something else in its place.
    """
    encoded = encode_state(state)
    details = {"tenant": state.tenant, "account_id": state.account_id, "region": state.region}
    entry = make_entry(1, GENESIS, "created", details, actor, at, state_hash(encoded))
    try:
        table.transact(
            {"Put": {"Item": head_item(Head(0, state, 1, entry.hash), encoded), **NEW}},
            {"Put": {"Item": journal_item(state.tenant, entry), **NEW}},
            {"ConditionCheck": {"Key": key(recovery_partition(state.tenant), RECOVERY), **NEW}},
        )
    except RefusedWriteError as error:
        if error.refused[2:] == (True,):
            raise recovery_under_way(f"dynamodb://{table.name}") from error
        ledger = open_dynamodb_ledger(table, state.tenant)
        if ledger is None:
            raise DamagedError(
                f"the table {table.name!r} has a journal of tenant {state.tenant!r}, but no head", RESTORE
            ) from error
        return ledger
    return DynamoDbLedger(table, state.tenant)


def restore_dynamodb_ledger(table: DynamoDbTable, contents: LedgerContents) -> None:
    """Make a tenant's ledger with all that another one had.

    The head comes last: until then there is no ledger, and the same recovery may be begun again after a break. The
    run that began last goes on alone: each write of an earlier one, however late it comes, is refused.

    Raises:
        ConflictError: There is a ledger already, another recovery has begun, or another run of this one took over;
            nothing of a ledger was overwritten.
        DamagedError: The table holds remains of a ledger without a head.
    """
    head = contents.head
    tenant = head.state.tenant
    mark = key(recovery_partition(tenant), RECOVERY)
    if table.get(head_key(tenant)) is not None:
        raise not_empty(f"dynamodb://{table.name}")
    if table.get(mark) is None and _has_remains(table, tenant):
        raise DamagedError(
            f"the table {table.name!r} has remains of a ledger of tenant {tenant!r} without a head",
            "bring the table back by its point-in-time recovery, or recover into another table",
        )
    run = secrets.token_hex(16)
    try:
        table.write(
            "put_item",
            {
                "Item": {**mark, "source": text(contents.source), "run": text(run)},
                "ConditionExpression": "attribute_not_exists(#partition) OR #source = :source",
                "ExpressionAttributeNames": {"#partition": PARTITION_KEY, "#source": "source"},
                "ExpressionAttributeValues": {":source": text(contents.source)},
            },
        )
    except RefusedWriteError as error:
        raise another_recovery(f"dynamodb://{table.name}") from error
    still_ours = {
        "Key": mark,
        "ConditionExpression": "#run = :run",
        "ExpressionAttributeNames": {"#run": "run"},
        "ExpressionAttributeValues": {":run": text(run)},
    }
    items = chain(
        (journal_item(tenant, entry) for entry in contents.entries()),
        (
            item
            for data_key in contents.data_keys()
            for item in (data_key_item(tenant, data_key), workload_item(tenant, data_key))
        ),
    )
    try:
        table.put_all(items, still_ours)
        table.transact({"Put": {"Item": head_item(head, encode_state(head.state)), **NEW}}, {"Delete": still_ours})
    except RefusedWriteError as error:
        raise recovery_taken_over(f"dynamodb://{table.name}") from error


def _has_remains(table: DynamoDbTable, tenant: str) -> bool:
    partitions = (journal_partition(tenant), *(data_key_partition(tenant, shard) for shard in SHARDS))
    return any(True for partition in partitions for _ in table.query(partition, first=1))


def open_dynamodb_ledger(table: DynamoDbTable, tenant: str) -> DynamoDbLedger | None:
    """Open a tenant's ledger, or None where the table has none of it.

    Raises:
        InputError: There is no such table, or the ledger is of a version that this one does not know.
        AwsError: DynamoDB said no or cannot be reached.
        DamagedError: It has no schema version.
    """
    item = table.get(head_key(tenant))
    if item is None:
        return None
    if item.get("schema_version") != number(SCHEMA_VERSION):
        found = item.get("schema_version", {}).get("N")
        if found is None:
            raise DamagedError(f"the ledger of {tenant!r} in the table {table.name!r} has no schema version")
        raise InputError(
            f"the ledger of {tenant!r} in the table {table.name!r} has schema version {found};"
            f" this version of Keyturn reads {SCHEMA_VERSION}",
            "use the version of Keyturn that wrote it, or a newer one",
        )
    return DynamoDbLedger(table, tenant)
