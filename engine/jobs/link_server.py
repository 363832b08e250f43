"""Serving downloads behind links: on this machine alone, unguessable, once each, and for a while.

- The server listens on 127.0.0.1. A link's path holds 32 random bytes; whoever does not know them finds nothing.
- A link is good for one download that came to its end. A second one at the same time is turned away.
- Requests for another host's name are turned away, so that a page in a browser cannot reach it by DNS rebinding.
- The content goes out as it is made, in chunks: one that breaks off is known to its reader as incomplete.
- Nobody is told more than that a download cannot be had; why stands in the job's report.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from engine.errors import KeyAccessError, KeyturnError, MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

HOST = "127.0.0.1"
_TOKEN_BYTES = 32
_IDLE_SECONDS = 30.0
_TURN_SECONDS = 0.1


class LinkState(Enum):
    """Where a link stands."""

    OPEN = auto()
    BUSY = auto()
    USED = auto()


@dataclass(slots=True)
class Link:
    """One link.

    Attributes:
        file_name: What the downloaded file is to be called.
        content: Begins the download, and gives the content; raises `KeyturnError` where it cannot be had.
        path: Its path on the server, with the random part.
        state: Where it stands.
        failure: Why the last download came to nothing, or None.
    """

    file_name: str
    content: Callable[[], Iterator[memoryview]]
    path: str
    state: LinkState = LinkState.OPEN
    failure: KeyturnError | None = None


@dataclass(slots=True)
class LinkServer:
    """Serves links until they are used or the time is over. A context manager.

    Args:
        seconds: How long links are good for; a download that has begun by then may take as long again.
        monotonic: A clock in seconds that never goes back.

    Raises:
        MachineError: This machine does not let it listen.
    """

    seconds: float
    monotonic: Callable[[], float]
    _links: list[Link] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _began: float = 0.0
    _server: _Server | None = None

    def __enter__(self) -> Self:
        try:
            self._server = _Server((HOST, 0), _Handler)
        except OSError as error:
            raise MachineError(f"no server for the link can listen on {HOST}: {error.strerror}") from error
        self._server.links = self
        self._began = self.monotonic()
        threading.Thread(target=self._server.serve_forever, args=(_TURN_SECONDS,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return 0 if self._server is None else self._server.server_address[1]

    def offer(self, file_name: str, content: Callable[[], Iterator[memoryview]]) -> Link:
        """Offer a download."""
        link = Link(file_name, content, f"/{secrets.token_urlsafe(_TOKEN_BYTES)}/{quote(file_name, safe='')}")
        with self._changed:
            self._links.append(link)
        return link

    def url(self, link: Link) -> str:
        """The whole address of a link."""
        return f"http://{HOST}:{self.port}{link.path}"

    def wait(self, link: Link) -> None:
        """Wait until a link was used, or its time is over and no download of it is under way."""
        with self._changed:
            while link.state is not LinkState.USED and (link.state is LinkState.BUSY or not self.over()):
                self._changed.wait(_TURN_SECONDS)

    def over(self, *, twice: bool = False) -> bool:
        """Whether the time is over: for beginning a download or, with `twice`, for one that has begun."""
        return self.monotonic() - self._began >= self.seconds * (2 if twice else 1)

    def find(self, path: str) -> Link | None:
        """The link of a path, compared in constant time."""
        asked = path.encode("utf-8", "surrogateescape")
        with self._changed:
            found = [link for link in self._links if hmac.compare_digest(link.path.encode("ascii"), asked)]
        return found[0] if found else None

    def ended(self, link: Link) -> bool:
        """Whether no download of a link can begin any more."""
        return link.state is LinkState.USED or self.over()

    def begin(self, link: Link) -> HTTPStatus:
        """Take a link for one download; anything but OK says why not."""
        with self._changed:
            if self.ended(link):
                return HTTPStatus.GONE
            if link.state is LinkState.BUSY:
                return HTTPStatus.CONFLICT
            link.state = LinkState.BUSY
            return HTTPStatus.OK

    def end(self, link: Link, *, whole: bool) -> None:
        """Say how a download ended."""
        with self._changed:
            link.state = LinkState.USED if whole else LinkState.OPEN
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    links: LinkServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that goes away is no matter; what it missed is in the job's report."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_HEAD(self) -> None:
        """Say whether there is a download, without taking it."""
        self._answer(only_head=True)

    def do_GET(self) -> None:
        """Give a download."""
        self._answer(only_head=False)

    def version_string(self) -> str:
        """Nothing of the versions of what runs here."""
        return "keyturn"

    def log_message(self, *_: object) -> None:
        """No log: a path is as good as the download."""

    def _answer(self, *, only_head: bool) -> None:
        self.close_connection = True
        links = self.server.links
        link = links.find(self.path)
        if self.headers.get("Host") not in {f"{HOST}:{links.port}", f"localhost:{links.port}"} or link is None:
            self._refuse(HTTPStatus.NOT_FOUND)
        elif self.request_version != self.protocol_version:
            self._refuse(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)  # older ones cannot tell an incomplete download
        elif only_head:
            if links.ended(link):
                self._refuse(HTTPStatus.GONE)
            else:
                self._head(link)
        elif (status := links.begin(link)) is not HTTPStatus.OK:
            self._refuse(status)
        else:
            whole = False
            try:
                whole = self._give(link)
            finally:
                links.end(link, whole=whole)

    def _give(self, link: Link) -> bool:
        begun = False
        try:
            for piece in link.content():
                if not begun:
                    self._head(link)
                    begun = True
                if self.server.links.over(twice=True):
                    return False
                if piece:
                    self.wfile.write(b"%x\r\n" % len(piece))
                    self.wfile.write(piece)
                    self.wfile.write(b"\r\n")
        except KeyturnError as error:
            link.failure = error
            if not begun:
                keyless = isinstance(error, KeyAccessError) and not error.worth_retrying
                self._refuse(HTTPStatus.FORBIDDEN if keyless else HTTPStatus.SERVICE_UNAVAILABLE)
            return False
        if not begun:
            self._head(link)
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        link.failure = None
        return True

    def _head(self, link: Link) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/mbox")
        self.send_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(link.file_name, safe='')}")
        self.send_header("Transfer-Encoding", "chunked")
        self._common_headers()

    def _refuse(self, status: HTTPStatus) -> None:
        body = f"{status.phrase}\n".encode("ascii")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self._common_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _common_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()
