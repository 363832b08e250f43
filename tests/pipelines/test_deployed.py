"""Which commit GitLab deployed last: asked of GitLab, and never guessed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).resolve().parents[2] / "pipelines" / "deployed.py"
TOKEN = "CANARY-token"
COMMIT = "ab" * 20


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """A stand-in for GitLab: its address, and every path and header that it was asked with."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, dict(self.headers)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v4", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def deployed(url: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "", "NO_PROXY": "127.0.0.1", "CI_API_V4_URL": url, "CI_PROJECT_ID": "42"}
    environment["CI_DEFAULT_BRANCH"] = "main"
    return subprocess.run(
        [sys.executable, str(SCRIPT), "production"],
        env={**environment, "CI_JOB_TOKEN": TOKEN, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def deployment(commit: str, branch: str = "main", status: str = "success") -> dict[str, str]:
    return {"sha": commit, "ref": branch, "status": status}


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([deployment(COMMIT), deployment("cd" * 20)], f"{COMMIT}\n"),
        ([deployment("cd" * 20, "of-somebody"), deployment(COMMIT)], f"{COMMIT}\n"),
        ([deployment("cd" * 20, "of-somebody")], "\n"),
        ([], "\n"),
    ],
    ids=["the last one", "another branch's is passed over", "of another branch alone", "none"],
)
def test_the_last_successful_deployments_commit_is_printed(found: list[Any], told: str) -> None:
    with answering(200, json.dumps(found).encode()) as (url, asked):
        done = deployed(url)
    assert (done.returncode, done.stdout, done.stderr) == (0, told, "")
    ((path, headers),) = asked
    assert urlsplit(path).path == "/api/v4/projects/42/deployments"
    words = {name: value for name, (value,) in parse_qs(urlsplit(path).query).items()}
    assert words == {
        "environment": "production",
        "status": "success",
        "order_by": "id",
        "sort": "desc",
        "per_page": "100",
    }
    assert {name.lower(): value for name, value in headers.items()}["job-token"] == TOKEN


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b"{}"),
        (200, b"{}"),
        (200, b"[{}]"),
        (200, b"not json"),
        (200, json.dumps([deployment("main")]).encode()),
        (200, json.dumps([deployment(COMMIT, status="failed")]).encode()),
        (200, json.dumps([deployment(COMMIT, "of-somebody")] * 100).encode()),
    ],
)
def test_an_answer_that_names_no_deployed_commit_ends_the_job(status: int, body: bytes) -> None:
    with answering(status, body) as (url, _):
        done = deployed(url)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(("error: GitLab", "error: none of the last 100 deployments to production"))
    assert TOKEN not in done.stderr


@pytest.mark.parametrize("missing", ["CI_API_V4_URL", "CI_PROJECT_ID", "CI_DEFAULT_BRANCH", "CI_JOB_TOKEN"])
def test_what_is_missing_is_named(missing: str) -> None:
    done = deployed("https://gitlab.example/api/v4", **{missing: ""})
    assert (done.returncode, done.stdout) == (3, "")
    assert missing in done.stderr
