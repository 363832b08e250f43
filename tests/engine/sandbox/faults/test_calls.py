"""Faults as clients meet them: errors in the service's words, lost answers, changes that come late."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError, ReadTimeoutError

from engine.errors import InputError
from engine.sandbox import Identity, Sandbox
from engine.sandbox.remote import change_faults, move_clock, set_key_store_reachable
from tests.builders import CUSTOMER, REGION, VENDOR
from tests.engine.sandbox.key_stores import cloudhsm, make_store
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, make_key, policy
from tests.sandbox_fixtures import Account, make_client, refused, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    """A sandbox of these tests alone: its clock is moved."""
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def owner(own: Sandbox) -> Account:
    return Account(own, Identity.CUSTOMER, CUSTOMER)


@pytest.fixture
def stranger(own: Sandbox) -> Account:
    return Account(own, Identity.VENDOR, VENDOR)


def _client(sandbox: Sandbox, service: str, **config: Any) -> Any:
    credentials = sandbox.credentials(Identity.CUSTOMER)
    session = boto3.session.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        region_name=REGION,
        botocore_session=botocore.session.Session(),
    )
    connect: Any = session.client
    return connect(service, endpoint_url=sandbox.endpoint_url, config=Config(s3={"addressing_style": "path"}, **config))


@pytest.mark.parametrize(
    ("line", "service", "code", "status"),
    [
        ("throttle kms:ListKeys", "kms", "ThrottlingException", 400),
        ("error kms:ListKeys", "kms", "KMSInternalException", 500),
        ("error kms:ListKeys status=503", "kms", "ServiceUnavailableException", 503),
        ("error kms:ListKeys status=400 code=DependencyTimeoutException", "kms", "DependencyTimeoutException", 400),
        ("throttle s3:ListBuckets", "s3", "SlowDown", 503),
        ("error s3:ListBuckets", "s3", "InternalError", 500),
        ("error s3:ListBuckets status=409", "s3", "ConditionalRequestConflict", 409),
        ("throttle sts:*", "sts", "Throttling", 400),
        ("throttle dynamodb:ListTables", "dynamodb", "ThrottlingException", 400),
        ("error dynamodb:*", "dynamodb", "InternalServerError", 500),
    ],
)
def test_an_error_is_in_the_words_of_its_service(
    own: Sandbox, owner: Account, line: str, service: str, code: str, status: int
) -> None:
    names = {"kms": "list_keys", "s3": "list_buckets", "sts": "get_caller_identity", "dynamodb": "list_tables"}
    call = getattr(owner.client(service), names[service])
    with own.faults.during(line), pytest.raises(ClientError) as raised:
        call()
    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    call()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_dropped_answer_leaves_the_effect_of_its_moment(own: Sandbox, owner: Account, moment: str) -> None:
    key = make_key(owner.kms)
    with own.faults.during(f"drop kms:DisableKey {moment} count=1"):
        with pytest.raises(ConnectionClosedError):
            owner.kms.disable_key(KeyId=key)
        state = owner.kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState")
    assert state == ("Disabled" if moment == "after" else "Enabled")


def test_a_client_that_retries_gets_through_when_the_count_is_used_up(own: Sandbox, owner: Account) -> None:
    key = make_key(owner.kms)
    kms = _client(own, "kms", retries={"mode": "standard", "total_max_attempts": 3})
    with own.faults.during("drop kms:Encrypt after count=1", "error kms:Encrypt count=1 status=500"):
        assert kms.encrypt(KeyId=key, Plaintext=b"data")["KeyId"] == key
        assert [one.struck for one in own.faults.standing()] == [1, 1]


def test_a_timeout_gives_no_answer(own: Sandbox, owner: Account) -> None:
    key = make_key(owner.kms)
    kms = _client(own, "kms", retries={"total_max_attempts": 1}, read_timeout=0.2)
    with own.faults.during("timeout kms:Encrypt seconds=600"), pytest.raises(ReadTimeoutError):
        kms.encrypt(KeyId=key, Plaintext=b"data")
    assert owner.kms.encrypt(KeyId=key, Plaintext=b"data")["KeyId"] == key


def test_a_sandbox_stops_although_calls_are_held_back() -> None:
    with start_sandbox() as sandbox:
        account = Account(sandbox, Identity.CUSTOMER, CUSTOMER)
        sandbox.faults.add("slow kms:* seconds=600")

        def call() -> None:
            with suppress(BotoCoreError):  # its connection may end before its answer
                account.kms.list_keys()

        client = threading.Thread(target=call)
        client.start()
        while not any(one.struck for one in sandbox.faults.standing()):
            pass
    client.join(60)
    assert not client.is_alive()


def test_a_disabled_key_is_used_until_the_delay_has_passed(own: Sandbox, owner: Account) -> None:
    key = make_key(owner.kms)
    blob = owner.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with own.faults.during("delay state=60s"):
        owner.kms.disable_key(KeyId=key)
        assert owner.kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "Disabled"
        assert owner.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"
        own.clock.advance(timedelta(seconds=61))
        with refused("DisabledException"):
            owner.kms.decrypt(CiphertextBlob=blob)
        owner.kms.enable_key(KeyId=key)
        with refused("DisabledException"):
            owner.kms.decrypt(CiphertextBlob=blob)
        own.clock.advance(timedelta(seconds=61))
        assert owner.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"


def test_a_policy_is_met_late_and_nothing_of_other_changes_is_lost(
    own: Sandbox, owner: Account, stranger: Account
) -> None:
    key = make_key(owner.kms, OWNER, VENDOR_STATEMENT)
    with own.faults.during("delay policy=5m"):
        owner.kms.put_key_policy(KeyId=key, Policy=policy(OWNER))
        owner.kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
        stranger.kms.encrypt(KeyId=key, Plaintext=b"data")
        own.clock.advance(timedelta(minutes=6))
        with refused("AccessDeniedException"):
            stranger.kms.encrypt(KeyId=key, Plaintext=b"data")
    assert json.loads(owner.kms.get_key_policy(KeyId=key)["Policy"])["Statement"] == [OWNER]
    assert owner.kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": "b"}]


def test_a_grant_comes_and_goes_late_but_its_token_is_met_at_once(
    own: Sandbox, owner: Account, stranger: Account
) -> None:
    key = make_key(owner.kms, OWNER)
    with own.faults.during("delay grants=5m"):
        made = owner.kms.create_grant(KeyId=key, GranteePrincipal=stranger.root, Operations=["Encrypt"])
        with refused("AccessDeniedException"):
            stranger.kms.encrypt(KeyId=key, Plaintext=b"data")
        stranger.kms.encrypt(KeyId=key, Plaintext=b"data", GrantTokens=[made["GrantToken"]])
        own.clock.advance(timedelta(minutes=6))
        stranger.kms.encrypt(KeyId=key, Plaintext=b"data")
        owner.kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
        assert owner.kms.list_grants(KeyId=key)["Grants"] == []
        stranger.kms.encrypt(KeyId=key, Plaintext=b"data")
        own.clock.advance(timedelta(minutes=6))
        with refused("AccessDeniedException"):
            stranger.kms.encrypt(KeyId=key, Plaintext=b"data")


def test_faults_and_clock_are_changed_from_outside(own: Sandbox, owner: Account) -> None:
    standing = change_faults(own.port, add=["error kms:ListKeys count=1", "delay state=5s"])
    assert standing.delays == "delay state=5s policy=0s grants=0s"
    with refused("KMSInternalException"):
        owner.kms.list_keys()
    (fault,) = change_faults(own.port).faults
    assert (fault.fault, fault.struck) == ("error kms:ListKeys count=1", 1)
    assert change_faults(own.port, remove=[fault.number]).faults == ()
    assert change_faults(own.port, clear=True).delays == "delay state=0s policy=0s grants=0s"
    before = move_clock(own.port).ahead_seconds
    assert move_clock(own.port, timedelta(days=8)).ahead_seconds == before + 8 * 86400


def test_an_outage_behind_a_key_store_comes_and_goes_from_outside(own: Sandbox, owner: Account) -> None:
    store = make_store(owner.kms, cloudhsm())
    key = make_key(owner.kms, Origin="AWS_CLOUDHSM", CustomKeyStoreId=store)
    set_key_store_reachable(own.port, store, reachable=False)
    with refused("KMSInvalidStateException"):
        owner.kms.encrypt(KeyId=key, Plaintext=b"data")
    assert owner.kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState") == "Enabled"
    set_key_store_reachable(own.port, store, reachable=True)
    owner.kms.encrypt(KeyId=key, Plaintext=b"data")
    with pytest.raises(InputError):
        set_key_store_reachable(own.port, "cks-that-is-not-there", reachable=False)


def test_a_key_is_gone_when_its_window_has_passed_on_the_sandboxs_clock(own: Sandbox, owner: Account) -> None:
    key = make_key(owner.kms)
    owner.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    move_clock(own.port, timedelta(days=7, seconds=1))
    with refused("NotFoundException"):
        owner.kms.describe_key(KeyId=key)


@pytest.mark.parametrize(
    ("nonce", "path", "body", "status"),
    [
        ("", "faults", {"clear": True}, 403),
        ("0" * 32, "clock", {"forward_seconds": 1}, 403),
        (None, "faults", {"add": ["nonsense"]}, 400),
        (None, "faults", {"add": "drop *"}, 400),
        (None, "faults", {"remove": [12345]}, 400),
        (None, "faults", [], 400),
        (None, "clock", {"forward_seconds": -1}, 400),
        (None, "clock", {"forward_seconds": 1e300}, 400),
        (None, "clock", {"forward_seconds": True}, 400),
        (None, "clock", {}, 400),
        (None, "key-store", {"id": "cks-that-is-not-there", "reachable": False}, 400),
        (None, "key-store", {"id": "cks-that-is-not-there"}, 400),
    ],
)
def test_nothing_is_changed_without_the_nonce_or_by_nonsense(
    own: Sandbox, nonce: str | None, path: str, body: Any, status: int
) -> None:
    ahead = own.clock.ahead
    with own.faults.during("drop iam:*"):
        request = urllib.request.Request(  # noqa: S310 - our own
            f"{own.endpoint_url}/_keyturn/{path}",
            json.dumps(body).encode(),
            {"X-Keyturn-Nonce": own.nonce if nonce is None else nonce},
        )
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request)  # noqa: S310 - our own
        with raised.value:
            assert raised.value.code == status
        assert [str(one.fault) for one in own.faults.standing()] == ["drop iam:*"]
    assert own.clock.ahead == ahead


def test_objects_and_operations_of_s3_are_told_apart(own: Sandbox) -> None:
    s3 = make_client(own, own.credentials(Identity.CUSTOMER), "s3")
    s3.create_bucket(Bucket="told-apart")
    calls: dict[str, Any] = {
        "s3:PutObject": lambda: s3.put_object(Bucket="told-apart", Key="a/b", Body=b"x"),
        "s3:CopyObject": lambda: s3.copy_object(Bucket="told-apart", Key="c", CopySource="told-apart/a/b"),
        "s3:GetObject": lambda: s3.get_object(Bucket="told-apart", Key="a/b"),
        "s3:HeadObject": lambda: s3.head_object(Bucket="told-apart", Key="a/b"),
        "s3:ListObjectsV2": lambda: s3.list_objects_v2(Bucket="told-apart"),
        "s3:CreateMultipartUpload": lambda: s3.create_multipart_upload(Bucket="told-apart", Key="d"),
        "s3:GetVersioning": lambda: s3.get_bucket_versioning(Bucket="told-apart"),
        "s3:DeleteObjects": lambda: s3.delete_objects(Bucket="told-apart", Delete={"Objects": [{"Key": "c"}]}),
        "s3:DeleteObject": lambda: s3.delete_object(Bucket="told-apart", Key="a/b"),
    }
    for name, call in calls.items():
        with own.faults.during(f"drop {name} after"):
            with pytest.raises(ConnectionClosedError):
                call()
            assert [one.struck for one in own.faults.standing()] == [1], name
