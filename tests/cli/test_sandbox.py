"""`keyturn sandbox`, as a process: ready line, both environments, a clean end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.main import run

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "sandbox", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("sandbox ready on http://127.0.0.1:")
        yield process, int(line.rsplit(":", 1)[1])
    finally:
        process.kill()
        process.communicate(timeout=180)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_when_it_is_ready_and_ends_cleanly(tmp_path: Path, number: int) -> None:
    with served(tmp_path) as (process, port):
        process.send_signal(number)
        out, err = process.communicate(timeout=180)
        assert process.returncode == 0
        assert "sandbox stopped" in err
        assert "Traceback" not in out + err
        with socket.socket() as connection:
            assert connection.connect_ex(("127.0.0.1", port)) != 0


def test_it_prints_the_environment_of_either_account_for_a_shell(tmp_path: Path) -> None:
    accounts = ("--customer-account-id", "000000000001", "--vendor-account-id", "000000000002")
    with served(tmp_path, *accounts) as (_, port):
        for identity, account in (("customer", "000000000001"), ("vendor", "000000000002")):
            command = f'eval "$({sys.executable} -m cli sandbox env --as {identity} --port {port})"'
            program = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
            result = subprocess.run(
                ["sh", "-c", f'{command} && {sys.executable} -c "{program}"'],
                capture_output=True,
                text=True,
                check=False,
                cwd=Path(__file__).resolve().parents[2],
                env={**os.environ, "AWS_PROFILE": "of-the-user", "AWS_SESSION_TOKEN": "of-the-user"},
            )
            assert result.stdout.strip() == account, result.stderr


def test_a_taken_port_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served(tmp_path) as (_, port):
        assert run(["sandbox", "--port", str(port)]) == 6
    assert str(port) in capsys.readouterr().err


def test_the_environment_of_a_sandbox_that_is_not_there_is_an_error_with_a_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    assert run(["sandbox", "env", "--as", "customer", "--port", str(port)]) == 6
    err = capsys.readouterr().err
    assert "no sandbox answers" in err
    assert "hint: start one with `keyturn sandbox`" in err


def test_the_accounts_come_from_the_declaration_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["init", str(tmp_path), "--account-id", "000000000003", "--druva-account-id", "000000000004"]) == 0
    monkeypatch.delenv("KEYTURN_DECLARATION", raising=False)
    with served(tmp_path) as (_, port):
        from engine.sandbox import require_sandbox

        found = require_sandbox(f"http://127.0.0.1:{port}")
        assert (found.customer_account_id, found.vendor_account_id) == ("000000000003", "000000000004")


def test_faults_and_the_clock_of_a_running_sandbox_are_changed_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(tmp_path, "--fault", "drop s3:PutObject after count=1") as (_, port):
        at = ("--port", str(port))
        assert run(["sandbox", "fault", "throttle kms:* rate=5", "delay state=1m", *at]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "1  drop s3:PutObject after count=1  (struck 0)",
            "2  throttle kms:* rate=5  (struck 0)",
            "delay state=60s policy=0s grants=0s",
        ]
        assert run(["sandbox", "fault", "--remove", "7", *at]) == 3
        assert "no fault 7 stands" in capsys.readouterr().err
        assert run(["sandbox", "fault", "--clear", "--json", *at]) == 0
        assert json.loads(capsys.readouterr().out) == {"faults": [], "delays": "delay state=0s policy=0s grants=0s"}
        assert run(["sandbox", "clock", "--forward", "30d", "--json", *at]) == 0
        assert json.loads(capsys.readouterr().out)["ahead_seconds"] == 30 * 86400
        assert run(["sandbox", "clock", *at]) == 0
        assert capsys.readouterr().out.strip().endswith("+00:00")


def test_in_a_sandboxs_environment_its_port_needs_no_naming(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path, "--fault", "drop s3:PutObject after count=1") as (_, port):
        assert run(["sandbox", "env", "--as", "customer", "--port", str(port), "--json"]) == 0
        for name, value in json.loads(capsys.readouterr().out).items():
            monkeypatch.setenv(name, value)
        assert run(["sandbox", "fault"]) == 0
        assert "drop s3:PutObject" in capsys.readouterr().out
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:nonsense")
        assert run(["sandbox", "fault", "--port", str(port)]) == 0


@pytest.mark.parametrize(
    "arguments",
    [["fault", "drop Decrypt"], ["fault", "drop", "kms:Decrypt"], ["clock", "--forward", "soon"], ["--fault", "no"]],
)
def test_what_is_no_fault_is_a_mistake_of_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sandbox", *arguments]) == 2
    assert "hint:" in capsys.readouterr().err


def test_a_made_up_tenant_is_written_into_a_new_folder_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["sandbox", "tenant", str(tmp_path / "tenant"), "--megabytes", "3", "--json"]
    assert run(arguments) == 0
    made = json.loads(capsys.readouterr().out)
    files = [path for path in (tmp_path / "tenant").rglob("*") if path.is_file()]
    assert (made["files"], made["bytes"]) == (len(files), sum(path.stat().st_size for path in files))
    assert run(arguments) == 3
    assert "not empty" in capsys.readouterr().err
