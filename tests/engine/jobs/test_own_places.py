"""The vault and the ledger stay as they are, wherever a restore goes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.jobs.own_places import sqlite_files
from engine.jobs.report import ProblemKind
from engine.jobs.restore import RestoreRequest, restore
from tests.engine.jobs.world import COPY, only, succeeded, tree

if TYPE_CHECKING:
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
