"""Sources: which workloads there are, and that what changes or fails while it is read is never silently wrong."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ExitCode, InputError
from engine.jobs import source_tree
from engine.jobs.backup import backup
from engine.jobs.entries import FolderEntry, Omission, OmissionReason, order
from engine.jobs.report import Outcome, ProblemKind
from engine.jobs.source_tree import FoundFile, walk
from engine.jobs.workloads import Workload, find_workloads, parse_label
from engine.printing import printable
from tests.engine.jobs.world import MANUAL_BACKUP, only, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.jobs.progress import Progressed
    from tests.engine.jobs.world import World

BOB = Workload("onedrive", "bob")

_names = (
    st.binary(min_size=1, max_size=40)
    .filter(lambda name: name not in {b".", b".."} and not {0, ord("/")} & set(name))
    .map(os.fsdecode)
)


@settings(deadline=None)
@given(application=st.sampled_from(["files", "onedrive", "directory"]), name=_names | st.just("."))
def test_every_folder_name_has_a_label_that_leads_back_to_it(application: str, name: str) -> None:
    workload = Workload(application, name)
    assert parse_label(workload.label) == workload
    workload.label.encode("utf-8")
    assert workload.label.isprintable() or not any(ord(character) < 32 for character in workload.label)


@settings(deadline=None)
@given(names=st.lists(_names, min_size=2, max_size=2, unique=True))
def test_two_folders_never_have_one_label(names: list[str]) -> None:
    first, second = (Workload("files", name).label for name in names)
    assert first != second


@pytest.mark.parametrize(
    "label",
    ["", "onedrive", "onedrive/", "outlook/anna", "files/..", "files/a/b", "files/%2E%2E", "onedrive/%2e%2e%2f", "/x"],
)
def test_what_is_no_label_is_refused(label: str) -> None:
    with pytest.raises(InputError):
        parse_label(label)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße 🎉.eml", "Grüße 🎉.eml"),
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
    ],
)
def test_names_are_shown_without_what_a_terminal_would_obey(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_every_file_belongs_to_exactly_one_workload(tmp_path: Path) -> None:
    for path in ("loose", "project/file", "onedrive/loose", "onedrive/bob/file", "teams/x/y/z", "files/onedrive/file"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "gmail").mkdir()
    (tmp_path / "link").symlink_to("project")
    found = {}
    for workload in find_workloads(tmp_path):
        for entry in walk(tmp_path, workload):
            if isinstance(entry, FoundFile):
                path = "/".join((*workload.folder, entry.path))
                assert path not in found
                found[path] = workload.label
    assert found == {
        "loose": "files/.",
        "project/file": "files/project",
        "onedrive/loose": "onedrive/.",
        "onedrive/bob/file": "onedrive/bob",
        "teams/x/y/z": "teams/x",
        "files/onedrive/file": "files/files",
    }
    labels = [workload.label for workload in find_workloads(tmp_path)]
    assert labels == sorted(labels)
    assert {"files/empty", "gmail/."} <= set(labels)


def test_the_walk_is_in_the_order_of_manifests(tmp_path: Path) -> None:
    for path in ("a/b/c", "a b", "a.txt", "a/b.txt", "a/b c", "Z", "ä", "a/\uffff", "a/\U0001f389"):
        (tmp_path / "onedrive/bob" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "onedrive/bob" / path).touch()
    paths = [entry.path for entry in walk(tmp_path, BOB)]
    assert paths == sorted(paths, key=order)
    assert len(paths) == 12


def test_a_walk_that_is_left_closes_what_it_opened(tmp_path: Path) -> None:
    (tmp_path / "onedrive/bob/a/b/c").mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
    for steps in range(1, 4):
        entries = walk(tmp_path, BOB)
        for _ in range(steps):
            next(entries)
        entries.close()  # type: ignore[attr-defined]
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112, PTH208
    assert after == before


def test_what_lies_too_deep_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_tree, "MOST_LEVELS", 3)
    (tmp_path / "onedrive/bob/1/2/3/4").mkdir(parents=True)
    (tmp_path / "onedrive/bob/1/2/3/file").touch()
    found = list(walk(tmp_path, BOB))
    assert [entry.path for entry in found if isinstance(entry, FolderEntry)] == ["", "1", "1/2", "1/2/3"]
    assert [(entry.path, entry.reason) for entry in found if isinstance(entry, Omission)] == [
        ("1/2/3/4", OmissionReason.TOO_DEEP),
        ("1/2/3/file", OmissionReason.TOO_DEEP),
    ]


def test_a_link_in_the_place_of_a_workloads_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (tmp_path / "onedrive").mkdir()
    (tmp_path / "onedrive/bob").symlink_to(tmp_path / "elsewhere")
    assert Workload("onedrive", "bob") not in find_workloads(tmp_path)
    with pytest.raises(InputError):
        list(walk(tmp_path, BOB))


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Does something to the world each time that a file's content has been read."""

    def install(do: Callable[[int], None]) -> None:
        real, count = os.readv, iter(range(1000))

        def read_and_do(descriptor: int, buffers: Any) -> int:
            read = real(descriptor, buffers)
            do(next(count))
            return read

        monkeypatch.setattr(os, "readv", read_and_do)

    return install


def test_a_file_that_changes_once_while_it_is_read_is_read_again(
    world: World, reading: Callable[[Callable[[int], None]], None]
) -> None:
    file = world.write("onedrive/bob/log", "first")

    def change_once(count: int) -> None:
        if count == 0:
            file.write_text("second, longer")

    reading(change_once)
    assert succeeded(world.back_up())
    assert succeeded(world.restore())
    assert (world.root / "restored/onedrive/bob/log").read_text() == "second, longer"


@pytest.mark.parametrize("same_size", [True, False])
def test_a_file_that_keeps_changing_is_left_out_and_told(
    world: World, reading: Callable[[Callable[[int], None]], None], same_size: bool
) -> None:
    file = world.write("onedrive/bob/log", "0")
    world.write("onedrive/bob/quiet", "quiet")

    def change(count: int) -> None:
        text = str(count % 10) if same_size else "x" * (count + 2)
        file.write_text(text)
        os.utime(file, ns=(1, 1_000_000_000 + count))

    reading(change)
    report = world.back_up()
    result = only(report)
    assert (result.outcome, result.files, report.exit_code) == (Outcome.WITH_PROBLEMS, 1, ExitCode.INPUT)
    (problem,) = result.problems
    assert (problem.path, problem.kind, problem.reason) == (
        "log",
        ProblemKind.MISSING,
        "kept changing while it was read",
    )
    restored = world.restore()
    assert [problem.path for problem in only(restored).problems] == ["log"]
    assert [path.name for path in (world.root / "restored/onedrive/bob").iterdir()] == ["quiet"]


def test_a_file_that_shrinks_or_grows_without_end_does_not_stop_the_backup(
    world: World, reading: Callable[[Callable[[int], None]], None]
) -> None:
    file = world.write("onedrive/bob/log", b"x" * 100_000)

    def grow(_count: int) -> None:
        with file.open("ab") as log:
            log.write(b"y" * 100_000)

    reading(grow)
    assert [problem.path for problem in only(world.back_up()).problems] == ["log"]


def failing_open(monkeypatch: pytest.MonkeyPatch, name: str, error: OSError) -> None:
    real = os.open

    def fail(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == name and dir_fd is not None:
            raise error
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", fail)


@pytest.mark.parametrize("name", ["secret", "folder"])
def test_what_may_not_be_read_is_left_out_and_told(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    world.write("onedrive/bob/secret")
    world.write("onedrive/bob/folder/file")
    world.write("onedrive/bob/open")
    failing_open(monkeypatch, name, PermissionError(13, "Permission denied"))
    report = world.back_up()
    assert [(problem.path, problem.reason) for problem in only(report).problems] == [(name, "cannot be read")]
    assert report.exit_code is ExitCode.INPUT


def test_what_vanishes_while_the_backup_runs_is_left_out_and_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("onedrive/bob/file")
    failing_open(monkeypatch, "file", FileNotFoundError(2, "No such file or directory"))
    assert [problem.reason for problem in only(world.back_up()).problems] == ["vanished while the backup ran"]


def test_a_disk_that_fails_while_a_file_is_read_leaves_that_file_out_and_tells(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("onedrive/bob/bad")
    world.write("onedrive/bob/big", os.urandom(10))
    real, calls = os.readv, iter(range(100))

    def fail_once(descriptor: int, buffers: Any) -> int:
        if next(calls) == 0:
            raise OSError(5, "Input/output error")
        return real(descriptor, buffers)

    monkeypatch.setattr(os, "readv", fail_once)
    result = only(world.back_up())
    assert [problem.path for problem in result.problems] == ["bad"]
    assert result.files == 1
    assert only(world.restore()).files == 1


def test_a_workload_that_vanishes_fails_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write("onedrive/anna/file")
    world.write("onedrive/bob/file")
    failing_open(monkeypatch, "anna", FileNotFoundError(2, "No such file or directory"))
    anna, bob = world.back_up().results
    assert (anna.outcome, bob.outcome) == (Outcome.FAILED, Outcome.COMPLETED)
    assert isinstance(anna.error, InputError)


def test_a_pipe_that_takes_a_files_place_does_not_hang_the_backup(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = world.write("onedrive/bob/file")
    real = os.open

    def replace_by_a_pipe(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "file" and dir_fd is not None and not file.is_fifo():
            file.unlink()
            os.mkfifo(file)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", replace_by_a_pipe)
    assert [problem.path for problem in only(world.back_up()).problems] == ["file"]


def test_a_workload_that_is_not_in_the_source_any_more_is_told_and_its_snapshots_stay(world: World) -> None:
    for user in ("anna", "bob"):
        world.write(f"onedrive/{user}/file", user)
    assert world.back_up().notes == ()
    (world.source / "onedrive/bob").rename(world.root / "unmounted")
    report = world.back_up()
    assert succeeded(report)
    (note,) = report.notes
    assert "onedrive/bob" in note
    assert "anna" not in note
    assert succeeded(world.restore("restored", "onedrive/bob"))
    assert (world.root / "restored/onedrive/bob/file").read_text() == "bob"


def test_a_source_that_vanishes_while_the_job_runs_fails_the_rest_and_loses_nothing(world: World) -> None:
    for user in ("anna", "bob", "carol"):
        world.write(f"onedrive/{user}/file", user)
    world.back_up()

    def unmount(step: Progressed) -> None:
        if step.workload == "onedrive/anna" and world.source.exists():
            world.source.rename(world.root / "unmounted")

    report = backup(replace(world.context, progress=unmount), MANUAL_BACKUP, world.source)
    assert [result.outcome for result in report.results] == [Outcome.COMPLETED, Outcome.FAILED, Outcome.FAILED]
    assert report.exit_code is ExitCode.INPUT
    for result in report.failures:
        assert isinstance(result.error, InputError)
        assert "cannot be read" in result.error.message
    assert succeeded(world.restore())
    assert {path.read_text() for path in (world.root / "restored").rglob("file")} == {"anna", "bob", "carol"}
