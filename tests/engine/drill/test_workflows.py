"""What a drill counts as working."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.drill.model import Outcome
from engine.drill.workflows import Rehearsal
from tests.engine.jobs.world import DOWNLOAD, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.enable()
    yield world
    world.ledger.close()


def test_a_download_works_only_if_every_file_came_back(world: World) -> None:
    for user in ("anna", "bob"):
        world.write(f"onedrive/{user}/file", user)
    world.write("onedrive/loose", "loose")
    world.back_up()
    rehearsal = Rehearsal(world.context, world.source, world.root)
    assert rehearsal._run(DOWNLOAD, world.root / "whole").outcome is Outcome.WORKED
    missing = world.write("onedrive/bob/in/the/source/alone")
    assert rehearsal._run(DOWNLOAD, world.root / "part").outcome is Outcome.FAILED_OTHERWISE
    missing.write_text("other content")
    (world.source / "onedrive/anna/file").write_text("other content")
    assert rehearsal._run(DOWNLOAD, world.root / "other").outcome is Outcome.FAILED_OTHERWISE
