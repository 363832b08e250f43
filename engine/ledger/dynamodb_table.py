"""The DynamoDB table of a shared ledger: what it is called, its keys, its index, what its users may do.

Shared by the stack that makes the table, the ledger that uses it and the tests; it imports no AWS library.

    partition_key                sort_key       what
    TENANT#head                  head           the head
    TENANT#journal               000000000001   a journal entry
    TENANT#data-keys#0 … #f      data key id    a wrapped data key, by the first digit of its random id
    TENANT#workloads#PURPOSE     workload       which data key a workload has for a purpose
    TENANT#snapshots             data key id    the newest snapshot in the vault under a data key
    TENANT#recovery              recovery       a recovery that has not ended yet

- One table may serve many tenants; every partition key begins with the tenant, so a policy can keep a
  pipeline to its own tenant (`dynamodb:LeadingKeys`).
- Data keys are spread over sixteen partitions, so that no single one limits how fast they move.
- The index is a *local* one, because only that kind can be read with strong consistency (Amazon DynamoDB
  Developer Guide, "Local secondary indexes"). Its sort key says where a data key stands, so a census reads
  a few bytes for each data key and no wrapped one. It can only be made together with the table.
- The table has to be protected as the ledger is: point-in-time recovery and deletion protection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.ledger.interface import DataKey

SCHEMA_VERSION = 1
PARTITION_KEY, SORT_KEY = "partition_key", "sort_key"
CENSUS_INDEX, CENSUS_KEY = "census", "census_key"
BILLING_MODE = "PAY_PER_REQUEST"
SHARDS = "0123456789abcdef"
MAX_SORT_KEY_BYTES = 1024

READ_ACTIONS = ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query")
WRITE_ACTIONS = ("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem")


@dataclass(frozen=True, slots=True)
class LocalIndex:
    """A local secondary index: its name and sort key; it holds keys only."""

    name: str
    sort_key: str
    projection: str = "KEYS_ONLY"


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """What the stack has to make.

    Attributes:
        partition_key: The table's partition key.
        sort_key: Its sort key.
        attributes: Each key attribute and its type (`S`: a string).
        index: The local secondary index.
        billing_mode: How it is paid for.
        point_in_time_recovery: Whether every second of the last weeks can be brought back.
        deletion_protection: Whether it refuses to be deleted.
    """

    partition_key: str = PARTITION_KEY
    sort_key: str = SORT_KEY
    attributes: tuple[tuple[str, str], ...] = ((PARTITION_KEY, "S"), (SORT_KEY, "S"), (CENSUS_KEY, "S"))
    index: LocalIndex = LocalIndex(CENSUS_INDEX, CENSUS_KEY)
    billing_mode: str = BILLING_MODE
    point_in_time_recovery: bool = True
    deletion_protection: bool = True


TABLE = TableDefinition()


def head_partition(tenant: str) -> str:
    """The partition of a tenant's head, whose sort key is `HEAD`."""
    return f"{tenant}#head"


HEAD = "head"
RECOVERY = "recovery"


def journal_partition(tenant: str) -> str:
    """The partition of a tenant's journal."""
    return f"{tenant}#journal"


def journal_sort_key(number: int) -> str:
    """The sort key of a journal entry: its number, so that entries sort by it."""
    return f"{number:012d}"


def data_key_partition(tenant: str, shard: str) -> str:
    """The partition of the data keys whose ids begin with this digit."""
    return f"{tenant}#data-keys#{shard}"


def workload_partition(tenant: str, purpose: str) -> str:
    """The partition of the workloads that have a data key for a purpose."""
    return f"{tenant}#workloads#{purpose}"


def snapshot_partition(tenant: str) -> str:
    """The partition of the newest snapshots, by data key."""
    return f"{tenant}#snapshots"


def recovery_partition(tenant: str) -> str:
    """The partition of a recovery's mark, whose sort key is `RECOVERY`."""
    return f"{tenant}#recovery"


def census_key(data_key: DataKey) -> str:
    """Where a data key stands, as the index sorts it."""
    proved = "proved" if data_key.verified else "unproved"
    aside = "clear" if data_key.set_aside is None else "aside"
    return f"{data_key.custody.value}#{data_key.generation:08d}#{data_key.key_arn}#{proved}#{aside}"
