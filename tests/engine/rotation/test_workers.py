"""Several workers on one move: everything is moved, little of it twice, and the end is recorded once."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.envelope.data_keys import KeyAccess
from engine.errors import KeyAccessError, KeyFailure
from engine.ledger.sqlite_making import open_sqlite_ledger
from engine.rotation.slices import slices
from tests.builders import key_arn
from tests.engine.rotation.tenant import SERVICE, FailingKms, Tenant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.kms import WrappedBytes
    from engine.rotation import Progress, Rewrap


@pytest.mark.parametrize("workers", [2, 4, 8])
def test_workers_share_a_move_without_doing_much_of_it_twice(tenant: Tenant, tmp_path: Path, workers: int) -> None:
    for number in range(5, 200):
        tenant.add(f"onedrive/user-{number}")
    tenant.at_the_first_key()
    tenant.rotate(2)
    calls = tenant.kms.calls["ReEncrypt"]
    tenant.kms.before = lambda _: time.sleep(0.001)
    moved: list[int] = []

    def work() -> None:
        ledger = open_sqlite_ledger(tmp_path / "ledger.db")
        moved.append(replace(tenant.job(page=200), ledger=ledger, store_seconds=0.02).run().moved)
        ledger.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tenant.kms.before = None
    assert sum(moved) == 200, "each data key is moved by one worker alone"
    assert len(moved) == workers
    assert (tenant.kms.calls["ReEncrypt"] - calls) / 2 < 500, "the stand-in counts a ReEncrypt under both keys"
    finished = [entry for entry in tenant.ledger.journal() if entry.event == "rewrapped"]
    assert [entry.details["epoch"] for entry in finished] == [1, 2]
    tenant.assert_every_data_key_opens()


def test_a_worker_behind_the_end_of_the_move_ends_quietly(tenant: Tenant) -> None:
    tenant.at_the_first_key()
    tenant.rotate(2)
    others = tenant.job()
    slow = FailingKms(_keys=tenant.kms._keys)
    overtaken = False

    def overtake(operation: str) -> None:
        nonlocal overtaken
        if operation == "Decrypt" and not overtaken:
            overtaken = True
            assert others.run().moved == 5
            tenant.confirm(2)

    slow.before = overtake
    report = replace(tenant.job(), access=KeyAccess(slow, slow, str(SERVICE))).run()
    assert (report.moved, report.set_aside_count) == (0, 0)
    assert report.head.state.rotation is None
    tenant.assert_every_data_key_opens()


def test_an_interrupted_worker_stores_what_it_has_proved(tenant: Tenant) -> None:
    tenant.at_the_first_key()
    tenant.rotate(2)
    decrypted = 0

    def interrupt(operation: str) -> None:
        nonlocal decrypted
        decrypted += operation == "Decrypt"
        if decrypted == 4:
            raise KeyboardInterrupt

    tenant.kms.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        tenant.rewrap(page=100)
    tenant.kms.before = None
    assert tenant.ledger.census().under(2) == 3
    tenant.assert_every_data_key_opens()
    assert tenant.rewrap(page=100).moved == 2


def test_what_is_proved_is_stored_after_a_while_though_the_page_is_not_full(tenant: Tenant) -> None:
    tenant.at_the_first_key()
    tenant.rotate(2)
    now = 0.0

    def later(_operation: str) -> None:
        nonlocal now
        now += 0.2

    tenant.kms.before = later
    steps: list[Progress] = []
    replace(tenant.job(page=100), monotonic=lambda: now).run(steps.append)
    assert [step.done for step in steps] == [1, 2, 3, 4, 5], "a data key takes 0.6 s, longer than that"


class OneKey(FailingKms):
    """Credentials that may use one key alone."""

    arn = ""

    def _cipher(self, operation: str, key_arn: str) -> object:  # type: ignore[override]
        if key_arn != self.arn:
            raise self._failure(operation, key_arn, KeyFailure.DENIED, "AccessDeniedException")
        return super()._cipher(operation, key_arn)

    def rewrap(
        self, source_arn: str, destination_arn: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> WrappedBytes:
        self._cipher("ReEncrypt", destination_arn)
        return super().rewrap(source_arn, destination_arn, ciphertext, context)


def credentials_for(tenant: Tenant, number: int) -> OneKey:
    service = OneKey(_keys=tenant.kms._keys)
    service.arn = str(key_arn(number))
    return service


@pytest.mark.requirement("EKM-33")
def test_where_no_credential_may_use_both_keys_two_of_them_move_the_data_keys(tenant: Tenant) -> None:
    tenant.at_the_first_key()
    tenant.rotate(2)
    old, new = credentials_for(tenant, 1), credentials_for(tenant, 2)
    one: Rewrap = replace(tenant.job(), access=KeyAccess(old))
    with pytest.raises(KeyAccessError):
        one.run()
    report = replace(one, target=new).run()
    assert (report.moved, report.set_aside_count) == (5, 0)
    assert (old.calls["Decrypt"], new.calls["Encrypt"], new.calls["Decrypt"]) == (5, 5, 5)
    tenant.assert_every_data_key_opens()


@settings(deadline=None, max_examples=50)
@given(
    texts=st.sets(st.one_of(st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}"), st.text()), max_size=40),
    data_keys=st.one_of(st.integers(0, 5000), st.just(10**9)),
    page=st.integers(1, 400),
)
def test_the_slices_hold_every_id_once(texts: set[str], data_keys: int, page: int) -> None:
    pieces = list(slices(data_keys, page))
    assert len(pieces) <= 65536
    for text in texts:
        held = [p for p in pieces if (p.after is None or text > p.after) and (p.up_to is None or text <= p.up_to)]
        assert len(held) == 1


def test_each_worker_takes_the_slices_in_an_order_of_its_own() -> None:
    one, other = list(slices(10_000, 200)), list(slices(10_000, 200))
    assert one != other
    assert len(one) == 256
    assert set(one) == set(other)
