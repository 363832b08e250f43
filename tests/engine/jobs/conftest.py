"""The world that tests of jobs play in."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from engine.sandbox import Identity
from tests.engine.jobs.raw_objects import RawBucket, RawFiles
from tests.engine.jobs.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.sandbox import Sandbox
    from tests.engine.jobs.raw_objects import RawObjects
    from tests.sandbox_fixtures import Account


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


@pytest.fixture
def bucket(sandbox: Sandbox, customer: Account, monkeypatch: pytest.MonkeyPatch) -> RawBucket:
    """A bucket of the customer's in the sandbox, with the customer's environment."""
    for name, value in sandbox.environment(Identity.CUSTOMER).items():
        monkeypatch.setenv(name, value)
    bucket = RawBucket(customer.client("s3"), f"vault-{secrets.token_hex(6)}", "backups/northwind")
    bucket.s3.create_bucket(Bucket=bucket.bucket)
    return bucket


@pytest.fixture(params=["folder", "s3"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, RawObjects]]:
    """An enabled tenant whose vault is in a folder, or in a bucket."""
    if request.param == "folder":
        objects: RawObjects = RawFiles(tmp_path / "vault")
        world = World(tmp_path)
    else:
        objects = in_s3 = request.getfixturevalue("bucket")
        world = World(tmp_path, f"s3://{in_s3.bucket}/{in_s3.prefix}")
    world.enable()
    yield world, objects
    world.ledger.close()
