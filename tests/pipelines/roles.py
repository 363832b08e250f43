"""The roles of the shipped pipelines, made in a sandbox from the IAM policies in `pipelines/iam`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.sandbox.credentials import Credentials
from tests.builders import CUSTOMER
from tests.sandbox_fixtures import Account, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

IAM = Path(__file__).resolve().parents[2] / "pipelines" / "iam"
ROLES = ("planner", "deployer", "rotator", "doctor", "witness", "key-administrator")
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"}, "Action": "sts:AssumeRole"}
    ],
}


def policy_of(role: str) -> dict[str, Any]:
    """The IAM policy of a role."""
    document: dict[str, Any] = json.loads((IAM / f"{role}.json").read_text(encoding="utf-8"))
    return document


@dataclass(frozen=True)
class Session:
    """A session of one of the roles."""

    account: Account
    credentials: Credentials
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = make_client(self.account.sandbox, self.credentials, service)
        return self._clients[service]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.credentials.secret_access_key,
            "AWS_SESSION_TOKEN": self.credentials.session_token or "",
        }


def make_roles(account: Account) -> Iterator[dict[str, Session]]:
    """Make every role with its policy and nothing else, and a session of each; they go at the end.

    They are assumed by the account itself here: the sandbox has no web identities.
    """
    iam, sessions = account.client("iam"), {}
    for role in ROLES:
        name = f"northwind-{role}"
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy_of(role)))
        issued = account.sts.assume_role(RoleArn=made, RoleSessionName="pipeline")["Credentials"]
        credentials = Credentials(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
        sessions[role] = Session(account, credentials)
    yield sessions
    for role in ROLES:
        iam.delete_role_policy(RoleName=f"northwind-{role}", PolicyName="own")
        iam.delete_role(RoleName=f"northwind-{role}")
