"""The ids of the requests that this process made to AWS KMS, for the journal: AWS CloudTrail knows each by its id.

A journal entry names the requests made since the entry before; where none were made since then it names the
same ones again, for it rests on them. Of very many the newest are named, and how many there were.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

NAMED = 16  # a rewrap makes hundreds of thousands


@dataclass(frozen=True, slots=True)
class KmsRequests:
    """Requests to AWS KMS: how many, and the ids of the newest, the oldest of them first."""

    count: int = 0
    ids: tuple[str, ...] = ()


class RequestLog:
    """Collects request ids, from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._ids: deque[str] = deque(maxlen=NAMED)
        self._last = KmsRequests()

    def note(self, request_id: str) -> None:
        """Take in the id of an answered request, whatever the answer was."""
        with self._lock:
            self._count += 1
            self._ids.append(request_id)

    def take(self) -> KmsRequests:
        """The requests since the last call; those of the last call again where there are none."""
        with self._lock:
            if self._count:
                self._last = KmsRequests(self._count, tuple(self._ids))
                self._count = 0
                self._ids.clear()
            return self._last

    def clear(self) -> None:
        """Forget all: another command begins."""
        with self._lock:
            self._count = 0
            self._ids.clear()
            self._last = KmsRequests()

    def watch(self, client: Any) -> None:
        """Take in the ids of all requests of a boto3 client."""
        client.meta.events.register("after-call", self._after_call)

    def _after_call(self, parsed: Any, **_: Any) -> None:
        request_id = parsed.get("ResponseMetadata", {}).get("RequestId")
        if request_id:
            self.note(str(request_id))


OF_THIS_COMMAND = RequestLog()  # a process runs one command; every client that `connect` makes is watched
