"""What is backed up comes back, byte for byte, and nothing that is there is lost to it."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from engine.catalogue import Product, WorkflowKind, find_workflow
from engine.envelope.segments import FIRST_PLAINTEXT_BYTES, PLAINTEXT_BYTES
from engine.errors import ExitCode, InputError, MachineError, RefusedError
from engine.jobs.backup import backup
from engine.jobs.events import NoEvents
from engine.jobs.report import Outcome, ProblemKind
from engine.jobs.restore import RestoreRequest, download, restore
from engine.jobs.vault import Vault, open_or_create_vault
from tests.builders import key_arn
from tests.engine.jobs.world import COPY, DOWNLOAD, IN_PLACE, MANUAL_BACKUP, only, succeeded, tree

if TYPE_CHECKING:
    from engine.jobs.progress import Progressed
    from tests.engine.jobs.world import World


def fill(world: World) -> None:
    """A tenant with everything that is hard about folders."""
    world.write("exchange_online/anna/Inbox/1.eml", b"Subject: hello\r\n\r\nHello Anna")
    world.write("exchange_online/anna/Inbox/empty.eml", b"")
    world.write("exchange_online/anna/Inbox/with\nline break.eml")
    world.write("exchange_online/Jürgen Müller/Gesendet/Grüße 🎉.eml")
    world.write("exchange_online/stray.txt")
    world.write("onedrive/bob/big", os.urandom(FIRST_PLAINTEXT_BYTES + PLAINTEXT_BYTES + 1))
    world.write("onedrive/bob/a/b/c/d/e/f/deep.txt")
    world.write("onedrive/bob/a b.txt", "sorts between a and a/b")
    world.write("some project/notes.txt")
    world.write("100% done/yes")
    world.write("loose.txt")
    (world.source / "teams").mkdir()
    (world.source / "sharepoint" / "empty site" / "empty folder").mkdir(parents=True)
    odd = os.path.join(os.fsencode(world.source), b"not utf-8 \xff\xfe")  # noqa: PTH118 - a name in bytes
    os.mkdir(odd)  # noqa: PTH102
    with open(os.path.join(odd, b"caf\xe9"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"latin-1")
    (world.source / "onedrive/bob/link").symlink_to("a/b")
    (world.source / "onedrive/bob/dangling").symlink_to("/nowhere/at/all")
    (world.source / "top link").symlink_to("onedrive/bob")
    private = world.write("onedrive/bob/private/secret.txt")
    private.chmod(0o640)
    private.parent.chmod(0o500)
    os.utime(private, ns=(1, 1_234_567_890_123_456_789))
    os.utime(private.parent, ns=(1, 987_654_321_000_000_001))


@pytest.mark.requirement("EKM-01")
@pytest.mark.requirement("EKM-02")
@pytest.mark.requirement("EKM-41")
@pytest.mark.requirement("EKM-44")
def test_every_folder_file_name_mode_time_and_link_comes_back(world: World) -> None:
    fill(world)
    report = world.back_up()
    assert succeeded(report)
    assert {result.workload for result in report.results} == {
        "exchange_online/.",
        "exchange_online/Jürgen Müller",
        "exchange_online/anna",
        "files/.",
        "files/100%25 done",
        "files/not utf-8 %FF%FE",
        "files/some project",
        "onedrive/bob",
        "sharepoint/empty site",
        "teams/.",
    }
    assert all(world.record(result.workload).key_arn == str(key_arn(1)) for result in report.results)
    assert succeeded(world.restore())
    assert world.kms.calls == {"GenerateDataKey": len(report.results), "Decrypt": len(report.results)}
    restored = tree(world.root / "restored")
    original = tree(world.source)
    # A folder of an application comes back with what lies loose in it; where nothing does, it is made anew.
    for application in ("onedrive", "sharepoint"):
        assert restored.pop(application)[:2] == original.pop(application)[:2]
    assert restored == original


@pytest.mark.parametrize("trigger", ["scheduled", "manual", "bulk"])
@pytest.mark.requirement("EKM-41")
def test_each_trigger_backs_up(world: World, trigger: str) -> None:
    world.write("teams/marketing/plan.docx")
    report = world.back_up(workflow=find_workflow(Product.MICROSOFT_365, WorkflowKind.BACKUP, trigger))
    assert succeeded(report)
    assert report.workflow.variant == trigger
    assert succeeded(world.restore())


@pytest.mark.parametrize("kind", ["restore", "MDS restore", "UserPortal restore", "UserClient restore"])
@pytest.mark.parametrize("mode", ["in place", "as a copy"])
@pytest.mark.requirement("EKM-44")
@pytest.mark.requirement("EKM-45")
def test_each_kind_of_restore_in_each_mode(world: World, kind: str, mode: str) -> None:
    file = world.write("onedrive/bob/report.xlsx", "figures")
    world.back_up()
    file.unlink()
    folder = "source" if mode == "in place" else "copy"
    workflow = find_workflow(Product.MICROSOFT_365, WorkflowKind.RESTORE, f"{kind}, {mode}")
    assert succeeded(world.restore(folder, workflow=workflow))
    assert (world.root / folder / "onedrive/bob/report.xlsx").read_text() == "figures"


@pytest.mark.requirement("EKM-47")
@pytest.mark.requirement("EKM-48")
@pytest.mark.requirement("EKM-49")
@pytest.mark.parametrize("trigger", ["scheduled", "manual"])
def test_entra_id_is_backed_up_restored_in_place_and_downloaded(world: World, trigger: str) -> None:
    file = world.write("directory/contoso/users.json", "[]")
    assert succeeded(world.back_up(workflow=find_workflow(Product.ENTRA_ID, WorkflowKind.BACKUP, trigger)))
    file.unlink()
    in_place = find_workflow(Product.ENTRA_ID, WorkflowKind.RESTORE, "restore, in place")
    assert succeeded(world.restore("source", workflow=in_place))
    assert file.read_text() == "[]"
    to_device = find_workflow(Product.ENTRA_ID, WorkflowKind.DOWNLOAD, "download to a device")
    assert succeeded(download(world.context, to_device, RestoreRequest(world.root / "device")))
    assert (world.root / "device/directory/contoso/users.json").read_text() == "[]"


@pytest.mark.parametrize("variant", ["restore download", "MDS download", "UserPortal download", "UserClient download"])
@pytest.mark.requirement("EKM-42")
def test_each_download_of_files(world: World, variant: str) -> None:
    world.write("exchange_online/anna/1.eml", "mail")
    world.back_up()
    workflow = find_workflow(Product.MICROSOFT_365, WorkflowKind.DOWNLOAD, variant)
    assert succeeded(download(world.context, workflow, RestoreRequest(world.root / "device")))
    assert tree(world.root / "device").keys() == {
        "exchange_online",
        "exchange_online/anna",
        "exchange_online/anna/1.eml",
    }


def test_each_operation_unwraps_its_key_once_and_never_once_a_file(world: World) -> None:
    for number in range(50):
        world.write(f"onedrive/anna/{number}")
        world.write(f"onedrive/bob/{number}")
    world.back_up()
    assert world.kms.calls == {"GenerateDataKey": 2}
    world.kms.calls.clear()
    world.back_up()
    world.restore()
    assert world.kms.calls == {"Decrypt": 4}


def test_a_file_that_did_not_change_is_not_stored_again(world: World) -> None:
    big = os.urandom(3_000_000)
    world.write("onedrive/bob/big", big)
    changing = world.write("onedrive/bob/changing", "first")
    world.back_up()
    stored = sum(file.stat().st_size for file in world.vault_folder.rglob("pack-*"))
    changing.write_text("second")
    result = only(world.back_up())
    assert (result.files, result.unchanged) == (2, 1)
    assert sum(file.stat().st_size for file in world.vault_folder.rglob("pack-*")) < stored + 10_000
    assert succeeded(world.restore())
    assert (world.root / "restored/onedrive/bob/big").read_bytes() == big
    assert (world.root / "restored/onedrive/bob/changing").read_text() == "second"


def test_a_file_written_a_moment_ago_is_read_again_next_time(world: World) -> None:
    """Times are kept so coarsely that a second change in the same moment would not show in them."""
    world.write("onedrive/bob/file")
    context = replace(world.context, clock=lambda: datetime.now(UTC))
    for _ in range(2):
        assert only(backup(context, MANUAL_BACKUP, world.source)).unchanged == 0


def test_every_snapshot_can_be_restored_by_its_id_or_number(world: World) -> None:
    file = world.write("onedrive/bob/file", "version 1")
    snapshots = []
    for version in (2, 3, 4):
        snapshots.append(only(world.back_up()).snapshot or "")
        file.write_text(f"version {version}")
    for number, snapshot in enumerate(snapshots, start=1):
        for wanted in (snapshot, str(number)):
            assert succeeded(world.restore(f"by {wanted}", snapshot=wanted))
            assert (world.root / f"by {wanted}/onedrive/bob/file").read_text() == f"version {number}"
    result = only(world.restore("none", snapshot="9"))
    assert isinstance(result.error, InputError)
    assert snapshots[-1] in (result.error.hint or "")


def test_a_removed_file_is_gone_from_the_next_snapshot_and_there_in_the_one_before(world: World) -> None:
    world.write("onedrive/bob/kept")
    removed = world.write("onedrive/bob/removed")
    world.back_up()
    removed.unlink()
    world.back_up()
    world.restore("latest")
    world.restore("first", snapshot="1")
    assert not (world.root / "latest/onedrive/bob/removed").exists()
    assert (world.root / "first/onedrive/bob/removed").exists()


def test_a_folder_that_becomes_a_file_and_back_is_kept_as_it_was(world: World) -> None:
    world.write("onedrive/bob/a/b", "in a folder")
    world.back_up()
    (world.source / "onedrive/bob/a/b").unlink()
    (world.source / "onedrive/bob/a").rmdir()
    world.write("onedrive/bob/a", "a file")
    world.back_up()
    assert succeeded(world.restore("second"))
    assert succeeded(world.restore("first", snapshot="1"))
    assert (world.root / "second/onedrive/bob/a").read_text() == "a file"
    assert (world.root / "first/onedrive/bob/a/b").read_text() == "in a folder"


@pytest.mark.requirement("EKM-44")
def test_one_path_is_restored_by_reading_its_own_segments_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(world)
    for number in range(5):
        world.write(f"onedrive/bob/filler {number}", os.urandom(2_000_000))
    world.back_up()
    read = []
    preadv = os.preadv

    def counted(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        read.append(preadv(descriptor, buffers, offset))
        return read[-1]

    monkeypatch.setattr(os, "preadv", counted)
    paths = ("private/secret.txt", "a/b/")
    assert succeeded(world.restore("restored", "onedrive/bob", paths=paths))
    assert sum(read) < 6_000_000
    restored = tree(world.root / "restored/onedrive/bob")
    original = tree(world.source / "onedrive/bob")
    chosen = {path for path in original if path in {"a", "private"} or path.startswith(("a/b", "private/"))}
    assert restored == {path: original[path] for path in chosen}


def test_a_path_that_is_not_there_is_told(world: World) -> None:
    world.write("onedrive/bob/a/file")
    world.back_up()
    report = world.restore("restored", "onedrive/bob", paths=("a/file", "a/other"))
    (problem,) = only(report).problems
    assert (problem.path, problem.kind) == ("a/other", ProblemKind.MISSING)
    assert report.exit_code is ExitCode.INPUT
    assert (world.root / "restored/onedrive/bob/a/file").exists()


@pytest.mark.parametrize("path", ["", "/", "../x", "a/../b", "a//b", "."])
def test_what_is_no_path_inside_a_workload_is_refused(world: World, path: str) -> None:
    world.write("onedrive/bob/a/b")
    world.back_up()
    with pytest.raises(InputError):
        world.restore("restored", "onedrive/bob", paths=(path,))
    assert not (world.root / "restored").exists()


def test_nothing_is_overwritten_silently(world: World) -> None:
    world.write("onedrive/bob/same", "same")
    changed = world.write("onedrive/bob/changed", "as backed up")
    same_size = world.write("onedrive/bob/same size", "1234")
    world.back_up()
    changed.write_text("somebody's newer work")
    same_size.write_text("5678")
    report = world.restore("source", workflow=IN_PLACE)
    result = only(report)
    assert report.exit_code is ExitCode.REFUSED
    assert {problem.path for problem in result.problems} == {"changed", "same size"}
    assert (result.outcome, result.unchanged) == (Outcome.WITH_PROBLEMS, 1)
    assert changed.read_text() == "somebody's newer work"
    assert same_size.read_text() == "5678"
    assert succeeded(world.restore("source", workflow=IN_PLACE, overwrite=True))
    assert changed.read_text() == "as backed up"
    assert same_size.read_text() == "1234"


@pytest.mark.requirement("EKM-44")
def test_a_restore_in_place_without_a_folder_goes_where_the_snapshot_was_taken(world: World) -> None:
    file = world.write("onedrive/bob/file", "lost")
    world.back_up()
    file.unlink()
    assert succeeded(restore(world.context, IN_PLACE, RestoreRequest(None)))
    assert file.read_text() == "lost"
    for workflow, job in ((COPY, restore), (DOWNLOAD, download)):
        with pytest.raises(InputError):
            job(world.context, workflow, RestoreRequest(None))


@pytest.mark.requirement("EKM-44")
def test_a_copy_is_not_made_into_the_source_itself(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    (world.source / "onedrive/bob/file").unlink()
    (world.root / "alias").symlink_to(world.source)
    for folder in ("source", "alias"):
        report = world.restore(folder, workflow=COPY)
        assert isinstance(only(report).error, RefusedError)
        assert report.exit_code is ExitCode.REFUSED
    assert list((world.source / "onedrive/bob").iterdir()) == []


def test_devices_sockets_and_pipes_are_left_out_and_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("onedrive/bob/file")
    os.mkfifo(world.source / "onedrive/bob/pipe")
    monkeypatch.chdir(world.source / "onedrive/bob")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        report = world.back_up()
    problems = only(report).problems
    assert [(problem.path, problem.kind) for problem in problems] == [
        ("pipe", ProblemKind.NOTE),
        ("socket", ProblemKind.NOTE),
    ]
    assert report.exit_code is ExitCode.DONE
    restored = world.restore()
    assert [problem.path for problem in only(restored).problems] == ["pipe", "socket"]
    assert restored.exit_code is ExitCode.DONE


def test_a_vault_that_lies_in_the_source_is_not_backed_up_into_itself(world: World) -> None:
    world.vault_folder.rename(world.source / "vault")
    world.vault = open_or_create_vault("vault", world.source, "northwind")
    world.write("loose")
    report = world.back_up()
    by_workload = {result.workload: result for result in report.results}
    assert succeeded(report)
    assert by_workload["files/vault"].files == 0
    assert by_workload["files/."].files == 1


@pytest.mark.parametrize("failing", ["write", "fchmod"])
def test_a_full_disk_ends_the_restore_and_leaves_nothing_half_written(
    world: World, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    world.write("onedrive/bob/big", os.urandom(3_000_000))
    world.back_up()

    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        context = replace(world.context, events=NoEvents())
        report = restore(context, COPY, RestoreRequest(world.root / "restored"))
    error = only(report).error
    assert isinstance(error, MachineError)
    assert "disk is full" in error.message
    assert report.exit_code is ExitCode.MACHINE
    assert [path.name for path in (world.root / "restored").rglob("*") if path.is_file()] == []


def test_a_destination_that_cannot_be_made_is_told(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    (world.root / "a file").touch()
    report = world.restore("a file/folder")
    assert isinstance(only(report).error, MachineError)
    assert report.exit_code is ExitCode.MACHINE


def test_workloads_of_another_product_are_left_to_its_jobs_and_told(world: World) -> None:
    world.write("gmail/anna/1.eml")
    world.write("onedrive/anna/file")
    report = world.back_up()
    assert [result.workload for result in report.results] == ["onedrive/anna"]
    assert report.not_covered == ("gmail/anna",)
    google = find_workflow(Product.GOOGLE_WORKSPACE, WorkflowKind.BACKUP, "manual")
    assert [result.workload for result in world.back_up(workflow=google).results] == ["gmail/anna"]
    assert [result.workload for result in world.restore().results] == ["onedrive/anna"]


def test_only_the_named_workloads_are_backed_up_and_an_unknown_one_fails_alone(world: World) -> None:
    world.write("onedrive/anna/file")
    world.write("onedrive/bob/file")
    report = backup(world.context, MANUAL_BACKUP, world.source, ["onedrive/bob", "onedrive/nobody"])
    assert [(result.workload, result.outcome) for result in report.results] == [
        ("onedrive/bob", Outcome.COMPLETED),
        ("onedrive/nobody", Outcome.FAILED),
    ]
    assert report.exit_code is ExitCode.INPUT


def test_an_empty_source_is_refused(world: World) -> None:
    with pytest.raises(InputError):
        world.back_up()
    with pytest.raises(InputError):
        backup(world.context, MANUAL_BACKUP, world.root / "nowhere")


def test_a_workload_that_was_never_backed_up_cannot_be_restored(world: World) -> None:
    for label in ("onedrive/nobody", "no workload at all", "files/..", "onedrive/a%2Fb", "files/"):
        assert isinstance(only(world.restore("restored", label)).error, InputError)
    assert not (world.root / "restored").exists()


def test_files_span_packs(world: World) -> None:
    world.vault = Vault(world.vault._store, "northwind", pack_bytes=1000)
    contents = {f"onedrive/bob/{number:02}": os.urandom(number * 137) for number in range(40)}
    for path, content in contents.items():
        world.write(path, content)
    assert succeeded(world.back_up())
    assert len(list(world.vault_folder.rglob("pack-*"))) > 100
    assert succeeded(world.restore())
    for path, content in contents.items():
        assert (world.root / "restored" / path).read_bytes() == content


def test_a_backup_says_how_far_it_is(world: World) -> None:
    world.write("onedrive/bob/big", bytes(3_000_000))
    world.write("onedrive/bob/small", bytes(10))
    steps: list[Progressed] = []
    context = replace(world.context, progress=steps.append)
    for _ in range(2):
        steps.clear()
        backup(context, MANUAL_BACKUP, world.source)
        assert sum(step.files for step in steps) == 2
        assert sum(step.bytes for step in steps) == 3_000_010


def test_names_of_files_stand_in_plaintext_nowhere_in_the_vault(world: World) -> None:
    world.write("onedrive/anna/Kündigungen geheim/vertraulich-4711.docx", "canary-content-4711")
    world.back_up()
    names = [str(path.relative_to(world.vault_folder)) for path in world.vault_folder.rglob("*")]
    everything = "\n".join(names).encode() + b"".join(
        path.read_bytes() for path in world.vault_folder.rglob("*") if path.is_file()
    )
    for canary in ("geheim", "vertraulich", "canary-content", str(world.source)):
        assert canary.encode() not in everything
    assert not any("anna" in name for name in names), "workloads have opaque ids in the names of objects"


def test_the_download_of_a_folder_tree_equals_its_restore(world: World) -> None:
    fill(world)
    world.back_up()
    world.restore("restored")
    download(world.context, DOWNLOAD, RestoreRequest(world.root / "device"))
    restored, downloaded = tree(world.root / "restored"), tree(world.root / "device")
    for application in ("onedrive", "sharepoint"):
        del restored[application], downloaded[application]
    assert restored == downloaded
