"""Starting, serving, stopping: the port, the threads, the files, the log."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import ExitCode, InputError, MachineError
from engine.sandbox import (
    Identity,
    Sandbox,
    SandboxSettings,
    require_sandbox,
)
from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, make_key
from tests.sandbox_fixtures import Account, make_client, refused, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def own() -> Iterator[Sandbox]:
    """A sandbox that a test may stop."""
    with start_sandbox() as sandbox:
        yield sandbox


def test_stopping_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    sandbox = start_sandbox()
    files = Path(sandbox.environment(Identity.CUSTOMER)["AWS_CONFIG_FILE"]).parent
    kms = make_client(sandbox, sandbox.credentials(Identity.CUSTOMER), "kms")
    kms.list_keys()  # its connection stays open
    assert files.is_dir()
    sandbox.stop()
    assert not files.exists()
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sandbox.port), timeout=30)
    sandbox.stop()


def test_a_port_can_be_used_again_and_nothing_of_before_is_left() -> None:
    with start_sandbox() as first:
        port, service_key = first.port, first.service_key_arn
        make_key(Account(first, Identity.CUSTOMER, CUSTOMER).kms)
        Account(first, Identity.CUSTOMER, CUSTOMER).client("s3").create_bucket(Bucket="of-the-first")
    with start_sandbox(port) as second:
        assert second.port == port
        assert second.service_key_arn != service_key
        assert Account(second, Identity.CUSTOMER, CUSTOMER).kms.list_keys()["Keys"] == []


def test_a_taken_port_is_told(own: Sandbox) -> None:
    with pytest.raises(MachineError) as raised:
        start_sandbox(own.port)
    assert raised.value.exit_code is ExitCode.MACHINE
    assert f"127.0.0.1:{own.port}" in raised.value.message
    assert "--port 0" in str(raised.value.hint)


@pytest.mark.parametrize(
    "members",
    [
        {"customer_account_id": "1", "vendor_account_id": VENDOR},
        {"customer_account_id": CUSTOMER, "vendor_account_id": "21098765432x"},
        {"customer_account_id": CUSTOMER, "vendor_account_id": CUSTOMER},
        {"customer_account_id": CUSTOMER, "vendor_account_id": VENDOR, "region": "nowhere"},
        {"customer_account_id": CUSTOMER, "vendor_account_id": VENDOR, "port": 65536},
    ],
)
def test_settings_that_cannot_be_are_refused(members: Any) -> None:
    with pytest.raises(InputError):
        SandboxSettings(**members)


def test_waiting_ends_when_it_is_stopped_from_elsewhere() -> None:
    sandbox = start_sandbox()
    timer = threading.Timer(0.2, sandbox.stop)
    timer.start()
    sandbox.serve_forever()
    timer.join()
    with pytest.raises(MachineError):
        require_sandbox(sandbox.endpoint_url)


@pytest.mark.parametrize(
    ("method", "path", "host", "status"),
    [
        ("GET", "/_keyturn/environment?as=customer", "attacker.example:80", 403),
        ("GET", "/_keyturn/environment", "127.0.0.1", 400),
        ("GET", "/_keyturn/environment?as=root", "127.0.0.1", 400),
        ("GET", "/_keyturn/elsewhere", "127.0.0.1", 404),
        ("POST", "/_keyturn/", "127.0.0.1", 405),
    ],
)
def test_the_control_plane_answers_what_it_should(
    sandbox: Sandbox, method: str, path: str, host: str, status: int
) -> None:
    request = urllib.request.Request(sandbox.endpoint_url + path, method=method, headers={"Host": host})  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request)  # noqa: S310 - our own
    with raised.value:
        assert raised.value.code == status
        assert b"AWS_" not in raised.value.read()


def test_many_clients_at_once_see_one_truth(sandbox: Sandbox, customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT)
    clients = [make_client(sandbox, account.credentials, "kms") for account in (customer, vendor) for _ in range(4)]

    def work(number: int) -> bool:
        kms = clients[number % len(clients)]
        context = {"number": str(number)}
        blob = kms.encrypt(KeyId=key, Plaintext=b"%d" % number, EncryptionContext=context)["CiphertextBlob"]
        return bool(kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"%d" % number)

    def tag(number: int) -> None:
        customer_client = clients[number % 4]
        customer_client.tag_resource(KeyId=key, Tags=[{"TagKey": f"t{number}", "TagValue": "x"}])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
        list(pool.map(tag, range(40)))
    assert len(customer.kms.list_resource_tags(KeyId=key, Limit=50)["Tags"]) == 40


def test_two_sandboxes_know_nothing_of_each_others_keys(sandbox: Sandbox, own: Sandbox, customer: Account) -> None:
    key = make_key(customer.kms)
    other = Account(own, Identity.CUSTOMER, CUSTOMER)
    assert key not in [entry.get("KeyArn") for entry in other.kms.list_keys()["Keys"]]
    stranger = make_client(own, sandbox.credentials(Identity.CUSTOMER), "kms")
    with pytest.raises(stranger.exceptions.ClientError, match="UnrecognizedClientException"):
        stranger.list_keys()


def test_one_forced_account_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", CUSTOMER)
    with pytest.raises(MachineError, match="MOTO_ACCOUNT_ID"):
        start_sandbox()


def test_without_moto_the_hint_says_how_to_install_it() -> None:
    program = (
        "import sys\n"
        "sys.modules['moto'] = None\n"
        "from engine.errors import MachineError\n"
        "from engine.sandbox import Sandbox, SandboxSettings\n"
        "try:\n"
        f"    Sandbox.start(SandboxSettings(customer_account_id='{CUSTOMER}', vendor_account_id='{VENDOR}'))\n"
        "except MachineError as error:\n"
        "    print(error.hint)\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "pip install 'keyturn[sandbox]'"


def test_importing_it_is_cheap() -> None:
    program = "import engine.sandbox, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    finished = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(finished.stdout.split()) & {"moto", "boto3", "botocore", "werkzeug", "flask", "cryptography"}


def test_a_start_does_not_wait_for_moto() -> None:
    program = (
        "import sys\n"
        "from engine.sandbox import Sandbox, SandboxSettings\n"
        f"settings = SandboxSettings(customer_account_id='{CUSTOMER}', vendor_account_id='{VENDOR}')\n"
        "with Sandbox.start(settings):\n"
        "    print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(finished.stdout.split()) & {"moto", "flask", "boto3"}


def test_nothing_is_printed_for_requests(own: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    account = Account(own, Identity.CUSTOMER, CUSTOMER)
    account.kms.list_keys()
    account.client("s3").list_buckets()
    account.sts.get_caller_identity()
    assert capfd.readouterr() == ("", "")


def test_what_moto_lacks_is_told_in_one_line(own: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    with refused("InvalidAction"):
        Account(own, Identity.CUSTOMER, CUSTOMER).sts.decode_authorization_message(EncodedMessage="x")
    (record,) = [record for record in caplog.records if record.name == "keyturn.sandbox"]
    assert record.getMessage() == "sts POST: the sandbox does not have this operation"
    assert record.exc_info is None


def test_a_failure_within_moto_is_an_answer_and_one_line(own: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    from moto.iam.models import IAMBackend

    def fail(*_: object) -> None:
        raise KeyError("secret")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IAMBackend, "get_user", fail)
        with refused("InternalFailure"):
            Account(own, Identity.CUSTOMER, CUSTOMER).client("iam").get_user(UserName="x")
    (record,) = [record for record in caplog.records if record.name == "keyturn.sandbox"]
    assert record.getMessage() == "iam POST: the sandbox failed: KeyError"
    assert record.exc_info is None
