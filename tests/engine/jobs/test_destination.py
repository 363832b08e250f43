"""What is told as restored is on the disk, and a disk that loses it is told."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.durable import synchronise_file_system
from engine.errors import ExitCode, MachineError
from engine.jobs.destination import Destination, MadeFile, Written
from engine.jobs.report import Outcome
from engine.jobs.restore import RestoreRequest, download, restore
from tests.engine.jobs.world import COPY, DOWNLOAD, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.catalogue import Workflow
    from engine.jobs.operation import JobContext
    from engine.jobs.progress import Progressed
    from engine.jobs.report import JobReport
    from tests.engine.jobs.world import World


@pytest.fixture
def synchronised(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The file systems that were synchronised, in order."""
    devices: list[int] = []

    def synchronise(descriptor: int) -> None:
        devices.append(os.fstat(descriptor).st_dev)
        synchronise_file_system(descriptor)

    monkeypatch.setattr("engine.jobs.destination.synchronise_file_system", synchronise)
    return devices


@pytest.mark.parametrize(("bring_back", "workflow"), [(restore, COPY), (download, DOWNLOAD)])
def test_a_workload_that_the_disk_lost_is_not_told_as_restored(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    bring_back: Callable[[JobContext, Workflow, RestoreRequest], JobReport],
    workflow: Workflow,
) -> None:
    for user in ("anna", "bob", "carol"):
        world.write(f"onedrive/{user}/file")
    world.back_up()
    calls = iter(range(100))

    def lose_the_second(descriptor: int) -> None:
        if next(calls) == 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        synchronise_file_system(descriptor)

    monkeypatch.setattr("engine.jobs.destination.synchronise_file_system", lose_the_second)
    report = bring_back(world.context, workflow, RestoreRequest(world.root / "restored"))
    anna, bob, carol = report.results
    assert (anna.outcome, bob.outcome, carol.outcome) == (Outcome.COMPLETED, Outcome.FAILED, Outcome.COMPLETED)
    assert isinstance(bob.error, MachineError)
    assert "has lost what was written to it" in bob.error.message
    assert report.exit_code is ExitCode.MACHINE
    assert world.events.read_text().count('"status": "Failed"') == 1


def test_what_is_told_as_restored_is_durable_by_then(world: World, synchronised: list[int]) -> None:
    for user in ("anna", "bob"):
        world.write(f"onedrive/{user}/file")
    world.back_up()
    durable_when_told: list[int] = []

    class Told:
        def record(self, event: object) -> None:  # noqa: ARG002
            durable_when_told.append(len(synchronised))

    assert succeeded(restore(replace(world.context, events=Told()), COPY, RestoreRequest(world.root / "restored")))
    assert durable_when_told == [0, 1, 2]
    assert set(synchronised) == {world.root.stat().st_dev}


@pytest.mark.skipif(not Path("/dev/shm").is_mount(), reason="needs another file system in a folder")  # noqa: S108
def test_each_file_system_below_the_folder_is_made_durable(synchronised: list[int]) -> None:
    name = f"keyturn-{secrets.token_hex(8)}"
    content = [memoryview(b"content")]

    def pieces() -> Iterator[memoryview]:
        return iter(content)

    try:
        with Destination(Path("/dev"), overwrite=False) as destination:
            assert destination.file(("shm", name, "file"), MadeFile(0), pieces) is Written.WRITTEN
        assert synchronised == [Path("/dev/shm").stat().st_dev, Path("/dev").stat().st_dev]  # noqa: S108
    finally:
        shutil.rmtree(Path("/dev/shm") / name)  # noqa: S108


def test_an_interrupt_is_not_hidden_by_a_folder_that_cannot_be_finished(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write("onedrive/anna/file")
    world.write("onedrive/bob/file")
    world.back_up()

    def interrupt(_step: Progressed) -> None:
        def refuse(*_arguments: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "fchmod", refuse)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(replace(world.context, progress=interrupt), COPY, RestoreRequest(world.root / "restored"))
    assert '"status": "Canceled"' in world.events.read_text()
    assert not (world.root / "restored/onedrive/bob").exists()


def test_a_file_system_that_cannot_be_made_durable_is_told(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    synchronise_file_system(descriptor)
    os.close(descriptor)
    with pytest.raises(OSError, match="Bad file descriptor"):
        synchronise_file_system(descriptor)
