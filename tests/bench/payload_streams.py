"""The payload stream beside other libraries: the same payload in memory, the same cipher (AES-256-GCM).

Each library is at its own defaults. The AWS Encryption SDK signs nothing here, which is faster than its default;
it lives in an environment of its own. What comes out is counted and not kept, on each side: growing memory costs
more than encrypting.
"""

from __future__ import annotations

import io
import os
import subprocess
import time
import venv
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from engine.envelope.segments import HeldKey
from engine.envelope.stream import DecryptingReader, EncryptingWriter
from tests.bench.pairs import Paired, paired
from tests.bench.process_tree import without_overrides
from tests.bench.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from typing_extensions import Buffer

PAYLOAD_BYTES, TINK_PAIRS, SDK_PAIRS = 128 << 20, 15, 3
GOAL_SDK, GOAL_TINK = 5.0, 2.0
SDK = "aws-encryption-sdk>=4,<5"

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

provider = Provider()
provider.add_master_key("key")
client = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
plaintext = open(sys.argv[1], "rb").read()
suite = AlgorithmSuite.AES_256_GCM_HKDF_SHA512_COMMIT_KEY

def run(keep, **options):
    blocks, count = [], 0
    began = time.perf_counter()
    with client.stream(key_provider=provider, **options) as stream:
        while block := stream.read(1 << 20):
            count += len(block)
            if keep:
                blocks.append(block)
    return time.perf_counter() - began, count, b"".join(blocks)

ciphertext = run(True, mode="e", source=io.BytesIO(plaintext), algorithm=suite)[2]
assert run(True, mode="d", source=io.BytesIO(ciphertext))[2] == plaintext
for line in sys.stdin:
    if line.strip() == "encrypt":
        seconds, count, _ = run(False, mode="e", source=io.BytesIO(plaintext), algorithm=suite)
        assert count == len(ciphertext)
    else:
        seconds, count, _ = run(False, mode="d", source=io.BytesIO(ciphertext))
        assert count == len(plaintext)
    print(seconds, flush=True)
"""


def compare_streams(folder: Path, environments: Path) -> list[Result]:
    """Encrypting and decrypting, beside each library.

    Args:
        folder: Where the payload can lie meanwhile.
        environments: Where the AWS Encryption SDK's environment lies, and is made the first time.
    """
    payload = os.urandom(PAYLOAD_BYTES)
    ours, tinks = (_ours_encrypting(payload), _ours_decrypting(payload)), _tink(payload)
    rows = []
    path = folder / "payload"
    path.write_bytes(payload)
    with _sdk(path, environments) as sdks:
        for name, peers, goal, pairs in (
            ("the AWS Encryption SDK for Python", sdks, GOAL_SDK, SDK_PAIRS),
            ("Tink's Python", tinks, GOAL_TINK, TINK_PAIRS),
        ):
            for what, our, peer in zip(("encrypting", "decrypting"), ours, peers, strict=True):
                size = f"{PAYLOAD_BYTES >> 20} MiB in memory"
                rows.append(_row(f"{what} {size}, beside {name}", paired(our, peer, pairs), goal))
    return rows


def _row(name: str, found: Paired, goal: float) -> Result:
    megabytes = PAYLOAD_BYTES / 1e6
    return Result(
        name,
        megabytes / found.ours,
        megabytes / found.peer,
        found.ratio,
        f"at least {goal:g} times as fast",
        found.ratio >= goal,
        "MB/s",
        (found.lowest, found.highest),
    )


class _Counted(io.RawIOBase):
    """A sink that counts what it is given and keeps none of it."""

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


def _ours_encrypting(payload: bytes) -> Callable[[], float]:
    def encrypt() -> float:
        sink = _Counted()
        began = time.perf_counter()
        with EncryptingWriter(HeldKey(_KEY), b"bench", sink) as writer:
            writer.write(payload)
        seconds = time.perf_counter() - began
        assert sink.bytes == writer.ciphertext_bytes > len(payload)
        return seconds

    return encrypt


def _ours_decrypting(payload: bytes) -> Callable[[], float]:
    sealed = io.BytesIO()
    with EncryptingWriter(HeldKey(_KEY), b"bench", sealed) as writer:
        writer.write(payload)

    def decrypt() -> float:
        opened, source = 0, io.BytesIO(sealed.getvalue())
        began = time.perf_counter()
        for piece in DecryptingReader(HeldKey(_KEY), b"bench", source).segments():
            opened += len(piece)
        seconds = time.perf_counter() - began
        assert opened == len(payload)
        return seconds

    return decrypt


def _tink(payload: bytes) -> tuple[Callable[[], float], Callable[[], float]]:
    import tink
    from tink import streaming_aead

    streaming_aead.register()
    handle = tink.new_keyset_handle(streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB)
    primitive: Any = handle.primitive(streaming_aead.StreamingAead)

    def encrypt_into(sink: BinaryIO) -> None:
        with primitive.new_encrypting_stream(sink, b"bench") as stream:
            view = memoryview(payload)  # in pieces it is faster than in one
            for start in range(0, len(view), _BLOCK):
                stream.write(view[start : start + _BLOCK])

    sealed = _KeptOpen()
    encrypt_into(sealed)

    def encrypt() -> float:
        sink = _Counted()
        began = time.perf_counter()
        encrypt_into(cast("BinaryIO", sink))
        seconds = time.perf_counter() - began
        assert sink.bytes > len(payload)
        return seconds

    def decrypt() -> float:
        opened, source = 0, io.BytesIO(sealed.getvalue())
        began = time.perf_counter()
        with primitive.new_decrypting_stream(source, b"bench") as stream:
            while block := stream.read(_BLOCK):
                opened += len(block)
        seconds = time.perf_counter() - began
        assert opened == len(payload)
        return seconds

    return encrypt, decrypt


@contextmanager
def _sdk(payload: Path, environments: Path) -> Iterator[tuple[Callable[[], float], Callable[[], float]]]:
    """The AWS Encryption SDK in a process of its own, which does as it is told and says how long it took."""
    command = [str(_sdk_python(environments / "aws-encryption-sdk")), "-c", _SDK_SCRIPT, str(payload)]
    with subprocess.Popen(
        command, env=without_overrides(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        orders, answers = process.stdin, process.stdout
        assert orders is not None
        assert answers is not None

        def doing(what: str) -> Callable[[], float]:
            def do() -> float:
                orders.write(f"{what}\n")
                orders.flush()
                return float(answers.readline())

            return do

        yield doing("encrypt"), doing("decrypt")
        orders.close()


def _sdk_python(environment: Path) -> Path:
    """The interpreter of the environment that the AWS Encryption SDK lives in; made the first time."""
    python, ready = environment / "bin" / "python", environment / "ready"
    if not ready.exists():
        venv.create(environment, clear=True, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", SDK], check=True, capture_output=True)
        ready.touch()
    return python
