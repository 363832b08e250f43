"""Jobs as a whole: bulk ones side by side, on where one workload fails, through outages, and ended cleanly."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.access.model import KeyState
from engine.catalogue import Product, WorkflowKind, find_workflow
from engine.errors import ExitCode, KeyAccessError, KeyFailure
from engine.jobs.backup import backup
from engine.jobs.patience import Patience
from engine.jobs.report import Outcome, WorkloadResult
from engine.jobs.running import SIDE_BY_SIDE, run_job
from engine.jobs.stopping import StoppedError, Stopping
from tests.builders import key_arn
from tests.engine.jobs.world import MANUAL_BACKUP, only, succeeded, tree

if TYPE_CHECKING:
    from engine.jobs.operation import JobContext
    from engine.jobs.progress import Progressed
    from tests.engine.jobs.world import World

BULK = find_workflow(Product.MICROSOFT_365, WorkflowKind.BACKUP, "bulk")
USERS = [f"user{number:02}" for number in range(12)]


@pytest.fixture
def tenant(world: World) -> World:
    for user in USERS:
        world.write(f"onedrive/{user}/file", f"of {user}")
        world.write(f"onedrive/{user}/other", os.urandom(1_500_000))
    return world


def statuses(world: World) -> Counter[str]:
    return Counter(json.loads(line)["keyturn"]["status"] for line in world.events.read_text().splitlines())


@pytest.mark.requirement("EKM-41")
def test_a_bulk_backup_works_on_several_workloads_side_by_side_and_reports_in_order(world: World) -> None:
    meet = threading.Barrier(SIDE_BY_SIDE)

    def operate(label: str) -> WorkloadResult:
        meet.wait(20)
        return WorkloadResult(label, Outcome.COMPLETED)

    labels = [f"onedrive/{number}" for number in range(2 * SIDE_BY_SIDE)]
    report = run_job(world.context, BULK, labels, operate)
    assert [result.workload for result in report.results] == labels


@pytest.mark.requirement("EKM-41")
def test_a_bulk_backup_is_restored_byte_for_byte_and_stores_nothing_twice(tenant: World) -> None:
    assert succeeded(tenant.back_up(workflow=BULK))
    assert tenant.kms.calls == {"GenerateDataKey": len(USERS)}
    packs = set(tenant.vault_folder.rglob("pack-*"))
    again = tenant.back_up(workflow=BULK)
    assert [result.unchanged for result in again.results] == [2] * len(USERS)
    assert set(tenant.vault_folder.rglob("pack-*")) == packs
    assert tenant.kms.calls["Decrypt"] == len(USERS), "each operation unwraps its key once"
    assert succeeded(tenant.restore())
    assert tree(tenant.root / "restored/onedrive") == tree(tenant.source / "onedrive")


@pytest.mark.requirement("EKM-41")
@pytest.mark.requirement("EKM-46")
def test_a_bulk_job_goes_on_with_what_it_can_and_says_which_failed_and_why(tenant: World) -> None:
    tenant.back_up(workflow=BULK)
    tenant.start_rotation()
    moved = [f"onedrive/{user}" for user in USERS[::2]]
    for label in moved:
        tenant.rewrap(tenant.record(label))
    tenant.revoke(1)
    report = tenant.back_up(workflow=BULK)
    assert [result.workload for result in report.results if result.outcome is Outcome.COMPLETED] == moved
    assert report.exit_code is ExitCode.AWS
    for result in report.failures:
        assert isinstance(result.error, KeyAccessError)
        assert result.error.failure is KeyFailure.REVOKED
        for part in (BULK.title, result.workload, str(key_arn(1))):
            assert part in result.error.message
    assert statuses(tenant)["Failed"] == len(USERS) - len(moved)


@pytest.mark.requirement("EKM-46")
def test_revoked_in_the_midst_of_a_bulk_job_what_has_begun_completes_and_the_rest_fails(tenant: World) -> None:
    begun: set[str] = set()
    meet = threading.Barrier(SIDE_BY_SIDE)

    def revoke_once_all_are_busy(step: Progressed) -> None:
        if step.workload not in begun and len(begun) < SIDE_BY_SIDE:
            begun.add(step.workload)
            if meet.wait(20) == 0:
                tenant.revoke()
            meet.wait(20)

    report = backup(replace(tenant.context, progress=revoke_once_all_are_busy), BULK, tenant.source)
    completed = {result.workload for result in report.results if result.outcome is Outcome.COMPLETED}
    assert completed == begun
    assert len(report.failures) == len(USERS) - SIDE_BY_SIDE


def test_an_interrupted_bulk_job_ends_its_operations_publishes_nothing_of_them_and_tells_it(tenant: World) -> None:
    meet = threading.Barrier(SIDE_BY_SIDE)
    stopping = Stopping()

    def interrupt_once_all_are_busy(_step: Progressed) -> None:
        if meet.wait(20) == 0:
            os.kill(os.getpid(), signal.SIGINT)
        stopping.pause(20)

    context = replace(tenant.context, progress=interrupt_once_all_are_busy, stopping=stopping)
    with pytest.raises(KeyboardInterrupt):
        backup(context, BULK, tenant.source)
    assert statuses(tenant) == {"Running": 1, "Canceled": SIDE_BY_SIDE}
    assert not list(tenant.vault_folder.glob("snapshots/*/*"))
    assert not list(tenant.vault_folder.rglob("pack-*"))
    assert not list(tenant.vault_folder.rglob("*.partial"))
    assert succeeded(tenant.back_up(workflow=BULK)), "the locks are free again"


def test_a_call_that_hangs_does_not_keep_an_interrupted_bulk_job_from_ending(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.jobs.running.GRACE_SECONDS", 0.1)
    meet, answered = threading.Barrier(SIDE_BY_SIDE), threading.Event()

    def hang(_label: str) -> WorkloadResult:
        if meet.wait(20) == 0:
            os.kill(os.getpid(), signal.SIGINT)
        answered.wait(60)
        raise StoppedError

    with pytest.raises(KeyboardInterrupt):
        run_job(world.context, BULK, [f"onedrive/{number}" for number in range(2 * SIDE_BY_SIDE)], hang)
    assert statuses(world) == {"Running": 1, "Canceled": SIDE_BY_SIDE}
    answered.set()


def test_a_mistake_of_ours_in_a_bulk_job_ends_it_and_is_not_swallowed(world: World) -> None:
    def fail(_label: str) -> WorkloadResult:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_job(world.context, BULK, ["onedrive/1", "onedrive/2"], fail)
    assert "Success" not in statuses(world)


def test_an_interrupted_job_tells_the_workload_as_canceled_and_begins_no_other(tenant: World) -> None:
    class TerminatedError(BaseException):
        pass

    def terminate(step: Progressed) -> None:
        if step.workload == "onedrive/user01":
            raise TerminatedError

    with pytest.raises(TerminatedError):
        backup(replace(tenant.context, progress=terminate), MANUAL_BACKUP, tenant.source)
    assert statuses(tenant) == {"Running": 1, "Success": 1, "Canceled": 1}
    assert len(list(tenant.vault_folder.glob("snapshots/*/*"))) == 1
    assert not list(tenant.vault_folder.rglob("*.partial"))


def patient(world: World, *pauses: float) -> JobContext:
    return replace(world.context, patience=Patience(pauses))


@pytest.mark.parametrize("operation", ["GenerateDataKey", "Decrypt"])
def test_an_outage_is_waited_out(world: World, operation: str) -> None:
    world.write("onedrive/bob/file")
    if operation == "Decrypt":
        world.back_up()
    world.kms.calls.clear()
    world.kms.set_state(key_arn(1), KeyState.UNAVAILABLE)

    def come_back(_operation: str) -> None:
        if world.kms.calls[operation] == 2:
            world.kms.set_state(key_arn(1), KeyState.ENABLED)

    world.kms.before = come_back
    told: list[tuple[KeyFailure, float]] = []
    context = replace(patient(world, 0, 0.01, 0), waits=lambda outage, wait: told.append((outage.failure, wait)))
    assert succeeded(backup(context, MANUAL_BACKUP, world.source))
    assert world.kms.calls == {operation: 3}
    assert told == [(KeyFailure.UNAVAILABLE, 0), (KeyFailure.UNAVAILABLE, 0.01)]


@pytest.mark.requirement("EKM-46")
def test_a_revocation_is_never_retried(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    world.revoke()
    world.kms.calls.clear()
    assert backup(patient(world, 0, 0, 0), MANUAL_BACKUP, world.source).exit_code is ExitCode.AWS
    assert world.kms.calls == {"Decrypt": 1}


def test_a_job_waits_out_an_outage_once_and_not_for_every_workload(tenant: World) -> None:
    tenant.kms.set_state(key_arn(1), KeyState.UNAVAILABLE)
    report = backup(patient(tenant, 0, 0, 0), MANUAL_BACKUP, tenant.source)
    assert len(report.failures) == len(USERS)
    assert tenant.kms.calls == {"GenerateDataKey": len(USERS) + 3}


def test_a_job_that_is_to_stop_does_not_wait_for_an_outage_to_end(world: World) -> None:
    world.write("onedrive/bob/file")
    world.kms.set_state(key_arn(1), KeyState.UNAVAILABLE)
    stopping = Stopping()
    world.kms.before = lambda _: stopping.ask()
    with pytest.raises(StoppedError):
        backup(replace(patient(world, 600), stopping=stopping), MANUAL_BACKUP, world.source)
    assert statuses(world) == {"Running": 1, "Canceled": 1}
    world.kms.before = None
    world.kms.set_state(key_arn(1), KeyState.ENABLED)
    assert only(world.back_up()).outcome is Outcome.COMPLETED
