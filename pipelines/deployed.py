"""Prints the commit that GitLab's last successful deployment to an environment was of; nothing where there was none.

    deployed.py ENVIRONMENT

The commit before a push need not be what is deployed: its deploy may have been blocked, or never started. Only a
deployment of the default branch counts: whoever may push another branch could name the environment there, and with it
the judge. What it needs comes from the job's environment: `CI_API_V4_URL`, `CI_PROJECT_ID`, `CI_DEFAULT_BRANCH` and
`CI_JOB_TOKEN` (GitLab 16.2 or newer lets a job list its own project's deployments with it).

Standard library only. Exit codes: 0 done, 2 usage, 3 input missing, 4 GitLab said no or cannot be reached.
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

_SECONDS = 30
_PAGE = 100


class _StoppedError(Exception):
    """What ends the run, with its exit code."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def _needed(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise _StoppedError(3, f"{name} is not set")
    return value


def _deployed(environment: str) -> str:
    """The commit, or an empty text."""
    branch = _needed("CI_DEFAULT_BRANCH")
    api = _needed("CI_API_V4_URL").rstrip("/")
    if not api.startswith(("https://", "http://127.0.0.1:")):
        raise _StoppedError(3, "CI_API_V4_URL is not an https address")
    words = {"environment": environment, "status": "success", "order_by": "id", "sort": "desc", "per_page": str(_PAGE)}
    url = f"{api}/projects/{_needed('CI_PROJECT_ID')}/deployments?{urllib.parse.urlencode(words)}"
    headers = {"JOB-TOKEN": _needed("CI_JOB_TOKEN"), "User-Agent": "keyturn"}
    try:
        with urllib.request.urlopen(  # noqa: S310 - checked above
            urllib.request.Request(url, headers=headers),  # noqa: S310
            timeout=_SECONDS,
        ) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        raise _StoppedError(4, f"GitLab answered {error.code} to GET {url}") from error
    except (OSError, ValueError) as error:
        raise _StoppedError(4, f"GitLab cannot be reached: GET {url}: {error}") from error
    try:
        deployments = [(str(one["sha"]), str(one["ref"]), one["status"]) for one in _list(found)]
    except (KeyError, TypeError) as error:
        raise _StoppedError(4, f"GitLab's answer to GET {url} is no list of deployments") from error
    of_branch = [(commit, status) for commit, ref, status in deployments if ref == branch]
    if not of_branch and len(deployments) < _PAGE:
        return ""
    if not of_branch:
        raise _StoppedError(4, f"none of the last {_PAGE} deployments to {environment} is of the branch {branch}")
    commit, status = of_branch[0]
    if status != "success" or not re.fullmatch("[0-9a-f]{40}", commit):
        raise _StoppedError(4, f"GitLab's answer to GET {url} names no commit that was deployed")
    return commit


def _list(found: object) -> list[Any]:
    if not isinstance(found, list):
        raise TypeError("no list")
    return found


def main(arguments: list[str]) -> int:
    """Print the commit; returns the exit code."""
    if len(arguments) != 1:
        print("usage: deployed.py ENVIRONMENT", file=sys.stderr)
        return 2
    try:
        print(_deployed(arguments[0]))
    except _StoppedError as stopped:
        print(f"error: {stopped}", file=sys.stderr)
        return stopped.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
