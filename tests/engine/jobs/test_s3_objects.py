"""A vault in S3: whole objects or none, one writer at a time, nothing published under a lock that was lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import AwsError, ExitCode, InputError, MachineError
from engine.jobs.backup import backup
from engine.jobs.objects import MissingObjectError
from engine.jobs.s3_objects import S3ObjectStore, open_s3
from engine.jobs.vault import Vault, open_or_create_vault, open_vault
from tests.engine.jobs.world import MANUAL_BACKUP, World, only, succeeded, tree

if TYPE_CHECKING:
    from engine.jobs.progress import Progressed
    from tests.engine.jobs.raw_objects import RawBucket

ROOT = Path(__file__).resolve().parents[3]
PART = 8 << 20


def store_in(bucket: RawBucket, lease_seconds: float = 60) -> S3ObjectStore:
    return open_s3(f"s3://{bucket.bucket}/{bucket.prefix}", lease_seconds)


@pytest.fixture
def store(bucket: RawBucket) -> S3ObjectStore:
    return store_in(bucket)


# Objects


def test_an_object_appears_when_it_is_committed_and_reads_back_as_it_was(store: S3ObjectStore) -> None:
    """In parts, from a buffer that the writer uses again and again, as the streams do."""
    content = os.urandom(2 * PART + 12345)
    writer, buffer = store.create("data/one"), bytearray(1 << 20)
    for start in range(0, len(content), len(buffer)):
        piece = content[start : start + len(buffer)]
        buffer[: len(piece)] = piece
        writer.write(memoryview(buffer)[: len(piece)])
    assert list(store.names("")) == []
    writer.commit()
    writer.abandon()
    assert list(store.names("")) == ["data/one"]
    reader = store.open("data/one")
    found = bytearray(len(content) + 10)
    assert reader.readinto(memoryview(found)) == len(content)
    assert reader.readinto(memoryview(found)[:1]) == 0
    assert found[: len(content)] == content
    middle = bytearray(100)
    assert reader.read_at(PART - 50, memoryview(middle)) == 100
    assert middle == content[PART - 50 : PART + 50]
    assert reader.read_at(len(content) - 3, memoryview(middle)) == 3
    reader.close()


def test_an_object_that_is_abandoned_leaves_nothing(store: S3ObjectStore, bucket: RawBucket) -> None:
    for size in (10, 3 * PART):
        writer = store.create("data/one")
        writer.write(memoryview(bytes(size)))
        writer.abandon()
    assert bucket.names() == []
    assert bucket.uploads() == []


def test_uploads_that_never_ended_are_seen_as_folders_and_collected(store: S3ObjectStore, bucket: RawBucket) -> None:
    writer = store.create("data/key/snapshot/pack-000001")
    writer.write(memoryview(bytes(2 * PART)))
    writer.write(memoryview(bytes(2 * PART)))
    del writer
    store.put("data/key/other/pack-000001", b"whole")
    assert store.folders("data/key") == ("other", "snapshot")
    store.delete_all("data/key/snapshot")
    assert store.folders("data/key") == ("other",)
    assert bucket.uploads() == []


def test_what_is_not_there_is_missing(store: S3ObjectStore) -> None:
    assert store.size_of("keys/one") is None
    assert list(store.names("keys")) == []
    assert store.folders("keys") == ()
    for reading in (store.get, store.open):
        with pytest.raises(MissingObjectError):
            reading("keys/one")


def test_a_prefix_does_not_see_a_neighbour_whose_name_begins_like_it(bucket: RawBucket) -> None:
    one, other = (open_s3(f"s3://{bucket.bucket}/{prefix}") for prefix in ("tenant", "tenant-two"))
    other.put("keys/one", b"the other's")
    assert list(one.names("")) == []


# Publishing


def test_what_is_published_is_never_replaced(store: S3ObjectStore) -> None:
    store.publish("snapshots/one", b"first")
    store.publish("snapshots/one", b"first")  # the same again: an answer was lost
    with pytest.raises(MachineError):
        store.publish("snapshots/one", b"second")
    assert store.get("snapshots/one") == b"first"


def test_under_a_name_that_was_prevented_nothing_can_be_published(store: S3ObjectStore) -> None:
    assert store.prevent("snapshots/one")
    assert store.prevent("snapshots/one"), "once more does no harm"
    with pytest.raises(MachineError, match="cannot be published"):
        store.publish("snapshots/one", b"late")
    assert list(store.names("")) == []
    assert store.size_of("snapshots/one") is None
    store.publish("snapshots/two", b"in time")
    assert not store.prevent("snapshots/two")
    assert store.get("snapshots/two") == b"in time"


# Locks


def test_one_holds_a_lock_and_others_are_told(bucket: RawBucket) -> None:
    one, other = store_in(bucket), store_in(bucket)
    with one.lock("key"):
        with pytest.raises(MachineError, match="holds the lock"), other.lock("key"):
            pytest.fail("both hold it")
        with other.lock("another key"):
            pass
    with other.lock("key"):
        pass


def test_of_many_at_once_one_gets_the_lock(bucket: RawBucket) -> None:
    stores, got, go = [store_in(bucket) for _ in range(6)], [], threading.Barrier(6)
    done = threading.Event()

    def take(store: S3ObjectStore) -> None:
        go.wait()
        try:
            with store.lock("key"):
                got.append(store)
                done.wait(30)
        except MachineError:
            refused.release()

    refused = threading.Semaphore(0)
    threads = [threading.Thread(target=take, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert refused.acquire(timeout=30)
    done.set()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_lock_that_was_not_renewed_is_taken_over_and_its_holder_publishes_nothing(bucket: RawBucket) -> None:
    slow, other = store_in(bucket, 4.0), store_in(bucket, 2.0)
    with slow.lock("key"):
        slow._locks._held["key"]._sure_until = 0.0  # as if it had slept
        deadline = time.monotonic() + 60
        while True:
            try:
                with other.lock("key"):
                    other.publish("snapshots/one", b"the other's", "key")
                    with pytest.raises(MachineError, match="was lost"):
                        slow.publish("snapshots/two", b"late", "key")
                break
            except MachineError as error:
                assert "holds the lock" in error.message
                assert time.monotonic() < deadline
                time.sleep(0.2)
    assert list(other.names("")) == ["snapshots/one"]


def test_a_lock_whose_object_was_taken_away_is_lost(bucket: RawBucket, store: S3ObjectStore) -> None:
    with store.lock("key"):
        bucket.put("locks/key.lock", b"somebody else's")
        with pytest.raises(MachineError, match="was lost"):
            store.publish("snapshots/one", b"late", "key")
    assert bucket.get("locks/key.lock") == b"somebody else's", "it is not the loser's to delete"
    assert list(store.names("")) == []


# The whole vault


def world_in(tmp_path: Path, bucket: RawBucket, lease_seconds: float = 60, pack_bytes: int = 1 << 20) -> World:
    world = World(tmp_path, f"s3://{bucket.bucket}/{bucket.prefix}")
    world.vault = Vault(store_in(bucket, lease_seconds), "northwind", pack_bytes)
    world.enable()
    return world


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.jobs.backup import backup
from engine.jobs.packs import PackWriter
from engine.jobs.s3_objects import S3ObjectStore, open_s3
from engine.jobs.vault import Vault
from tests.engine.jobs.world import MANUAL_BACKUP, World

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

world = World(Path(sys.argv[1]), sys.argv[2])
world.vault = Vault(open_s3(sys.argv[2], 2.0), "northwind", 20_000_000)
point, publish = sys.argv[3], S3ObjectStore.publish
if point == "in the midst of a pack":
    PackWriter.close = die
elif point == "before the commit record appears":
    S3ObjectStore.publish = die
elif point == "behind the commit":
    S3ObjectStore.publish = lambda *rest: (publish(*rest), die())
backup(world.context, MANUAL_BACKUP, world.source)
"""


@pytest.mark.parametrize(
    ("point", "snapshots"),
    [("in the midst of a pack", 1), ("before the commit record appears", 1), ("behind the commit", 2)],
)
def test_a_killed_backup_leaves_a_whole_snapshot_or_none_and_its_leftovers_are_collected(
    tmp_path: Path, bucket: RawBucket, point: str, snapshots: int
) -> None:
    world = world_in(tmp_path, bucket, 2.0, 20_000_000)
    world.write("onedrive/bob/first", os.urandom(1000))
    assert succeeded(world.back_up())
    world.write("onedrive/bob/second", os.urandom(18_500_000))
    command = [sys.executable, "-c", KILLED, str(tmp_path), world.vault_location, point]
    killed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    assert bool(bucket.uploads()) == (point == "in the midst of a pack"), "its parts are there and seen by nobody"
    assert len(world.vault.snapshots(world.record("onedrive/bob"))) == snapshots
    assert succeeded(world.restore("behind the kill"))
    assert (tmp_path / "behind the kill/onedrive/bob/second").exists() == (snapshots == 2)
    deadline = time.monotonic() + 60
    while isinstance(error := only(report := world.back_up()).error, MachineError):
        assert "if it was killed, its lock is free in" in (error.hint or "")
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert succeeded(report)
    assert bucket.uploads() == []
    begun = {name.split("/")[2] for name in bucket.names() if name.startswith("data/")}
    committed = {snapshot.text for snapshot in world.vault.snapshots(world.record("onedrive/bob"))}
    assert begun == committed
    assert len(committed) == snapshots + 1
    assert succeeded(world.restore("in the end"))
    assert tree(tmp_path / "in the end/onedrive/bob") == tree(world.source / "onedrive/bob")


def test_a_backup_that_was_only_slow_cannot_publish_a_snapshot_whose_content_was_collected(
    tmp_path: Path, bucket: RawBucket
) -> None:
    """It was taken for dead: another took its lock, and collected what it had stored."""
    world = world_in(tmp_path, bucket)
    world.write("onedrive/bob/file", "content")
    others: list[bool] = []

    def sleep(step: Progressed) -> None:
        if step.files and not others:
            others.append(True)
            slow._locks._held[world.record("onedrive/bob").data_key_id]._sure_until = float("inf")
            bucket.delete(f"locks/{world.record('onedrive/bob').data_key_id}.lock")
            others.append(succeeded(world.back_up()))

    slow = store_in(bucket)
    context = replace(world.context, vault=Vault(slow, "northwind", 1 << 20), progress=sleep)
    report = backup(context, MANUAL_BACKUP, world.source)
    assert others == [True, True]
    assert report.exit_code is ExitCode.MACHINE
    assert "was lost" in str(only(report).error)
    assert len(world.vault.snapshots(world.record("onedrive/bob"))) == 1
    assert succeeded(world.restore())


def test_a_vault_in_s3_is_opened_by_its_tenant_alone(bucket: RawBucket, tmp_path: Path) -> None:
    location = f"s3://{bucket.bucket}/{bucket.prefix}"
    assert open_vault(location, tmp_path, "northwind") is None
    assert open_or_create_vault(location, tmp_path, "northwind").is_empty()
    opened = open_vault(location, tmp_path, "northwind")
    assert opened is not None
    assert opened.local_folder is None
    assert opened.location == location
    with pytest.raises(InputError, match="is of tenant 'northwind'"):
        open_vault(location, tmp_path, "southwind")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "location", ["s3://", "s3://x", "s3://bucket-of-ours/a//b", "s3://bucket-of-ours/../b", "s3://bucket-of-ours/a b"]
)
def test_a_location_that_is_none_is_refused(location: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no place in S3"):
        open_vault(location, tmp_path, "northwind")


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'nobodys-bucket-at-all' is not there"):
        open_vault("s3://nobodys-bucket-at-all/prefix", tmp_path, "northwind")


def test_s3_out_of_reach_ends_the_job_and_loses_nothing(
    tmp_path: Path, bucket: RawBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_in(tmp_path, bucket)
    world.write("onedrive/bob/file", "content")
    assert succeeded(world.back_up())
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(AwsError, match="cannot be used"):
            open_vault(world.vault_location, tmp_path, "northwind")
    assert succeeded(world.restore())


def test_a_bucket_that_vanishes_is_told_in_the_midst_of_a_job(tmp_path: Path, bucket: RawBucket) -> None:
    world = world_in(tmp_path, bucket)
    world.write("onedrive/bob/file", "content")
    for name in bucket.names():
        bucket.delete(name)
    bucket.s3.delete_bucket(Bucket=bucket.bucket)
    report = world.back_up()
    assert report.exit_code is ExitCode.AWS
    assert "is gone" in str(only(report).error)
