"""Encrypt, Decrypt and ReEncrypt at eight clients: the sandbox beside moto's own server.

Both sides are processes of their own under the same load from the same clients: a connection each that is
kept open, signed requests, every plaintext different, every answer read and checked. The sides alternate
and each is warm before it is timed. The sandbox looks at signer, key policy, grants, state, parameters and
encryption context on every call; moto at none of them.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import MachineError
from engine.sandbox import Identity, fetch_environment
from tests.bench.process_tree import without_overrides
from tests.bench.result import Result

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 8
CALLS = 75  # of each client in one round
ROUNDS = 5
GOAL = 3.0
STARTS = 5
GOAL_SECONDS = 2.0

_REPOSITORY = Path(__file__).parents[2]
_PEER = "import sys; from moto.server import main; main(['-p', sys.argv[1], '-H', '127.0.0.1'])"
_PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")
_LONGEST_START = 60.0  # seconds
_numbers = count()


def run() -> list[Result]:
    """Measure both sides.

    Returns:
        A row for each operation, medians of the rounds in calls a second, and one for the start.

    Raises:
        MachineError: One of the servers does not start, or answers wrongly.
    """
    with _ours() as ours, _peer() as peer:
        sides = (_Side(ours, fetch_environment(ours, Identity.CUSTOMER)["AWS_ACCESS_KEY_ID"]), _Side(peer, "AKIAMOTO"))
        rows = [_compare(name, *sides) for name in ("Encrypt", "Decrypt", "ReEncrypt")]
    return [*rows, _start()]


class _Side:
    """One server, with two keys on it."""

    def __init__(self, port: int, access_key_id: str) -> None:
        self.port = port
        self._headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Date": "20260301T000000Z",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={access_key_id}/20260301/us-east-1/kms/aws4_request, "
            f"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={'0' * 64}",
        }
        connection = self.connect()
        self.keys = [self.call(connection, "CreateKey", {})["KeyMetadata"]["Arn"] for _ in range(2)]
        connection.close()

    def connect(self) -> HTTPConnection:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.connect()
        return connection

    def call(self, connection: HTTPConnection, operation: str, members: dict[str, Any]) -> Any:
        body = json.dumps(members)
        connection.request("POST", "/", body, {**self._headers, "X-Amz-Target": f"TrentService.{operation}"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            raise MachineError(f"{operation} on port {self.port} was answered with {response.status}: {answer}")
        return answer

    def prepare(self, connection: HTTPConnection, operation: str) -> dict[str, Any]:
        """The members of one call; every plaintext is another."""
        plaintext = base64.b64encode(f"plaintext {next(_numbers):>54}".encode()).decode()
        context = {"workload": "mailbox"}
        clear = {"KeyId": self.keys[0], "Plaintext": plaintext, "EncryptionContext": context}
        if operation == "Encrypt":
            return clear
        blob = self.call(connection, "Encrypt", clear)["CiphertextBlob"]
        if operation == "Decrypt":
            return {"CiphertextBlob": blob, "EncryptionContext": context}
        return {
            "CiphertextBlob": blob,
            "SourceEncryptionContext": context,
            "DestinationKeyId": self.keys[1],
            "DestinationEncryptionContext": context,
        }

    def round(self, operation: str) -> float:
        """Calls a second of all clients together."""
        start, end = threading.Barrier(CLIENTS + 1), threading.Barrier(CLIENTS + 1)
        failures: list[BaseException] = []

        def client() -> None:
            try:
                connection = self.connect()
                calls = [self.prepare(connection, operation) for _ in range(CALLS)]
                start.wait()
                for members in calls:
                    self.call(connection, operation, members)
                end.wait()
                connection.close()
            except BaseException as error:
                failures.append(error)
                start.abort()
                end.abort()
                raise

        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            start.wait()
            started = time.perf_counter()
            end.wait()
            seconds = time.perf_counter() - started
        except threading.BrokenBarrierError:
            raise MachineError(f"a client failed: {failures[:1]}") from None
        finally:
            for thread in threads:
                thread.join()
        return CLIENTS * CALLS / seconds


def _compare(operation: str, ours: _Side, peer: _Side) -> Result:
    rates: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 1):
        for side, found in zip((ours, peer), rates, strict=True):
            found.append(side.round(operation))
    our_rate, peer_rate = (statistics.median(found[1:]) for found in rates)
    return Result(
        name=f"sandbox, {operation} at {CLIENTS} clients",
        ours=our_rate,
        peer=peer_rate,
        ratio=our_rate / peer_rate,
        goal=f"at least {GOAL:g}x",
        met=our_rate >= GOAL * peer_rate,
        unit="calls/s",
    )


def _start() -> Result:
    seconds = []
    for _ in range(STARTS + 1):
        started = time.perf_counter()
        with _ours():
            seconds.append(time.perf_counter() - started)
    median = statistics.median(seconds[1:])
    return Result(
        name="sandbox, start of the command until it answers",
        ours=median,
        peer=None,
        ratio=None,
        goal=f"at most {GOAL_SECONDS:g} s",
        met=median <= GOAL_SECONDS,
        unit="s",
    )


@contextmanager
def _ours() -> Iterator[int]:
    """The command as a process of its own; its port, once it says that it answers."""
    with _process([sys.executable, "-m", "cli", "sandbox", "--port", "0"], subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout else ""
        found = _PORT.search(line)
        if found is None:
            raise MachineError(f"the sandbox did not start: {line!r}")
        yield int(found[1])


@contextmanager
def _peer() -> Iterator[int]:
    """moto's own server as a process of its own; its port, once it answers there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with _process([sys.executable, "-c", _PEER, str(port)], subprocess.DEVNULL) as process:
        end = time.monotonic() + _LONGEST_START
        while process.poll() is None and time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        else:
            raise MachineError("moto's server did not start")
        yield port


@contextmanager
def _process(command: list[str], output: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        cwd=_REPOSITORY,
        env=without_overrides(os.environ),
        stdout=output,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)
