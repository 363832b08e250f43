"""A backup that is killed leaves no snapshot, and its leftovers go with the next backup."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import ExitCode, MachineError
from engine.jobs.backup import backup
from engine.jobs.report import Outcome
from tests.engine.jobs.world import MANUAL_BACKUP, only, succeeded, tree

if TYPE_CHECKING:
    from engine.jobs.progress import Progressed
    from tests.engine.jobs.world import World

ROOT = Path(__file__).resolve().parents[3]

# A backup in another process, which kills itself at the point that it is told.
KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from engine.jobs.backup import backup
from engine.jobs.local_objects import LocalObjectStore, LocalObjectWriter
from engine.jobs.packs import PackWriter
from engine.jobs.vault import Vault
from tests.engine.jobs.world import MANUAL_BACKUP, World

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

world = World(Path(sys.argv[1]))
world.vault = Vault(world.vault._store, "northwind", pack_bytes=1_000_000)
point, context = sys.argv[2], world.context
if point == "in the midst of a file":
    steps = []
    context = replace(context, progress=lambda step: die() if step.bytes and steps else steps.append(step))
elif point == "before the manifest is whole":
    PackWriter.close = die
elif point == "before the commit record appears":
    commit = LocalObjectWriter.commit
    LocalObjectWriter.commit = lambda self: die() if self._path.suffix == ".json" else commit(self)
elif point == "behind the commit":
    put = LocalObjectStore.put
    LocalObjectStore.put = lambda self, name, data: (put(self, name, data), name.startswith("snapshots/") and die())
backup(context, MANUAL_BACKUP, world.source)
"""


@pytest.mark.parametrize(
    ("point", "snapshots", "leftovers"),
    [
        ("in the midst of a file", 1, 1),
        ("before the manifest is whole", 1, 1),
        ("before the commit record appears", 1, 1),
        ("behind the commit", 2, 0),
    ],
)
def test_a_killed_backup_leaves_a_whole_snapshot_or_none(
    world: World, point: str, snapshots: int, leftovers: int
) -> None:
    world.write("onedrive/bob/first", os.urandom(2_000_000))
    world.back_up()
    world.write("onedrive/bob/second", os.urandom(3_000_000))
    command = [sys.executable, "-c", KILLED, str(world.root), point]
    killed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    committed = {path.stem for path in world.vault_folder.glob("snapshots/*/*.json")}
    begun = {path.name for path in world.vault_folder.glob("data/*/*")}
    assert (len(committed), len(begun - committed)) == (snapshots, leftovers)
    assert succeeded(world.restore("behind the kill"))
    assert (world.root / "behind the kill/onedrive/bob/second").exists() == (snapshots == 2)
    assert succeeded(world.back_up())
    assert len(list(world.vault_folder.glob("data/*/*"))) == snapshots + 1
    assert not list(world.vault_folder.rglob("*.partial"))
    assert succeeded(world.restore("in the end"))
    assert tree(world.root / "in the end/onedrive/bob") == tree(world.source / "onedrive/bob")


def test_what_a_killed_backup_left_is_collected_by_the_next_one_and_not_before(world: World) -> None:
    world.write("onedrive/bob/file")
    world.back_up()
    record = world.record("onedrive/bob")
    leftover = world.vault_folder / "data" / record.data_key_id / "000002-20260101T000000Z-00000000"
    leftover.mkdir()
    (leftover / "pack-000001").write_bytes(b"half a pack")
    (leftover / ".pack-000002.1234.partial").write_bytes(b"half a pack")
    assert succeeded(world.restore())
    assert leftover.exists()
    assert [snapshot.number for snapshot in world.vault.snapshots(record)] == [1]
    assert succeeded(world.back_up())
    assert not leftover.exists()
    assert [snapshot.number for snapshot in world.vault.snapshots(record)] == [1, 2]


def test_a_backup_that_runs_keeps_another_of_the_same_workload_out(world: World) -> None:
    world.write("onedrive/anna/file")
    world.write("onedrive/bob/file")
    world.back_up()
    lock = world.vault_folder / "locks" / f"{world.record('onedrive/bob').data_key_id}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        report = world.back_up()
        anna, bob = report.results
        assert (anna.outcome, bob.outcome) == (Outcome.COMPLETED, Outcome.FAILED)
        assert isinstance(bob.error, MachineError)
        assert report.exit_code is ExitCode.MACHINE
        assert world.restore().exit_code is ExitCode.DONE, "restores need no lock"
    assert succeeded(world.back_up())


def test_an_interrupted_backup_leaves_nothing_and_is_told_as_canceled(world: World) -> None:
    world.write("onedrive/bob/file")

    def interrupt(_step: Progressed) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup(replace(world.context, progress=interrupt), MANUAL_BACKUP, world.source)
    assert list((world.vault_folder / "data").glob("*/*")) == []
    assert '"status": "Canceled"' in world.events.read_text()
    assert succeeded(world.back_up())


def test_a_commit_that_may_have_happened_is_not_undone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the commit record stands but could not be made durable, its content must not be deleted."""
    world.write("onedrive/bob/file", "content")
    put = type(world.vault._store).put

    def put_and_fail(store: object, name: str, data: bytes) -> None:
        put(store, name, data)  # type: ignore[arg-type]
        if name.startswith("snapshots/"):
            raise MachineError("the folder could not be synchronised")

    monkeypatch.setattr(type(world.vault._store), "put", put_and_fail)
    assert isinstance(only(world.back_up()).error, MachineError)
    monkeypatch.undo()
    assert succeeded(world.restore())
    assert (world.root / "restored/onedrive/bob/file").read_text() == "content"
