"""Fixtures: one sandbox for the whole run, and clients of its two accounts.

Clients are configured explicitly, with endpoint, Region and credentials; nothing comes from the
environment or from a user's files, so no test can reach a real account.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from engine.sandbox import Identity, Sandbox, SandboxSettings
from tests.builders import CUSTOMER, REGION, VENDOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_kms import KMSClient
    from mypy_boto3_sts import STSClient

    from engine.sandbox import Credentials

_CONFIG = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, parameter_validation=False)
# No profile and no file of the user's: (name in the config file, variable, default, conversion).
_ISOLATED = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


def make_client(sandbox: Sandbox, credentials: Credentials, service: str, region: str = REGION) -> Any:
    """A boto3 client of a sandbox that sends whatever it is given, once."""
    session = boto3.session.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        region_name=region,
        botocore_session=botocore.session.Session(session_vars=_ISOLATED),
    )
    connect: Any = session.client
    return connect(service, endpoint_url=sandbox.endpoint_url, config=_CONFIG)


@dataclass(frozen=True)
class Account:
    """One of the two accounts of a sandbox, with clients of its administrator."""

    sandbox: Sandbox
    identity: Identity
    account_id: str
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    @property
    def credentials(self) -> Credentials:
        """The administrator's credentials."""
        return self.sandbox.credentials(self.identity)

    def client(self, service: str, region: str = REGION) -> Any:
        """The client of a service; one is made for each Region."""
        if (service, region) not in self._clients:
            self._clients[service, region] = make_client(self.sandbox, self.credentials, service, region)
        return self._clients[service, region]

    @property
    def kms(self) -> KMSClient:
        """KMS in the usual Region."""
        client: KMSClient = self.client("kms")
        return client

    @property
    def sts(self) -> STSClient:
        """STS in the usual Region."""
        client: STSClient = self.client("sts")
        return client

    @property
    def root(self) -> str:
        """The ARN of the account."""
        return f"arn:aws:iam::{self.account_id}:root"


@dataclass
class Refusal:
    """What an expected refusal turned out to be."""

    code: str = ""
    message: str = ""


@contextmanager
def refused(code: str) -> Iterator[Refusal]:
    """The calls within are refused by AWS with this error code."""
    refusal = Refusal()
    try:
        yield refusal
    except ClientError as error:
        refusal.code = error.response["Error"]["Code"]
        refusal.message = error.response["Error"]["Message"]
        assert refusal.code == code, f"{refusal.code} ({refusal.message}) instead of {code}"
    else:
        pytest.fail(f"it succeeded instead of being refused with {code}")


def start_sandbox(port: int = 0) -> Sandbox:
    """Start a sandbox with the usual two accounts."""
    return Sandbox.start(SandboxSettings(customer_account_id=CUSTOMER, vendor_account_id=VENDOR, port=port))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The sandbox that all tests share; each makes keys of its own."""
    with start_sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def customer(sandbox: Sandbox) -> Account:
    """The customer's account."""
    return Account(sandbox, Identity.CUSTOMER, CUSTOMER)


@pytest.fixture(scope="session")
def vendor(sandbox: Sandbox) -> Account:
    """The vendor's account."""
    return Account(sandbox, Identity.VENDOR, VENDOR)
