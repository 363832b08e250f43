"""A process that has imported everything and forks for each command, so that a thousand of them take minutes.

It reads requests as lines of JSON on stdin, and answers each with a line on stdout. A request is a list of
commands that run at the same time; each may have a point at which it kills itself.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.builders import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

ROOT = Path(__file__).resolve().parents[2]
_TO_IMPORT = (
    "boto3 botocore.httpsession botocore.auth cli.main cli.enable cli.rotate cli.retire cli.release cli.run cli.confirm"
    " cli.key_change cli.workspace cli.key_facts engine.rotation engine.ledger.opening engine.ledger.dynamodb"
    " engine.ledger.dynamodb_client engine.jobs.vault engine.jobs.operation engine.jobs.restore engine.jobs.backup"
    " tests.crash.points engine.kms.attempts"
    " engine.kms.identity engine.validation engine.situation engine.envelope.pacing"
)


@dataclass(frozen=True)
class Run:
    """A command to run: where, with what, and at which point it is killed."""

    folder: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    kill_at: int | None = None


@dataclass(frozen=True)
class Ended:
    """How it ended: its exit code (negative: the signal), the points it reached, what it said."""

    exit_code: int
    points: tuple[str, ...]
    out: str
    err: str


class Zygote:
    """The process, from the test's side."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def run(self, *runs: Run) -> list[Ended]:
        """Run commands, all at the same time, and wait for all of them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = []
        for run in runs:
            self._count += 1
            request.append({**asdict(run), "report": str(self._folder / f"run-{self._count}")})
        print(json.dumps(request), file=self._process.stdin, flush=True)
        codes = json.loads(self._process.stdout.readline())
        return [_ended(code, Path(item["report"])) for code, item in zip(codes, request, strict=True)]


def _ended(code: int, report: Path) -> Ended:
    texts = []
    for suffix in ("points", "out", "err"):
        path = Path(f"{report}.{suffix}")
        texts.append(path.read_text(encoding="utf-8") if path.exists() else "")
        path.unlink(missing_ok=True)
    return Ended(code, tuple(texts[0].splitlines()), texts[1], texts[2])


def _serve() -> None:
    import importlib

    for name in _TO_IMPORT.split():
        importlib.import_module(name)
    _read_service_models()
    for line in sys.stdin:
        children = [_fork(run) for run in json.loads(line)]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(codes), flush=True)


def _read_service_models() -> None:
    """Read botocore's descriptions of the services once, for all that is forked from here."""
    import boto3
    from botocore.loaders import JSONFileLoader

    setattr(JSONFileLoader, "load_file", functools.cache(JSONFileLoader.load_file))  # noqa: B010
    setattr(JSONFileLoader, "__hash__", lambda _: 0)  # noqa: B010 - every one of them reads the same files
    setattr(JSONFileLoader, "__eq__", lambda _, other: isinstance(other, JSONFileLoader))  # noqa: B010
    session = boto3.session.Session("none", "none", region_name=REGION)
    for service in ("kms", "sts", "dynamodb", "cloudtrail"):
        getattr(session, "client")(service)  # noqa: B009 - the names are literals to the type checker


def _fork(run: dict[str, object]) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        code = _run(run)
    finally:
        os._exit(code)


def _run(run: dict[str, object]) -> int:
    from cli.main import run as run_command
    from tests.crash.points import Points

    report, kill_at = run["report"], run["kill_at"]
    for number, suffix in ((0, None), (1, "out"), (2, "err")):
        path = os.devnull if suffix is None else f"{report}.{suffix}"
        flags = os.O_RDONLY if suffix is None else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(path, flags, 0o600), number)
    os.chdir(str(run["folder"]))
    os.environ.update(run["environment"])  # type: ignore[call-overload]
    Points(kill_at if isinstance(kill_at, int) else None, f"{report}.points").install()
    code = int(run_command(run["arguments"]))  # type: ignore[arg-type]
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    _serve()
