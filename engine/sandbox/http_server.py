"""A small threaded HTTP server for one function from requests to answers.

One thread a connection, connections kept alive, an answer written with one call; a request that cannot be
read ends its connection. It listens on 127.0.0.1 alone and logs no request. `close` ends every connection
and every thread.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from engine.errors import MachineError
from engine.sandbox.http_messages import HttpResponse, UnreadableRequestError, read_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sandbox.http_messages import HttpRequest

HOST = "127.0.0.1"
_LOG = logging.getLogger("keyturn.sandbox")


class HttpServer(socketserver.ThreadingTCPServer):
    """Serves one function on a port of 127.0.0.1.

    Args:
        port: The port; 0 takes a free one.
        answer: Called for every request, from several threads; an exception of it is answered with 500, and
            None ends the connection without an answer.

    Raises:
        MachineError: The port is taken or not allowed.
    """

    allow_reuse_address = True
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, port: int, answer: Callable[[HttpRequest], HttpResponse | None]) -> None:
        self.answer = answer
        self._open: set[socket.socket] = set()
        self._closing = False
        self._open_lock = threading.Lock()
        try:
            super().__init__((HOST, port), _Connection)
        except OSError as error:
            raise MachineError(
                f"cannot listen on {HOST}:{port}: {error.strerror or error}",
                "another sandbox may be running there; `--port 0` takes a free port",
            ) from error

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def close(self) -> None:
        """Stop listening, end every connection, wait for their threads. `serve_forever` has to have ended."""
        with self._open_lock:
            self._closing = True
            for connection in self._open:
                _end(connection)
        self.server_close()

    def opened(self, connection: socket.socket) -> None:
        """A connection began; one that was accepted just before `close` ends at once."""
        with self._open_lock:
            self._open.add(connection)
            if self._closing:
                _end(connection)

    def closed(self, connection: socket.socket) -> None:
        """A connection ended."""
        with self._open_lock:
            self._open.discard(connection)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base's signature
        """Name what broke a connection; a client that merely went away never comes here."""
        _LOG.error("a connection from %s failed: %s", client_address, type(sys.exception()).__name__)


class _Connection(socketserver.StreamRequestHandler):
    """One connection, with one request after the other."""

    disable_nagle_algorithm = True
    server: HttpServer

    def handle(self) -> None:
        self.server.opened(self.connection)
        try:
            with suppress(ConnectionError, TimeoutError):
                while self._exchange():
                    pass
        finally:
            self.server.closed(self.connection)

    def _exchange(self) -> bool:
        """Serve one request; whether another may follow."""
        address = (str(self.client_address[0]), int(self.client_address[1]))
        try:
            request = read_request(self.rfile, self.wfile, address)
        except UnreadableRequestError as error:
            self.wfile.write(HttpResponse(error.status, (), b"").render(head=False, keep_alive=False))
            return False
        if request is None:
            return False
        try:
            response: HttpResponse | None = self.server.answer(request)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in the sandbox, the client gets an answer
            response = _failure(request, error)
        if response is None:
            return False
        self.wfile.write(response.render(head=request.method == "HEAD", keep_alive=request.keeps_alive))
        return request.keeps_alive


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _failure(request: HttpRequest, error: Exception) -> HttpResponse:
    """Tell the client, and the log, that the sandbox itself failed; without values, which may be secret."""
    message = f"the sandbox failed: {type(error).__name__}"
    path = request.target.partition("?")[0]
    _LOG.error("%s %s: %s", request.method, path, message)
    _LOG.debug("the cause", exc_info=error)
    return HttpResponse(HTTPStatus.INTERNAL_SERVER_ERROR, (("Content-Type", "text/plain"),), message.encode())
