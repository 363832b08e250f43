"""A local stand-in for what GitHub and GitLab offer for comments: lists in pages, adds, changes."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


class CommentService:
    """Its comments, and every call that was made."""

    def __init__(self) -> None:
        self.comments: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.fails_with: int | None = None
        self.url = ""

    def add(self, body: str, author: str) -> int:
        number = len(self.comments) + 1
        self.comments.append({"id": number, "body": body, "user": {"login": author}, "author": {"username": author}})
        return number

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        if parts.path == "/user":
            return 200, {"username": "keyturn-bot"}
        if method == "GET":
            page, size = int(query["page"][0]), int(query["per_page"][0])
            return 200, self.comments[(page - 1) * size : page * size]
        if method == "POST":
            return 201, {"id": self.add(body["body"], "keyturn-bot")}
        self.comments[int(parts.path.rsplit("/", 1)[1]) - 1]["body"] = body["body"]
        return 200, {}


@contextmanager
def served() -> Iterator[CommentService]:
    """Serve on a free port of this machine."""
    service = CommentService()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            service.calls.append((self.command, self.path))
            service.headers.append(dict(self.headers))
            status, found = service.answer(self.command, self.path, body)
            data = json.dumps(found).encode()
            self.send_response(service.fails_with or status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = _handle  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
