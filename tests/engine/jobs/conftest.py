"""The world that tests of jobs play in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.jobs.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A tenant that is enabled on generation 1."""
    world = World(tmp_path)
    world.enable()
    yield world
    world.ledger.close()


@pytest.fixture
def cloud_world(tmp_path: Path) -> Iterator[World]:
    """A tenant in cloud mode."""
    world = World(tmp_path)
    yield world
    world.ledger.close()
