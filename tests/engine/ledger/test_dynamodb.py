"""What is DynamoDB's own: the table, pages, throttling, an answer that was lost, errors in our words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from engine.errors import AwsError, ConflictError, DamagedError, InputError
from engine.ledger.dynamodb import DynamoDbLedger
from engine.ledger.dynamodb_client import DynamoDbTable
from engine.ledger.dynamodb_items import head_key
from engine.ledger.dynamodb_making import open_dynamodb_ledger
from engine.ledger.dynamodb_table import TABLE
from engine.ledger.opening import open_ledger, open_or_create_ledger
from engine.lifecycle import Register
from engine.sandbox import Identity
from engine.transitions import carry_out
from tests.builders import ACTOR, DECLARATION, NOW, cloud_state, declaration, declared_generations, key_arn
from tests.engine.ledger.test_ledger import SERVICE_ARN, data_key, enable, everything
from tests.ledger_stores import TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.sandbox import Sandbox
    from tests.ledger_stores import DynamoDbStore


@pytest.fixture
def ledger(dynamodb_store: DynamoDbStore) -> Iterator[DynamoDbLedger]:
    ledger = dynamodb_store.create(cloud_state())
    yield ledger
    ledger.close()


class TroubledClient:
    """A client whose first calls of one operation end otherwise; `carried_out` tells whether they are done first."""

    def __init__(self, client: Any, operation: str, errors: list[Exception], *, carried_out: bool = False) -> None:
        self._client, self._operation, self._errors, self._carried_out = client, operation, errors, carried_out

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name != self._operation:
            return call

        def troubled(**members: Any) -> Any:
            if not self._errors:
                return call(**members)
            if self._carried_out:
                self._errors.pop()
                call(**members)
                return call(**members)  # as botocore does where the answer to the first was lost
            raise self._errors.pop()

        return troubled


def client_error(code: str, *reasons: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": ""}, "CancellationReasons": [{"Code": r} for r in reasons]}
    return ClientError(response, "TransactWriteItems")


def troubled(store: DynamoDbStore, operation: str, *errors: Exception, carried_out: bool = False) -> DynamoDbLedger:
    client = TroubledClient(store.client(), operation, list(errors), carried_out=carried_out)
    return DynamoDbLedger(DynamoDbTable(client, store.table, pause=lambda _: None), TENANT)


def in_the_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.environment(Identity.CUSTOMER).items():
        monkeypatch.setenv(name, value)


def test_the_declared_table_is_opened_and_made_to_hold_the_tenants_ledger(
    dynamodb_store: DynamoDbStore, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_the_environment(sandbox, monkeypatch)
    declared = declaration(f"{DECLARATION}ledger: {dynamodb_store.declared}\n")
    assert open_ledger(declared, tmp_path) is None
    made = open_or_create_ledger(declared, tmp_path, ACTOR, NOW, vault_is_empty=True)
    opened = open_ledger(declared, tmp_path)
    assert opened is not None
    assert opened.head() == made.head()
    assert opened.location == dynamodb_store.declared
    assert list(tmp_path.iterdir()) == []
    lost = declaration(f"{declared_generations(2, current=2)}ledger: dynamodb://{dynamodb_store.table}\n")
    other = declaration(f"{DECLARATION}ledger: {dynamodb_store.declared}\n".replace("210987654321", "210987654322"))
    with pytest.raises(InputError, match="vendor account"):
        open_ledger(other, tmp_path)
    assert open_or_create_ledger(lost, tmp_path, ACTOR, NOW, vault_is_empty=False).head() == made.head()


def test_a_lost_shared_ledger_is_not_replaced_by_a_new_one(
    dynamodb_store: DynamoDbStore, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_the_environment(sandbox, monkeypatch)
    declared = declaration(f"{declared_generations(2, current=2)}ledger: {dynamodb_store.declared}\n")
    with pytest.raises(InputError, match="there must have been one"):
        open_or_create_ledger(declared, tmp_path, ACTOR, NOW, vault_is_empty=True)
    assert dynamodb_store.open() is None


def test_a_table_that_is_not_there_is_said_and_never_made(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_the_environment(sandbox, monkeypatch)
    declared = declaration(f"{DECLARATION}ledger: dynamodb://nowhere\n")
    for _ in range(2):
        with pytest.raises(InputError, match="there is no DynamoDB table 'nowhere'"):
            open_or_create_ledger(declared, tmp_path, ACTOR, NOW, vault_is_empty=True)


def test_tenants_share_a_table_and_see_nothing_of_each_other(dynamodb_store: DynamoDbStore) -> None:
    first = dynamodb_store.create(cloud_state())
    first.add_data_key(data_key(1), ACTOR, NOW)
    second = dynamodb_store.create(replace(cloud_state(), tenant="northwind-2"))
    assert second.census().total == 0
    assert second.head().journal_length == 1
    assert list(second.data_keys("payload")) == []
    assert first.head().journal_length == 2


def test_a_ledger_of_a_newer_version_is_refused_with_what_to_do(dynamodb_store: DynamoDbStore) -> None:
    dynamodb_store.create(cloud_state()).close()
    dynamodb_store.client().update_item(
        TableName=dynamodb_store.table,
        Key=head_key(TENANT),
        UpdateExpression="SET schema_version = :new",
        ExpressionAttributeValues={":new": {"N": "99"}},
    )
    with pytest.raises(InputError, match="schema version 99"):
        open_dynamodb_ledger(dynamodb_store.connect(), TENANT)


@pytest.mark.parametrize("attribute", ["encoded_state", "journal_length", "journal_hash", "head_version"])
def test_a_head_that_lost_an_attribute_is_damaged(
    dynamodb_store: DynamoDbStore, ledger: DynamoDbLedger, attribute: str
) -> None:
    dynamodb_store.client().update_item(
        TableName=dynamodb_store.table, Key=head_key(TENANT), UpdateExpression=f"REMOVE {attribute}"
    )
    with pytest.raises(DamagedError):
        ledger.head()


def test_transactions_that_met_others_are_carried_out_in_the_end(
    dynamodb_store: DynamoDbStore, ledger: DynamoDbLedger
) -> None:
    met = client_error("TransactionCanceledException", "TransactionConflict", "None")
    slow = client_error("TransactionCanceledException", "None", "ThrottlingError")
    again = troubled(dynamodb_store, "transact_write_items", met, slow, met)
    carry_out(again, Register(1, key_arn(1), activated=True), ACTOR, NOW)
    assert [entry.event for entry in ledger.journal()] == ["created", "registered"]


def test_a_wrapping_that_met_a_transaction_is_put_in_the_end(
    dynamodb_store: DynamoDbStore, ledger: DynamoDbLedger
) -> None:
    old = data_key(1)
    ledger.add_data_key(old, ACTOR, NOW)
    enable(ledger)
    new = replace(old, generation=1, key_arn=str(key_arn(1)), ciphertext=b"new", epoch=1)
    met = client_error("TransactionConflictException")
    assert troubled(dynamodb_store, "update_item", met, met).replace_wrapping(old, new, epoch=1)
    assert ledger.data_key(old.data_key_id) == new


def test_a_table_that_stays_busy_is_said_and_nothing_changes(
    dynamodb_store: DynamoDbStore, ledger: DynamoDbLedger
) -> None:
    before = everything(ledger)
    met = [client_error("TransactionCanceledException", "TransactionConflict", "None") for _ in range(99)]
    with pytest.raises(AwsError, match="too busy"):
        carry_out(
            troubled(dynamodb_store, "transact_write_items", *met), Register(1, key_arn(1), activated=True), ACTOR, NOW
        )
    assert everything(ledger) == before


@pytest.mark.parametrize("code", ["AccessDeniedException", "ExpiredTokenException", "InternalServerError"])
def test_what_is_neither_throttled_nor_met_is_not_tried_again(
    dynamodb_store: DynamoDbStore, ledger: DynamoDbLedger, code: str
) -> None:
    again = troubled(dynamodb_store, "transact_write_items", client_error(code))
    before = everything(ledger)
    with pytest.raises(AwsError, match=code):
        carry_out(again, Register(1, key_arn(1), activated=True), ACTOR, NOW)
    assert everything(ledger) == before


def test_where_a_writes_answer_never_comes_it_is_said_where_to_see_what_was_stored(
    dynamodb_store: DynamoDbStore, ledger: DynamoDbLedger
) -> None:
    lost = ReadTimeoutError(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(AwsError) as caught:
        carry_out(
            troubled(dynamodb_store, "transact_write_items", lost), Register(1, key_arn(1), activated=True), ACTOR, NOW
        )
    assert "whether it was stored is not known" in str(caught.value.hint)
    with pytest.raises(AwsError) as caught:
        troubled(dynamodb_store, "get_item", lost).head()
    assert "whether it was stored" not in str(caught.value.hint)
    assert ledger.head().version == 0


def test_a_wrapping_whose_answer_was_lost_counts_as_put_once(
    dynamodb_store: DynamoDbStore, ledger: DynamoDbLedger
) -> None:
    old = data_key(1)
    ledger.add_data_key(old, ACTOR, NOW)
    enable(ledger)
    new = replace(old, generation=1, key_arn=str(key_arn(1)), ciphertext=b"new", epoch=1)
    again = troubled(dynamodb_store, "update_item", client_error("lost"), carried_out=True)
    assert again.replace_wrapping(old, new, epoch=1)
    assert ledger.data_key(old.data_key_id) == new


def test_a_record_that_the_census_has_elsewhere_is_damaged(
    dynamodb_store: DynamoDbStore, ledger: DynamoDbLedger
) -> None:
    ledger.add_data_key(data_key(1), ACTOR, NOW)
    record = dynamodb_store.client().scan(TableName=dynamodb_store.table, IndexName=TABLE.index.name)["Items"][0]
    dynamodb_store.client().update_item(
        TableName=dynamodb_store.table,
        Key={name: record[name] for name in (TABLE.partition_key, TABLE.sort_key)},
        UpdateExpression="SET generation = :other",
        ExpressionAttributeValues={":other": {"N": "7"}},
    )
    with pytest.raises(DamagedError, match="than the census has it"):
        ledger.data_key(data_key(1).data_key_id)


def test_large_ledgers_are_read_page_by_page(ledger: DynamoDbLedger) -> None:
    """A page of DynamoDB ends at one mebibyte, wherever that falls."""
    bulky = [replace(data_key(number), ciphertext=bytes(200_000)) for number in range(1, 15)]
    for number, record in enumerate(bulky):
        shard = f"{number % 3}{record.data_key_id[1:]}"
        ledger.add_data_key(replace(record, data_key_id=shard), ACTOR, NOW)
    ids = sorted(f"{number % 3}{record.data_key_id[1:]}" for number, record in enumerate(bulky))
    assert [key.data_key_id for key in ledger.data_keys_to_move(1, str(key_arn(1)), None, 100)] == ids
    assert [key.data_key_id for key in ledger.data_keys_to_move(1, str(key_arn(1)), ids[5], 4)] == ids[6:10]
    assert len(list(ledger.data_keys("payload"))) == 14
    assert ledger.census().under(0, SERVICE_ARN) == 14


def test_a_workload_whose_name_is_too_long_for_the_table_is_refused(ledger: DynamoDbLedger) -> None:
    before = everything(ledger)
    with pytest.raises(InputError, match="too long"):
        ledger.add_data_key(replace(data_key(1), workload="files/" + "é" * 600), ACTOR, NOW)
    assert ledger.find_data_key("files/" + "é" * 600, "payload") is None
    assert everything(ledger) == before


def test_a_writer_with_an_old_head_is_told_even_where_the_journal_alone_went_on(ledger: DynamoDbLedger) -> None:
    head = ledger.head()
    ledger.add_data_key(data_key(1), ACTOR, NOW)
    registered = carry_out(ledger, Register(1, key_arn(1), activated=True), ACTOR, NOW, head)
    assert registered.journal_length == 3
    with pytest.raises(ConflictError):
        carry_out(ledger, Register(1, key_arn(2), activated=True), ACTOR, NOW, head)
