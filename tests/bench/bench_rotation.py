"""The rewrap of 100,000 data keys beside a bare loop of the same calls; its memory; a census; a transition.

Both sides of the rewrap use the same boto3 client, whose requests are answered in this process by a stand-in,
so that the network's time hides nothing. The bare loop re-encrypts and decrypts each data key, and does nothing
else. Ours reads the data keys from a SQLite ledger and stores them there, durably, checks each against its
commitment and keeps its record in a vault on disk. Both sides alternate, on different data keys of one size.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import itertools
import json
import os
import secrets
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.awsrequest import AWSResponse

from engine.access.model import KeyState
from engine.catalogue import Custody
from engine.envelope.data_keys import PAYLOAD, KeyAccess, commitment_to
from engine.envelope.pacing import Pace, PacedService, TokenBucket
from engine.jobs.vault import open_or_create_vault
from engine.kms import Kms, WrappedBytes
from engine.ledger.interface import DataKey
from engine.ledger.sqlite_making import create_sqlite_ledger
from engine.lifecycle import Confirm, Enable, FinishRewrap, Observe, Register, Rotate
from engine.rotation import Rewrap
from engine.times import format_time
from engine.transitions import carry_out
from tests.bench.process_tree import measure_megabytes
from tests.bench.result import Result
from tests.builders import ACTOR, NOW, REGION, cloud_state, key_arn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.envelope.ports import DataKeyService
    from engine.kms import KeyDetails
    from engine.ledger.sqlite import SqliteLedger

DATA_KEYS = 100_000
ROUNDS = 10
MANY, FEW = 1_000_000, 1_000
TRANSITIONS = 200
GOAL_RATIO, GOAL_CENSUS, GOAL_TRANSITION, GOAL_MEMORY = 1.3, 1.0, 20.0, 1.2
_BATCH = 1_000
_REPOSITORY = Path(__file__).parents[2]


class StandIn:
    """AWS KMS behind a boto3 client, in this process. A ciphertext names its key's ARN, in clear."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        session = boto3.session.Session("bench", "bench", region_name=REGION)
        self.client = session.client("kms")
        register: Any = self.client.meta.events.register
        register("before-send.kms", self._answer)

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        operation = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        self.calls[operation] += 1
        asked = json.loads(request.body)
        plaintext = base64.b64decode(asked["CiphertextBlob"])[-32:]
        answer = {"KeyId": asked.get("KeyId") or asked["DestinationKeyId"]}
        if operation == "Decrypt":
            answer["Plaintext"] = base64.b64encode(plaintext).decode()
        else:
            answer["CiphertextBlob"] = base64.b64encode(wrapped(answer["KeyId"], plaintext)).decode()
            answer["DestinationKeyMaterialId"] = "0" * 64
        headers: Any = {"x-amzn-requestid": "bench"}
        return AWSResponse(request.url, 200, headers, _Body(json.dumps(answer).encode()))


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


def wrapped(arn: str, plaintext: bytes) -> bytes:
    return hashlib.sha512(arn.encode()).digest() + secrets.token_bytes(56) + plaintext


def run() -> list[Result]:
    """Measure all of it."""
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-") as name:
        folder = Path(name)
        return [*_rewrap(folder), _memory(), _census(folder), _transition(folder)]


def _rewrap(folder: Path) -> list[Result]:
    stand_in, each = StandIn(), DATA_KEYS // ROUNDS
    ours = bare = 0.0
    called: Counter[str] = Counter()
    for number in range(ROUNDS):
        records = list(_records(each, number))
        gc.collect()
        began = time.perf_counter()
        for record in records:
            context = record.encryption_context("northwind")
            moved = stand_in.client.re_encrypt(
                CiphertextBlob=record.ciphertext,
                SourceKeyId=str(key_arn(1)),
                DestinationKeyId=str(key_arn(2)),
                SourceEncryptionContext=context,
                DestinationEncryptionContext=context,
            )
            stand_in.client.decrypt(
                CiphertextBlob=moved["CiphertextBlob"], KeyId=str(key_arn(2)), EncryptionContext=context
            )
        bare += time.perf_counter() - began
        stand_in.calls.clear()
        with _tenant(folder / f"round-{number}", _records(each, number + ROUNDS)) as ledger:
            gc.collect()
            began = time.perf_counter()
            report = _job(ledger, Kms(stand_in.client), folder / f"round-{number}").run()
            ours += time.perf_counter() - began
            assert (report.moved, report.set_aside_count) == (each, 0)
        called += stand_in.calls
    once = called == {"ReEncrypt": DATA_KEYS, "Decrypt": DATA_KEYS}
    per_key = sum(called.values()) / DATA_KEYS
    return [
        Result(
            f"calls of KMS a data key, rewrap of {DATA_KEYS:,}",
            per_key,
            2.0,
            2.0 / per_key,
            "exactly 1 ReEncrypt and 1 Decrypt",
            once,
            "calls",
        ),
        Result(
            f"time a data key, rewrap of {DATA_KEYS:,}, beside a bare loop of the same calls",
            ours / DATA_KEYS * 1e6,
            bare / DATA_KEYS * 1e6,
            bare / ours,
            f"at most {GOAL_RATIO} times the bare loop",
            ours <= GOAL_RATIO * bare,
            "us",
        ),
    ]


def _memory() -> Result:
    """The peak of a process of its own that moves few, and of one that moves many."""
    few, many = (
        measure_megabytes([sys.executable, "-m", "tests.bench.bench_rotation", str(count)], _REPOSITORY, os.environ)
        for count in (FEW, MANY)
    )
    return Result(
        f"peak memory of a rewrap of {MANY:,} data keys, beside one of {FEW:,}",
        many,
        few,
        few / many,
        f"at most {GOAL_MEMORY} times",
        many <= GOAL_MEMORY * few,
        "MB",
    )


def _census(folder: Path) -> Result:
    with _tenant(folder / "census", _records(MANY, 0)) as ledger:
        taken = []
        for _ in range(3):
            began = time.perf_counter()
            census = ledger.census()
            taken.append(time.perf_counter() - began)
            assert census.total == MANY
    seconds = min(taken)  # what else the machine does is not what is measured
    return Result(
        f"census of {MANY:,} data keys on SQLite",
        seconds,
        None,
        None,
        f"under {GOAL_CENSUS:g} s",
        seconds < GOAL_CENSUS,
        "s",
    )


def _transition(folder: Path) -> Result:
    with _tenant(folder / "transitions", _records(10, 0)) as ledger:
        states = (KeyState.ENABLED, KeyState.DISABLED)
        began = time.perf_counter()
        for number in range(TRANSITIONS):
            carry_out(ledger, Observe(1, states[number % 2]), ACTOR, NOW)
        milliseconds = (time.perf_counter() - began) / TRANSITIONS * 1e3
    return Result(
        "a transition of the lifecycle on SQLite, without KMS",
        milliseconds,
        None,
        None,
        f"under {GOAL_TRANSITION:g} ms",
        milliseconds < GOAL_TRANSITION,
        "ms",
    )


def _records(count: int, seed: int) -> Iterator[DataKey]:
    """So many data keys under generation 1, made as they are asked for; their ids as far apart as random ones."""
    arn = str(key_arn(1))
    for number in range(count):
        plaintext = hashlib.sha256(f"{seed} {number}".encode()).digest()
        yield DataKey(
            data_key_id=f"{number * (1 << 128) // count:032x}",
            workload=f"exchange_online/user-{number:07}@example.com",
            purpose=PAYLOAD,
            custody=Custody.CUSTOMER,
            generation=1,
            key_arn=arn,
            ciphertext=wrapped(arn, plaintext),
            commitment=commitment_to(plaintext),
            key_material_id="0" * 64,
            epoch=1,
            verified=True,
            set_aside=None,
            created_at=NOW,
        )


@contextmanager
def _tenant(folder: Path, records: Iterator[DataKey]) -> Iterator[SqliteLedger]:
    """A tenant with these data keys, right before they move from generation 1 to 2."""
    folder.mkdir()
    with closing(create_sqlite_ledger(folder / "ledger.db", cloud_state(), ACTOR, NOW)) as ledger:
        for command in (
            Register(1, key_arn(1), activated=True),
            Enable(1, key_arn(1), "Ada", "ab" * 32),
            FinishRewrap(1, remaining=0, unverified=0, set_aside=0),
            Confirm(1, key_arn(1), "Ada"),
        ):
            carry_out(ledger, command, ACTOR, NOW)
        _fill(folder / "ledger.db", records)
        carry_out(ledger, Rotate(2, key_arn(2)), ACTOR, NOW)
        yield ledger


def _fill(path: Path, records: Iterator[DataKey]) -> None:
    """Put data keys into the ledger's file at once: one after the other, each journalled, takes minutes."""
    names = [field.name for field in fields(DataKey)]
    insert = f"INSERT INTO data_keys ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
    with closing(sqlite3.connect(path)) as connection:
        while batch := list(itertools.islice(records, _BATCH)):
            rows = ([_stored(getattr(record, name)) for name in names] for record in batch)
            connection.executemany(insert, rows)
            connection.commit()


def _stored(value: object) -> object:
    match value:
        case datetime():
            return format_time(value)
        case Custody():
            return value.value
        case bool():
            return int(value)
        case _:
            return value


def _job(ledger: SqliteLedger, service: DataKeyService, folder: Path) -> Rewrap:
    """A rewrap as the command makes it, but without a limit to its pace."""
    paced = PacedService(service, Pace(TokenBucket(1e9)))
    vault = open_or_create_vault("vault", folder, "northwind")
    return Rewrap(ledger, "northwind", KeyAccess(paced), vault, ACTOR, lambda: NOW)


class PlainService:
    """The answers of the stand-in without boto3, so that a million of them take a minute."""

    identity = "nobody"

    def describe(self, key_id: str) -> KeyDetails:
        raise NotImplementedError

    def generate_data_key(self, key_arn: str, context: Mapping[str, str]) -> tuple[bytearray, WrappedBytes]:
        raise NotImplementedError

    def wrap(self, key_arn: str, plaintext: bytes, context: Mapping[str, str]) -> WrappedBytes:
        raise NotImplementedError

    def unwrap(self, key_arn: str, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:  # noqa: ARG002
        return bytearray(ciphertext[-32:])

    def rewrap(
        self,
        source_arn: str,  # noqa: ARG002 - the interface's
        destination_arn: str,
        ciphertext: bytes,
        context: Mapping[str, str],  # noqa: ARG002 - the interface's
    ) -> WrappedBytes:
        return WrappedBytes(wrapped(destination_arn, ciphertext[-32:]), destination_arn, "0" * 64)


def move(count: int) -> None:
    """Move so many data keys, in a process whose memory is looked at."""
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-") as name:
        folder = Path(name) / "tenant"
        with _tenant(folder, _records(count, 0)) as ledger:
            assert _job(ledger, PlainService(), folder).run().moved == count


if __name__ == "__main__":
    move(int(sys.argv[1]))
