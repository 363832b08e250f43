"""A rewrap on the sandbox while calls fail: throttled, answered with 500, their answers lost after the effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.arn import parse_key_arn
from engine.envelope.data_keys import PAYLOAD, make_data_key, opened, wipe
from engine.errors import KeyAccessError, KeyFailure
from engine.ledger.sqlite_making import create_sqlite_ledger
from engine.lifecycle import Enable, Register
from engine.rotation import Rewrap
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, cloud_state, declaration
from tests.engine.rotation.tenant import TENANT, Records
from tests.tenant_keys import key_access, make_key

if TYPE_CHECKING:
    from pathlib import Path

    from engine.rotation import RewrapReport
    from tests.sandbox_fixtures import Account

WORKLOADS = tuple(f"onedrive/user-{number}" for number in range(8))


@pytest.mark.requirement("EKM-33")
@pytest.mark.requirement("EKM-35")
@pytest.mark.parametrize(
    "faults",
    [
        ("drop kms:ReEncrypt after probability=0.4 seed=1", "drop kms:Decrypt after probability=0.2 seed=2"),
        ("error kms:ReEncrypt probability=0.3 seed=3", "error kms:Decrypt probability=0.2 seed=4 status=503"),
        ("throttle kms:ReEncrypt probability=0.4 seed=5",),
    ],
)
def test_a_rewrap_among_faults_loses_nothing_and_ends_when_it_is_run_again(
    tmp_path: Path, customer: Account, vendor: Account, faults: tuple[str, ...]
) -> None:
    arn = make_key(customer, declaration(), 1)
    access = key_access(customer, vendor)
    service_key = customer.sandbox.service_key_arn
    ledger = create_sqlite_ledger(tmp_path / "ledger.db", cloud_state(), ACTOR, NOW)
    plaintexts: dict[str, bytes] = {}
    for workload in WORKLOADS:
        record, plaintext = make_data_key(access, ledger.head().state, workload, PAYLOAD, NOW)
        ledger.add_data_key(record, ACTOR, NOW)
        plaintexts[workload] = bytes(plaintext)
        wipe(plaintext)
    carry_out(ledger, Register(1, parse_key_arn(arn), activated=True), ACTOR, NOW)
    carry_out(ledger, Enable(1, parse_key_arn(arn), "Ada", "ab" * 32), ACTOR, NOW)
    records = Records()
    failures: list[KeyFailure] = []
    report: RewrapReport | None = None
    with customer.sandbox.faults.during(*faults):
        while report is None:
            assert len(failures) < 100
            try:
                report = Rewrap(ledger, TENANT, access, records, ACTOR, lambda: NOW, 3).run()
            except KeyAccessError as error:
                failures.append(error.failure)
        assert sum(one.struck for one in customer.sandbox.faults.standing()) >= len(failures) > 0
    assert set(failures) <= {KeyFailure.UNAVAILABLE, KeyFailure.THROTTLED}
    assert report.set_aside == ()
    assert ledger.census().under(0) == 0
    vendor.kms.disable_key(KeyId=service_key)
    try:
        for workload, expected in plaintexts.items():
            found = ledger.find_data_key(workload, PAYLOAD)
            assert found is not None
            assert found.key_arn == arn
            with opened(access, TENANT, found) as data_key:
                assert bytes(data_key) == expected
    finally:
        vendor.kms.enable_key(KeyId=service_key)
        ledger.close()
