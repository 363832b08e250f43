"""The points at which a process under test may be killed, wrapped around its ports from outside.

There are two around each of these, one before it happens and one after it took effect but before its answer is
used:

- a request to AWS, where botocore hands it to the network: every call of KMS, STS and CloudTrail, every write to
  DynamoDB (a mere read of DynamoDB is a point, too, but of a kind of its own: nothing is written, no key is used);
- a transaction of SQLite that changes something, where it is committed;
- an object of the vault or a new ledger, where it appears under its name.

Nothing of this is in the production code.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

READS = frozenset(f"DynamoDB_20120810.{name}" for name in ("Query", "GetItem", "BatchGetItem", "DescribeTable"))
BEFORE, AFTER = "before", "after"


class Points:
    """Writes down every point that is reached, and kills the process at one of them."""

    def __init__(self, kill_at: int | None, report: str) -> None:
        self._kill_at = kill_at
        self._lock = threading.Lock()
        self._count = 0
        self._report = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def reach(self, moment: str, what: str) -> None:
        with self._lock:
            self._count += 1
            os.write(self._report, f"{moment} {what}\n".encode())
            if self._count == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    def around(self, what: str, act: Callable[[], Any]) -> Any:
        self.reach(BEFORE, what)
        result = act()
        self.reach(AFTER, what)
        return result

    def install(self) -> None:
        """Wrap the ports of this process."""
        self._wrap_requests()
        self._wrap_transactions()
        self._wrap_objects()

    def _wrap_requests(self) -> None:
        from botocore.httpsession import URLLib3Session

        send, points = URLLib3Session.send, self

        def counted(session: Any, request: Any) -> Any:
            target = request.headers.get("X-Amz-Target", b"")
            name = target.decode() if isinstance(target, bytes) else str(target)
            what = f"{'read' if name in READS else 'request'} {name or urlsplit(request.url).netloc}"
            return points.around(what, lambda: send(session, request))

        setattr(URLLib3Session, "send", counted)  # noqa: B010 - its type is not ours to keep

    def _wrap_transactions(self) -> None:
        connect, points = sqlite3.connect, self

        class Connection(sqlite3.Connection):
            committed_changes = 0

            def commit(self) -> None:
                self._committing(super().commit)

            def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
                if sql.strip().upper() in {"COMMIT", "END"}:
                    cursor: list[sqlite3.Cursor] = []
                    plain = super().execute
                    self._committing(lambda: cursor.append(plain(sql, *parameters)))
                    return cursor[0]
                return super().execute(sql, *parameters)

            def _committing(self, act: Callable[[], object]) -> None:
                if not self.in_transaction or self.total_changes == self.committed_changes:
                    act()
                    return
                points.around("transaction", act)
                self.committed_changes = self.total_changes

        def counted(*arguments: Any, **named: Any) -> Any:
            return connect(*arguments, **{"factory": Connection, **named})

        setattr(sqlite3, "connect", counted)  # noqa: B010

    def _wrap_objects(self) -> None:
        points = self

        def counted(act: Callable[..., None], what: str) -> Callable[..., None]:
            def named(source: Any, destination: Any, **others: Any) -> None:
                points.around(what, lambda: act(source, destination, **others))

            return named

        setattr(os, "replace", counted(os.replace, "object"))  # noqa: B010
        setattr(os, "link", counted(os.link, "ledger"))  # noqa: B010
