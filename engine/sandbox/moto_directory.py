"""The users and roles that were made within the sandbox, from moto's IAM and STS, with their IAM policies.

They sign with keys that moto issued. Their policies are the ones attached to them, written into them or into
their groups; a permissions boundary and a session's policy limit them. On S3 and the other services of
moto but DynamoDB policies are not looked at: these are strict about accounts alone.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from engine.sandbox.access_keys import account_of_access_key
from engine.sandbox.credentials import Principal
from engine.sandbox.identity_policies import IdentityPolicies

if TYPE_CHECKING:
    from collections.abc import Iterator


class MotoDirectory:
    """The principals of moto's IAM.

    Args:
        partition: The AWS partition of the accounts.
    """

    def __init__(self, partition: str) -> None:
        self._partition = partition

    def principal_of(self, access_key_id: str, session_token: str | None) -> Principal | None:
        """The IAM user or role session behind credentials that moto issued; an expired one says so."""
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        account_id = account_of_access_key(access_key_id)
        if account_id is None or account_id not in iam_backends:
            return None
        iam = iam_backends[account_id][self._partition]
        for session in sts_backends[account_id][self._partition].assumed_roles:
            if session.access_key_id == access_key_id:
                return self._session(iam, session) if session.session_token == session_token else None
        user = iam.get_user_from_access_key_id(access_key_id)
        if user is None:
            return None
        groups = (group for group in iam.groups.values() if user in group.users)
        attached = tuple(text for one in (user, *groups) for text in _texts(one))
        policies = IdentityPolicies(attached, _boundary(iam, user))
        return Principal(account_id, user.arn, user.id, "User", policies, self._partition, tags=_tags(iam, user))

    def _session(self, iam: Any, session: Any) -> Principal | None:
        role = next((role for role in iam.roles.values() if role.arn == session.role_arn), None)
        if role is None:
            return None  # the role was deleted, and its sessions with it
        limits = (*_boundary(iam, role), *((session.policy,) if session.policy else ()))
        return Principal(
            account_id=session.account_id,
            arn=session.arn,
            user_id=session.user_id,
            kind="AssumedRole",
            policies=IdentityPolicies(tuple(_texts(role)), limits),
            partition=self._partition,
            role_arn=session.role_arn,
            expires=session.expiration.replace(tzinfo=UTC),
            tags=_tags(iam, role),
        )


def _texts(holder: Any) -> Iterator[str]:
    yield from holder.policies.values()
    for policy in holder.managed_policies.values():
        yield _document(policy)


def _document(policy: Any) -> str:
    """The default version of a managed policy."""
    return next(str(one.document) for one in policy.versions if one.version_id == policy.default_version_id)


def _boundary(iam: Any, holder: Any) -> tuple[str, ...]:
    arn = getattr(holder, "permissions_boundary_arn", None)
    if not arn:
        return ()
    policy = iam.managed_policies.get(arn)
    return ("",) if policy is None else (_document(policy),)  # a boundary that is not there allows nothing


def _tags(iam: Any, holder: Any) -> dict[str, str]:
    tags = getattr(holder, "tags", None) or iam.tagger.list_tags_for_resource(holder.arn).get("Tags", [])
    listed = tags.values() if isinstance(tags, dict) else tags
    return {str(tag["Key"]): str(tag["Value"]) for tag in listed}
