"""The vault finds what was swapped, renamed, replayed, altered or lost, names it, and gives out the rest."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from engine.catalogue import LEGAL_HOLD_DOWNLOAD, Product, WorkflowKind, find_workflow
from engine.envelope.data_keys import LEGAL_HOLD, PAYLOAD, opened
from engine.errors import DamagedError, ExitCode, InputError, KeyAccessError, MachineError
from engine.jobs.backup import backup
from engine.jobs.events import NoEvents
from engine.jobs.key_records import KeyRecord, decode_key_record, encode_key_record
from engine.jobs.report import Outcome, ProblemKind
from engine.jobs.restore import RestoreRequest, download, restore
from engine.jobs.vault import open_or_create_vault, open_vault, vault_is_empty
from engine.jobs.verification import verify_vault
from tests.builders import store_altered
from tests.engine.jobs.world import COPY, MANUAL_BACKUP, only, succeeded, tree

if TYPE_CHECKING:
    from engine.jobs.operation import JobContext
    from engine.jobs.progress import Progressed
    from engine.jobs.report import JobReport
    from tests.engine.jobs.world import World

HELD_DOWNLOAD = find_workflow(Product.MICROSOFT_365, WorkflowKind.DOWNLOAD, LEGAL_HOLD_DOWNLOAD)


def content(world: World, workload: str, number: int = 1) -> Path:
    """The folder of a snapshot's content."""
    (folder,) = (world.vault_folder / "data" / world.record(workload).data_key_id).glob(f"{number:06}-*")
    return folder


def commit(world: World, workload: str, number: int = 1) -> Path:
    (file,) = (world.vault_folder / "snapshots" / world.record(workload).data_key_id).glob(f"{number:06}-*.json")
    return file


def flip(file: Path, place: int = -1) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def swap(one: Path, other: Path) -> None:
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


@pytest.fixture
def stored(world: World) -> World:
    """Two workloads, anna with two snapshots; the second refers to a pack of the first."""
    world.write("onedrive/anna/kept", "kept content")
    world.write("onedrive/bob/file", "content of b")
    world.back_up()
    world.write("onedrive/anna/new", "new content!")
    world.back_up()
    return world


def damaged_files(report: JobReport, workload: str = "onedrive/anna") -> set[str]:
    """The files that a restore names as damaged; it must end as damaged."""
    assert report.exit_code is ExitCode.DAMAGED
    (result,) = [result for result in report.results if result.workload == workload]
    return {problem.path for problem in result.problems if problem.kind is ProblemKind.DAMAGED}


def test_an_altered_pack_damages_its_files_alone(stored: World) -> None:
    flip(content(stored, "onedrive/anna", 2) / "pack-000001")
    report = stored.restore()
    assert damaged_files(report) == {"new"}
    assert {path.name for path in (stored.root / "restored").rglob("*") if path.is_file()} == {"kept", "file"}


def test_a_missing_pack_damages_its_files_alone(stored: World) -> None:
    (content(stored, "onedrive/anna", 1) / "pack-000001").unlink()
    assert damaged_files(stored.restore()) == {"kept"}


@pytest.mark.parametrize("cut", [1, 16, 30])
def test_a_truncated_pack_is_damaged(stored: World, cut: int) -> None:
    pack = content(stored, "onedrive/anna", 2) / "pack-000001"
    os.truncate(pack, pack.stat().st_size - cut)
    assert damaged_files(stored.restore()) == {"new"}


def test_packs_of_two_snapshots_cannot_be_swapped(stored: World) -> None:
    swap(*(content(stored, "onedrive/anna", number) / "pack-000001" for number in (1, 2)))
    assert damaged_files(stored.restore()) == {"kept", "new"}


def test_packs_of_two_workloads_cannot_be_swapped(stored: World) -> None:
    swap(content(stored, "onedrive/anna") / "pack-000001", content(stored, "onedrive/bob") / "pack-000001")
    report = stored.restore()
    assert damaged_files(report) == {"kept"}
    assert {problem.path for problem in report.results[1].problems} == {"file"}
    assert not [path for path in (stored.root / "restored").rglob("*") if path.is_file() and path.name != "new"]


def test_an_older_manifest_cannot_be_replayed_as_a_newer_one(stored: World) -> None:
    old, new = (content(stored, "onedrive/anna", number) / "manifest" for number in (1, 2))
    shutil.copyfile(old, new)
    record = json.loads(commit(stored, "onedrive/anna", 2).read_bytes())
    record["manifest_bytes"] = new.stat().st_size
    commit(stored, "onedrive/anna", 2).write_text(json.dumps(record))
    result = only(stored.restore("restored", "onedrive/anna"))
    assert isinstance(result.error, DamagedError)
    assert not list((stored.root / "restored").rglob("kept"))


def test_an_older_snapshot_cannot_be_replayed_whole_under_a_newer_id(stored: World) -> None:
    old = content(stored, "onedrive/anna", 1)
    replayed = old.with_name(old.name.replace("000001", "000003", 1))
    shutil.copytree(old, replayed)
    record = json.loads(commit(stored, "onedrive/anna", 1).read_bytes()) | {"snapshot": replayed.name}
    commit(stored, "onedrive/anna", 1).with_name(f"{replayed.name}.json").write_text(json.dumps(record))
    assert isinstance(only(stored.restore("restored", "onedrive/anna")).error, DamagedError)
    assert succeeded(stored.restore("restored", "onedrive/anna", snapshot="2"))


@pytest.mark.parametrize("place", [0, 20, 45, -1])
def test_an_altered_manifest_restores_nothing(stored: World, place: int) -> None:
    flip(content(stored, "onedrive/anna", 2) / "manifest", place)
    assert isinstance(only(stored.restore("restored", "onedrive/anna")).error, DamagedError)
    assert not list((stored.root / "restored").rglob("*"))
    assert succeeded(stored.restore("restored", "onedrive/anna", snapshot="1")), "the others are still there"


def test_a_missing_manifest_or_commit_record_is_named(stored: World) -> None:
    manifest = content(stored, "onedrive/anna", 2) / "manifest"
    manifest.unlink()
    error = only(stored.restore("restored", "onedrive/anna")).error
    assert isinstance(error, DamagedError)
    assert "manifest" in error.message


@pytest.mark.parametrize("record", [b"", b"[]", b"{}", b"\xff", b'{"format": 99}', b"null"])
def test_a_commit_record_that_is_none_is_damaged(stored: World, record: bytes) -> None:
    commit(stored, "onedrive/bob", 2).write_bytes(record)
    assert isinstance(only(stored.restore("restored", "onedrive/bob")).error, DamagedError)


def test_a_backup_over_a_damaged_snapshot_stores_everything_anew_and_says_so(stored: World) -> None:
    flip(content(stored, "onedrive/anna", 2) / "manifest")
    (content(stored, "onedrive/bob", 1) / "pack-000001").unlink()
    report = stored.back_up()
    anna, bob = report.results
    assert report.exit_code is ExitCode.DAMAGED
    assert [problem.kind for problem in anna.problems] == [ProblemKind.DAMAGED]
    assert anna.outcome is Outcome.WITH_PROBLEMS
    assert (bob.outcome, bob.unchanged) == (Outcome.COMPLETED, 0), "what is missing was stored again"
    assert succeeded(stored.restore())
    restored, source = tree(stored.root / "restored/onedrive"), tree(stored.source / "onedrive")
    assert restored == source
    assert succeeded(stored.back_up())


def test_content_that_lost_its_commit_record_is_never_taken_for_a_leftover(stored: World) -> None:
    """Snapshot 2 refers to content of snapshot 1: collecting that would destroy both."""
    commit(stored, "onedrive/anna", 1).unlink()
    assert succeeded(stored.back_up())
    assert succeeded(stored.restore())
    assert (stored.root / "restored/onedrive/anna/kept").read_text() == "kept content"


def test_where_all_commit_records_are_lost_backups_stop_and_delete_nothing(stored: World) -> None:
    lost = stored.vault_folder / "snapshots"
    lost.rename(stored.root / "snapshots")
    before = tree(stored.vault_folder / "data")
    report = stored.back_up()
    assert report.exit_code is ExitCode.DAMAGED
    assert all(isinstance(result.error, DamagedError) for result in report.results)
    assert tree(stored.vault_folder / "data") == before
    (stored.root / "snapshots").rename(lost)
    assert succeeded(stored.back_up())


def test_the_newest_snapshot_is_not_collected_where_its_commit_record_was_lost(world: World) -> None:
    """It looks like what a killed backup left; that it was told of as a snapshot tells the difference."""
    world.write("onedrive/anna/file", "first")
    assert succeeded(world.back_up())
    first = world.vault.snapshots(world.record("onedrive/anna"))[0]
    world.write("onedrive/anna/file", "second")
    assert succeeded(world.back_up("onedrive/anna"))
    commits = {path: path.read_bytes() for path in world.vault_folder.glob("snapshots/*/*.json")}
    before = tree(world.vault_folder / "data").keys()
    for purpose in (PAYLOAD, LEGAL_HOLD):
        key, newest = world.record("onedrive/anna", purpose), world.vault.snapshots(world.record("onedrive/anna"))[-1]
        lost = max((world.vault_folder / "snapshots" / key.data_key_id).iterdir())
        lost.unlink()
        report = world.back_up()
        assert isinstance(only(report).error, DamagedError)
        assert tree(world.vault_folder / "data").keys() == before
        if purpose == PAYLOAD:
            restored = only(world.restore())
            assert (restored.snapshot, restored.outcome) == (first.text, Outcome.WITH_PROBLEMS)
            assert f"the ledger tells of snapshot {newest}" in restored.problems[0].reason
        lost.write_bytes(commits[lost])
    assert succeeded(world.back_up())
    assert succeeded(world.restore("all", overwrite=True))


def elsewhere(world: World) -> JobContext:
    """The context of another machine: the same ledger and vault, and no history of the jobs here."""
    return replace(world.context, told=dict)


def drop(world: World, workload: str, number: int, purpose: str = PAYLOAD) -> str:
    """Take a snapshot out of the vault, whole; its id."""
    record = world.record(workload, purpose)
    (snapshot,) = (one for one in world.vault.snapshots(record) if one.number == number)
    (world.vault_folder / "snapshots" / record.data_key_id / f"{snapshot}.json").unlink()
    shutil.rmtree(world.vault_folder / "data" / record.data_key_id / snapshot.text)
    return snapshot.text


@pytest.mark.parametrize("purpose", [PAYLOAD, LEGAL_HOLD])
def test_every_machine_notices_that_the_newest_snapshot_is_lost(world: World, purpose: str) -> None:
    """Somebody who can change the bucket alone takes it away whole; the ledger remembers it."""
    for text in ("first", "second"):
        world.write("onedrive/anna/file", text)
        assert succeeded(world.back_up("onedrive/anna"))
    lost = drop(world, "onedrive/anna", 2, purpose)
    request = RestoreRequest(world.root / "restored", ("onedrive/anna",))
    workflow, bring = (COPY, restore) if purpose == PAYLOAD else (HELD_DOWNLOAD, download)
    found = only(bring(elsewhere(world), workflow, request))
    assert (found.outcome, found.files) == (Outcome.WITH_PROBLEMS, 1)
    assert f"the ledger tells of snapshot {lost}" in found.problems[0].reason
    verified = verify_vault(elsewhere(world), {})
    assert verified.exit_code is ExitCode.DAMAGED
    (damaged,) = (one for one in verified.workloads if one.damage)
    assert (damaged.workload, damaged.purpose) == ("onedrive/anna", purpose)
    world.write("onedrive/anna/file", "third")
    stored = only(backup(elsewhere(world), MANUAL_BACKUP, world.source, None, ()))
    assert stored.outcome is Outcome.WITH_PROBLEMS
    assert f"the ledger tells of snapshot {lost}" in stored.problems[0].reason
    assert only(backup(elsewhere(world), MANUAL_BACKUP, world.source, None, ())).outcome is Outcome.COMPLETED


@pytest.mark.parametrize("machine", ["here", "elsewhere"])
def test_the_loss_of_several_snapshots_is_told_once(world: World, machine: str) -> None:
    for number in range(1, 7):
        world.write("onedrive/anna/file", f"content {number}")
        assert succeeded(world.back_up("onedrive/anna"))
    lost = [drop(world, "onedrive/anna", number, purpose) for purpose in (PAYLOAD, LEGAL_HOLD) for number in (4, 5, 6)]
    context = world.context if machine == "here" else elsewhere(world)
    first = only(backup(context, MANUAL_BACKUP, world.source, None, ()))
    assert first.outcome is Outcome.WITH_PROBLEMS
    assert [one for one in lost if one in str(first.problems)] == [lost[2], lost[5]]
    for _ in range(2):
        assert only(backup(context, MANUAL_BACKUP, world.source, None, ())).outcome is Outcome.COMPLETED
        request = RestoreRequest(world.root / "restored", ("onedrive/anna",))
        assert only(restore(context, COPY, request)).outcome is Outcome.COMPLETED
    lost_again = drop(world, "onedrive/anna", 6)
    told = only(restore(context, COPY, RestoreRequest(world.root / "again", ("onedrive/anna",))))
    assert lost_again in told.problems[0].reason


def test_where_the_ledger_remembers_nothing_the_job_history_tells_what_is_lost(world: World) -> None:
    for text in ("first", "second"):
        world.write("onedrive/anna/file", text)
        assert succeeded(world.back_up())
    lost = drop(world, "onedrive/anna", 2)
    with closing(sqlite3.connect(world.root / "ledger" / "ledger.db")) as connection, connection:
        connection.execute("DELETE FROM newest_snapshots")
    for report in (world.restore(), world.back_up()):
        assert f"the job history tells of snapshot {lost}" in only(report).problems[0].reason
    assert only(world.back_up()).outcome is Outcome.COMPLETED


def test_a_backup_whose_end_the_ledger_cannot_remember_has_both_its_snapshots(world: World) -> None:
    world.write("onedrive/anna/file")
    assert succeeded(world.back_up("onedrive/anna"))
    with closing(sqlite3.connect(world.root / "ledger" / "ledger.db")) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON newest_snapshots BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    assert isinstance(only(world.back_up()).error, DamagedError)
    for purpose in (PAYLOAD, LEGAL_HOLD):
        assert len(world.vault.snapshots(world.record("onedrive/anna", purpose))) == 2
    assert succeeded(world.restore())


def test_a_workload_whose_every_snapshot_is_lost_is_damaged_and_not_new(world: World) -> None:
    world.write("onedrive/anna/file")
    assert succeeded(world.back_up())
    drop(world, "onedrive/anna", 1)
    found = only(restore(elsewhere(world), COPY, RestoreRequest(world.root / "restored", None)))
    assert isinstance(found.error, DamagedError)
    assert not (world.root / "restored").exists()


def test_a_link_in_the_place_of_an_object_is_not_followed(stored: World) -> None:
    pack = content(stored, "onedrive/bob", 1) / "pack-000001"
    elsewhere = stored.root / "elsewhere"
    pack.rename(elsewhere)
    pack.symlink_to(elsewhere)
    assert damaged_files(stored.restore(), "onedrive/bob") == {"file"}


def test_everything_in_the_vault_is_its_owners_alone(stored: World) -> None:
    for path in stored.vault_folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


# Wrapped-key records


def test_the_vault_alone_has_what_unwrapping_needs(stored: World) -> None:
    records = list(stored.vault.key_records())
    assert {record.data_key.workload for record in records} == {"onedrive/anna", "onedrive/bob"}
    for record in records:
        assert record.tenant == "northwind"
        assert record.data_key == stored.record(record.data_key.workload)
        with opened(stored.context.access, record.tenant, record.data_key) as key:
            assert len(key) == 32


def test_after_a_rewrap_both_wrappings_are_kept_and_the_last_one_counts(stored: World) -> None:
    stored.start_rotation()
    moved = replace(stored.rewrap(stored.record("onedrive/anna")), epoch=2)
    stored.vault.put_key_record(moved)
    stored.vault.put_key_record(moved)
    records = {record.data_key.workload: record.data_key for record in stored.vault.key_records()}
    assert records["onedrive/anna"] == moved
    assert records["onedrive/bob"].generation == 1
    assert len(list((stored.vault_folder / "keys" / moved.data_key_id).iterdir())) == 2


def test_the_records_of_a_page_are_kept_as_one_object_and_the_last_ones_count(stored: World) -> None:
    stored.start_rotation()
    moved = [replace(stored.rewrap(stored.record(f"onedrive/{name}")), epoch=2) for name in ("anna", "bob")]
    before = set(stored.vault_folder.rglob("*.json"))
    stored.vault.put_key_records(moved)
    stored.vault.put_key_records([])
    (page,) = set(stored.vault_folder.rglob("*.json")) - before
    kept = {record.data_key.data_key_id: record.data_key for record in stored.vault.key_records()}
    assert kept == {data_key.data_key_id: data_key for data_key in moved}
    assert len(list(stored.vault.every_key_record())) == 4
    page.write_bytes(page.read_bytes().replace(b'"northwind"', b'"southwind"'))
    with pytest.raises(DamagedError, match="keys/pages/"):
        list(stored.vault.key_records())


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"format":2,"records":[]}', b'{"format":1}', b'{"format":1,"records":[1]}']
)
def test_what_is_no_page_of_records_is_damaged(stored: World, data: bytes) -> None:
    stored.vault.put_key_records([stored.record(f"onedrive/{name}") for name in ("anna", "bob")])
    next((stored.vault_folder / "keys" / "pages").iterdir()).write_bytes(data)
    with pytest.raises(DamagedError):
        list(stored.vault.key_records())


def test_a_record_that_was_lost_is_put_back_by_the_next_backup(stored: World) -> None:
    shutil.rmtree(stored.vault_folder / "keys")
    stored.back_up()
    assert len(list(stored.vault.key_records())) == 2


def test_a_key_record_survives_encoding(stored: World) -> None:
    record = KeyRecord("northwind", stored.record("onedrive/anna"))
    assert decode_key_record(encode_key_record(record), "it") == record


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"format":2}', b'{"format":1}', b"1"])
def test_what_is_no_key_record_is_damaged(stored: World, data: bytes) -> None:
    next((stored.vault_folder / "keys").rglob("*.json")).write_bytes(data)
    with pytest.raises(DamagedError):
        list(stored.vault.key_records())


def test_a_key_record_under_another_name_is_damaged(stored: World) -> None:
    records = sorted((stored.vault_folder / "keys").rglob("*.json"))
    shutil.copyfile(records[0], records[1])
    with pytest.raises(DamagedError):
        list(stored.vault.key_records())


def test_a_wrapping_exchanged_in_the_ledger_is_noticed_before_anything_is_read(stored: World) -> None:
    anna, bob = stored.record("onedrive/anna"), stored.record("onedrive/bob")
    store_altered(stored.ledger, replace(anna, ciphertext=bob.ciphertext))
    assert isinstance(only(stored.restore("restored", "onedrive/anna")).error, KeyAccessError)


# The vault as a whole


def test_a_vault_is_one_tenants_alone(stored: World) -> None:
    with pytest.raises(InputError) as caught:
        open_vault("vault", stored.root, "southwind")
    assert "northwind" in caught.value.message


def test_a_missing_vault_is_not_made_by_opening_it(tmp_path: Path) -> None:
    assert open_vault("nowhere", tmp_path, "northwind") is None
    assert vault_is_empty("nowhere", tmp_path, "northwind")
    assert list(tmp_path.iterdir()) == []


def test_a_vault_is_empty_until_it_holds_a_key_or_a_snapshot(world: World) -> None:
    assert vault_is_empty("vault", world.root, "northwind")
    world.write("onedrive/bob/file")
    world.back_up()
    assert not vault_is_empty("vault", world.root, "northwind")


def test_a_folder_with_something_else_in_it_is_not_taken_for_a_vault(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "letter.txt").write_text("mine")
    for opening in (open_vault, open_or_create_vault):
        with pytest.raises(DamagedError):
            opening("documents", tmp_path, "northwind")
    assert [path.name for path in (tmp_path / "documents").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("marker", ["", "{}", '{"format": 2, "tenant": "northwind"}', "[1]"])
def test_a_vault_of_another_format_is_refused(world: World, marker: str) -> None:
    (world.vault_folder / "vault.json").write_text(marker)
    with pytest.raises(DamagedError):
        open_vault("vault", world.root, "northwind")


def test_a_vault_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_vault("ftp://host/folder", tmp_path, "northwind")


# The machine


def test_a_disk_that_nothing_can_be_deleted_on_any_more_keeps_no_file_of_a_failed_backup_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file system does that was mounted again for reading alone, after an error of its disk."""
    for user in ("anna", "bob"):
        world.write(f"onedrive/{user}/file", os.urandom(9_000_000))

    def read_only(*_arguments: object, **_named: object) -> NoReturn:
        raise OSError(30, "Read-only file system")

    def broken(descriptor: int, data: memoryview) -> int:
        large = os.fstat(descriptor).st_size > 1_000_000
        return read_only() if large else write(descriptor, data)

    def open_files() -> set[str]:
        return {link.name for link in Path("/proc/self/fd").iterdir()}

    before, write = open_files(), os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", broken)
        patch.setattr(type(world.root), "unlink", read_only)
        patch.setattr("shutil.rmtree", read_only)
        report = backup(replace(world.context, events=NoEvents()), MANUAL_BACKUP, world.source)
    assert all("Read-only file system" in str(result.error) for result in report.failures)
    assert len(report.failures) == 2
    assert open_files() == before
    assert not [thread for thread in threading.enumerate() if "_work" in thread.name]
    assert succeeded(world.back_up())
    assert not list(world.vault_folder.rglob("*.partial"))


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_full_disk_ends_the_backup_and_publishes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    world.write("onedrive/bob/first", os.urandom(2_000_000))
    world.back_up()
    world.write("onedrive/bob/second", os.urandom(2_000_000))
    real, calls = getattr(os, failing), iter(range(1000))

    def full(*arguments: object) -> object:
        if next(calls) >= 1:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        report = backup(replace(world.context, events=NoEvents()), MANUAL_BACKUP, world.source)
    error = only(report).error
    assert isinstance(error, MachineError)
    assert "disk is full" in error.message
    assert report.exit_code is ExitCode.MACHINE
    assert len(world.vault.snapshots(world.record("onedrive/bob"))) == 1
    assert succeeded(world.restore())
    assert {path.name for path in (world.root / "restored/onedrive/bob").iterdir()} == {"first"}
    assert succeeded(world.back_up())


def test_a_vault_that_may_not_be_written_to_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("onedrive/bob/file")
    real = os.open

    def refuse(path: str | Path, flags: int, *rest: object, **options: object) -> int:
        if "/vault/" in str(path) and flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    report = world.back_up()
    assert isinstance(only(report).error, MachineError)
    assert report.exit_code is ExitCode.MACHINE


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_a_vault_whose_disk_is_unmounted_under_a_job_fails_it_and_is_not_begun_anew(world: World, left: str) -> None:
    for user in ("anna", "bob"):
        world.write(f"onedrive/{user}/file", user)
    world.back_up()
    world.write("onedrive/bob/other", "later")

    def unmount(step: Progressed) -> None:
        if step.workload == "onedrive/bob" and not (world.root / "unmounted").exists():
            world.vault_folder.rename(world.root / "unmounted")
            if left == "an empty folder":
                world.vault_folder.mkdir()

    report = backup(replace(world.context, progress=unmount), MANUAL_BACKUP, world.source)
    assert [result.outcome for result in report.results] == [Outcome.COMPLETED, Outcome.FAILED]
    assert report.exit_code is ExitCode.MACHINE
    assert "mounted" in str(report.results[1].error.hint if report.results[1].error else "")
    assert not list(world.vault_folder.glob("*"))
    if world.vault_folder.exists():
        world.vault_folder.rmdir()
    (world.root / "unmounted").rename(world.vault_folder)
    assert succeeded(world.back_up())
    assert succeeded(world.restore())
