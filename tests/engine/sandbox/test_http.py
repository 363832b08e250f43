"""The wire: what a client may send, well formed or not."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sandbox.http_messages import HttpRequest, HttpResponse
from engine.sandbox.http_server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

import threading


def _echo(request: HttpRequest) -> HttpResponse:
    if request.target == "/fails":
        raise ValueError("a secret of the request")
    return HttpResponse(200, (("X-Method", request.method),), request.target.encode() + b"|" + request.body)


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    running = HttpServer(0, _echo)
    thread = threading.Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.close()


def talk(server: HttpServer, data: bytes, *, half_close: bool = True) -> bytes:
    """Send bytes on a connection of their own and read until the server closes it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def test_one_request_follows_another_on_a_connection(server: HttpServer) -> None:
    answer = talk(
        server, b"GET /one HTTP/1.1\r\n\r\nPOST /two HTTP/1.1\r\nContent-Length: 4\r\n\r\nbodyGET /3 HTTP/1.1\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.index(b"/one|") < answer.index(b"/two|body") < answer.index(b"/3|")


@pytest.mark.parametrize("request_line", [b"GET /a HTTP/1.0\r\n", b"GET /a HTTP/1.1\r\nConnection: close\r\n"])
def test_a_connection_ends_when_the_client_says_so(server: HttpServer, request_line: bytes) -> None:
    answer = talk(server, request_line + b"\r\n", half_close=False)
    assert b"Connection: close" in answer
    assert answer.endswith(b"/a|")


def test_a_chunked_body_is_put_together(server: HttpServer) -> None:
    body = b"4\r\nWiki\r\n5;extension=x\r\npedia\r\n0\r\nTrailer: x\r\n\r\n"
    answer = talk(server, b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert answer.endswith(b"/c|Wikipedia")


def test_a_client_that_waits_is_told_to_go_on(server: HttpServer) -> None:
    answer = talk(server, b"PUT /e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert answer.endswith(b"/e|ok")


def test_head_has_the_length_and_no_body(server: HttpServer) -> None:
    answer = talk(server, b"HEAD /h HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 3\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_failure_is_answered_without_its_values(server: HttpServer) -> None:
    answer = talk(server, b"GET /fails HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"ValueError" in answer
    assert b"secret" not in answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/2\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n folded: x\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"400"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 300 + b"\r\n", b"400"),
    ],
)
def test_what_cannot_be_read_ends_its_connection(server: HttpServer, data: bytes, status: bytes) -> None:
    answer = talk(server, data)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1") == 1


def test_a_client_that_goes_away_does_no_harm(server: HttpServer) -> None:
    assert talk(server, b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nshort") == b""
    assert talk(server, b"") == b""
    assert talk(server, b"GET /still-there HTTP/1.1\r\n\r\n").endswith(b"/still-there|")


@given(st.binary(max_size=200))
def test_no_bytes_harm_the_server(server: HttpServer, data: bytes) -> None:
    talk(server, data)
    assert talk(server, b"GET /alive HTTP/1.1\r\n\r\n").endswith(b"/alive|")
