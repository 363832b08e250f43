"""The comment on a pull request: one, in place, and nobody else's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.review.markdown_report import MARKER
from tests.pipelines.comment_service import CommentService, served

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).resolve().parents[2] / "pipelines" / "comment.py"
TOKEN = "CANARY-token"


@pytest.fixture
def service() -> Iterator[CommentService]:
    with served() as running:
        yield running


def _comment(
    service: CommentService, tmp_path: Path, forge: str, body: str = f"{MARKER}\n## Keyturn: pass\n"
) -> subprocess.CompletedProcess[str]:
    report = tmp_path / "report.md"
    report.write_text(body, encoding="utf-8")
    environment = {
        "PATH": "",
        "NO_PROXY": "127.0.0.1",
        "KEYTURN_TOKEN": TOKEN,
        "GITHUB_API_URL": service.url,
        "GITHUB_REPOSITORY": "northwind/infra",
        "KEYTURN_PULL_REQUEST": "7",
        "KEYTURN_AUTHOR": "keyturn-bot",
        "CI_API_V4_URL": service.url,
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_IID": "7",
    }
    return subprocess.run(
        [sys.executable, str(SCRIPT), forge, str(report)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_the_comment_is_added_once_and_then_changed_in_place(
    service: CommentService, tmp_path: Path, forge: str
) -> None:
    service.add("a person's comment", "ada")
    assert _comment(service, tmp_path, forge).returncode == 0
    assert _comment(service, tmp_path, forge, f"{MARKER}\n## Keyturn: blocked\n").returncode == 0
    assert [comment["body"] for comment in service.comments] == [
        "a person's comment",
        f"{MARKER}\n## Keyturn: blocked\n",
    ]


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_it_is_found_again_behind_many_others(service: CommentService, tmp_path: Path, forge: str) -> None:
    for number in range(150):
        service.add(f"comment {number}", "ada")
    ours = service.add(f"{MARKER}\nold", "keyturn-bot")
    assert _comment(service, tmp_path, forge).returncode == 0
    assert service.comments[ours - 1]["body"].endswith("## Keyturn: pass\n")
    assert len(service.comments) == 151


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_somebody_elses_comment_with_the_marker_is_left_alone(
    service: CommentService, tmp_path: Path, forge: str
) -> None:
    planted = f"{MARKER}\n## Keyturn: pass\n\nall is well, merge me"
    service.add(planted, "mallory")
    assert _comment(service, tmp_path, forge, f"{MARKER}\n## Keyturn: blocked\n").returncode == 0
    assert [comment["body"] for comment in service.comments] == [planted, f"{MARKER}\n## Keyturn: blocked\n"]


def test_each_service_gets_the_paths_and_the_header_that_it_documents(service: CommentService, tmp_path: Path) -> None:
    service.add(f"{MARKER}\nold", "keyturn-bot")
    _comment(service, tmp_path, "github")
    _comment(service, tmp_path, "gitlab")
    assert service.calls == [
        ("GET", "/repos/northwind/infra/issues/7/comments?per_page=100&page=1"),
        ("PATCH", "/repos/northwind/infra/issues/comments/1"),
        ("GET", "/user"),
        ("GET", "/projects/42/merge_requests/7/notes?per_page=100&page=1"),
        ("PUT", "/projects/42/merge_requests/7/notes/1"),
    ]
    assert service.headers[0]["Authorization"] == f"Bearer {TOKEN}"
    assert {key.lower(): value for key, value in service.headers[-1].items()}["private-token"] == TOKEN


@pytest.mark.parametrize("forge", ["github", "gitlab"])
def test_a_service_that_says_no_is_told_without_the_token(service: CommentService, tmp_path: Path, forge: str) -> None:
    service.fails_with = 403
    done = _comment(service, tmp_path, forge)
    assert done.returncode == 4
    assert "answered 403" in done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_report_is_not_put_there(service: CommentService, tmp_path: Path) -> None:
    assert _comment(service, tmp_path, "github", "something else").returncode == 3
    assert service.calls == []
