"""A slow or broken link to a server of this machine: a relay that lets so many bytes a second through, or stalls."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = 1 << 14


class SlowLink:
    """A relay in front of a server.

    Attributes:
        url: Where it is reached.
        bytes_per_second: How fast each direction of each connection is; None for as fast as it goes.
        answers_held_behind: The server's answers go no further behind this many bytes in all; None for never.
        answered: How many bytes of answers went through.
    """

    def __init__(self, target: str, bytes_per_second: float | None = None) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.bytes_per_second = bytes_per_second
        self.answers_held_behind: int | None = None
        self.answered = 0
        self._ended = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut every connection."""
        self._ended.set()
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._open += [client, server]
            for source, sink, answers in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._relay, args=(source, sink, answers), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                if self.bytes_per_second is not None:
                    time.sleep(len(piece) / self.bytes_per_second)
                if answers:
                    held = self.answers_held_behind
                    while held is not None and self.answered + len(piece) > held and not self._ended.is_set():
                        time.sleep(0.05)
                        held = self.answers_held_behind
                    self.answered += len(piece)
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def slow_link(target: str, bytes_per_second: float | None = None) -> Iterator[SlowLink]:
    """Relay to a server, such as `http://127.0.0.1:5000`, until the end of the block."""
    link = SlowLink(target, bytes_per_second)
    try:
        yield link
    finally:
        link.close()
