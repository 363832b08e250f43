"""Both kinds of ledger for one test-suite: made, opened again (by other processes, too), damaged and deleted.

A store tells where a ledger is; it can be sent to another process, which opens the same one.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest
from botocore.config import Config

from engine.ledger.dynamodb_client import DynamoDbTable
from engine.ledger.dynamodb_items import data_key_item, data_key_key, journal_key
from engine.ledger.dynamodb_making import create_dynamodb_ledger, open_dynamodb_ledger
from engine.ledger.dynamodb_table import CENSUS_KEY, TABLE, TableDefinition
from engine.ledger.sqlite_making import create_sqlite_ledger, open_sqlite_ledger
from tests.builders import ACTOR, NOW, REGION, cloud_state, store_altered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from engine.ledger.dynamodb import DynamoDbLedger
    from engine.ledger.interface import DataKey, Ledger
    from engine.ledger.sqlite import SqliteLedger
    from engine.lifecycle import TenantState
    from tests.sandbox_fixtures import Account

KINDS = ("sqlite_store", "dynamodb_store")
TENANT = cloud_state().tenant


class LedgerStore(Protocol):
    """Where one tenant's ledger is."""

    @property
    def declared(self) -> str:
        """As a declaration names it."""
        ...

    def create(self, state: TenantState) -> Ledger:
        """Make the ledger, or open the one that is there."""
        ...

    def open(self) -> Ledger | None:
        """Open it, or None."""
        ...

    def put_entries(self, raws: Sequence[bytes]) -> None:
        """Write journal entries past all rules, in the place of all that there are."""
        ...

    def put_entry(self, number: int, raw: bytes) -> None:
        """Write one journal entry past all rules."""
        ...

    def alter(self, data_key: DataKey) -> None:
        """Write a data key's record past all rules."""
        ...

    def damage_custody(self, data_key: DataKey) -> None:
        """Leave a record whose custody no longer says anything."""
        ...

    def lose(self, data_key: DataKey) -> None:
        """Lose a data key's record."""
        ...

    def delete(self) -> None:
        """Lose the whole ledger."""
        ...


@dataclass(frozen=True)
class SqliteStore:
    """A file."""

    path: Path

    @property
    def declared(self) -> str:
        return f"sqlite:///{self.path}"

    def create(self, state: TenantState) -> SqliteLedger:
        return create_sqlite_ledger(self.path, state, ACTOR, NOW)

    def open(self) -> SqliteLedger | None:
        return open_sqlite_ledger(self.path) if self.path.exists() else None

    def put_entries(self, raws: Sequence[bytes]) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("DELETE FROM journal")
            connection.executemany("INSERT INTO journal VALUES (?, ?)", enumerate(raws, start=1))
            connection.execute("COMMIT")

    def put_entry(self, number: int, raw: bytes) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("UPDATE journal SET entry = ? WHERE number = ?", (raw, number))

    def alter(self, data_key: DataKey) -> None:
        with closing(open_sqlite_ledger(self.path)) as ledger:
            store_altered(ledger, data_key)

    def damage_custody(self, data_key: DataKey) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute(
                "UPDATE data_keys SET custody = 'custoner' WHERE data_key_id = ?", (data_key.data_key_id,)
            )

    def lose(self, data_key: DataKey) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("DELETE FROM data_keys WHERE data_key_id = ?", (data_key.data_key_id,))

    def delete(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


@dataclass(frozen=True)
class DynamoDbStore:
    """A table in a sandbox."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    session_token: str | None
    table: str

    @property
    def declared(self) -> str:
        return f"dynamodb://{self.table}"

    def client(self) -> Any:
        return _client(self.endpoint_url, self.access_key_id, self.secret_access_key, self.session_token)

    def connect(self) -> DynamoDbTable:
        return DynamoDbTable(self.client(), self.table)

    def create(self, state: TenantState) -> DynamoDbLedger:
        return create_dynamodb_ledger(self.connect(), state, ACTOR, NOW)

    def open(self) -> DynamoDbLedger | None:
        return open_dynamodb_ledger(self.connect(), TENANT)

    def put_entry(self, number: int, raw: bytes) -> None:
        self.client().put_item(TableName=self.table, Item={**journal_key(TENANT, number), "entry": {"B": raw}})

    def put_entries(self, raws: Sequence[bytes]) -> None:
        client, number = self.client(), 1
        for raw in raws:
            self.put_entry(number, raw)
            number += 1
        while client.delete_item(TableName=self.table, Key=journal_key(TENANT, number), ReturnValues="ALL_OLD").get(
            "Attributes"
        ):
            number += 1

    def alter(self, data_key: DataKey) -> None:
        self.client().put_item(TableName=self.table, Item=data_key_item(TENANT, data_key))

    def damage_custody(self, data_key: DataKey) -> None:
        item = data_key_item(TENANT, data_key)
        item["custody"] = {"S": "custoner"}
        item[CENSUS_KEY] = {"S": item[CENSUS_KEY]["S"].replace("customer#", "custoner#")}
        self.client().put_item(TableName=self.table, Item=item)

    def lose(self, data_key: DataKey) -> None:
        key = data_key_key(TENANT, data_key.data_key_id)
        self.client().delete_item(TableName=self.table, Key=key)

    def delete(self) -> None:
        client = self.client()
        client.delete_table(TableName=self.table)
        make_table(client, self.table)


@cache
def _client(endpoint_url: str, access_key_id: str, secret_access_key: str, session_token: str | None) -> Any:
    session = boto3.session.Session(access_key_id, secret_access_key, session_token, region_name=REGION)
    connect: Any = session.client
    return connect("dynamodb", endpoint_url=endpoint_url, config=Config(retries={"total_max_attempts": 1}))


def make_table(client: Any, name: str, definition: TableDefinition = TABLE) -> None:
    """Make a ledger's table as its stack does."""

    def key_schema(sort_key: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": definition.partition_key, "KeyType": "HASH"},
            {"AttributeName": sort_key, "KeyType": "RANGE"},
        ]

    client.create_table(
        TableName=name,
        BillingMode=definition.billing_mode,
        KeySchema=key_schema(definition.sort_key),
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in definition.attributes
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": definition.index.name,
                "KeySchema": key_schema(definition.index.sort_key),
                "Projection": {"ProjectionType": definition.index.projection},
            }
        ],
    )


@pytest.fixture
def sqlite_store(tmp_path: Path) -> SqliteStore:
    """A ledger's place in a temporary folder."""
    return SqliteStore(tmp_path / ".keyturn" / "ledger.db")


@pytest.fixture
def dynamodb_store(customer: Account) -> Iterator[DynamoDbStore]:
    """A table of its own in the sandbox, with no ledger in it."""
    credentials = customer.credentials
    store = DynamoDbStore(
        customer.sandbox.endpoint_url,
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
        f"ledger-{secrets.token_hex(4)}",
    )
    client = store.client()
    make_table(client, store.table)
    yield store
    client.delete_table(TableName=store.table)


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> LedgerStore:
    """Each kind of ledger's place in turn."""
    made: LedgerStore = request.getfixturevalue(request.param)
    return made
