"""Every no of AWS KMS in our words: what was revoked, what cannot be reached, what is wrong with us."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from engine.errors import KeyAccessError, KeyFailure
from engine.kms import Kms
from engine.sandbox import Identity
from tests.builders import REGION, declaration, key_arn
from tests.sandbox_fixtures import make_client
from tests.tenant_keys import make_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sandbox import Sandbox
    from tests.sandbox_fixtures import Account

CONTEXT = {"keyturn:tenant": "northwind"}


@pytest.fixture
def kms(customer: Account) -> Kms:
    return Kms(customer.kms)


@pytest.fixture
def key(customer: Account) -> str:
    return make_key(customer, declaration(), 1, grant=False)


def failure(call: Callable[[], object]) -> KeyAccessError:
    with pytest.raises(KeyAccessError) as caught:
        call()
    assert caught.value.hint
    assert caught.value.exit_code == 4
    return caught.value


@pytest.mark.requirement("EKM-01")
def test_a_data_key_is_wrapped_and_unwrapped_by_the_customers_key(kms: Kms, key: str) -> None:
    plaintext, wrapped = kms.generate_data_key(key, CONTEXT)
    assert wrapped.key_arn == key
    assert kms.unwrap(key, wrapped.ciphertext, CONTEXT) == plaintext
    again = kms.wrap(key, bytes(plaintext), CONTEXT)
    assert kms.unwrap(key, again.ciphertext, CONTEXT) == plaintext


def test_a_rewrap_moves_a_wrapped_key_without_its_plaintext_leaving_kms(kms: Kms, key: str, customer: Account) -> None:
    other = make_key(customer, declaration(), 1)
    plaintext, wrapped = kms.generate_data_key(key, CONTEXT)
    moved = kms.rewrap(key, other, wrapped.ciphertext, CONTEXT)
    assert moved.key_arn == other
    assert kms.unwrap(other, moved.ciphertext, CONTEXT) == plaintext
    assert failure(lambda: kms.unwrap(key, moved.ciphertext, CONTEXT)).failure is KeyFailure.MISCONFIGURED


@pytest.mark.requirement("EKM-10")
def test_a_disabled_key_is_revoked_for_every_use_and_enabled_again_it_works(kms: Kms, key: str) -> None:
    _, wrapped = kms.generate_data_key(key, CONTEXT)
    kms.disable_key(key)
    for call in (
        lambda: kms.generate_data_key(key, CONTEXT),
        lambda: kms.wrap(key, b"x", CONTEXT),
        lambda: kms.unwrap(key, wrapped.ciphertext, CONTEXT),
        lambda: kms.rewrap(key, key, wrapped.ciphertext, CONTEXT),
    ):
        error = failure(call)
        assert error.failure is KeyFailure.REVOKED
        assert not error.worth_retrying
        assert "key state Disabled" in error.message
        assert key in error.message
    kms.enable_key(key)
    kms.unwrap(key, wrapped.ciphertext, CONTEXT)


@pytest.mark.requirement("EKM-10")
def test_a_key_pending_deletion_is_revoked(kms: Kms, key: str, customer: Account) -> None:
    _, wrapped = kms.generate_data_key(key, CONTEXT)
    customer.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=_root_only(customer))
    customer.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert failure(lambda: kms.unwrap(key, wrapped.ciphertext, CONTEXT)).failure is KeyFailure.REVOKED


def _root_only(customer: Account) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": customer.root}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.requirement("EKM-10")
def test_a_vendor_whose_access_was_taken_away_is_revoked_for_what_the_key_once_wrapped(
    key: str, customer: Account, vendor: Account
) -> None:
    kms = Kms(vendor.kms, "the vendor", vendor.account_id)
    _, wrapped = kms.generate_data_key(key, CONTEXT)
    customer.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=_root_only(customer))
    error = failure(lambda: kms.unwrap(key, wrapped.ciphertext, CONTEXT))
    assert error.failure is KeyFailure.REVOKED
    assert "no longer allows it" in error.message
    other = make_key(customer, declaration(), 1)
    assert (
        "either key's policy or grant" in failure(lambda: kms.rewrap(key, other, wrapped.ciphertext, CONTEXT)).message
    )
    assert failure(lambda: kms.generate_data_key(key, CONTEXT)).failure is KeyFailure.DENIED


def test_a_customer_whom_its_own_account_denies_is_not_told_that_the_key_was_revoked(
    key: str, customer: Account
) -> None:
    kms = Kms(customer.kms, account_id=customer.account_id)
    _, wrapped = kms.generate_data_key(key, CONTEXT)
    deny = {"Effect": "Deny", "Principal": {"AWS": customer.root}, "Action": "kms:Decrypt", "Resource": "*"}
    policy = json.loads(_root_only(customer))
    policy["Statement"].append(deny)
    customer.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    assert failure(lambda: kms.unwrap(key, wrapped.ciphertext, CONTEXT)).failure is KeyFailure.DENIED


def test_another_context_is_tampering(kms: Kms, key: str) -> None:
    _, wrapped = kms.generate_data_key(key, CONTEXT)
    other = {"keyturn:tenant": "southwind"}
    assert failure(lambda: kms.unwrap(key, wrapped.ciphertext, other)).failure is KeyFailure.TAMPERED
    altered = wrapped.ciphertext[:-1] + bytes([wrapped.ciphertext[-1] ^ 1])
    assert failure(lambda: kms.unwrap(key, altered, CONTEXT)).failure is KeyFailure.TAMPERED


def test_an_unknown_key_is_a_mistake_unless_it_once_wrapped_something(kms: Kms, key: str) -> None:
    nowhere = str(key_arn(9))
    assert failure(lambda: kms.describe(nowhere)).failure is KeyFailure.MISCONFIGURED
    _, wrapped = kms.generate_data_key(key, CONTEXT)
    assert failure(lambda: kms.unwrap(nowhere, wrapped.ciphertext, CONTEXT)).failure is KeyFailure.REVOKED


@pytest.mark.requirement("EKM-08")
def test_credentials_that_aws_does_not_know_are_denied(sandbox: Sandbox, key: str) -> None:
    stranger = replace(sandbox.credentials(Identity.CUSTOMER), access_key_id="AKIAIOSFODNN7EXAMPLE")
    error = failure(lambda: Kms(make_client(sandbox, stranger, "kms")).describe(key))
    assert error.failure is KeyFailure.DENIED
    assert error.aws_code == "UnrecognizedClientException"


def test_nobody_there_is_unavailable_and_not_revoked() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    client = boto3.client(
        "kms",
        region_name=REGION,
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
    )
    error = failure(lambda: Kms(client).unwrap(str(key_arn(1)), b"x", CONTEXT))
    assert error.failure is KeyFailure.UNAVAILABLE
    assert error.worth_retrying
    assert "says nothing about the key" in (error.hint or "")


@pytest.mark.requirement("EKM-08")
def test_no_credentials_at_all_are_said_to_be_missing() -> None:
    client = boto3.client("kms", region_name=REGION, endpoint_url="http://127.0.0.1:9")
    error = failure(lambda: Kms(client).describe(str(key_arn(1))))
    assert error.failure is KeyFailure.DENIED
    assert "EKM-08" in (error.hint or "")


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        *((code, 400, KeyFailure.THROTTLED) for code in ("ThrottlingException", "RequestThrottled", "Throttling")),
        *((code, 400, KeyFailure.UNAVAILABLE) for code in ("RequestTimeoutException", "PriorRequestNotComplete")),
        ("KMSInternalException", 500, KeyFailure.UNAVAILABLE),
        ("Unheard", 429, KeyFailure.THROTTLED),
        ("Unheard", 503, KeyFailure.UNAVAILABLE),
        ("Unheard", 400, KeyFailure.MISCONFIGURED),
        ("LimitExceededException", 400, KeyFailure.MISCONFIGURED),
    ],
)
def test_what_may_pass_is_told_by_its_code_or_its_status_and_never_as_a_revocation(
    code: str, status: int, expected: KeyFailure
) -> None:
    client = boto3.session.Session("id", "secret", region_name=REGION).client("kms", endpoint_url="http://127.0.0.1:9")
    with Stubber(client) as stub:
        stub.add_client_error("decrypt", code, http_status_code=status)
        error = failure(lambda: Kms(client, "the vendor", "1" * 12).unwrap(str(key_arn(1)), b"wrapped", CONTEXT))
    assert error.failure is expected
    assert error.worth_retrying is (expected is not KeyFailure.MISCONFIGURED)
