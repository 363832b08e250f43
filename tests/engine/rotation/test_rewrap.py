"""The rewrap: nothing is lost, both keys stay usable, a bad data key stops nobody but keeps the move open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.access.model import KeyState
from engine.envelope.data_keys import PAYLOAD, make_data_key, opened
from engine.errors import ConflictError, KeyAccessError, KeyFailure, RefusedError
from engine.ledger.sqlite_making import create_sqlite_ledger
from engine.lifecycle import Confirm, Enable, FinishRewrap, Register, Rotate
from engine.rotation import Progress, Rewrap
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, cloud_state, declaration, key_arn, store_altered
from tests.engine.rotation.tenant import SERVICE, TENANT, FailingKms, Records, Tenant
from tests.tenant_keys import key_access, make_key

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sandbox_fixtures import Account


@pytest.mark.requirement("EKM-12")
def test_enabling_moves_what_was_made_in_cloud_mode_to_the_customers_key(tenant: Tenant) -> None:
    assert tenant.ledger.census().under(0) == 5
    tenant.enable()
    report = tenant.rewrap()
    assert (report.moved, report.set_aside) == (5, ())
    assert tenant.ledger.census().under(0) == 0
    assert tenant.ledger.census().under(1) == 5
    tenant.assert_every_data_key_opens()
    assert {record.key_arn for record in tenant.records.kept} == {str(key_arn(1))}


@pytest.mark.requirement("EKM-32")
@pytest.mark.requirement("EKM-35")
def test_before_during_and_after_a_rotation_every_data_key_opens_and_new_ones_are_made(tenant: Tenant) -> None:
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    tenant.rotate(2)
    tenant.add("onedrive/new")
    new = tenant.ledger.find_data_key("onedrive/new", PAYLOAD)
    assert new is not None
    assert new.generation == 2
    job = Rewrap(tenant.ledger, TENANT, tenant.access, tenant.records, ACTOR, lambda: NOW, 1)
    steps: list[Progress] = []

    def look(step: Progress) -> None:
        steps.append(step)
        tenant.assert_every_data_key_opens()

    job.run(look)
    assert [step.done for step in steps] == [1, 2, 3, 4, 5]
    assert {step.total for step in steps} == {5}
    assert tenant.ledger.census().under(2) == 6


@pytest.mark.requirement("EKM-33")
def test_the_old_key_is_not_needed_any_more_once_the_move_is_recorded(tenant: Tenant) -> None:
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    tenant.rotate(2)
    report = tenant.rewrap()
    assert report.head.state.rotation is not None
    assert report.head.state.rotation.rewrapped_at == NOW
    tenant.kms.set_state(key_arn(1), KeyState.DISABLED)
    tenant.kms.set_state(SERVICE, KeyState.DISABLED)
    tenant.assert_every_data_key_opens()


@pytest.mark.requirement("EKM-34")
def test_a_run_that_stops_half_way_loses_nothing_and_is_resumed(tenant: Tenant) -> None:
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    tenant.rotate(2)
    tenant.kms.left = 2
    with pytest.raises(KeyAccessError):
        tenant.rewrap()
    census = tenant.ledger.census()
    assert (census.under(1), census.under(2)) == (3, 2)
    tenant.assert_every_data_key_opens()
    tenant.kms.left = None
    assert tenant.rewrap().moved == 3
    tenant.assert_every_data_key_opens()


@pytest.mark.requirement("EKM-33")
def test_an_altered_data_key_is_set_aside_and_keeps_the_rotation_open_but_stops_nobody(tenant: Tenant) -> None:
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    bad = tenant.ledger.find_data_key("onedrive/user-2", PAYLOAD)
    assert bad is not None
    altered = replace(bad, ciphertext=bad.ciphertext[:-1] + bytes([bad.ciphertext[-1] ^ 1]))
    store_altered(tenant.ledger, altered)
    tenant.rotate(2)
    report = tenant.rewrap()
    assert report.moved == 4
    assert [item.workload for item in report.set_aside] == ["onedrive/user-2"]
    assert report.head.state.rotation is not None
    assert report.head.state.rotation.rewrapped_at is None
    before = tenant.ledger.head()
    with pytest.raises(RefusedError) as caught:
        carry_out(tenant.ledger, FinishRewrap(2, remaining=1, unverified=0, set_aside=1), ACTOR, NOW)
    assert "EKM-33" in caught.value.requirements
    assert tenant.ledger.head() == before
    stored = tenant.ledger.find_data_key("onedrive/user-2", PAYLOAD)
    assert stored is not None
    store_altered(tenant.ledger, bad)
    assert tenant.rewrap().set_aside == ()
    tenant.assert_every_data_key_opens()


def test_a_record_that_opens_to_another_workloads_key_is_set_aside(tenant: Tenant) -> None:
    tenant.enable()
    one, other = (tenant.ledger.find_data_key(f"onedrive/user-{number}", PAYLOAD) for number in (1, 2))
    assert one is not None
    assert other is not None
    store_altered(tenant.ledger, replace(one, ciphertext=other.ciphertext))
    report = tenant.rewrap()
    assert [item.workload for item in report.set_aside] == ["onedrive/user-1"]


@pytest.mark.requirement("EKM-10")
def test_a_key_that_is_revoked_in_the_middle_stops_the_run_and_sets_nothing_aside(tenant: Tenant) -> None:
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    tenant.rotate(2)
    tenant.kms.set_state(key_arn(1), KeyState.DISABLED)
    with pytest.raises(KeyAccessError) as caught:
        tenant.rewrap()
    assert caught.value.failure is KeyFailure.REVOKED
    assert sum(row.set_aside for row in tenant.ledger.census().rows) == 0
    tenant.kms.set_state(key_arn(1), KeyState.ENABLED)
    assert tenant.rewrap().moved == 5


def test_an_old_key_that_is_gone_does_not_keep_the_others_from_moving(tenant: Tenant) -> None:
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    tenant.rotate(2)
    tenant.kms.left = 2
    with pytest.raises(KeyAccessError):
        tenant.rewrap()
    tenant.kms.left = None
    tenant.kms.set_state(key_arn(1), KeyState.PENDING_DELETION)
    tenant.rotate(3)
    with pytest.raises(KeyAccessError) as caught:
        tenant.rewrap()
    assert caught.value.key_arn == str(key_arn(1))
    census = tenant.ledger.census()
    assert (census.under(1), census.under(2), census.under(3)) == (3, 0, 2)
    tenant.kms.set_state(key_arn(1), KeyState.ENABLED)
    assert tenant.rewrap().moved == 3


def test_a_record_that_names_another_key_is_set_aside_without_a_call_and_counts_under_both(tenant: Tenant) -> None:
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    tenant.rotate(2)
    bad = tenant.ledger.find_data_key("onedrive/user-2", PAYLOAD)
    assert bad is not None
    store_altered(tenant.ledger, replace(bad, generation=2))
    calls = tenant.kms.calls["ReEncrypt"]
    report = tenant.rewrap()
    assert tenant.kms.calls["ReEncrypt"] == calls + 2 * 4  # each with a source and a destination
    (aside,) = report.set_aside
    assert "names" in aside.reason
    assert report.census.under(1, str(key_arn(1))) == 1
    assert report.head.state.rotation is not None
    assert report.head.state.rotation.rewrapped_at is None


def test_a_worker_of_a_superseded_move_changes_nothing_more(tenant: Tenant) -> None:
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    tenant.rotate(2)
    job = Rewrap(tenant.ledger, TENANT, tenant.access, tenant.records, ACTOR, lambda: NOW, 1)

    def supersede(step: Progress) -> None:
        if step.done == 1:
            tenant.rotate(3)
            tenant.rewrap()
            tenant.confirm(3)

    with pytest.raises(ConflictError):
        job.run(supersede)
    assert tenant.ledger.census().under(3) == 5
    assert tenant.ledger.head().state.rotation is None
    tenant.assert_every_data_key_opens()


def test_lost_credentials_stop_the_run_and_set_nothing_aside(tenant: Tenant) -> None:
    tenant.enable()
    tenant.kms.left, tenant.kms.failure = 2, KeyFailure.DENIED
    with pytest.raises(KeyAccessError):
        tenant.rewrap()
    assert sum(row.set_aside for row in tenant.ledger.census().rows) == 0


def test_a_rotation_that_cannot_finish_goes_on_to_a_third_generation(tenant: Tenant) -> None:
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    tenant.rotate(2)
    tenant.kms.left = 2
    with pytest.raises(KeyAccessError):
        tenant.rewrap()
    tenant.kms.left = None
    tenant.rotate(3)
    assert tenant.rewrap().moved == 5
    assert tenant.ledger.census().under(3) == 5
    tenant.assert_every_data_key_opens()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.lists(st.integers(0, 4), max_size=6), page=st.integers(1, 4), count=st.integers(0, 6))
def test_however_often_a_move_is_interrupted_every_data_key_opens_at_every_instant(
    tmp_path_factory: pytest.TempPathFactory, stops: list[int], page: int, count: int
) -> None:
    kms = FailingKms()
    for number in (1, 2):
        kms.add_key(key_arn(number))
    kms.add_key(SERVICE)
    folder = tmp_path_factory.mktemp("tenant")
    tenant = Tenant(create_sqlite_ledger(folder / "ledger.db", cloud_state(), ACTOR, NOW), kms)
    tenant.enable()
    tenant.rewrap()
    tenant.confirm(1)
    for number in range(count):
        tenant.add(f"onedrive/user-{number}")
    carry_out(tenant.ledger, Rotate(2, key_arn(2)), ACTOR, NOW)
    for stop in stops:
        kms.left = stop
        try:
            tenant.rewrap(page)
        except KeyAccessError:
            tenant.assert_every_data_key_opens()
    kms.left = None
    report = tenant.rewrap(page)
    assert report.head.state.rotation is not None
    assert report.head.state.rotation.rewrapped_at is not None
    assert tenant.ledger.census().under(2) == count
    tenant.assert_every_data_key_opens()
    tenant.ledger.close()


@pytest.mark.requirement("EKM-12")
@pytest.mark.requirement("EKM-34")
def test_on_real_keys_the_vendor_moves_data_keys_from_its_own_key_to_the_customers_and_on(
    tmp_path: Path, customer: Account, vendor: Account
) -> None:
    from engine.arn import parse_key_arn

    declared = declaration()
    first, second = (parse_key_arn(make_key(customer, declared, 1)) for _ in range(2))
    access = key_access(customer, vendor)
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    record, plaintext = make_data_key(access, ledger.head().state, "teams/finance", PAYLOAD, NOW)
    assert record.key_arn == customer.sandbox.service_key_arn
    ledger.add_data_key(record, ACTOR, NOW)
    carry_out(ledger, Register(1, first, activated=True), ACTOR, NOW)
    carry_out(ledger, Enable(1, first, "Ada", "ab" * 32), ACTOR, NOW)
    job = Rewrap(ledger, TENANT, access, Records(), ACTOR, lambda: NOW)
    assert job.run().moved == 1
    carry_out(ledger, Confirm(1, first, "Ada"), ACTOR, NOW)
    carry_out(ledger, Rotate(2, second), ACTOR, NOW)
    assert job.run().moved == 1
    moved = ledger.find_data_key("teams/finance", PAYLOAD)
    assert moved is not None
    assert (moved.generation, moved.key_arn) == (2, str(second))
    assert moved.key_material_id
    customer.kms.disable_key(KeyId=str(first))
    with opened(access, TENANT, moved) as data_key:
        assert data_key == plaintext
    ledger.close()
