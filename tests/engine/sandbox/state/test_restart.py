"""A sandbox that keeps its state, killed and started again: nothing that was answered is lost."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from engine.errors import DamagedError, MachineError
from engine.sandbox import Identity, Sandbox, SandboxSettings, fetch_environment
from engine.sandbox.remote import move_clock
from engine.sandbox.state.moto_pickles import load
from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, allow, make_key

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[4]
ACCOUNTS = ("--customer-account-id", CUSTOMER, "--vendor-account-id", VENDOR)
ANYONE = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
)
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]})


class Served:
    """A sandbox as a process of its own, and clients of it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def client(self, service: str, identity: Identity = Identity.CUSTOMER) -> Any:
        found = fetch_environment(self.port, identity)
        session = boto3.session.Session(
            aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
            region_name=found["AWS_REGION"],
            botocore_session=botocore.session.Session(),
        )
        connect: Any = session.client
        return connect(
            service,
            endpoint_url=found["AWS_ENDPOINT_URL"],
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)


def _start(state: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "sandbox", "--port", "0", "--state", str(state), *ACCOUNTS, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=state.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@contextmanager
def served(state: Path) -> Iterator[Served]:
    process = _start(state)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("sandbox ready on"), process.communicate(timeout=180)
        yield Served(process, int(line.rsplit(":", 1)[1]))
    finally:
        process.kill()
        process.communicate(timeout=180)


def test_everything_that_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:  # noqa: PLR0915 - one life, told once
    state = tmp_path / "state"
    with served(state) as first:
        before = fetch_environment(first.port, Identity.CUSTOMER)
        kms, s3, dynamodb, iam = (first.client(name) for name in ("kms", "s3", "dynamodb", "iam"))
        vendor = first.client("kms", Identity.VENDOR)
        key = make_key(kms, OWNER, VENDOR_STATEMENT, MultiRegion=True, Tags=[{"TagKey": "a", "TagValue": "b"}])
        kms.create_alias(AliasName="alias/kept", TargetKeyId=key)
        grant = kms.create_grant(
            KeyId=key,
            GranteePrincipal=f"arn:aws:iam::{VENDOR}:root",
            Operations=["Decrypt"],
            Constraints={"EncryptionContextSubset": {"c": "d"}},
        )
        blob = vendor.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext={"e": "f"})["CiphertextBlob"]
        kms.rotate_key_on_demand(KeyId=key)
        disabled = make_key(kms)
        kms.disable_key(KeyId=disabled)
        leaving = make_key(kms)
        kms.schedule_key_deletion(KeyId=leaving, PendingWindowInDays=7)
        s3.create_bucket(Bucket="vault")
        s3.put_bucket_versioning(Bucket="vault", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="vault", Key="a/ä", Body=b"one", Metadata={"m": "n"})
        version = s3.put_object(Bucket="vault", Key="a/ä", Body=b"two" * 10**6, Tagging="t=u")["VersionId"]
        s3.put_object(Bucket="vault", Key="gone", Body=b"three")
        s3.delete_object(Bucket="vault", Key="gone")
        upload = s3.create_multipart_upload(Bucket="vault", Key="parts")["UploadId"]
        part = s3.upload_part(Bucket="vault", Key="parts", UploadId=upload, PartNumber=1, Body=b"x" * (5 << 20))["ETag"]
        dynamodb.create_table(
            TableName="ledger",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("id", "sort")],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "sort", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )
        for number in range(3):
            dynamodb.put_item(TableName="ledger", Item={"id": {"S": "x"}, "sort": {"S": f"{number}"}, "n": {"N": "1"}})
        dynamodb.delete_item(TableName="ledger", Key={"id": {"S": "x"}, "sort": {"S": "2"}})
        dynamodb.transact_write_items(
            TransactItems=[
                {
                    "Update": {
                        "TableName": "ledger",
                        "Key": {"id": {"S": "x"}, "sort": {"S": "0"}},
                        "UpdateExpression": "SET n = :n",
                        "ExpressionAttributeValues": {":n": {"N": "2"}},
                    }
                },
                {"Put": {"TableName": "ledger", "Item": {"id": {"S": "y"}, "sort": {"S": "9"}}}},
            ]
        )
        items = dynamodb.scan(TableName="ledger")["Items"]
        role = iam.create_role(RoleName="KeyAdmin", AssumeRolePolicyDocument=ANYONE)["Role"]["Arn"]
        iam.put_role_policy(RoleName="KeyAdmin", PolicyName="p", PolicyDocument=ALLOW)
        move_clock(first.port, timedelta(days=1))
        listed = s3.list_object_versions(Bucket="vault")
        first.kill()
    with served(state) as second:
        after = fetch_environment(second.port, Identity.CUSTOMER)
        moved = {"AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}
        assert {n: v for n, v in after.items() if n not in moved} == {n: v for n, v in before.items() if n not in moved}
        kms, s3, dynamodb, iam = (second.client(name) for name in ("kms", "s3", "dynamodb", "iam"))
        vendor = second.client("kms", Identity.VENDOR)
        opened = vendor.decrypt(CiphertextBlob=blob, EncryptionContext={"e": "f"})
        assert opened["Plaintext"] == b"data"
        assert kms.describe_key(KeyId="alias/kept")["KeyMetadata"]["Arn"] == key
        assert len(kms.list_key_rotations(KeyId=key)["Rotations"]) == 1
        assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": "b"}]
        (kept,) = kms.list_grants(KeyId=key)["Grants"]
        assert kept["GrantId"] == grant["GrantId"]
        assert kept["Constraints"] == {"EncryptionContextSubset": {"c": "d"}}
        assert [kms.describe_key(KeyId=one)["KeyMetadata"].get("KeyState") for one in (disabled, leaving)] == [
            "Disabled",
            "PendingDeletion",
        ]
        again = s3.list_object_versions(Bucket="vault")
        for part_of in ("Versions", "DeleteMarkers"):
            assert again[part_of] == listed[part_of]
        found = s3.get_object(Bucket="vault", Key="a/ä")
        assert (found["VersionId"], found["Body"].read()) == (version, b"two" * 10**6)
        assert s3.get_object_tagging(Bucket="vault", Key="a/ä")["TagSet"] == [{"Key": "t", "Value": "u"}]
        s3.complete_multipart_upload(
            Bucket="vault", Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]}
        )
        assert s3.head_object(Bucket="vault", Key="parts")["ContentLength"] == 5 << 20
        assert dynamodb.scan(TableName="ledger")["Items"] == items
        assert iam.get_role(RoleName="KeyAdmin")["Role"]["Arn"] == role
        assert iam.list_role_policies(RoleName="KeyAdmin")["PolicyNames"] == ["p"]
        assert move_clock(second.port).ahead_seconds == 86400
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(20) == 0
    with served(state) as third:
        s3 = third.client("s3")
        assert s3.get_object(Bucket="vault", Key="parts")["Body"].read() == b"x" * (5 << 20)
        s3.delete_objects(Bucket="vault", Delete={"Objects": [{"Key": "parts"}]})


def test_a_second_sandbox_on_the_same_state_is_refused_and_a_later_one_is_not(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with served(state) as first:
        second = _start(state)
        out, err = second.communicate(timeout=180)
        assert second.returncode == 6
        assert "another sandbox is using the state" in err
        assert "Traceback" not in out + err
        first.client("kms").list_keys()
        for path in (state, *state.iterdir()):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
        first.kill()
    with served(state):
        pass


@pytest.mark.parametrize("moment", [0.1, 0.4])
def test_a_kill_in_the_middle_of_writes_leaves_what_was_answered(tmp_path: Path, moment: float) -> None:
    state = tmp_path / "state"
    aliases: list[str] = []
    objects: list[str] = []

    def write(served: Served, name: str, done: list[str]) -> None:
        client = served.client(name)
        try:
            for number in range(10_000):
                if name == "kms":
                    client.create_alias(AliasName=f"alias/{number}", TargetKeyId=key)
                else:
                    client.put_object(Bucket="vault", Key=f"{number}", Body=b"%d" % number * 10_000)
                done.append(f"{number}")
        except (BotoCoreError, ClientError):
            return

    with served(state) as first:
        key = make_key(first.client("kms"))
        first.client("s3").create_bucket(Bucket="vault")
        writers = [threading.Thread(target=write, args=(first, *of)) for of in (("kms", aliases), ("s3", objects))]
        for writer in writers:
            writer.start()
        writers[0].join(moment)
        first.kill()
        for writer in writers:
            writer.join()
    with served(state) as second:
        kms, s3 = second.client("kms"), second.client("s3")
        pages = kms.get_paginator("list_aliases").paginate(KeyId=key)
        kept = {alias["AliasName"].removeprefix("alias/") for page in pages for alias in page["Aliases"]}
        assert kept >= set(aliases)
        assert len(kept) <= len(aliases) + 1
        for name in objects:
            assert s3.get_object(Bucket="vault", Key=name)["Body"].read() == name.encode() * 10_000


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a sandbox that has ended."""
    state = tmp_path_factory.mktemp("left") / "state"
    with served(state) as sandbox:
        sandbox.process.send_signal(signal.SIGINT)
        assert sandbox.process.wait(20) == 0
    return state


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        ("UPDATE entries SET value = x'00' WHERE name LIKE 'kms/keys%'", 5, "cannot be read"),
        ("UPDATE entries SET value = x'7b7d' WHERE name = 'sandbox'", 5, "does not say whose it is"),
        ("UPDATE entries SET value = 'text' WHERE name = 'sandbox'", 5, "another type"),
        ("PRAGMA user_version = 7", 3, "another version"),
        (None, 5, "cannot be read"),
    ],
)
def test_a_state_that_cannot_be_read_is_said_and_left_as_it_is(
    left: Path, tmp_path: Path, damage: str | None, code: int, words: str
) -> None:
    state = shutil.copytree(left, tmp_path / "state")
    file = state / "state.db"
    if damage is None:
        file.write_bytes(b"not a database, but long enough to be one" * 100)
    else:
        connection = sqlite3.connect(file)
        connection.execute(damage)
        connection.commit()
        connection.close()
    before = file.read_bytes()
    second = _start(state)
    out, err = second.communicate(timeout=180)
    assert second.returncode == code, err
    assert words in err
    assert "Traceback" not in out + err
    assert file.read_bytes() == before


def test_a_state_of_other_accounts_is_refused(left: Path, tmp_path: Path) -> None:
    other = _start(shutil.copytree(left, tmp_path / "state"), "--customer-account-id", "444444444444")
    _, err = other.communicate(timeout=180)
    assert other.returncode == 3
    assert CUSTOMER in err


def test_a_sandbox_that_keeps_its_state_is_alone_in_its_process(sandbox: Sandbox, tmp_path: Path) -> None:
    settings = sandbox.settings
    for _ in range(2):  # the folder was let go again
        with pytest.raises(MachineError, match="a process of its own"):
            Sandbox.start(
                SandboxSettings(
                    customer_account_id=settings.customer_account_id,
                    vendor_account_id=settings.vendor_account_id,
                    state=tmp_path / "state",
                )
            )


def test_what_a_pickle_may_be_made_of_is_limited() -> None:
    for harmful in (print, os.system, subprocess.Popen, allow):
        with pytest.raises(DamagedError):
            load(pickle.dumps(harmful))
