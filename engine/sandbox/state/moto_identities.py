"""IAM's users, roles and policies and STS's sessions in a state folder: one entry an account and service."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from engine.sandbox.state.moto_pickles import dump, load

if TYPE_CHECKING:
    from engine.sandbox.state.folder import StateFolder

Changes = dict[str, "bytes | None"]
_IAM, _STS = "iam/", "sts/"
_BACKEND, _POLICY = "backend", "policy "
# AWS's own policies come with moto, and what refers to the whole is made anew with it.
_MADE_ANEW = frozenset({"aws_managed_policies", "managed_policies", "account_summary", "policy_arn_regex"})


class StoredIdentities:
    """The rows of IAM and STS, of every account.

    Args:
        folder: Where they are; what it holds is put into moto.
        partition: The AWS partition.

    Raises:
        DamagedError: An entry cannot be read.
    """

    def __init__(self, folder: StateFolder, partition: str) -> None:
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        self._partition = partition
        for name, value in folder.read(_IAM):
            backend = iam_backends[name.removeprefix(_IAM)][partition]
            members = load(value, partial(_find, backend))
            backend.managed_policies |= members.pop("managed_policies")
            backend.__dict__.update(members)
        for name, value in folder.read(_STS):
            sts_backends[name.removeprefix(_STS)][partition].assumed_roles[:] = load(value)

    def changes(self, account_id: str) -> Changes:
        """What a call of an account on IAM or STS has changed; sessions are of the account of their role."""
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        changes: Changes = {}
        for account in {account_id, *sts_backends}:
            if account in iam_backends:
                changes[f"{_IAM}{account}"] = _identities(iam_backends[account][self._partition])
            if account in sts_backends:
                changes[f"{_STS}{account}"] = dump(sts_backends[account][self._partition].assumed_roles)
        return changes


def _identities(backend: Any) -> bytes:
    from moto.iam.models import AWSManagedPolicy

    own = {arn: policy for arn, policy in backend.managed_policies.items() if not isinstance(policy, AWSManagedPolicy)}
    members = {name: value for name, value in backend.__dict__.items() if name not in _MADE_ANEW}

    def named(found: Any) -> str | None:
        if found is backend:
            return _BACKEND
        return f"{_POLICY}{found.arn}" if isinstance(found, AWSManagedPolicy) else None

    return dump({**members, "managed_policies": own}, named)


def _find(backend: Any, name: str) -> Any:
    return backend if name == _BACKEND else backend.managed_policies[name.removeprefix(_POLICY)]
