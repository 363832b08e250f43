"""A slow S3 takes its time and nothing is lost; one that stalls ends the job, and the vault stays whole."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from engine.errors import AwsError, ExitCode, MachineError
from engine.jobs.s3_locks import LEASE_SECONDS
from engine.jobs.verification import verify_vault
from tests.engine.jobs.world import World, only, succeeded, tree
from tests.slow_link import SlowLink, slow_link

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engine.jobs.raw_objects import RawBucket


@pytest.fixture
def link(bucket: RawBucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowLink]:
    """The way to the bucket's S3, which the jobs take from now on."""
    with slow_link(os.environ["AWS_ENDPOINT_URL"]) as link:
        assert bucket.names() == []
        monkeypatch.setenv("AWS_ENDPOINT_URL", link.url)
        yield link


@pytest.fixture
def world(tmp_path: Path, bucket: RawBucket, link: SlowLink) -> Iterator[World]:
    world = World(tmp_path, f"s3://{bucket.bucket}/{bucket.prefix}")
    world.enable()
    yield world
    world.ledger.close()
    assert link.answered > 0


def test_over_a_slow_link_everything_arrives(world: World, link: SlowLink) -> None:
    content = os.urandom(3_000_000)
    world.write("onedrive/bob/large", content)
    for number in range(50):
        world.write(f"onedrive/bob/{number}", f"content {number}")
    link.bytes_per_second = 2_000_000
    assert succeeded(world.back_up())
    assert succeeded(world.restore())
    assert tree(world.root / "restored" / "onedrive") == tree(world.source / "onedrive")


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_an_s3_that_stalls_ends_the_job_and_loses_nothing(world: World, link: SlowLink) -> None:
    world.write("onedrive/bob/file", "first")
    assert succeeded(world.back_up())
    world.write("onedrive/bob/large", os.urandom(20_000_000))
    link.answers_held_behind = link.answered + 3_000
    report = world.back_up()
    assert report.exit_code is ExitCode.AWS
    assert isinstance(only(report).error, AwsError)
    link.answers_held_behind = link.answered
    stalled = world.restore("stalled")
    assert stalled.exit_code is ExitCode.AWS
    link.answers_held_behind = None
    assert succeeded(world.restore())
    refused = only(world.back_up()).error
    assert isinstance(refused, MachineError)  # the lock could not be given back
    assert "holds the lock" in refused.message
    time.sleep(LEASE_SECONDS)
    assert succeeded(world.back_up())
    assert verify_vault(world.context, world.context.told()).exit_code is ExitCode.DONE


def test_a_stall_that_ends_in_time_is_waited_out(world: World, link: SlowLink) -> None:
    world.write("onedrive/bob/file", "content")
    link.answers_held_behind = link.answered + 1_000
    resume = threading.Timer(2, setattr, (link, "answers_held_behind", None))
    resume.start()
    assert succeeded(world.back_up())
    resume.join()
    assert succeeded(world.restore())
