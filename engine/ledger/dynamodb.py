"""The shared ledger: one DynamoDB table for all pipelines and machines that work for a tenant.

- A change of the head is one transaction of the head, guarded by the hash of the last journal entry, and the
  entry behind it. Two writers cannot both append: the second reads again, and goes on only if the lifecycle
  state is still the one that it knew.
- A new data key is one transaction of the head, its journal entry, the data key, and the mark that its
  workload has one. So it cannot come in under a generation that is not current any more.
- A new wrapping is one conditional write, guarded by exactly the wrapping that it was made from. The move's
  epoch is read first. A worker of a move that is superseded between the two can still put a data key one
  step forward, from the wrapping that it read, to a key that is retained; the newer move finds it there, for
  a move only ends when the census has nothing elsewhere. It can never put one back. (The head is not part of
  this write on purpose: as a member of each of 100,000 transactions it would be what workers wait for, and
  would keep a newer move from beginning.)
- The census reads the local index alone, a few bytes for each data key, with strong consistency.

Permissions, on the table and its indexes: `dynamodb:GetItem`, `BatchGetItem` and `Query` to read; `PutItem`,
`UpdateItem` and `ConditionCheckItem` to write; `DeleteItem`, too, to recover a lost ledger. All
partition keys begin with the tenant, for a condition on `dynamodb:LeadingKeys`.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engine.catalogue import Custody
from engine.errors import AwsError, DamagedError, InputError
from engine.ledger.conflicts import (
    has_data_key,
    lost_race,
    require_current,
    superseded,
)
from engine.ledger.dynamodb_client import DynamoDbTable, RefusedWriteError
from engine.ledger.dynamodb_items import (
    NEW,
    RESTORE,
    data_key_item,
    data_key_key,
    head_item,
    head_key,
    journal_item,
    journal_key,
    number,
    read_data_key,
    snapshot_item,
    snapshot_key,
    text,
    workload_item,
    workload_key,
)
from engine.ledger.dynamodb_table import (
    CENSUS_KEY,
    MAX_SORT_KEY_BYTES,
    SHARDS,
    SORT_KEY,
    census_key,
    data_key_partition,
    journal_partition,
    journal_sort_key,
    workload_partition,
)
from engine.ledger.heads import read_head
from engine.ledger.interface import Census, CensusRow, DataKey, Head
from engine.ledger.journal import JournalEntry, make_entry, read_entry
from engine.ledger.state_document import encode_state, state_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from engine.ledger.actor import Actor
    from engine.ledger.dynamodb_items import Item
    from engine.lifecycle import Transition

_ATTEMPTS = 50  # appends that others came before; each means that somebody else got on
_PAGE = 50
_READERS = 8


class DynamoDbLedger:
    """A tenant's ledger in a DynamoDB table; one instance may be used by several threads."""

    def __init__(self, table: DynamoDbTable, tenant: str) -> None:
        """Use `create_dynamodb_ledger` or `open_dynamodb_ledger`."""
        self._table = table
        self._tenant = tenant

    @property
    def location(self) -> str:
        """Where it is, as the declaration names it."""
        return f"dynamodb://{self._table.name}"

    def head(self) -> Head:
        """The head as of now."""
        item = self._head_item()
        try:
            version, encoded = int(item["head_version"]["N"]), item["encoded_state"]["B"]
            length, last_hash = int(item["journal_length"]["N"]), item["journal_hash"]["S"]
        except (KeyError, ValueError, TypeError) as error:
            raise DamagedError(f"the head of the ledger {self.location} cannot be read: {error}", RESTORE) from error
        last = self._table.get(journal_key(self._tenant, length))
        entry = None if last is None else _entry_bytes(last)
        return read_head(version, encoded, length, last_hash, entry, RESTORE)

    def commit(self, expected: Head, transition: Transition, actor: Actor, at: datetime) -> Head:
        """Store a transition and its journal entry in one step, or raise `ConflictError`."""
        encoded = encode_state(transition.state)
        for _ in range(_ATTEMPTS):
            head = self.head()
            if head.version != expected.version:
                raise lost_race(self._tenant)
            entry = _next_entry(head, transition.event, transition.details, actor, at, state_hash(encoded))
            after = Head(head.version + 1, transition.state, entry.number, entry.hash)
            try:
                self._table.transact(
                    {"Put": {"Item": head_item(after, encoded), **_unchanged(head)}},
                    {"Put": {"Item": journal_item(self._tenant, entry), **NEW}},
                )
            except RefusedWriteError:
                continue
            return after
        raise self._busy()

    def add_data_key(self, data_key: DataKey, actor: Actor, at: datetime) -> None:
        """Take in a new data key and journal it, or raise `ConflictError`."""
        if len(data_key.workload.encode()) > MAX_SORT_KEY_BYTES:
            raise InputError(
                f"the workload's name of {len(data_key.workload)} characters is too long for a DynamoDB ledger",
                f"it takes {MAX_SORT_KEY_BYTES} bytes at most",
            )
        details = {
            "workload": data_key.workload,
            "purpose": data_key.purpose,
            "generation": data_key.generation,
            "key_arn": data_key.key_arn,
        }
        for _ in range(_ATTEMPTS):
            head = self.head()
            require_current(head.state, data_key)
            encoded = encode_state(head.state)
            entry = _next_entry(head, "data_key_created", details, actor, at, state_hash(encoded))
            after = Head(head.version, head.state, entry.number, entry.hash)
            try:
                self._table.transact(
                    {"Put": {"Item": head_item(after, encoded), **_unchanged(head)}},
                    {"Put": {"Item": journal_item(self._tenant, entry), **NEW}},
                    {"Put": {"Item": data_key_item(self._tenant, data_key), **NEW}},
                    {"Put": {"Item": workload_item(self._tenant, data_key), **NEW}},
                )
            except RefusedWriteError as error:
                if any(error.refused[2:]):
                    raise has_data_key(data_key) from error
                continue
            return
        raise self._busy()

    def find_data_key(self, workload: str, purpose: str) -> DataKey | None:
        """The data key of a workload for a purpose, or None."""
        if not workload or len(workload.encode()) > MAX_SORT_KEY_BYTES:
            return None
        mark = self._table.get(workload_key(self._tenant, purpose, workload))
        if mark is None:
            return None
        data_key_id = _marked(mark)
        found = self.data_key(data_key_id)
        if found is None or (found.workload, found.purpose) != (workload, purpose):
            raise _lost(workload)
        return found

    def data_key(self, data_key_id: str) -> DataKey | None:
        """The data key of this id, or None."""
        item = self._table.get(data_key_key(self._tenant, data_key_id))
        return None if item is None else read_data_key(item)

    def data_keys(self, purpose: str) -> Iterator[DataKey]:
        """Every data key for a purpose, in the order of their workloads."""
        page: list[Item] = []
        for mark in self._table.query(workload_partition(self._tenant, purpose)):
            page.append(mark)
            if len(page) == _PAGE:
                yield from self._marked_data_keys(page)
                page = []
        if page:
            yield from self._marked_data_keys(page)

    def data_keys_to_move(
        self, target_generation: int, target_arn: str, after: str | None, limit: int, up_to: str | None = None
    ) -> tuple[DataKey, ...]:
        """A page of the data keys of customer custody that are not under the target's key and proved there."""
        found: list[DataKey] = []
        values = {
            ":custody": text(Custody.SERVICE.value),
            ":generation": number(target_generation),
            ":arn": text(target_arn),
            ":verified": {"BOOL": False},
        }
        names = {"#custody": "custody", "#generation": "generation", "#arn": "key_arn", "#verified": "verified"}
        condition = "#custody <> :custody AND (#generation <> :generation OR #arn <> :arn OR #verified = :verified)"
        if after is not None and up_to is not None and up_to <= after:
            return ()
        for shard in SHARDS:
            if (after is not None and shard < after[:1]) or (up_to is not None and shard > up_to[:1]):
                continue
            items = self._table.query(
                data_key_partition(self._tenant, shard),
                after=after if after is not None and after[:1] == shard else None,
                up_to=up_to if up_to is not None and up_to[:1] == shard else None,
                first=limit,
                condition=condition,
                values=values,
                names=names,
            )
            for item in items:
                found.append(read_data_key(item))
                if len(found) == limit:
                    return tuple(found)
        return tuple(found)

    def replace_wrapping(self, old: DataKey, new: DataKey, epoch: int) -> bool:
        """Put `new` in the place of exactly `old`; False where it is not there any more."""
        return self.replace_wrappings(((old, new),), epoch)[0]

    def replace_wrappings(self, replacements: Sequence[tuple[DataKey, DataKey]], epoch: int) -> tuple[bool, ...]:
        """Put each `new` in the place of exactly its `old`, one write each."""
        if self._head_item().get("rotation_epoch") != number(epoch):
            raise superseded(epoch)
        return tuple(self._replace(old, new) for old, new in replacements)

    def census(self) -> Census:
        """Count the data keys of customer custody; one whose custody is damaged may be of it, and counts."""
        with ThreadPoolExecutor(_READERS) as pool:
            counted = list(pool.map(self._census_of, SHARDS))
        total: Counter[tuple[int, str, bool, bool]] = sum(counted, Counter())
        rows = sorted({(generation, key_arn) for generation, key_arn, _, _ in total})
        return Census(
            tuple(
                CensusRow(
                    *row,
                    data_keys=sum(n for k, n in total.items() if k[:2] == row),
                    unverified=sum(n for k, n in total.items() if k[:2] == row and not k[2]),
                    set_aside=sum(n for k, n in total.items() if k[:2] == row and k[3]),
                )
                for row in rows
            )
        )

    def remember_snapshot(self, data_key_id: str, number: int, snapshot: str, lost: str | None = None) -> None:
        """Remember a snapshot as the newest one under a data key, unless one of a higher number is."""
        item = snapshot_item(self._tenant, data_key_id, number, snapshot)
        request = {
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#number) OR #number <= :number OR #snapshot = :lost",
            "ExpressionAttributeNames": {"#number": "number", "#snapshot": "snapshot"},
            "ExpressionAttributeValues": {":number": item["number"], ":lost": text(lost)},
        }
        with suppress(RefusedWriteError):  # a newer one is remembered
            self._table.write("put_item", request)

    def newest_snapshot(self, data_key_id: str) -> str | None:
        """The id of the newest snapshot that was ever remembered under a data key, or None."""
        item = self._table.get(snapshot_key(self._tenant, data_key_id))
        if item is None:
            return None
        try:
            return str(item["snapshot"]["S"])
        except (KeyError, TypeError) as error:
            raise DamagedError(f"the newest snapshot of data key {data_key_id!r} cannot be read", RESTORE) from error

    def journal(self, after: int = 0) -> Iterator[JournalEntry]:
        """The entries behind number `after`, in order."""
        for item in self._table.query(journal_partition(self._tenant), after=journal_sort_key(after)):
            try:
                entry_number = int(item[SORT_KEY]["S"])
            except ValueError as error:
                raise DamagedError(f"the journal of {self.location} has an entry without a number", RESTORE) from error
            yield read_entry(_entry_bytes(item), entry_number)

    def close(self) -> None:
        """Let go of its connections."""
        self._table.close()

    def _replace(self, old: DataKey, new: DataKey) -> bool:
        changed = {
            CENSUS_KEY: text(census_key(new)),
            "generation": number(new.generation),
            "key_arn": text(new.key_arn),
            "ciphertext": {"B": new.ciphertext},
            "key_material_id": text(new.key_material_id),
            "epoch": number(new.epoch),
            "verified": {"BOOL": new.verified},
            "set_aside": text(new.set_aside),
        }
        values = {
            **{f":{name}": value for name, value in changed.items()},
            ":old_generation": number(old.generation),
            ":old_key_arn": text(old.key_arn),
            ":old_ciphertext": {"B": old.ciphertext},
        }
        try:
            self._table.write(
                "update_item",
                {
                    "Key": data_key_key(self._tenant, old.data_key_id),
                    "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in changed),
                    "ConditionExpression": (
                        "#generation = :old_generation AND #key_arn = :old_key_arn AND #ciphertext = :old_ciphertext"
                    ),
                    "ExpressionAttributeNames": {f"#{name}": name for name in changed},
                    "ExpressionAttributeValues": values,
                },
            )
        except RefusedWriteError as error:
            # Where only the answer was lost, botocore asked again, and what stands there is this very wrapping.
            stored = error.stored or {}
            return all(stored.get(name) == value for name, value in changed.items())
        return True

    def _census_of(self, shard: str) -> Counter[tuple[int, str, bool, bool]]:
        counted: Counter[tuple[int, str, bool, bool]] = Counter()
        partition = data_key_partition(self._tenant, shard)
        for item in self._table.query_census(partition):
            try:
                custody, generation, rest = item[CENSUS_KEY]["S"].split("#", 2)
                key_arn, proved, aside = rest.rsplit("#", 2)
                row = int(generation), key_arn, proved == "proved", aside == "aside"
            except ValueError as error:
                raise DamagedError(
                    f"the ledger {self.location} does not tell under which key data key {item[SORT_KEY]['S']} stands",
                    RESTORE,
                ) from error
            if custody != Custody.SERVICE.value:
                counted[row] += 1
        return counted

    def _marked_data_keys(self, marks: list[Item]) -> Iterator[DataKey]:
        ids = [_marked(mark) for mark in marks]
        found = self._table.get_all([data_key_key(self._tenant, data_key_id) for data_key_id in ids])
        by_id = {data_key.data_key_id: data_key for data_key in map(read_data_key, found)}
        for mark, data_key_id in zip(marks, ids, strict=True):
            workload = mark[SORT_KEY]["S"]
            data_key = by_id.get(data_key_id)
            if data_key is None or data_key.workload != workload:
                raise _lost(workload)
            yield data_key

    def _head_item(self) -> Item:
        item = self._table.get(head_key(self._tenant))
        if item is None:
            raise DamagedError(f"the ledger {self.location} has no head for tenant {self._tenant!r}", RESTORE)
        return item

    def _busy(self) -> AwsError:
        return AwsError(
            f"the ledger {self.location} kept being changed by others; this command changed nothing", "try again"
        )


def _unchanged(head: Head) -> dict[str, Any]:
    """The condition that nobody has appended to the journal since this head was read."""
    return {
        "ConditionExpression": "#version = :version AND #length = :length AND #hash = :hash",
        "ExpressionAttributeNames": {"#version": "head_version", "#length": "journal_length", "#hash": "journal_hash"},
        "ExpressionAttributeValues": {
            ":version": number(head.version),
            ":length": number(head.journal_length),
            ":hash": text(head.journal_hash),
        },
    }


def _next_entry(
    head: Head, event: str, details: Mapping[str, Any], actor: Actor, at: datetime, state_sha256: str
) -> JournalEntry:
    return make_entry(head.journal_length + 1, head.journal_hash, event, details, actor, at, state_sha256)


def _entry_bytes(item: Item) -> bytes:
    try:
        raw: bytes = item["entry"]["B"]
    except KeyError as error:
        raise DamagedError("an entry of the journal has no content", RESTORE) from error
    return raw


def _marked(mark: Item) -> str:
    try:
        data_key_id: str = mark["data_key_id"]["S"]
    except KeyError as error:
        raise DamagedError("a workload's mark in the ledger names no data key", RESTORE) from error
    return data_key_id


def _lost(workload: str) -> DamagedError:
    return DamagedError(f"the ledger has lost the data key of workload {workload!r}", RESTORE)
