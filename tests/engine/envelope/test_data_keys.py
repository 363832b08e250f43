"""Data keys: made under the right key, opened for one use, wiped, and never mistaken for another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.access.model import KeyState
from engine.catalogue import Custody
from engine.envelope.data_keys import (
    LEGAL_HOLD,
    PAYLOAD,
    KeyAccess,
    commitment_to,
    make_data_key,
    opened,
)
from engine.errors import InputError, KeyAccessError, KeyFailure
from engine.lifecycle import Generation, GenerationState, Mode, TenantState
from tests.builders import NOW, VENDOR, cloud_state, key_arn
from tests.in_memory_kms import InMemoryKms

SERVICE = str(key_arn(0, account_id=VENDOR))
WORKLOAD = "exchange_online/anna"


def enterprise_state(current: int = 1) -> TenantState:
    return replace(
        cloud_state(),
        mode=Mode.ENTERPRISE,
        generations=(Generation(current, key_arn(current), GenerationState.CURRENT, NOW),),
    )


@pytest.fixture
def kms() -> InMemoryKms:
    kms = InMemoryKms()
    for arn in (SERVICE, key_arn(1), key_arn(2)):
        kms.add_key(arn)
    return kms


@pytest.fixture
def access(kms: InMemoryKms) -> KeyAccess:
    return KeyAccess(kms, kms, SERVICE)


@pytest.mark.requirement("EKM-02")
def test_in_enterprise_mode_a_data_key_is_wrapped_by_the_customers_current_key(access: KeyAccess) -> None:
    record, _ = make_data_key(access, enterprise_state(2), WORKLOAD, PAYLOAD, NOW)
    assert (record.generation, record.key_arn, record.custody) == (2, str(key_arn(2)), Custody.CUSTOMER)


def test_in_cloud_mode_a_data_key_is_wrapped_by_the_services_key(access: KeyAccess) -> None:
    record, _ = make_data_key(access, cloud_state(), WORKLOAD, PAYLOAD, NOW)
    assert (record.generation, record.key_arn, record.custody) == (0, SERVICE, Custody.CUSTOMER)


@pytest.mark.requirement("EKM-43")
@pytest.mark.parametrize("state", [cloud_state(), enterprise_state()])
def test_a_legal_hold_key_is_always_wrapped_by_the_services_key(access: KeyAccess, state: TenantState) -> None:
    record, _ = make_data_key(access, state, WORKLOAD, LEGAL_HOLD, NOW)
    assert (record.generation, record.key_arn, record.custody) == (0, SERVICE, Custody.SERVICE)


def test_a_record_opens_to_the_key_that_was_made_and_is_wiped_behind_its_use(access: KeyAccess) -> None:
    record, made = make_data_key(access, enterprise_state(), WORKLOAD, PAYLOAD, NOW)
    with opened(access, "northwind", record) as key:
        assert key == made
        assert record.commitment == commitment_to(key)
    assert key == bytes(32)
    assert bytes(made) not in record.ciphertext


@pytest.mark.parametrize(
    ("tenant", "changes"),
    [
        ("southwind", {}),
        ("northwind", {"workload": "exchange_online/bob"}),
        ("northwind", {"purpose": LEGAL_HOLD}),
        ("northwind", {"ciphertext": bytes(60)}),
    ],
)
def test_a_wrapped_key_opens_for_what_it_was_made_for_alone(
    access: KeyAccess, tenant: str, changes: dict[str, str | bytes]
) -> None:
    record, _ = make_data_key(access, enterprise_state(), WORKLOAD, PAYLOAD, NOW)
    with pytest.raises(KeyAccessError) as caught, opened(access, tenant, replace(record, **changes)):  # type: ignore[arg-type]
        pytest.fail("it opened")
    assert caught.value.failure is KeyFailure.TAMPERED


def test_a_record_whose_wrapping_was_exchanged_for_anothers_is_refused_by_its_commitment(access: KeyAccess) -> None:
    record, _ = make_data_key(access, enterprise_state(), WORKLOAD, PAYLOAD, NOW)
    other, _ = make_data_key(access, enterprise_state(), WORKLOAD, PAYLOAD, NOW)
    exchanged = replace(record, ciphertext=other.ciphertext)
    with pytest.raises(KeyAccessError) as caught, opened(access, "northwind", exchanged):
        pytest.fail("it opened")
    assert caught.value.failure is KeyFailure.TAMPERED


@pytest.mark.requirement("EKM-10")
def test_with_the_key_disabled_no_data_key_is_made_or_opened(kms: InMemoryKms, access: KeyAccess) -> None:
    record, _ = make_data_key(access, enterprise_state(), WORKLOAD, PAYLOAD, NOW)
    kms.set_state(key_arn(1), KeyState.DISABLED)
    with pytest.raises(KeyAccessError) as caught, opened(access, "northwind", record):
        pytest.fail("it opened")
    assert caught.value.failure is KeyFailure.REVOKED
    with pytest.raises(KeyAccessError):
        make_data_key(access, enterprise_state(), WORKLOAD, PAYLOAD, NOW)


def test_the_services_key_is_not_used_without_the_vendors_credentials(kms: InMemoryKms) -> None:
    with pytest.raises(InputError) as caught:
        make_data_key(KeyAccess(kms, None, SERVICE), cloud_state(), WORKLOAD, PAYLOAD, NOW)
    assert "vendor" in caught.value.message
    with pytest.raises(InputError):
        make_data_key(KeyAccess(kms, kms, None), cloud_state(), WORKLOAD, PAYLOAD, NOW)
    assert not kms.calls
