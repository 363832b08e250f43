"""Backups and restores beside a plain copy and GNU tar; the stream beside other libraries; memory, calls, revocation.

- Large files: the peer copies the same files to the same disk, in the kernel, and flushes them. Ours ends flushed by
  itself, and is flushed once more. Warm: both sides read what is in the page cache. Cold: both read from the disk.
- Small files: GNU tar writes the same tree into one file on the same disk, flushed as well.
- Every backup is a first one, into a vault of its own.
- The stream: see `tests.bench.payload_streams`.
- After a disable: KMS refuses at once; the time is that of the last plaintext that came out.

Ratios are the medians of pairs (`tests.bench.pairs`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import KeyAccessError
from engine.jobs.backup import backup
from engine.jobs.events import NoEvents
from engine.jobs.restore import RestoreRequest, restore
from tests.bench.pairs import Paired, paired, timed
from tests.bench.payload_streams import compare_streams
from tests.bench.process_tree import measure_megabytes
from tests.bench.result import Result
from tests.engine.jobs.world import COPY, MANUAL_BACKUP, World, only, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.jobs.operation import JobContext
    from engine.jobs.progress import Progressed

LARGE_FILES, LARGE_BYTES = 3, 192 << 20
SMALL_FILES, SMALL_BYTES, MOST_OBJECTS = 100_000, 2_000, 10
MEMORY_BYTES = 1 << 30
GOAL_COPY, GOAL_TAR, GOAL_MEMORY = 0.7, 3.0, 150.0
GOAL_LATENCY = 1.5  # seconds, where the data key may be kept for one

_REPOSITORY = Path(__file__).parents[2]
_BLOCK = 1 << 20


def run() -> list[Result]:
    """Measure all of it."""
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-", dir=_scratch()) as name:
        folder = Path(name)
        return [
            *_large_files(folder),
            *_small_files(folder),
            *compare_streams(folder, _REPOSITORY / ".cache"),
            *_memory(),
            *_calls(folder),
            *_revocation(folder),
        ]


def _scratch() -> Path:
    """A folder on the disk of the repository: the system's temporary one may be in memory."""
    folder = _REPOSITORY / ".bench"
    folder.mkdir(exist_ok=True)
    return folder


# Large files


def _large_files(folder: Path) -> list[Result]:
    source, copied, restored = folder / "large", folder / "copied", folder / "restored"
    block = os.urandom(_BLOCK)
    for number in range(LARGE_FILES):
        _write_large(source / "onedrive/bob" / f"{number}.bin", LARGE_BYTES, block)
    rows = []
    for cold in (False, True):
        prepare = _evict if cold else _read

        def copy(prepare: Callable[[Path], None] = prepare) -> float:
            prepare(source)
            seconds = timed(partial(_copied, source, copied))
            shutil.rmtree(copied)
            return seconds

        def backing_up(prepare: Callable[[Path], None] = prepare) -> float:
            with _tenant(folder / "tenant", source) as world:
                prepare(source)
                return timed(partial(_backed_up, world))

        with _tenant(folder / "kept", source) as kept:
            _backed_up(kept)

            def restoring(prepare: Callable[[Path], None] = prepare) -> float:
                prepare(kept.vault_folder)
                seconds = timed(partial(_restored, kept, restored))
                assert _size(restored) == _size(source)
                shutil.rmtree(restored)
                return seconds

            for what, ours in (("backup", backing_up), ("restore", restoring)):
                name = f"{what} of {LARGE_FILES} files of {LARGE_BYTES >> 20} MiB, {'cold' if cold else 'warm'}"
                rows.append(_beside_copy(f"{name}, beside a plain copy", paired(ours, copy)))
    shutil.rmtree(source)
    return rows


def _beside_copy(name: str, found: Paired) -> Result:
    megabytes = LARGE_FILES * LARGE_BYTES / 1e6
    return Result(
        name,
        megabytes / found.ours,
        megabytes / found.peer,
        found.ratio,
        f"at least {GOAL_COPY} of it",
        found.ratio >= GOAL_COPY,
        "MB/s",
        (found.lowest, found.highest),
    )


def _copied(source: Path, to: Path) -> None:
    shutil.copytree(source, to)
    os.sync()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _read(folder: Path) -> None:
    """Let the page cache hold what the files of a folder hold."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(_BLOCK):
                    pass


def _evict(folder: Path) -> None:
    """Let the page cache forget what the files of a folder hold."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


# Small files


def _small_files(folder: Path) -> list[Result]:
    source, archive = folder / "small", folder / "archive.tar"
    content = os.urandom(SMALL_BYTES + SMALL_FILES)
    for number in range(SMALL_FILES):
        path = source / "onedrive/bob" / f"{number // 1000:03}" / f"file-{number:06}.txt"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(content[number : number + SMALL_BYTES])

    def tar() -> float:
        seconds = timed(partial(_tar, source, archive))
        archive.unlink()
        return seconds

    def ours() -> float:
        with _tenant(folder / "tenant", source) as world:
            seconds = timed(partial(_backed_up, world, SMALL_FILES))
            objects = sum(1 for path in world.vault_folder.rglob("*") if path.is_file())
            assert objects < MOST_OBJECTS, "small files are packed"
            return seconds

    found = paired(ours, tar)
    shutil.rmtree(source)
    return [
        Result(
            f"backup of {SMALL_FILES:,} files of {SMALL_BYTES:,} bytes, beside GNU tar into a file",
            found.ours,
            found.peer,
            found.ratio,
            f"at most {GOAL_TAR:g} times as long (at least {1 / GOAL_TAR:.2f}x)",
            found.ratio >= 1 / GOAL_TAR,
            "s",
            (found.lowest, found.highest),
        )
    ]


def _tar(source: Path, archive: Path) -> None:
    subprocess.run(["tar", "-cf", str(archive), "-C", str(source), "."], check=True)
    os.sync()


# Memory


def _memory() -> list[Result]:
    """The peaks of processes of their own that back a large file up, and restore it."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-", dir=_scratch()) as name:
        for what in ("backup", "restore"):
            command = [sys.executable, "-m", "tests.bench.bench_jobs", what, name]
            megabytes = measure_megabytes(command, _REPOSITORY, os.environ)
            rows.append(
                Result(
                    f"peak memory of the {what} of a file of {MEMORY_BYTES >> 20} MiB",
                    megabytes,
                    None,
                    None,
                    f"under {GOAL_MEMORY:g} MB",
                    megabytes < GOAL_MEMORY,
                    "MB",
                )
            )
    return rows


def alone(what: str, folder: Path) -> None:
    """Back a large file up, or restore it, in a process whose memory is looked at."""
    world = World(folder)
    world.enable()
    if what == "backup":
        path = world.source / "onedrive/bob/large.bin"
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            file.truncate(MEMORY_BYTES)
        _backed_up(world)
    else:
        _restored(world, folder / "restored")
    world.ledger.close()


# Calls of KMS


def _calls(folder: Path) -> list[Result]:
    """One operation of few files, and one of many: the same calls."""
    counted: dict[int, list[int]] = {}
    for files in (10, 10_000):
        with _tenant(folder / f"calls-{files}") as world:
            target = world.source / "onedrive/bob"
            target.mkdir(parents=True)
            for number in range(files):
                (target / f"{number}.txt").write_bytes(b"content %d" % number)
            counted[files] = []
            backing_up = partial(_backed_up, world)
            for act in (backing_up, backing_up, partial(_restored, world, world.root / "restored")):
                world.kms.calls.clear()
                act()
                counted[files].append(sum(world.kms.calls.values()))
    few, many = (max(counted[files]) for files in (10, 10_000))
    return [
        Result(
            "calls of KMS for each backup or restore of a workload of 10,000 files, beside one of 10",
            many,
            few,
            few / many,
            "1 for each operation, however many files",
            set(counted[10]) == set(counted[10_000]) == {1},
            "calls",
        )
    ]


# Revocation


def _revocation(folder: Path) -> list[Result]:
    """How long after a disable the last plaintext came out: of many operations, and of a single long one."""
    with _tenant(folder / "revoked") as world:
        block = os.urandom(_BLOCK)
        for user in range(40):
            _write_large(world.source / f"onedrive/user-{user:02}/file.bin", 8 << 20, block)
        _backed_up(world)
        many = _last_plaintext(world, world.context, 36 << 20)
    with _tenant(folder / "revoked-long") as world:
        _write_large(world.source / "onedrive/bob/large.bin", 512 << 20, block)
        _backed_up(world)
        declared = replace(world.context.declaration, max_operation_seconds=1)
        context = replace(world.context, declaration=declared, monotonic=time.monotonic)
        long = _last_plaintext(world, context, 16 << 20, slowly=0.01)
    return [
        Result(name, seconds, None, None, f"under {GOAL_LATENCY:g} s", seconds < GOAL_LATENCY, "s")
        for name, seconds in (
            ("from a disable to the last plaintext byte, 40 short operations, each with its own unwrapping", many),
            ("from a disable to the last plaintext byte, one long operation, max_operation_seconds 1", long),
        )
    ]


def _last_plaintext(world: World, context: JobContext, after_bytes: int, slowly: float = 0.0) -> float:
    """Restore, disable the key once so many bytes came out, and time the last that came out behind it."""
    seen, disabled_at, last_at = 0, 0.0, 0.0

    def watch(step: Progressed) -> None:
        nonlocal seen, disabled_at, last_at
        if not step.bytes:
            return
        seen, last_at = seen + step.bytes, time.perf_counter()
        if seen >= after_bytes and not disabled_at:
            world.revoke()
            disabled_at = time.perf_counter()
        time.sleep(slowly)

    report = restore(replace(context, progress=watch), COPY, RestoreRequest(world.root / "restored"))
    assert isinstance(report.results[-1].error, KeyAccessError), "the rest was refused"
    return last_at - disabled_at


# What they share


@contextmanager
def _tenant(folder: Path, source: Path | None = None) -> Iterator[World]:
    folder.mkdir()
    world = World(folder)
    world.source = world.source if source is None else source
    world.enable()
    try:
        yield world
    finally:
        world.ledger.close()
        shutil.rmtree(folder)


def _backed_up(world: World, files: int | None = None) -> None:
    report = backup(replace(world.context, events=NoEvents()), MANUAL_BACKUP, world.source)
    assert succeeded(report), report
    assert files is None or only(report).files == files
    os.sync()


def _restored(world: World, to: Path) -> None:
    report = restore(replace(world.context, events=NoEvents()), COPY, RestoreRequest(to))
    assert succeeded(report), report


def _write_large(path: Path, size: int, block: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for number in range(size // len(block)):
            file.write(number.to_bytes(8, "big") + block[8:])


if __name__ == "__main__":
    alone(sys.argv[1], Path(sys.argv[2]))
