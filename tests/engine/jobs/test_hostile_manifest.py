"""A manifest may be authentic and hostile; nothing outside the destination is touched by it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from engine.errors import DamagedError
from engine.jobs.entries import Entry, FileEntry, FolderEntry, LinkEntry
from engine.jobs.operation import writing_key
from engine.jobs.report import ProblemKind
from tests.engine.jobs.world import only, succeeded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.jobs.world import World

CONTENT = b"written by an attacker"


@pytest.fixture
def victim(world: World) -> Path:
    """A file beside the destination that must stay as it is."""
    folder = world.root / "victim"
    folder.mkdir()
    (folder / "file").write_text("untouched")
    (world.root / "restored" / "onedrive" / "bob").mkdir(parents=True)
    return folder


def store(world: World, *entries: Entry) -> None:
    """Store a snapshot of these entries, each file with the same content, past all checks of a backup."""
    with writing_key(world.context, "onedrive/bob", "payload") as key:
        writer = world.vault.begin_snapshot(key.record, key.lease, world.context.clock(), "/source")
        writer.content.begin_file()
        writer.content.write(memoryview(CONTENT))
        parts = writer.content.end_file()
        for entry in entries:
            if isinstance(entry, FileEntry):
                writer.add(FileEntry(entry.path, len(CONTENT), entry.mode, 0, 0, 0, False, parts))
            else:
                writer.add(entry)
        writer.commit(world.context.clock())


def file(path: str, mode: int = 0o644) -> FileEntry:
    return FileEntry(path, 0, mode, 0, 0, 0, False, ())


def unharmed(victim: Path) -> bool:
    return [(path.name, path.read_text()) for path in victim.iterdir()] == [("file", "untouched")]


@pytest.mark.parametrize("path", ["../../../victim/file", "a/../../../../victim/file", "..", "/victim/file"])
def test_a_path_that_leads_out_restores_nothing(world: World, victim: Path, path: str) -> None:
    store(world, file(path))
    assert isinstance(only(world.restore()).error, DamagedError)
    assert unharmed(victim)
    assert list((world.root / "restored/onedrive/bob").iterdir()) == []


def test_nothing_is_written_through_a_link_of_the_same_manifest(world: World, victim: Path) -> None:
    store(
        world,
        LinkEntry("out", str(victim), 0),
        FolderEntry("out/folder", 0o755, 0),
        file("out/folder/file"),
        file("out/new"),
        file("zebra"),
    )
    result = only(world.restore())
    assert unharmed(victim)
    assert {problem.path for problem in result.problems} == {"out/folder", "out/folder/file", "out/new"}
    assert all(problem.kind is ProblemKind.LEFT_ALONE for problem in result.problems)
    assert (world.root / "restored/onedrive/bob/zebra").read_bytes() == CONTENT


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("target", ["{victim}", "{victim}/file", "{victim}/new", "nowhere"])
def test_nothing_is_written_through_a_link_that_was_there_before(
    world: World, victim: Path, target: str, overwrite: bool
) -> None:
    restored = world.root / "restored/onedrive/bob"
    (restored / "link").symlink_to(target.format(victim=victim))
    store(world, file("link"))
    world.restore(overwrite=overwrite)
    assert unharmed(victim)
    assert (restored / "link").is_symlink() != overwrite, "overwriting replaces the link itself"


def test_a_folder_on_the_way_that_is_a_link_is_not_followed(world: World, victim: Path) -> None:
    (world.root / "restored/onedrive/bob").rmdir()
    (world.root / "restored/onedrive/bob").symlink_to(victim)
    store(world, FolderEntry("", 0o777, 5), file("file"))
    result = only(world.restore(overwrite=True))
    assert {problem.path for problem in result.problems} == {"", "file"}
    assert unharmed(victim)
    assert victim.stat().st_mtime_ns != 5


def test_a_link_of_the_manifest_takes_no_files_place_without_being_asked(world: World, victim: Path) -> None:
    there = world.root / "restored/onedrive/bob/file"
    there.write_text("mine")
    store(world, LinkEntry("file", str(victim / "file"), 0))
    assert [problem.path for problem in only(world.restore()).problems] == ["file"]
    assert there.read_text() == "mine"
    assert succeeded(world.restore(overwrite=True))
    assert there.is_symlink()
    assert unharmed(victim)


def test_a_link_takes_no_folders_place_at_all(world: World, victim: Path) -> None:
    there = world.root / "restored/onedrive/bob/folder"
    there.mkdir()
    store(world, LinkEntry("folder", str(victim), 0))
    assert [problem.path for problem in only(world.restore(overwrite=True)).problems] == ["folder"]
    assert there.is_dir()
    assert not there.is_symlink()


def test_a_file_takes_no_folders_place(world: World, victim: Path) -> None:
    there = world.root / "restored/onedrive/bob/folder"
    there.mkdir()
    (there / "inside").write_text("mine")
    store(world, file("folder"))
    assert [problem.path for problem in only(world.restore(overwrite=True)).problems] == ["folder"]
    assert (there / "inside").read_text() == "mine"
    assert unharmed(victim)


def test_a_folder_takes_no_files_place(world: World, victim: Path) -> None:
    there = world.root / "restored/onedrive/bob/folder"
    there.write_text("mine")
    store(world, FolderEntry("folder", 0o755, 0), file("folder/inside"))
    result = only(world.restore(overwrite=True))
    assert {problem.path for problem in result.problems} == {"folder", "folder/inside"}
    assert there.read_text() == "mine"
    assert unharmed(victim)


def test_no_special_permission_bit_comes_back(world: World, victim: Path) -> None:
    store(world, FolderEntry("folder", 0o7755, 0), file("tool", mode=0o7755))
    assert succeeded(world.restore())
    for name in ("folder", "tool"):
        assert (world.root / "restored/onedrive/bob" / name).stat().st_mode & 0o7777 == 0o755
    assert unharmed(victim)


def test_names_too_long_for_the_file_system_are_left_out_alone(world: World, victim: Path) -> None:
    store(world, file("a"), file("b" * 300), file("c"))
    result = only(world.restore())
    assert [problem.path for problem in result.problems] == ["b" * 300]
    assert {path.name for path in (world.root / "restored/onedrive/bob").iterdir()} == {"a", "c"}
    assert unharmed(victim)


def test_folders_that_are_there_keep_their_own_permissions(world: World, victim: Path) -> None:
    (world.root / "restored").chmod(0o750)
    store(world, FolderEntry("", 0o777, 0), file("file"))
    assert succeeded(world.restore())
    assert (world.root / "restored").stat().st_mode & 0o777 == 0o750
    assert (world.root / "restored/onedrive/bob").stat().st_mode & 0o777 != 0o777
    assert unharmed(victim)


def test_where_there_are_no_hard_links_files_still_take_no_others_place(
    world: World, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world, file("file"))
    restored = world.root / "restored/onedrive/bob/file"

    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    def refuse_and_appear(*_arguments: object, **_options: object) -> None:
        restored.write_text("appeared meanwhile")
        refuse()

    monkeypatch.setattr(os, "link", refuse_and_appear)
    assert [problem.path for problem in only(world.restore()).problems] == ["file"]
    assert restored.read_text() == "appeared meanwhile"
    restored.unlink()
    monkeypatch.setattr(os, "link", refuse)
    assert succeeded(world.restore())
    assert restored.read_bytes() == CONTENT
    assert [path.name for path in restored.parent.iterdir()] == ["file"]
    assert unharmed(victim)
