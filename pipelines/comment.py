"""Puts a report on a pull request or merge request as one comment, and keeps it up to date in place.

    comment.py github|gitlab report.md

The comment is found again by the marker in the report's first line, and only among those that this token's own account
wrote: somebody else's comment is never touched. What it needs comes from the pipeline's environment:

- GitHub: `GITHUB_API_URL`, `GITHUB_REPOSITORY`, `KEYTURN_PULL_REQUEST`, `KEYTURN_TOKEN` (`pull-requests: write`), and
  `KEYTURN_AUTHOR` where it is not GitHub's own account for actions.
- GitLab: `CI_API_V4_URL`, `CI_PROJECT_ID`, `CI_MERGE_REQUEST_IID`, `KEYTURN_TOKEN` (a project access token, `api`).

Standard library only. Exit codes: 0 done, 2 usage, 3 input missing, 4 the service said no or cannot be reached.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARKER = "<!-- keyturn-review -->"
_SECONDS = 30
_PAGE = 100
_MOST_PAGES = 50


class _StoppedError(Exception):
    """What ends the run, with its exit code."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class _Service:
    """How one of the two services lists, changes and adds comments."""

    name: str
    comments: str
    one_comment: str
    headers: dict[str, str]
    method_of_change: str
    author_key: str
    author: str

    def call(self, method: str, url: str, body: str | None = None) -> Any:
        data = None if body is None else json.dumps({"body": body}).encode()
        headers = {**self.headers, "Content-Type": "application/json", "User-Agent": "keyturn"}
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - checked below
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise _StoppedError(4, f"{self.name} answered {error.code} to {method} {url}") from error
        except (OSError, ValueError) as error:
            raise _StoppedError(4, f"{self.name} cannot be reached: {method} {url}: {error}") from error


def _needed(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise _StoppedError(3, f"{name} is not set")
    return value


def _number(name: str) -> str:
    value = _needed(name)
    if not value.isdecimal():
        raise _StoppedError(3, f"{name} is no number")
    return value


def _api(name: str) -> str:
    url = _needed(name).rstrip("/")
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise _StoppedError(3, f"{name} is not an https address")
    return url


def _github() -> _Service:
    repository = f"{_api('GITHUB_API_URL')}/repos/{_needed('GITHUB_REPOSITORY')}"
    return _Service(
        "GitHub",
        f"{repository}/issues/{_number('KEYTURN_PULL_REQUEST')}/comments",
        f"{repository}/issues/comments",
        {"Authorization": f"Bearer {_needed('KEYTURN_TOKEN')}", "Accept": "application/vnd.github+json"},
        "PATCH",
        "user",
        os.environ.get("KEYTURN_AUTHOR") or "github-actions[bot]",
    )


def _gitlab() -> _Service:
    api = _api("CI_API_V4_URL")
    headers = {"PRIVATE-TOKEN": _needed("KEYTURN_TOKEN")}
    notes = f"{api}/projects/{_needed('CI_PROJECT_ID')}/merge_requests/{_number('CI_MERGE_REQUEST_IID')}/notes"
    asking = _Service("GitLab", notes, notes, headers, "PUT", "author", "")
    author = asking.call("GET", f"{api}/user").get("username")
    if not isinstance(author, str) or not author:
        raise _StoppedError(4, "GitLab does not say whose token this is")
    return _Service("GitLab", notes, notes, headers, "PUT", "author", author)


def _earlier(service: _Service) -> int | None:
    """The comment of an earlier run, or None."""
    for page in range(1, _MOST_PAGES + 1):
        found = service.call("GET", f"{service.comments}?per_page={_PAGE}&page={page}")
        for comment in found:
            author = comment.get(service.author_key) or {}
            ours = service.author in (author.get("login"), author.get("username"))
            if ours and str(comment.get("body", "")).startswith(MARKER):
                return int(comment["id"])
        if len(found) < _PAGE:
            return None
    return None


def _report(path: Path) -> str:
    try:
        body = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _StoppedError(3, f"the report {str(path)!r} cannot be read: {error.strerror}") from error
    if not body.startswith(MARKER):
        raise _StoppedError(3, f"{str(path)!r} is no report in Markdown")
    return body


def main(arguments: list[str]) -> int:
    """Put the report there; returns the exit code."""
    services = {"github": _github, "gitlab": _gitlab}
    if len(arguments) != 2 or arguments[0] not in services:
        print("usage: comment.py github|gitlab report.md", file=sys.stderr)
        return 2
    try:
        body = _report(Path(arguments[1]))
        service = services[arguments[0]]()
        earlier = _earlier(service)
        if earlier is None:
            service.call("POST", service.comments, body)
        else:
            service.call(service.method_of_change, f"{service.one_comment}/{earlier}", body)
    except _StoppedError as stopped:
        print(f"error: {stopped}", file=sys.stderr)
        return stopped.exit_code
    print("the comment was added" if earlier is None else "the comment was brought up to date", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
