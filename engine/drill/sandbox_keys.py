"""Keys of a drill on a sandbox, and the ways to take the access to them away and give it back.

Only here is a deletion scheduled, and only with a client of a sandbox that answered with its nonce.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from engine.access import VENDOR_REQUIRED_ACTIONS
from engine.drill.model import Way

if TYPE_CHECKING:
    from engine.sandbox import Sandbox

_GRANT_OPERATIONS = ("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey")
_WINDOW_DAYS = 7
_EXTERNAL = "EXTERNAL_KEY_STORE"


@dataclass(slots=True)
class SandboxKey:
    """A key of the customer's in a sandbox; `make_key` makes it.

    Attributes:
        arn: The key's ARN.
        ways: The ways that take the access to it away; each alone is enough.
    """

    arn: str
    ways: tuple[Way, ...]
    _sandbox: Sandbox
    _kms: Any
    _store: str | None = None
    _grant: str | None = None

    def revoke(self, way: Way) -> None:
        """Take the access away."""
        kms, arn = self._kms, self.arn
        match way:
            case Way.DISABLE:
                kms.disable_key(KeyId=arn)
            case Way.SCHEDULE_DELETION:
                kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=_WINDOW_DAYS)
            case Way.POLICY:
                self._put_policy(self._owner())
            case Way.DENY:
                self._put_policy(self._owner(), self._vendor(), {**self._vendor(), "Effect": "Deny"})
            case Way.GRANT:
                kms.revoke_grant(KeyId=arn, GrantId=self._grant)
            case Way.KEY_STORE:
                self._sandbox.set_key_store_reachable(str(self._store), reachable=False)
            case _:
                assert_never(way)

    def reinstate(self, way: Way) -> None:
        """Give the access back."""
        kms, arn = self._kms, self.arn
        match way:
            case Way.DISABLE:
                kms.enable_key(KeyId=arn)
            case Way.SCHEDULE_DELETION:
                kms.cancel_key_deletion(KeyId=arn)
                kms.enable_key(KeyId=arn)
            case Way.POLICY | Way.DENY:
                self._put_policy(self._owner(), self._vendor())
            case Way.GRANT:
                self.give_grant()
            case Way.KEY_STORE:
                self._sandbox.set_key_store_reachable(str(self._store), reachable=True)
            case _:
                assert_never(way)

    def give_grant(self) -> None:
        """Give the vendor a grant."""
        answer = self._kms.create_grant(
            KeyId=self.arn,
            GranteePrincipal=_root(self._sandbox.settings.vendor_account_id, self._sandbox),
            Operations=list(_GRANT_OPERATIONS),
        )
        self._grant = answer["GrantId"]

    def _put_policy(self, *statements: dict[str, Any]) -> None:
        self._kms.put_key_policy(KeyId=self.arn, PolicyName="default", Policy=_policy(*statements))

    def _owner(self) -> dict[str, Any]:
        return owner_statement(self._sandbox)

    def _vendor(self) -> dict[str, Any]:
        return vendor_statement(self._sandbox)


def make_keys(sandbox: Sandbox, kms: Any, ways: tuple[Way, ...]) -> list[SandboxKey]:
    """Make the keys that the ways are rehearsed on: the vendor's access comes by the key policy, or by a grant.

    Args:
        sandbox: The sandbox.
        kms: A boto3 client of its KMS, as the customer.
        ways: The ways to rehearse.
    """
    by_policy = tuple(way for way in ways if way not in {Way.GRANT, Way.KEY_STORE})
    owner, vendor = owner_statement(sandbox), vendor_statement(sandbox)
    keys = []
    if by_policy:
        keys.append(SandboxKey(_create(kms, owner, vendor), by_policy, sandbox, kms))
    if Way.GRANT in ways:
        key = SandboxKey(_create(kms, owner), (Way.GRANT,), sandbox, kms)
        key.give_grant()
        keys.append(key)
    if Way.KEY_STORE in ways:
        store = _create_store(kms)
        arn = _create(kms, owner, vendor, Origin=_EXTERNAL, CustomKeyStoreId=store, XksKeyId="drill-1")
        keys.append(SandboxKey(arn, (Way.KEY_STORE,), sandbox, kms, store))
    return keys


def owner_statement(sandbox: Sandbox) -> dict[str, Any]:
    """All rights for the customer's account."""
    return _allow(_root(sandbox.settings.customer_account_id, sandbox), ["kms:*"])


def vendor_statement(sandbox: Sandbox) -> dict[str, Any]:
    """What the vendor needs."""
    return _allow(_root(sandbox.settings.vendor_account_id, sandbox), list(VENDOR_REQUIRED_ACTIONS))


def _allow(principal: str, actions: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*"}


def _root(account_id: str, sandbox: Sandbox) -> str:
    return f"arn:{sandbox.settings.partition}:iam::{account_id}:root"


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _create(kms: Any, *statements: dict[str, Any], **members: str) -> str:
    arn: str = kms.create_key(Policy=_policy(*statements), Description="drill", **members)["KeyMetadata"]["Arn"]
    return arn


def _create_store(kms: Any) -> str:
    store: str = kms.create_custom_key_store(
        CustomKeyStoreName="drill",
        CustomKeyStoreType=_EXTERNAL,
        XksProxyUriEndpoint="https://proxy.example.com",
        XksProxyUriPath="/kms/xks/v1",
        XksProxyConnectivity="PUBLIC_ENDPOINT",
        XksProxyAuthenticationCredential={"AccessKeyId": "ABCDEFGHIJKLEXAMPLE2", "RawSecretAccessKey": "x" * 43},
    )["CustomKeyStoreId"]
    kms.connect_custom_key_store(CustomKeyStoreId=store)
    return store
