"""What a call is known to bring: the values of condition keys, found by name.

A key's value comes from the request's own context first. Else it is derived where it follows from who calls
what: the caller's account and ARN, the key's account and Region, TLS (KMS has no endpoint without it), that
no AWS service is the caller. Else a call that cannot have it (a parameter that it does not take) lacks it.
Else it is absent in a complete request and unknown in any other. An empty tuple in the context says that
the key is known to be absent.

`aws:PrincipalArn` is the role's ARN for a session (IAM User Guide, "AWS global condition context keys"). The
session's ARN does not tell the role's path: the role is taken to have none, but a condition that names a
role of this name with a path is not ruled out. For an account as a whole the ARN is known by its form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.access.operations import ENCRYPTION_CONTEXT_PREFIX, may_bring
from engine.access.patterns import Pattern, compile_pattern
from engine.access.principals import CallerIdentity, CallerKind

if TYPE_CHECKING:
    from engine.access.model import Request


@dataclass(frozen=True, slots=True)
class Known:
    """The key is there, with these values; never empty."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Formed:
    """The key is there with one value, of which only the form is known.

    Attributes:
        usual: The forms it is taken to have; what holds for all of them holds.
        possible: Further forms; what holds for none of these nor of the usual ones does not hold.
    """

    usual: tuple[Pattern, ...]
    possible: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """The key is not there."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether the key is there cannot be told."""


Found = Known | Formed | Absent | Unknown
_ABSENT = Absent()
_UNKNOWN = Unknown()


class Facts:
    """The condition keys of one call.

    Args:
        caller: Who calls.
        request: The call.
        action: The action's name without its service.
    """

    __slots__ = ("_caller", "_given", "_request", "action")

    def __init__(self, caller: CallerIdentity, request: Request, action: str) -> None:
        self.action = action
        self._caller = caller
        self._request = request
        # Two keys of an encryption context may differ in their letters alone; policies do not tell them apart.
        self._given: dict[str, tuple[str, ...]] = {}
        for name, values in request.context.items():
            self._given[name.lower()] = (*self._given.get(name.lower(), ()), *values)

    def find(self, key: str) -> Found:
        """The value of a condition key; the name in lower case."""
        given = self._given.get(key)
        if given is not None:
            return Known(given) if given else _ABSENT
        derived = self._derived(key)
        if derived is not None:
            return derived
        if self._request.complete or not may_bring(self.action, key) or self._is_another_name(key):
            return _ABSENT
        return _UNKNOWN

    def encryption_context_names(self) -> tuple[frozenset[str], bool]:
        """The names in the encryption context, in lower case, and whether these are all."""
        seen = {name.removeprefix(ENCRYPTION_CONTEXT_PREFIX) for name in self._given if self._holds_context(name)}
        listed = self.find("kms:encryptioncontextkeys")
        if isinstance(listed, Known):
            return frozenset(seen | {name.lower() for name in listed.values}), True
        return frozenset(seen), isinstance(listed, Absent)

    def _is_another_name(self, key: str) -> bool:
        """Whether it is of an encryption context whose names are all known, and it is none of these."""
        names = self._given.get("kms:encryptioncontextkeys")
        if names is None or not key.startswith(ENCRYPTION_CONTEXT_PREFIX):
            return False
        return key.removeprefix(ENCRYPTION_CONTEXT_PREFIX) not in {name.lower() for name in names}

    def _holds_context(self, name: str) -> bool:
        return name.startswith(ENCRYPTION_CONTEXT_PREFIX) and bool(self._given[name])

    def _derived(self, key: str) -> Found | None:
        caller, request = self._caller, self._request
        match key:
            case "kms:calleraccount" | "aws:principalaccount":
                return Known((caller.account_id,))
            case "aws:resourceaccount":
                return Known((request.key_account_id,))
            case "aws:securetransport":
                return Known(("true",))
            case "aws:principalisawsservice":
                return Known(("false",))
            case "aws:principalservicename" | "aws:principalservicenameslist":
                return _ABSENT
            case "aws:requestedregion":
                parts = (request.key_arn or "").split(":")
                return Known((parts[3],)) if len(parts) == 6 and parts[3] else None
            case "aws:principalarn":
                return _principal_arn(caller, exact=request.complete)
            case "aws:principaltype":
                return _principal_type(caller)
            case "aws:username":
                return _user_name(caller)
        return None


@lru_cache(maxsize=256)
def _principal_arn(caller: CallerIdentity, *, exact: bool) -> Found:
    account = f"arn:{caller.partition}:iam::{caller.account_id}"
    if caller.kind is CallerKind.WHOLE_ACCOUNT:
        usual = tuple(compile_pattern(f"{account}:{form}") for form in ("root", "user/*", "role/*"))
        sessions = compile_pattern(f"arn:{caller.partition}:sts::{caller.account_id}:federated-user/*")
        return Formed(usual, (sessions,))
    if caller.kind is CallerKind.SESSION:
        role = f"{account}:role/{caller.name}"
        if exact:
            return Known((role,))
        return Formed((compile_pattern(role),), (compile_pattern(f"{account}:role/*/{caller.name}"),))
    return Known((caller.arn or f"{account}:root",))


def _principal_type(caller: CallerIdentity) -> Found | None:
    """IAM User Guide, "IAM policy elements: Variables and tags", principal key values."""
    kinds = {
        CallerKind.ROOT: "Account",
        CallerKind.USER: "User",
        CallerKind.ROLE: "AssumedRole",
        CallerKind.SESSION: "AssumedRole",
        CallerKind.FEDERATED_USER: "FederatedUser",
    }
    kind = kinds.get(caller.kind)
    return None if kind is None else Known((kind,))


def _user_name(caller: CallerIdentity) -> Found | None:
    """The friendly name of an IAM user; other principals have none."""
    if caller.kind is CallerKind.WHOLE_ACCOUNT:
        return None
    return Known((caller.name,)) if caller.kind is CallerKind.USER and caller.name is not None else _ABSENT
