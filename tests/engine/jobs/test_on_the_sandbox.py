"""The same jobs against the sandbox: real calls of AWS's own client, as the vendor, with every way to revoke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.arn import parse_key_arn
from engine.catalogue import LEGAL_HOLD_DOWNLOAD, Product, WorkflowKind, find_workflow
from engine.envelope.data_keys import KeyAccess
from engine.errors import ExitCode, KeyAccessError, KeyFailure
from engine.jobs.backup import backup
from engine.jobs.report import Outcome
from engine.jobs.restore import RestoreRequest, download, restore
from engine.kms import Kms
from engine.lifecycle import Enable, Register
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW
from tests.engine.jobs.world import COPY, DOWNLOAD, MANUAL_BACKUP, World, only, succeeded, tree
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, make_key, policy

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_kms import KMSClient

    from engine.jobs.operation import JobContext
    from engine.jobs.progress import Progressed
    from tests.sandbox_fixtures import Account

HELD = find_workflow(Product.MICROSOFT_365, WorkflowKind.DOWNLOAD, LEGAL_HOLD_DOWNLOAD)

Change = Callable[["KMSClient", str], object]

# How the customer revokes, what that is called, and how the customer takes it back.
REVOCATIONS: dict[str, tuple[Change, KeyFailure, Change]] = {
    "disable the key": (
        lambda kms, key: kms.disable_key(KeyId=key),
        KeyFailure.REVOKED,
        lambda kms, key: kms.enable_key(KeyId=key),
    ),
    "schedule its deletion": (
        lambda kms, key: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7),
        KeyFailure.REVOKED,
        lambda kms, key: (kms.cancel_key_deletion(KeyId=key), kms.enable_key(KeyId=key)),
    ),
    "take the vendor out of the key policy": (
        lambda kms, key: kms.put_key_policy(KeyId=key, Policy=policy(OWNER)),
        KeyFailure.DENIED,
        lambda kms, key: kms.put_key_policy(KeyId=key, Policy=policy(OWNER, VENDOR_STATEMENT)),
    ),
}


@pytest.fixture
def key(customer: Account) -> str:
    return make_key(customer.kms, OWNER, VENDOR_STATEMENT)


@pytest.fixture
def context(tmp_path: Path, customer: Account, vendor: Account, key: str) -> JobContext:
    """A tenant enabled on a key of the sandbox, whose jobs use it as the vendor."""
    world = World(tmp_path)
    carry_out(world.ledger, Register(1, parse_key_arn(key), activated=True), ACTOR, NOW)
    carry_out(world.ledger, Enable(1, parse_key_arn(key), "Anna Admin", "0" * 64), ACTOR, NOW)
    world.write("exchange_online/anna/1.eml", "held")
    world.write("exchange_online/bob/1.eml", "not held")
    service_key = customer.sandbox.service_key_arn
    access = KeyAccess(Kms(customer.kms), Kms(vendor.kms, "the vendor"), service_key)
    return replace(world.context, access=access)


@pytest.mark.requirement("EKM-10")
@pytest.mark.requirement("EKM-43")
@pytest.mark.requirement("EKM-51")
@pytest.mark.parametrize("way", REVOCATIONS)
def test_revoked_in_any_way_jobs_fail_but_the_legal_hold_download_and_later_work_again(
    context: JobContext, tmp_path: Path, customer: Account, key: str, way: str
) -> None:
    revoke, failure, reinstate = REVOCATIONS[way]
    source = tmp_path / "source"
    assert succeeded(backup(context, MANUAL_BACKUP, source, legal_hold=["exchange_online/anna"]))
    revoke(customer.kms, key)
    reports = [
        backup(context, MANUAL_BACKUP, source),
        restore(context, COPY, RestoreRequest(tmp_path / "restored")),
        download(context, DOWNLOAD, RestoreRequest(tmp_path / "device")),
    ]
    for report in reports:
        assert report.exit_code is ExitCode.AWS
        for result in report.results:
            assert isinstance(result.error, KeyAccessError)
            assert result.error.failure is failure
            assert key in result.error.message
            assert report.workflow.title in result.error.message
    assert succeeded(download(context, HELD, RestoreRequest(tmp_path / "held")))
    assert tree(tmp_path / "held/exchange_online/anna") == tree(source / "exchange_online/anna")
    reinstate(customer.kms, key)
    assert succeeded(backup(context, MANUAL_BACKUP, source))
    assert succeeded(restore(context, COPY, RestoreRequest(tmp_path / "restored")))


@pytest.mark.requirement("EKM-46")
def test_an_operation_that_has_begun_completes_and_the_next_one_fails(
    context: JobContext, tmp_path: Path, customer: Account, key: str
) -> None:
    def revoke(_step: Progressed) -> None:
        customer.kms.disable_key(KeyId=key)

    report = backup(replace(context, progress=revoke), MANUAL_BACKUP, tmp_path / "source")
    assert [result.outcome for result in report.results] == [Outcome.COMPLETED, Outcome.FAILED]
    error = report.results[1].error
    assert isinstance(error, KeyAccessError)
    assert "key state Disabled" in error.message


@pytest.mark.requirement("EKM-43")
def test_with_the_services_key_out_of_reach_the_legal_hold_download_says_so(
    context: JobContext, tmp_path: Path
) -> None:
    backup(context, MANUAL_BACKUP, tmp_path / "source", legal_hold=["exchange_online/anna"])
    without_vendor = replace(context, access=KeyAccess(context.access.customer, None, context.access.service_key_arn))
    error = only(download(without_vendor, HELD, RestoreRequest(tmp_path / "held"))).error
    assert error is not None
    assert "vendor" in error.message
