"""A data key that cannot be moved is set aside and told of; it stops nobody, and is tried again."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.access.model import KeyState
from engine.envelope.data_keys import PAYLOAD
from engine.errors import DamagedError, InputError, KeyAccessError, KeyFailure
from engine.rotation.worker import MOST_NAMED
from engine.times import format_time
from tests.builders import key_arn, store_altered

if TYPE_CHECKING:
    from pathlib import Path

    from engine.ledger.interface import DataKey
    from engine.rotation import SetAside
    from tests.engine.rotation.tenant import Tenant


def record(tenant: Tenant, workload: str) -> DataKey:
    found = tenant.ledger.find_data_key(workload, PAYLOAD)
    assert found is not None
    return found


@pytest.mark.requirement("EKM-33")
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("a flipped bit", "tampered"),
        ("cut short", "tampered"),
        ("of another context", "tampered"),
        ("of an unknown generation", "generation 7, which the ledger does not know"),
        ("of another key", "but generation 1 is"),
    ],
)
def test_a_damaged_data_key_is_set_aside_reported_and_tried_again(tenant: Tenant, damage: str, reason: str) -> None:
    tenant.at_the_first_key()
    good, other = record(tenant, "onedrive/user-2"), record(tenant, "onedrive/user-3")
    altered = {
        "a flipped bit": replace(good, ciphertext=good.ciphertext[:-1] + bytes([good.ciphertext[-1] ^ 1])),
        "cut short": replace(good, ciphertext=good.ciphertext[:20]),
        "of another context": replace(good, ciphertext=other.ciphertext),
        "of an unknown generation": replace(good, generation=7),
        "of another key": replace(good, key_arn=str(key_arn(7))),
    }[damage]
    store_altered(tenant.ledger, altered)
    tenant.rotate(2)
    told: list[SetAside] = []
    report = tenant.job().run(report_set_aside=told.append)
    assert (report.moved, report.set_aside_count) == (4, 1)
    assert told == list(report.set_aside)
    assert told[0].workload == "onedrive/user-2"
    assert reason in told[0].reason
    assert sum(row.set_aside for row in report.census.rows) == 1
    again = tenant.rewrap()
    assert (again.moved, again.set_aside_count) == (0, 1), "it is tried again, and set aside again"
    assert again.head.state.rotation is not None
    assert again.head.state.rotation.rewrapped_at is None
    store_altered(tenant.ledger, good)
    last = tenant.rewrap()
    assert (last.moved, last.set_aside_count) == (1, 0)
    assert last.head.state.rotation is not None
    assert last.head.state.rotation.rewrapped_at is not None
    tenant.assert_every_data_key_opens()


@pytest.mark.parametrize("damage", ["once upon a time", b"\xff"])
def test_a_record_that_cannot_be_read_at_all_stops_nobody_and_keeps_the_rotation_open(
    tenant: Tenant, tmp_path: Path, damage: str | bytes
) -> None:
    tenant.at_the_first_key()
    tenant.rotate(2)
    bad = record(tenant, "onedrive/user-2")

    def write(created_at: str | bytes) -> None:
        with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
            connection.execute(
                "UPDATE data_keys SET created_at = CAST(? AS TEXT) WHERE data_key_id = ?",
                (created_at, bad.data_key_id),
            )
            connection.commit()

    write(damage)
    with pytest.raises(DamagedError, match=bad.data_key_id if isinstance(damage, str) else "UTF-8"):
        tenant.rewrap()
    census = tenant.ledger.census()
    assert (census.under(1), census.under(2)) == (1, 4)
    write(format_time(bad.created_at))
    assert tenant.rewrap().moved == 1
    tenant.assert_every_data_key_opens()


def test_a_ledger_that_is_damaged_as_a_whole_is_told_in_the_end(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.at_the_first_key()
    tenant.rotate(2)

    def damaged(*_: object) -> tuple[DataKey, ...]:
        raise DamagedError("all of it")

    monkeypatch.setattr(tenant.ledger, "data_keys_to_move", damaged)
    with pytest.raises(DamagedError, match="all of it"):
        tenant.rewrap()


def test_what_stands_under_a_key_that_is_gone_is_set_aside_with_one_call(tenant: Tenant) -> None:
    tenant.at_the_first_key()
    tenant.rotate(2)
    gone = tenant.kms._keys.pop(str(key_arn(1)))
    calls = tenant.kms.calls["ReEncrypt"]
    report = tenant.rewrap()
    assert report.set_aside_count == 5
    assert tenant.kms.calls["ReEncrypt"] == calls + 1
    tenant.kms._keys[str(key_arn(1))] = gone
    assert tenant.rewrap().moved == 5


def test_a_new_key_that_is_not_there_sets_nothing_aside(tenant: Tenant) -> None:
    tenant.at_the_first_key()
    tenant.rotate(2)
    del tenant.kms._keys[str(key_arn(2))]
    with pytest.raises(KeyAccessError):
        tenant.rewrap()
    assert sum(row.set_aside for row in tenant.ledger.census().rows) == 0


def test_data_keys_under_the_services_key_wait_for_its_credentials_and_stop_nobody(tenant: Tenant) -> None:
    tenant.enable()
    tenant.kms.left = 2
    with pytest.raises(KeyAccessError):
        tenant.rewrap()
    tenant.kms.left = None
    tenant.rotate(2)
    job = replace(tenant.job(), access=replace(tenant.access, vendor=None))
    with pytest.raises(InputError, match="vendor's credentials"):
        job.run()
    census = tenant.ledger.census()
    assert (census.under(0), census.under(1), census.under(2)) == (3, 0, 2)
    assert tenant.rewrap().moved == 3


def test_only_so_many_are_named_but_all_are_counted(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.rotation.worker.MOST_NAMED", 2)
    assert MOST_NAMED > 2
    tenant.at_the_first_key()
    tenant.rotate(2)
    for number in range(4):
        store_altered(tenant.ledger, replace(record(tenant, f"onedrive/user-{number}"), generation=9))
    report = tenant.rewrap()
    assert (report.moved, report.set_aside_count, len(report.set_aside)) == (1, 4, 2)


@pytest.mark.requirement("EKM-10")
def test_a_revoked_key_sets_nothing_aside_but_what_is_damaged_is_still_told(tenant: Tenant) -> None:
    tenant.at_the_first_key()
    store_altered(tenant.ledger, replace(record(tenant, "onedrive/user-2"), generation=9))
    tenant.rotate(2)
    tenant.kms.set_state(key_arn(1), KeyState.DISABLED)
    told: list[SetAside] = []
    with pytest.raises(KeyAccessError) as caught:
        tenant.job().run(report_set_aside=told.append)
    assert caught.value.failure is KeyFailure.REVOKED
    assert [item.workload for item in told] == ["onedrive/user-2"]
    assert sum(row.set_aside for row in tenant.ledger.census().rows) == 1
