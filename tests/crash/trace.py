"""The same writes and calls, counted without a line of the process under test.

- Requests: by the sandbox's server, in another process; mere reads of DynamoDB apart from the others.
- Transactions: by reading SQLite's write-ahead log as its file format describes it (sqlite.org/fileformat2.html,
  "The Write-Ahead Log"): a frame that ends a transaction carries the size of the database behind it. A reader
  that was there before keeps the log from being cleared.
- Objects: by the files of the vault, each of which is new under its name exactly once.
"""

from __future__ import annotations

import sqlite3
import struct
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.crash.points import READS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.sandbox import Sandbox
    from engine.sandbox.http_messages import HttpRequest, HttpResponse

_WAL_HEADER, _FRAME_HEADER = 32, 24


@dataclass
class Trace:
    """What was counted."""

    reads: int = 0
    requests: int = 0
    transactions: int = 0
    objects: int = 0

    @property
    def total(self) -> int:
        """All but the reads."""
        return self.requests + self.transactions + self.objects


class RequestCounter:
    """Counts what a sandbox's server is asked, but for its control plane."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._answer = sandbox._server.answer
        self._lock = threading.Lock()
        self.count = self.reads = 0
        sandbox._server.answer = self._counted

    def _counted(self, request: HttpRequest) -> HttpResponse | None:
        if not request.target.startswith("/_keyturn/"):
            with self._lock:
                if request.headers.get("x-amz-target") in READS:
                    self.reads += 1
                else:
                    self.count += 1
        return self._answer(request)

    def restore(self, sandbox: Sandbox) -> None:
        sandbox._server.answer = self._answer


@contextmanager
def traced(counter: RequestCounter, folder: Path) -> Iterator[Trace]:
    """Count what is done within, by whatever process, in a tenant's folder and in the sandbox."""
    trace, requests, reads = Trace(), counter.count, counter.reads
    objects = _objects(folder)
    ledger = folder / ".keyturn" / "ledger.db"
    if ledger.exists():
        with closing(sqlite3.connect(ledger, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT COUNT(*) FROM head").fetchone()
            before = _transactions(ledger)
            yield trace
            trace.transactions = _transactions(ledger) - before
    else:
        yield trace
    trace.requests, trace.reads = counter.count - requests, counter.reads - reads
    trace.objects = len(_objects(folder) - objects)


def _objects(folder: Path) -> set[tuple[str, int]]:
    vault = folder / ".keyturn" / "vault"
    return {
        (str(path.relative_to(vault)), path.stat().st_ino)
        for path in vault.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.parent.name != "locks"
    }


def _transactions(ledger: Path) -> int:
    log = ledger.with_name(ledger.name + "-wal")
    data = log.read_bytes() if log.exists() else b""
    if len(data) < _WAL_HEADER:
        return 0
    page_size = struct.unpack(">I", data[8:12])[0]
    salt, count = data[16:24], 0
    for start in range(_WAL_HEADER, len(data) - _FRAME_HEADER - page_size + 1, _FRAME_HEADER + page_size):
        size_behind = struct.unpack(">I", data[start + 4 : start + 8])[0]
        if data[start + 8 : start + 16] == salt and size_behind:
            count += 1
    return count
