"""HTTP/1.1 requests read from a stream, and answers as bytes.

It does what the sandbox needs and no more, and does it fast, since every test goes through it. A request is
read whole; its body comes with a `Content-Length` or chunked, and `Expect: 100-continue` is honoured.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedIOBase

_LONGEST_LINE = 64 * 1024
_MOST_HEADERS = 200
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request.

    Attributes:
        method: Such as `POST`.
        target: Path and query as they were sent.
        headers: Values by name in lower case; of a repeated header, joined by commas.
        header_items: Names and values as they were sent.
        body: The body, whole.
        client_address: The client's IP address and port.
        began: When its first line had come, by the machine's steady clock.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    header_items: tuple[tuple[str, str], ...]
    body: bytes
    client_address: tuple[str, int]
    began: float = 0.0

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on the same connection."""
        return self.headers.get("connection", "").lower() != "close"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer; `Date` and `Content-Length` are added where they are missing."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    reason: str | None = None

    def render(self, *, head: bool, keep_alive: bool) -> bytes:
        """The answer as it goes over the wire.

        Args:
            head: Whether it answers a HEAD request, and so leaves its body out.
            keep_alive: Whether the connection stays open.
        """
        given = {name.lower() for name, _ in self.headers}
        lines = [f"HTTP/1.1 {int(self.status)} {self.reason or _REASONS.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if "date" not in given:
            lines.append(f"Date: {formatdate(usegmt=True)}")
        if "content-length" not in given and self.status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            lines.append(f"Content-Length: {len(self.body)}")
        if not keep_alive:
            lines.append("Connection: close")
        start = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        return start if head else start + self.body


class UnreadableRequestError(Exception):
    """A request that cannot be read; its connection cannot be used again.

    Args:
        status: What to answer.
    """

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


def read_request(reader: BufferedIOBase, writer: BufferedIOBase, client_address: tuple[str, int]) -> HttpRequest | None:
    """Read the next request of a connection.

    Args:
        reader: The connection's bytes.
        writer: Where to say that the body may come.
        client_address: The client's IP address and port.

    Returns:
        The request, or None where the client has closed the connection.

    Raises:
        UnreadableRequestError: It is not HTTP, or too large.
        ConnectionError: The client went away in the middle of it.
    """
    line = _line(reader)
    if not line:
        return None
    began = time.monotonic()
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] not in {"HTTP/1.1", "HTTP/1.0"}:
        raise UnreadableRequestError(HTTPStatus.BAD_REQUEST)
    items, headers = _headers(reader)
    if parts[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(_CONTINUE)
    return HttpRequest(parts[0], parts[1], headers, items, _body(reader, headers), client_address, began)


def _headers(reader: BufferedIOBase) -> tuple[tuple[tuple[str, str], ...], dict[str, str]]:
    items: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    while line := _line(reader):
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or len(items) >= _MOST_HEADERS:
            raise UnreadableRequestError(HTTPStatus.BAD_REQUEST)
        value = value.strip()
        items.append((name, value))
        key = name.lower()
        headers[key] = f"{headers[key]},{value}" if key in headers else value
    return tuple(items), headers


def _body(reader: BufferedIOBase, headers: Mapping[str, str]) -> bytes:
    coding = headers.get("transfer-encoding", "identity").lower()
    if coding == "chunked":
        return _chunks(reader)
    if coding != "identity":
        raise UnreadableRequestError(HTTPStatus.NOT_IMPLEMENTED)
    text = headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit():
        raise UnreadableRequestError(HTTPStatus.BAD_REQUEST)
    return _exactly(reader, int(text))


def _chunks(reader: BufferedIOBase) -> bytes:
    chunks: list[bytes] = []
    while (size := _chunk_size(reader)) > 0:
        chunks.append(_exactly(reader, size))
        _line(reader)
    while _line(reader):
        pass
    return b"".join(chunks)


def _chunk_size(reader: BufferedIOBase) -> int:
    try:
        size = int(_line(reader).partition(";")[0], 16)
    except ValueError as error:
        raise UnreadableRequestError(HTTPStatus.BAD_REQUEST) from error
    if size < 0:
        raise UnreadableRequestError(HTTPStatus.BAD_REQUEST)
    return size


def _exactly(reader: BufferedIOBase, size: int) -> bytes:
    data = reader.read(size) if size else b""
    if len(data) != size:
        raise ConnectionResetError("the body is shorter than announced")
    return data


def _line(reader: BufferedIOBase) -> str:
    line = reader.readline(_LONGEST_LINE + 1)
    if len(line) > _LONGEST_LINE:
        raise UnreadableRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    return line.decode("latin-1").rstrip("\r\n")
