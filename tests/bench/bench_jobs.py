"""Backups and restores beside a plain copy and GNU tar; the stream beside other libraries; memory, calls, revocation.

- Large files: the peer copies the same files to the same disk, in the kernel. Both sides end with everything on the
  disk, and read what is in the page cache. They alternate.
- Small files: GNU tar writes the same tree into one file on the same disk, flushed as well.
- The stream: the same payload in memory, the same cipher (AES-256-GCM), each library at its own defaults. The AWS
  Encryption SDK signs nothing here, which is faster than its default. It lives in an environment of its own.
- After a disable: KMS refuses at once; the time is that of the last plaintext that came out.
"""

from __future__ import annotations

import gc
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from engine.envelope.segments import HeldKey
from engine.envelope.stream import DecryptingReader, EncryptingWriter
from engine.errors import KeyAccessError
from engine.jobs.backup import backup
from engine.jobs.events import NoEvents
from engine.jobs.restore import RestoreRequest, restore
from tests.bench.process_tree import measure_megabytes, without_overrides
from tests.bench.result import Result
from tests.engine.jobs.world import COPY, MANUAL_BACKUP, World, only, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Buffer

    from engine.jobs.operation import JobContext
    from engine.jobs.progress import Progressed

LARGE_FILES, LARGE_BYTES, ROUNDS = 3, 192 << 20, 3
SMALL_FILES, SMALL_BYTES = 100_000, 2_000
PAYLOAD_BYTES, PAYLOAD_ROUNDS = 128 << 20, 3
MEMORY_BYTES = 1 << 30
GOAL_COPY, GOAL_SDK, GOAL_TINK, GOAL_TAR, GOAL_MEMORY = 0.7, 5.0, 2.0, 3.0, 150.0
GOAL_LATENCY = 1.5  # seconds, where the data key may be kept for one
SDK = "aws-encryption-sdk>=4,<5"

_REPOSITORY = Path(__file__).parents[2]
_SDK_ENVIRONMENT = _REPOSITORY / ".cache" / "aws-encryption-sdk"
_KEY = bytes(range(32))
_BLOCK = 1 << 20

_SDK_SCRIPT = """
import io, sys, time
import aws_encryption_sdk
from aws_encryption_sdk.identifiers import CommitmentPolicy, EncryptionKeyType, WrappingAlgorithm, AlgorithmSuite
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider

class Provider(RawMasterKeyProvider):
    provider_id = "bench"

    def _get_raw_key(self, key_id):
        algorithm = WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING
        return WrappingKey(algorithm, bytes(range(32)), EncryptionKeyType.SYMMETRIC)

path, rounds = sys.argv[1], int(sys.argv[2])
provider = Provider()
provider.add_master_key("key")
client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
plaintext = open(path, "rb").read()
suite = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY

def run(**options):
    blocks = []
    began = time.perf_counter()
    with client.stream(key_provider=provider, **options) as stream:
        while block := stream.read(1 << 20):
            blocks.append(block)
    return time.perf_counter() - began, b"".join(blocks)

sealed, opened = [], []
for _ in range(rounds):
    seconds, ciphertext = run(mode="e", source=io.BytesIO(plaintext), algorithm=suite)
    sealed.append(seconds)
    seconds, back = run(mode="d", source=io.BytesIO(ciphertext))
    opened.append(seconds)
    assert back == plaintext
print(min(sealed), min(opened))
"""


def run() -> list[Result]:
    """Measure all of it."""
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-", dir=_scratch()) as name:
        folder = Path(name)
        return [
            *_large_files(folder),
            *_small_files(folder),
            *_streams(folder),
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
    with _tenant(folder / "large") as world:
        block = os.urandom(_BLOCK)
        for number in range(LARGE_FILES):
            _write_large(world.source / "onedrive/bob" / f"{number}.bin", LARGE_BYTES, block)
        total = LARGE_FILES * LARGE_BYTES
        ours_backup = ours_restore = copy_backup = copy_restore = 0.0
        for number in range(ROUNDS):
            copied, restored = world.root / "copied", world.root / "restored"
            copy_backup += _timed(partial(_copy, world.source, copied))
            shutil.rmtree(copied)
            ours_backup += _timed(partial(_backed_up, world))
            copy_restore += _timed(partial(_copy, world.source, copied))
            shutil.rmtree(copied)
            ours_restore += _timed(partial(_restored, world, restored))
            assert sum(path.stat().st_size for path in restored.rglob("*.bin")) == total
            shutil.rmtree(restored)
            for path in world.source.rglob("*.bin"):  # changed, so that the next backup stores it again
                os.utime(path, (number, number))
            for pack in world.vault_folder.glob(f"data/*/{number + 1:06}-*/pack-*"):
                pack.unlink()  # one round's content is on the disk at a time
    megabytes = ROUNDS * total / 1e6
    return [
        _beside(f"{what} of {LARGE_FILES} files of {LARGE_BYTES >> 20} MiB, beside a plain copy", *figures)
        for what, figures in (
            ("backup", (megabytes / ours_backup, megabytes / copy_backup)),
            ("restore", (megabytes / ours_restore, megabytes / copy_restore)),
        )
    ]


def _beside(name: str, ours: float, peer: float) -> Result:
    return Result(name, ours, peer, ours / peer, f"at least {GOAL_COPY} of it", ours >= GOAL_COPY * peer, "MB/s")


def _copy(source: Path, to: Path) -> None:
    shutil.copytree(source, to)
    os.sync()


# Small files


def _small_files(folder: Path) -> list[Result]:
    with _tenant(folder / "small") as world:
        content = os.urandom(SMALL_BYTES + SMALL_FILES)
        for number in range(SMALL_FILES):
            path = world.source / "onedrive/bob" / f"{number // 1000:03}" / f"file-{number:06}.txt"
            if number % 1000 == 0:
                path.parent.mkdir(parents=True)
            path.write_bytes(content[number : number + SMALL_BYTES])
        os.sync()
        archive = world.root / "archive.tar"
        tars, ours = [], []
        for number in range(ROUNDS):
            tars.append(_timed(partial(_tar, world.source, archive)))
            archive.unlink()
            ours.append(_timed(partial(_backed_up, world, SMALL_FILES)))
            shutil.rmtree(world.vault_folder / "snapshots")  # each is a first backup
            shutil.rmtree(world.vault_folder / "data")
            assert number < ROUNDS
        objects_bound = 10
        assert succeeded(world.back_up())
        objects = sum(1 for path in world.vault_folder.rglob("*") if path.is_file())
        assert objects < objects_bound, "small files are packed"
    tar, seconds = min(tars), min(ours)
    return [
        Result(
            f"backup of {SMALL_FILES:,} files of {SMALL_BYTES:,} bytes, beside GNU tar into a file",
            seconds,
            tar,
            tar / seconds,
            f"at most {GOAL_TAR:g} times as long",
            seconds <= GOAL_TAR * tar,
            "s",
        )
    ]


def _tar(source: Path, archive: Path) -> None:
    subprocess.run(["tar", "-cf", str(archive), "-C", str(source), "."], check=True)
    os.sync()


# The stream


def _streams(folder: Path) -> list[Result]:
    payload = os.urandom(PAYLOAD_BYTES)
    path = folder / "payload"
    path.write_bytes(payload)
    ours, tinks = _interleaved(payload)
    command = [str(_sdk_python()), "-c", _SDK_SCRIPT, str(path), str(PAYLOAD_ROUNDS)]
    ended = subprocess.run(command, env=without_overrides(), capture_output=True, text=True, check=True)
    sdk = tuple(float(word) for word in ended.stdout.split())
    size = f"{PAYLOAD_BYTES >> 20} MiB in memory"
    rows = []
    for name, peer, goal in (("the AWS Encryption SDK for Python", sdk, GOAL_SDK), ("Tink's Python", tinks, GOAL_TINK)):
        for what, seconds, theirs in zip(("encrypting", "decrypting"), ours, peer, strict=True):
            rows.append(
                Result(
                    f"{what} {size}, beside {name}",
                    PAYLOAD_BYTES / 1e6 / seconds,
                    PAYLOAD_BYTES / 1e6 / theirs,
                    theirs / seconds,
                    f"at least {goal:g} times as fast",
                    theirs >= goal * seconds,
                    "MB/s",
                )
            )
    return rows


class _Counted(io.RawIOBase):
    """A sink that counts what it is given and keeps none of it: growing memory costs more than encrypting."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def writable(self) -> bool:
        """Always true."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Take all of it."""
        count = len(memoryview(data))
        self.bytes += count
        return count


class _KeptOpen(io.BytesIO):
    """A sink that can still be looked at after Tink has closed it."""

    def close(self) -> None:
        """Stay open."""


def _interleaved(payload: bytes) -> tuple[tuple[float, float], tuple[float, float]]:
    """The best of some rounds, for encrypting and for decrypting: ours, and Tink's."""
    ours, tinks = [], []
    for _ in range(PAYLOAD_ROUNDS):
        ours.append(_our_stream(payload))
        tinks.append(_tink_stream(payload))
    best_ours, best_tinks = ([min(times) for times in zip(*rounds, strict=True)] for rounds in (ours, tinks))
    return (best_ours[0], best_ours[1]), (best_tinks[0], best_tinks[1])


def _our_stream(payload: bytes) -> tuple[float, float]:
    keys, sink, sealed = HeldKey(_KEY), _Counted(), io.BytesIO()
    with EncryptingWriter(keys, b"bench", sealed) as writer:
        writer.write(payload)
    began = time.perf_counter()
    with EncryptingWriter(keys, b"bench", sink) as writer:
        writer.write(payload)
    encrypting = time.perf_counter() - began
    assert sink.bytes == len(sealed.getvalue())
    opened, source = 0, io.BytesIO(sealed.getvalue())
    began = time.perf_counter()
    for piece in DecryptingReader(keys, b"bench", source).segments():
        opened += len(piece)
    decrypting = time.perf_counter() - began
    assert opened == len(payload)
    return encrypting, decrypting


def _tink_stream(payload: bytes) -> tuple[float, float]:
    import tink
    from tink import streaming_aead

    streaming_aead.register()
    handle = tink.new_keyset_handle(streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB)
    primitive: Any = handle.primitive(streaming_aead.StreamingAead)

    def encrypt(sink: BinaryIO) -> None:
        with primitive.new_encrypting_stream(sink, b"bench") as stream:
            view = memoryview(payload)  # in pieces it is faster than in one
            for start in range(0, len(view), _BLOCK):
                stream.write(view[start : start + _BLOCK])

    sealed, sink = _KeptOpen(), _Counted()
    encrypt(sealed)
    began = time.perf_counter()
    encrypt(cast("BinaryIO", sink))
    encrypting = time.perf_counter() - began
    opened, source = 0, io.BytesIO(sealed.getvalue())
    began = time.perf_counter()
    with primitive.new_decrypting_stream(source, b"bench") as stream:
        while block := stream.read(_BLOCK):
            opened += len(block)
    decrypting = time.perf_counter() - began
    assert opened == len(payload)
    return encrypting, decrypting


def _sdk_python() -> Path:
    """The interpreter of the environment that the AWS Encryption SDK lives in; made the first time."""
    python = _SDK_ENVIRONMENT / "bin" / "python"
    ready = _SDK_ENVIRONMENT / "ready"
    if not ready.exists():
        venv.create(_SDK_ENVIRONMENT, clear=True, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", SDK], check=True, capture_output=True)
        ready.touch()
    return python


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
def _tenant(folder: Path) -> Iterator[World]:
    folder.mkdir()
    world = World(folder)
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


def _timed(act: Callable[[], None]) -> float:
    os.sync()
    gc.collect()
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    alone(sys.argv[1], Path(sys.argv[2]))
