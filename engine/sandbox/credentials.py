"""Who a request comes from: credentials that the sandbox issued, and the principals behind them.

- A request whose access key id the sandbox did not issue is refused, as AWS refuses it.
- The credentials that the sandbox hands out belong to an administrator of their account: the account's
  IAM allows them everything, and only key policies and grants stand between them and a key.
- Principals that someone makes within the sandbox (IAM users, assumed roles) come from a `Directory`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from engine.access.model import Caller, Verdict
from engine.sandbox.access_keys import make_access_key_id
from engine.sandbox.identity_policies import IdentityPolicies, Opinion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from engine.access.model import Request

ADMINISTRATOR = "keyturn-sandbox"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client signs with; the secret is not shown."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """The user or session behind credentials.

    Attributes:
        account_id: Its account.
        arn: Its ARN, as GetCallerIdentity tells it.
        user_id: Its unique id, as `aws:userid` has it.
        kind: `User` or `AssumedRole`, as `aws:PrincipalType` has it.
        policies: Its own IAM policies; None for an administrator, whose account allows it everything.
        partition: The AWS partition.
        role_arn: The role's ARN for a session; None for a user.
        tags: The principal's tags, for `aws:PrincipalTag`.
        expires: When a session ends; None for a user.
    """

    account_id: str
    arn: str
    user_id: str
    kind: str
    policies: IdentityPolicies | None
    partition: str = "aws"
    role_arn: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    expires: datetime | None = None

    @property
    def principal_arn(self) -> str:
        """What `aws:PrincipalArn` holds: the role's ARN for a session, else the principal's own."""
        return self.role_arn or self.arn

    @property
    def caller(self) -> Caller:
        """The principal as the evaluator of access takes it, whatever its own policies say."""
        return Caller(self.account_id, self.arn, Verdict.YES, self.partition)

    def opinion(self, request: Request) -> Opinion:
        """What its own IAM policies say of a call."""
        return Opinion.ALLOWED if self.policies is None else self.policies.opinion(self.caller, request)


class Directory(Protocol):
    """Knows the principals that were made within the sandbox."""

    def principal_of(self, access_key_id: str, session_token: str | None) -> Principal | None:
        """The principal behind an access key id and, for a session, its token; None where there is none."""
        ...


class CredentialStore:
    """The credentials that a sandbox issued. Safe to use from several threads."""

    def __init__(self, partition: str, directory: Directory | None = None) -> None:
        self._partition = partition
        self._directory = directory
        self._lock = Lock()
        self._issued: dict[str, Principal] = {}
        self.administrators: tuple[Credentials, ...] = ()

    def issue_administrator(self, account_id: str) -> Credentials:
        """Make credentials of an administrator of an account of twelve digits."""
        credentials = Credentials(make_access_key_id(account_id), secrets.token_urlsafe(30))
        self.restore_administrator(account_id, credentials)
        return credentials

    def restore_administrator(self, account_id: str, credentials: Credentials) -> None:
        """Know credentials that were made for an administrator of an account, in this sandbox or before it."""
        access_key_id = credentials.access_key_id
        principal = Principal(
            account_id=account_id,
            arn=f"arn:{self._partition}:iam::{account_id}:user/{ADMINISTRATOR}",
            user_id="AIDA" + access_key_id[4:],
            kind="User",
            policies=None,
            partition=self._partition,
        )
        with self._lock:
            self._issued[access_key_id] = principal
            self.administrators = (*self.administrators, credentials)

    def principal_of(self, access_key_id: str, session_token: str | None = None) -> Principal | None:
        """The principal behind an access key id, or None where the sandbox did not issue it."""
        if (principal := self._issued.get(access_key_id)) is not None:
            return principal
        return self._directory.principal_of(access_key_id, session_token) if self._directory else None
