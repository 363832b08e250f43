"""What a sandbox gives to those who use it from outside: variables, profiles, proof of being one."""

from __future__ import annotations

import configparser
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import KeyturnError, MachineError, UntrustedError
from engine.sandbox import Identity, fetch_environment, require_sandbox, scrubbed_environment
from tests.builders import CUSTOMER, VENDOR

if TYPE_CHECKING:
    from engine.sandbox import Sandbox


def test_the_environment_works_in_a_process_of_its_own(sandbox: Sandbox) -> None:
    program = (
        "import boto3, json\n"
        "print(json.dumps([boto3.client('sts').get_caller_identity()['Account'],"
        " boto3.Session(profile_name='vendor').client('sts').get_caller_identity()['Account'],"
        " boto3.Session(profile_name='customer').client('kms').meta.endpoint_url]))"
    )
    for identity, account in ((Identity.CUSTOMER, CUSTOMER), (Identity.VENDOR, VENDOR)):
        environment = scrubbed_environment(os.environ) | fetch_environment(sandbox.port, identity)
        finished = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert json.loads(finished.stdout) == [account, VENDOR, sandbox.endpoint_url]


def test_the_environment_names_everything(sandbox: Sandbox) -> None:
    environment = fetch_environment(sandbox.port, Identity.VENDOR)
    assert environment == sandbox.environment(Identity.VENDOR)
    assert set(environment) == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "KEYTURN_SERVICE_KEY",
        "KEYTURN_SANDBOX",
    }
    assert environment["KEYTURN_SANDBOX"] == sandbox.nonce
    assert environment["KEYTURN_SERVICE_KEY"] == sandbox.service_key_arn


def test_the_profiles_are_for_this_user_alone(sandbox: Sandbox) -> None:
    environment = sandbox.environment(Identity.CUSTOMER)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        path = Path(environment[name])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    parser = configparser.ConfigParser()
    parser.read(environment["AWS_SHARED_CREDENTIALS_FILE"])
    assert parser.sections() == ["customer", "vendor"]
    assert parser["customer"]["aws_access_key_id"] == environment["AWS_ACCESS_KEY_ID"]


def test_a_scrubbed_environment_reaches_no_account() -> None:
    base = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "t", "aws_region": "x", "PATH": "/bin", "KEYTURN_SANDBOX": "n"}
    assert scrubbed_environment(base) == {"PATH": "/bin", "KEYTURN_SANDBOX": "n"}


def test_a_sandbox_says_who_it_is(sandbox: Sandbox) -> None:
    description = require_sandbox(sandbox.endpoint_url, sandbox.nonce)
    assert description.nonce == sandbox.nonce
    assert (description.customer_account_id, description.vendor_account_id) == (CUSTOMER, VENDOR)
    assert description.service_key_arn == sandbox.service_key_arn
    assert require_sandbox(f"http://localhost:{sandbox.port}").nonce == sandbox.nonce
    assert sandbox.ready_line == f"sandbox ready on http://127.0.0.1:{sandbox.port}"


@pytest.mark.parametrize(
    "endpoint",
    [None, "", "https://kms.us-east-1.amazonaws.com", "http://192.0.2.1:4566", "http://127.0.0.1", "ftp://127.0.0.1:1"],
)
def test_what_is_not_on_this_machine_is_no_sandbox(endpoint: str | None) -> None:
    with pytest.raises(UntrustedError):
        require_sandbox(endpoint)


def test_another_sandbox_than_meant_is_not_trusted(sandbox: Sandbox) -> None:
    with pytest.raises(UntrustedError, match="not the one"):
        require_sandbox(sandbox.endpoint_url, "another nonce")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"nonsense\r\n\r\n", b""])
def test_what_answers_otherwise_is_no_sandbox(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(KeyturnError):
            require_sandbox(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()


def test_where_nothing_runs_the_hint_says_how_to_start_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(MachineError) as raised:
        fetch_environment(port, Identity.CUSTOMER)
    assert "keyturn sandbox" in str(raised.value.hint)
