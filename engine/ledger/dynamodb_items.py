"""The ledger's records as DynamoDB items, and back.

An item is a mapping of attribute names to typed values, `{"N": "1"}`, as the low-level API has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.catalogue import Custody
from engine.errors import DamagedError
from engine.ledger.dynamodb_table import (
    CENSUS_KEY,
    HEAD,
    PARTITION_KEY,
    SCHEMA_VERSION,
    SORT_KEY,
    census_key,
    data_key_partition,
    head_partition,
    journal_partition,
    journal_sort_key,
    snapshot_partition,
    workload_partition,
)
from engine.ledger.interface import DataKey, Head
from engine.times import format_time, parse_time

if TYPE_CHECKING:
    from engine.ledger.journal import JournalEntry

Item = dict[str, dict[str, Any]]

# The condition of a write where nothing may stand yet.
NEW = {
    "ConditionExpression": "attribute_not_exists(#partition)",
    "ExpressionAttributeNames": {"#partition": PARTITION_KEY},
}

RESTORE = "bring the table back by its point-in-time recovery, or `keyturn ledger recover` into another table"


def key(partition: str, sort: str) -> Item:
    """The primary key of an item."""
    return {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort}}


def head_key(tenant: str) -> Item:
    """The key of a tenant's head."""
    return key(head_partition(tenant), HEAD)


def journal_key(tenant: str, number: int) -> Item:
    """The key of a journal entry."""
    return key(journal_partition(tenant), journal_sort_key(number))


def data_key_key(tenant: str, data_key_id: str) -> Item:
    """The key of a wrapped data key."""
    return key(data_key_partition(tenant, data_key_id[:1]), data_key_id)


def workload_key(tenant: str, purpose: str, workload: str) -> Item:
    """The key of what tells which data key a workload has."""
    return key(workload_partition(tenant, purpose), workload)


def snapshot_key(tenant: str, data_key_id: str) -> Item:
    """The key of what tells the newest snapshot under a data key."""
    return key(snapshot_partition(tenant), data_key_id)


def text(value: str | None) -> dict[str, Any]:
    """A text, or nothing."""
    return {"NULL": True} if value is None else {"S": value}


def number(value: int | None) -> dict[str, Any]:
    """A number, or nothing."""
    return {"NULL": True} if value is None else {"N": str(value)}


def head_item(head: Head, encoded: bytes) -> Item:
    """A head, with its encoded state."""
    rotation = head.state.rotation
    return {
        **head_key(head.state.tenant),
        "schema_version": number(SCHEMA_VERSION),
        "head_version": number(head.version),
        "encoded_state": {"B": encoded},
        "rotation_epoch": number(None if rotation is None else rotation.epoch),
        "journal_length": number(head.journal_length),
        "journal_hash": text(head.journal_hash),
    }


def journal_item(tenant: str, entry: JournalEntry) -> Item:
    """A journal entry."""
    return {**journal_key(tenant, entry.number), "entry": {"B": entry.raw}}


def workload_item(tenant: str, data_key: DataKey) -> Item:
    """What tells which data key a workload has for a purpose."""
    where = workload_key(tenant, data_key.purpose, data_key.workload)
    return {**where, "data_key_id": text(data_key.data_key_id)}


def snapshot_item(tenant: str, data_key_id: str, number: int, snapshot: str) -> Item:
    """What tells the newest snapshot under a data key."""
    return {**snapshot_key(tenant, data_key_id), "number": {"N": str(number)}, "snapshot": text(snapshot)}


def data_key_item(tenant: str, data_key: DataKey) -> Item:
    """A wrapped data key."""
    return {
        **data_key_key(tenant, data_key.data_key_id),
        CENSUS_KEY: text(census_key(data_key)),
        "workload": text(data_key.workload),
        "purpose": text(data_key.purpose),
        "custody": text(data_key.custody.value),
        "generation": number(data_key.generation),
        "key_arn": text(data_key.key_arn),
        "ciphertext": {"B": data_key.ciphertext},
        "commitment": {"B": data_key.commitment},
        "key_material_id": text(data_key.key_material_id),
        "epoch": number(data_key.epoch),
        "verified": {"BOOL": data_key.verified},
        "set_aside": text(data_key.set_aside),
        "created_at": text(format_time(data_key.created_at)),
    }


def read_data_key(item: Item) -> DataKey:
    """Read a wrapped data key.

    Raises:
        DamagedError: It is not one, or the index says that it stands elsewhere than it does.
    """
    name = str(item.get(SORT_KEY, {}).get("S"))
    try:
        data_key = DataKey(
            data_key_id=item[SORT_KEY]["S"],
            workload=item["workload"]["S"],
            purpose=item["purpose"]["S"],
            custody=Custody(item["custody"]["S"]),
            generation=int(item["generation"]["N"]),
            key_arn=item["key_arn"]["S"],
            ciphertext=item["ciphertext"]["B"],
            commitment=item["commitment"]["B"],
            key_material_id=_text_or_none(item["key_material_id"]),
            epoch=int(item["epoch"]["N"]),
            verified=item["verified"]["BOOL"],
            set_aside=_text_or_none(item["set_aside"]),
            created_at=parse_time(item["created_at"]["S"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise DamagedError(f"the record of data key {name!r} cannot be read: {error}", RESTORE) from error
    if item.get(CENSUS_KEY) != text(census_key(data_key)):
        raise DamagedError(f"the record of data key {name!r} stands elsewhere than the census has it", RESTORE)
    return data_key


def _text_or_none(value: dict[str, Any]) -> str | None:
    if value == {"NULL": True}:
        return None
    found: str = value["S"]
    return found
