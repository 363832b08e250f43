"""The vault and the ledger stay as they are, wherever a restore goes."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.jobs.own_places import own_places, sqlite_files
from engine.jobs.report import ProblemKind
from engine.jobs.restore import RestoreRequest, restore
from tests.engine.jobs.world import COPY, only, succeeded, tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.jobs.world import World


@pytest.mark.requirement("EKM-02")
@pytest.mark.parametrize("folder", ["vault", "vault/inside", "vault/../vault/data", "link"])
def test_nothing_is_restored_into_the_vault(world: World, folder: str) -> None:
    world.write("onedrive/bob/file", b"plaintext")
    assert succeeded(world.back_up())
    (world.root / "link").symlink_to(world.vault_folder)
    before = tree(world.vault_folder)
    report = world.restore(folder)
    assert report.exit_code == 1
    assert "lies in the vault" in str([failed.error for failed in report.failures])
    assert tree(world.vault_folder) == before


@pytest.mark.requirement("EKM-02")
def test_a_workload_that_is_named_like_the_vault_is_not_restored_into_it(world: World) -> None:
    world.write("vault/data/file", b"plaintext")
    world.write("vault/file", b"plaintext")
    assert succeeded(world.back_up())
    before = tree(world.vault_folder)
    result = only(world.restore("", overwrite=True))
    assert {problem.path for problem in result.problems} == {"", "data", "data/file", "file"}
    assert {problem.kind for problem in result.problems} == {ProblemKind.NOTE}
    assert tree(world.vault_folder) == before


def test_the_ledger_and_what_is_beside_it_are_never_written_over(world: World) -> None:
    ledger = world.root / "ledger" / "ledger.db"
    for file in sqlite_files(ledger):
        world.write(f"ledger/{file.name}", b"another")
    world.write("ledger/LEDGER.DB", b"another")
    world.write("ledger/mine", b"mine")
    assert succeeded(world.back_up())
    content = ledger.read_bytes()
    context = replace(world.context, own_files=sqlite_files(ledger))
    result = only(restore(context, COPY, RestoreRequest(world.root, overwrite=True)))
    assert {problem.path for problem in result.problems} == {
        *(file.name for file in sqlite_files(ledger)),
        "LEDGER.DB",
    }
    assert ledger.read_bytes() == content
    assert (world.root / "ledger" / "mine").read_bytes() == b"mine"
    assert not ledger.with_name("ledger.db-journal").exists()


@pytest.mark.parametrize("given", ["here/link", "folder/link", "folder/../here/link"])
def test_what_is_reached_through_links_is_left_as_it_is_and_so_are_the_links(tmp_path: Path, given: str) -> None:
    for name in ("here", "there", "far"):
        (tmp_path / name).mkdir()
    (tmp_path / "far" / "file").write_text("today's")
    (tmp_path / "there" / "next").symlink_to("../far/file")
    (tmp_path / "here" / "link").symlink_to(tmp_path / "there" / "next")
    (tmp_path / "folder").symlink_to("here")
    own = own_places(None, [tmp_path / given])
    for folder, name, is_own in (
        ("here", "link", True),
        ("there", "next", True),
        ("far", "file", True),
        (".", "folder", given.startswith("folder")),
        (".", "here", False),
        ("far", "another", False),
    ):
        descriptor = os.open(tmp_path / folder, os.O_RDONLY)
        assert own.has_file(descriptor, name) is is_own, (folder, name)
        os.close(descriptor)


def test_links_that_lead_round_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert own_places(None, [tmp_path / "one"]).files


def test_a_link_to_the_vault_is_not_turned_elsewhere(world: World) -> None:
    (world.root / "linked").symlink_to("vault")
    own = own_places(world.root / "linked", [])
    descriptor = os.open(world.root, os.O_RDONLY)
    assert own.has_file(descriptor, "linked")
    os.close(descriptor)
