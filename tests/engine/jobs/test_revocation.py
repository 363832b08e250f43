"""Revocation: what has begun completes, what comes later fails and says why, and nothing is published by it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.access.model import KeyState
from engine.catalogue import LEGAL_HOLD_DOWNLOAD, Custody, Product, WorkflowKind, find_workflow
from engine.envelope.data_keys import LEGAL_HOLD, KeyAccess
from engine.errors import ConflictError, ExitCode, InputError, KeyAccessError, KeyFailure
from engine.jobs.backup import backup
from engine.jobs.packs import PackWriter
from engine.jobs.report import JobReport, Outcome, WorkloadResult
from engine.jobs.restore import RestoreRequest, download, restore
from tests.builders import key_arn
from tests.engine.jobs.world import COPY, DOWNLOAD, MANUAL_BACKUP, SERVICE, only, succeeded, tree
from tests.in_memory_kms import InMemoryKms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.jobs.progress import Progressed
    from engine.kms import WrappedBytes
    from tests.engine.jobs.world import World

HELD_DOWNLOAD = find_workflow(Product.MICROSOFT_365, WorkflowKind.DOWNLOAD, LEGAL_HOLD_DOWNLOAD)


def failed_for_its_key(result: WorkloadResult, title: str) -> None:
    """The failure names the workflow, the workload, the key and its state."""
    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, KeyAccessError)
    assert result.error.failure is KeyFailure.REVOKED
    for part in (title, result.workload, str(key_arn(1)), KeyState.DISABLED.value):
        assert part in result.error.message


def published(world: World) -> list[dict[str, tuple[object, ...]]]:
    """Every object of the vault that belongs to a snapshot or a data key."""
    return [tree(world.vault_folder / folder) for folder in ("data", "keys", "snapshots")]


@pytest.mark.requirement("EKM-10")
@pytest.mark.requirement("EKM-51")
def test_with_the_key_revoked_backup_restore_and_download_fail_and_later_work_again(world: World) -> None:
    world.write("onedrive/bob/file", "before")
    world.back_up()
    before = published(world)
    world.revoke()
    reports: dict[str, Callable[[], JobReport]] = {
        "Microsoft 365 backup (manual)": world.back_up,
        "Microsoft 365 restore (restore, as a copy)": world.restore,
        "Microsoft 365 download (restore download)": lambda: download(
            world.context, DOWNLOAD, RestoreRequest(world.root / "device")
        ),
    }
    for title, run in reports.items():
        report = run()
        failed_for_its_key(only(report), title)
        assert report.exit_code is ExitCode.AWS
    assert published(world) == before
    assert not (world.root / "restored").exists()
    assert not (world.root / "device").exists()
    world.reinstate()
    assert all(succeeded(run()) for run in reports.values())


@pytest.mark.requirement("EKM-51")
def test_with_the_key_revoked_entra_id_jobs_fail(world: World) -> None:
    world.write("directory/contoso/users.json")
    manual = find_workflow(Product.ENTRA_ID, WorkflowKind.BACKUP, "manual")
    world.back_up(workflow=manual)
    world.revoke()
    in_place = find_workflow(Product.ENTRA_ID, WorkflowKind.RESTORE, "restore, in place")
    to_device = find_workflow(Product.ENTRA_ID, WorkflowKind.DOWNLOAD, "download to a device")
    failed_for_its_key(only(world.back_up(workflow=manual)), manual.title)
    failed_for_its_key(only(world.restore("source", workflow=in_place)), in_place.title)
    device = RestoreRequest(world.root / "device")
    failed_for_its_key(only(download(world.context, to_device, device)), to_device.title)


@pytest.mark.requirement("EKM-46")
def test_revoked_in_the_midst_of_an_operation_it_completes_and_the_next_one_fails(world: World) -> None:
    for user in ("anna", "bob", "carol"):
        world.write(f"onedrive/{user}/1", "first")
        world.write(f"onedrive/{user}/2", os.urandom(3_000_000))

    def revoke_during_the_second(step: Progressed) -> None:
        if step.workload == "onedrive/bob":
            world.revoke()

    report = backup(replace(world.context, progress=revoke_during_the_second), MANUAL_BACKUP, world.source)
    anna, bob, carol = report.results
    assert (anna.outcome, bob.outcome) == (Outcome.COMPLETED, Outcome.COMPLETED)
    failed_for_its_key(carol, "Microsoft 365 backup (manual)")
    assert report.exit_code is ExitCode.AWS
    world.reinstate()
    restored = world.restore()
    assert [result.workload for result in restored.results] == ["onedrive/anna", "onedrive/bob"]
    assert succeeded(restored)
    assert (world.root / "restored/onedrive/bob/2").read_bytes() == (world.source / "onedrive/bob/2").read_bytes()


@pytest.mark.requirement("EKM-46")
def test_revoked_in_the_midst_of_a_restore_it_completes_and_the_next_one_fails(world: World) -> None:
    for user in ("anna", "bob"):
        world.write(f"onedrive/{user}/1", os.urandom(3_000_000))
        world.write(f"onedrive/{user}/2")
    world.back_up()
    context = replace(world.context, progress=lambda _: world.revoke())
    report = restore(context, COPY, RestoreRequest(world.root / "restored"))
    assert [result.outcome for result in report.results] == [Outcome.COMPLETED, Outcome.FAILED]
    failed_for_its_key(report.results[1], "Microsoft 365 restore (restore, as a copy)")
    assert {path.name for path in (world.root / "restored/onedrive").iterdir()} == {"anna"}
    assert len(list((world.root / "restored/onedrive/anna").iterdir())) == 2


@pytest.mark.requirement("EKM-46")
def test_an_operation_that_goes_on_for_longer_unwraps_its_key_again(world: World) -> None:
    content = os.urandom(5_000_000)
    world.write("onedrive/bob/big", content)

    def let_time_pass(_step: Progressed) -> None:
        world.monotonic.now += 200

    context = replace(world.context, progress=let_time_pass)
    assert succeeded(backup(context, MANUAL_BACKUP, world.source))
    assert world.kms.calls["Decrypt"] >= 2
    world.kms.calls.clear()
    assert succeeded(restore(context, COPY, RestoreRequest(world.root / "restored")))
    assert world.kms.calls["Decrypt"] >= 3
    assert (world.root / "restored/onedrive/bob/big").read_bytes() == content


@pytest.mark.requirement("EKM-46")
def test_if_the_key_is_revoked_by_then_the_operation_fails_and_publishes_nothing(world: World) -> None:
    world.write("onedrive/bob/first")
    world.back_up()
    snapshots = world.vault.snapshots(world.record("onedrive/bob"))
    world.write("onedrive/bob/big", os.urandom(5_000_000))

    def revoke_and_let_time_pass(_step: Progressed) -> None:
        world.revoke()
        world.monotonic.now += 200

    context = replace(world.context, progress=revoke_and_let_time_pass)
    report = backup(context, MANUAL_BACKUP, world.source)
    failed_for_its_key(only(report), "Microsoft 365 backup (manual)")
    assert world.vault.snapshots(world.record("onedrive/bob")) == snapshots
    assert len(list((world.vault_folder / "data").glob("*/*"))) == 1, "nothing of it is left"
    world.reinstate()
    world.back_up()
    report = restore(context, COPY, RestoreRequest(world.root / "restored"))
    failed_for_its_key(only(report), "Microsoft 365 restore (restore, as a copy)")
    assert not (world.root / "restored/onedrive/bob/first").exists()
    assert not list((world.root / "restored").rglob("*.partial"))


@pytest.mark.requirement("EKM-46")
def test_a_data_key_is_wiped_behind_each_operation_and_is_written_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in ("anna", "bob"):
        world.write(f"onedrive/{user}/file", os.urandom(2_000_000))
    given: list[bytearray] = []
    known: list[bytes] = []

    def keep(data_key: bytearray) -> bytearray:
        assert all(earlier == bytes(32) for earlier in given), "the operation before has let go of its own"
        given.append(data_key)
        known.append(bytes(data_key))
        return data_key

    unwrap, generate = world.kms.unwrap, world.kms.generate_data_key

    def generate_and_keep(key_arn: str, context: Mapping[str, str]) -> tuple[bytearray, WrappedBytes]:
        data_key, wrapped = generate(key_arn, context)
        return keep(data_key), wrapped

    monkeypatch.setattr(world.kms, "unwrap", lambda *call: keep(unwrap(*call)))
    monkeypatch.setattr(world.kms, "generate_data_key", generate_and_keep)
    assert succeeded(world.back_up())
    assert succeeded(world.back_up())
    assert succeeded(world.restore())
    assert len(given) == 6
    assert all(data_key == bytes(32) for data_key in given)
    assert len(set(known)) == 2, "one data key for each workload, in every operation"
    for path in world.root.rglob("*"):
        assert path.is_dir() or not any(data_key in path.read_bytes() for data_key in known)


@pytest.mark.requirement("EKM-46")
def test_the_time_is_up_before_the_commit_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("onedrive/bob/small")
    close = PackWriter.close

    def close_and_revoke(writer: PackWriter) -> None:
        close(writer)
        world.revoke()
        world.monotonic.now += 301

    monkeypatch.setattr(PackWriter, "close", close_and_revoke)
    failed_for_its_key(only(world.back_up()), "Microsoft 365 backup (manual)")
    assert world.vault.snapshots(world.record("onedrive/bob")) == ()


def test_an_outage_is_not_called_a_revocation(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    world.kms.set_state(key_arn(1), KeyState.UNAVAILABLE)
    report = world.back_up()
    error = only(report).error
    assert isinstance(error, KeyAccessError)
    assert error.failure is KeyFailure.UNAVAILABLE
    assert "revoked" not in error.message
    assert report.exit_code is ExitCode.AWS


@pytest.mark.requirement("EKM-43")
def test_legal_hold_survives_a_revocation_byte_for_byte_without_touching_the_customers_key(world: World) -> None:
    world.write("exchange_online/anna/1.eml", "evidence")
    world.write("exchange_online/anna/2.eml", os.urandom(2_000_000))
    world.write("exchange_online/bob/1.eml", "not held")
    original = tree(world.source / "exchange_online/anna")
    report = world.back_up("exchange_online/anna")
    assert [result.held for result in report.results] == [True, False]
    assert world.record("exchange_online/anna", LEGAL_HOLD).custody is Custody.SERVICE
    assert world.ledger.census().total == 2, "legal hold copies are never in the census"
    world.revoke()
    customer = InMemoryKms(before=lambda operation: pytest.fail(f"the customer's key was touched: {operation}"))
    context = replace(world.context, access=KeyAccess(customer, world.kms, SERVICE))
    report = download(context, HELD_DOWNLOAD, RestoreRequest(world.root / "held"))
    assert succeeded(report)
    assert tree(world.root / "held/exchange_online/anna") == original
    assert [result.workload for result in report.results] == ["exchange_online/anna"]


@pytest.mark.requirement("EKM-43")
def test_a_workload_stays_on_legal_hold(world: World) -> None:
    file = world.write("exchange_online/anna/1.eml", "first")
    world.back_up("exchange_online/anna")
    file.write_text("second")
    assert only(world.back_up()).held
    world.revoke()
    assert succeeded(download(world.context, HELD_DOWNLOAD, RestoreRequest(world.root / "held")))
    assert (world.root / "held/exchange_online/anna/1.eml").read_text() == "second"
    assert succeeded(download(world.context, HELD_DOWNLOAD, RestoreRequest(world.root / "first", snapshot="1")))
    assert (world.root / "first/exchange_online/anna/1.eml").read_text() == "first"


def test_a_workload_that_comes_on_legal_hold_later_is_held_whole(world: World) -> None:
    content = os.urandom(100_000)
    world.write("exchange_online/anna/1.eml", content)
    world.back_up()
    result = only(world.back_up("exchange_online/anna"))
    assert (result.unchanged, result.held) == (1, True)
    world.revoke()
    assert succeeded(download(world.context, HELD_DOWNLOAD, RestoreRequest(world.root / "held")))
    assert (world.root / "held/exchange_online/anna/1.eml").read_bytes() == content


@pytest.mark.requirement("EKM-43")
def test_legal_hold_keeps_no_plaintext_on_disk(world: World) -> None:
    world.write("exchange_online/anna/1.eml", "canary-evidence-0815")
    world.back_up("exchange_online/anna")
    for folder in ("vault", "ledger"):
        for path in (world.root / folder).rglob("*"):
            assert path.is_dir() or b"canary-evidence" not in path.read_bytes()


def test_a_workload_that_is_not_held_has_no_legal_hold_download(world: World) -> None:
    world.write("exchange_online/anna/1.eml")
    world.back_up()
    request = RestoreRequest(world.root / "held", ("exchange_online/anna",))
    assert isinstance(only(download(world.context, HELD_DOWNLOAD, request)).error, InputError)
    with pytest.raises(InputError):
        download(world.context, HELD_DOWNLOAD, RestoreRequest(world.root / "held"))


def test_a_name_for_legal_hold_that_is_no_workload_stops_the_job_before_a_key_is_touched(world: World) -> None:
    world.write("exchange_online/anna/1.eml")
    with pytest.raises(InputError):
        world.back_up("exchange_online/ana")
    assert not world.kms.calls


def test_a_held_workload_fails_whole_if_its_second_copy_cannot_be_made(world: World) -> None:
    world.write("exchange_online/anna/1.eml")
    world.kms.set_state(SERVICE, KeyState.UNAVAILABLE)
    assert only(world.back_up("exchange_online/anna")).outcome is Outcome.FAILED
    assert world.vault.snapshots(world.record("exchange_online/anna")) == ()


@pytest.mark.requirement("EKM-35")
def test_jobs_run_before_during_and_after_a_rotation(world: World) -> None:
    world.write("onedrive/anna/file", "anna")
    world.write("onedrive/bob/file", "bob")
    assert succeeded(world.back_up())
    world.start_rotation()
    world.write("onedrive/carol/file", "carol")
    assert succeeded(world.back_up())
    assert world.record("onedrive/carol").generation == 2
    world.rewrap(world.record("onedrive/anna"))
    assert succeeded(world.back_up())
    assert succeeded(world.restore("during"))
    world.rewrap(world.record("onedrive/bob"))
    world.revoke(1)
    assert succeeded(world.back_up())
    assert succeeded(world.restore("after", snapshot="1"))
    for folder in ("during", "after"):
        assert {path.read_text() for path in (world.root / folder).rglob("file")} == {"anna", "bob", "carol"}


@pytest.mark.requirement("EKM-35")
def test_a_wrapping_that_is_replaced_while_an_operation_begins_is_read_once_more(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    world.start_rotation()

    def move_and_revoke_the_old(operation: str) -> None:
        if operation == "Decrypt" and world.record("onedrive/bob").generation == 1:
            world.kms.before = None
            world.rewrap(world.record("onedrive/bob"))
            world.revoke(1)

    world.kms.before = move_and_revoke_the_old
    assert succeeded(world.back_up())


@pytest.mark.requirement("EKM-35")
def test_a_data_key_that_was_made_while_a_rotation_began_is_made_anew_under_the_new_key(world: World) -> None:
    world.write("onedrive/bob/file")

    def rotate(operation: str) -> None:
        world.kms.before = None
        assert operation == "GenerateDataKey"
        world.start_rotation()

    world.kms.before = rotate
    assert succeeded(world.back_up())
    assert world.record("onedrive/bob").generation == 2
    assert world.kms.calls["GenerateDataKey"] == 2


def test_a_generation_that_keeps_changing_is_a_conflict_in_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("onedrive/bob/file")

    def always(*_arguments: object) -> None:
        raise ConflictError("current-generation", "another generation by now")

    monkeypatch.setattr(world.ledger, "add_data_key", always)
    report = world.back_up()
    assert isinstance(only(report).error, ConflictError)
    assert report.exit_code is ExitCode.REFUSED


def test_in_cloud_mode_jobs_run_under_the_services_key(cloud_world: World) -> None:
    cloud_world.write("onedrive/bob/file", "cloud")
    assert succeeded(cloud_world.back_up())
    assert (cloud_world.record("onedrive/bob").key_arn) == SERVICE
    cloud_world.enable()
    cloud_world.write("onedrive/carol/file", "enterprise")
    assert succeeded(cloud_world.back_up())
    assert succeeded(cloud_world.restore())
    assert cloud_world.record("onedrive/carol").key_arn == str(key_arn(1))


@pytest.mark.requirement("EKM-50")
def test_a_workflow_that_is_not_the_products_or_tenants_is_refused_before_a_key_is_touched(world: World) -> None:
    world.write("directory/contoso/users.json")
    with pytest.raises(InputError, match=r"not a workflow of Microsoft Entra ID"):
        find_workflow(Product.ENTRA_ID, WorkflowKind.BACKUP, "bulk")
    with pytest.raises(InputError, match=r"is not a backup"):
        world.back_up(workflow=COPY)
    declaration = replace(world.context.declaration, products=(Product.MICROSOFT_365,))
    context = replace(world.context, declaration=declaration)
    with pytest.raises(InputError, match=r"not a product of tenant"):
        backup(context, find_workflow(Product.ENTRA_ID, WorkflowKind.BACKUP, "manual"), world.source)
    assert not world.kms.calls
