"""Principals: those that a policy or grant names, and the caller that is held against them.

What a key policy may name (IAM User Guide, "AWS JSON policy elements: Principal"): everyone (`*`), an
account (its root ARN or its bare id: both mean the account, not its root user), an IAM user, a role, one
session of a role, a federated user's session, and the unique id that AWS shows in place of the ARN of an
identity that was deleted. A star for part of a name is refused, as AWS refuses it
(`MalformedPolicyDocumentException`, "invalid principals"). So are groups.

How a caller is recognised:

- An account id is what counts of an account; a user, role or session is named by its whole ARN, with
  regard to case.
- A session's ARN has lost the path of its role. Role names are unique within an account whatever their
  path, so a session belongs to the role of its account and name.
- For a role (not one session of it) a statement that names one session holds for that session only; for an
  account as a whole, one that names a principal of it holds for that principal only. Both depend.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from engine.arn import PARTITIONS, is_account_id
from engine.errors import InputError

_UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,124}", re.ASCII)
_NAME = r"[\w+=,.@:-]+"
_PATH = r"([\x21-\x29\x2b-\x3e\x40-\x7e]+/)?"
_USER = re.compile(rf"user/{_PATH}(?P<name>{_NAME})", re.ASCII)
_ROLE = re.compile(rf"role/{_PATH}(?P<name>{_NAME})", re.ASCII)
_SESSION = re.compile(rf"assumed-role/(?P<name>{_NAME})/{_NAME}", re.ASCII)
_FEDERATED_USER = re.compile(rf"federated-user/(?P<name>{_NAME})", re.ASCII)


class PrincipalKind(Enum):
    """What a principal is; the types of the policy language, with `AWS` told apart."""

    EVERYONE = "everyone"
    ACCOUNT = "account"
    USER = "user"
    ROLE = "role"
    SESSION = "session"
    FEDERATED_USER = "federated user"
    UNIQUE_ID = "unique id"
    SERVICE = "Service"
    FEDERATED = "Federated"
    CANONICAL_USER = "CanonicalUser"


_FORMS = (
    ("iam", PrincipalKind.USER, _USER),
    ("iam", PrincipalKind.ROLE, _ROLE),
    ("sts", PrincipalKind.SESSION, _SESSION),
    ("sts", PrincipalKind.FEDERATED_USER, _FEDERATED_USER),
)
# Who these are cannot be told from an ARN.
UNVERIFIABLE = frozenset({PrincipalKind.UNIQUE_ID, PrincipalKind.FEDERATED, PrincipalKind.CANONICAL_USER})


@dataclass(frozen=True, slots=True)
class Principal:
    """One principal.

    Attributes:
        kind: What it is.
        text: As it was written.
        account_id: The account, where the text tells it.
        name: The friendly name of a user, role or federated user, and the role's name of a session.
        partition: The partition of an ARN.
    """

    kind: PrincipalKind
    text: str
    account_id: str | None = None
    name: str | None = None
    partition: str | None = None

    @property
    def canonical(self) -> tuple[str, str]:
        """The same for every spelling of the same principal."""
        if self.kind is PrincipalKind.ACCOUNT and self.account_id is not None:
            return self.kind.value, self.account_id
        return self.kind.value, self.text

    def __str__(self) -> str:
        """The principal as a reason names it."""
        return f"account {self.account_id}" if self.kind is PrincipalKind.ACCOUNT else self.text


def find_principal(text: str) -> Principal | None:
    """Parse what stands under `AWS` or is a grantee; None where it is not of any form that AWS takes."""
    if text == "*":
        return Principal(PrincipalKind.EVERYONE, text)
    if is_account_id(text):
        return Principal(PrincipalKind.ACCOUNT, text, text)
    parts = text.split(":", 5)
    if len(parts) != 6:
        return Principal(PrincipalKind.UNIQUE_ID, text) if _UNIQUE_ID.fullmatch(text) else None
    prefix, partition, service, region, account_id, resource = parts
    if prefix != "arn" or partition not in PARTITIONS or region or not is_account_id(account_id):
        return None
    if service == "iam" and resource == "root":
        return Principal(PrincipalKind.ACCOUNT, text, account_id, None, partition)
    for of_service, kind, form in _FORMS:
        found = form.fullmatch(resource) if service == of_service else None
        if found is not None:
            return Principal(kind, text, account_id, found["name"], partition)
    return None


class CallerKind(Enum):
    """What a caller is."""

    WHOLE_ACCOUNT = "the account as a whole"
    ROOT = "its root user"
    USER = "an IAM user"
    ROLE = "a role, whichever its session"
    SESSION = "a session of a role"
    FEDERATED_USER = "a federated user's session"


_CALLER_KINDS = {
    PrincipalKind.ACCOUNT: CallerKind.ROOT,
    PrincipalKind.USER: CallerKind.USER,
    PrincipalKind.ROLE: CallerKind.ROLE,
    PrincipalKind.SESSION: CallerKind.SESSION,
    PrincipalKind.FEDERATED_USER: CallerKind.FEDERATED_USER,
}


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """A caller, parsed.

    Attributes:
        kind: What it is.
        account_id: Its account.
        partition: Its partition.
        arn: Its ARN; None for the account as a whole.
        name: The name of the user or role, the session's role included.
    """

    kind: CallerKind
    account_id: str
    partition: str
    arn: str | None
    name: str | None

    def __str__(self) -> str:
        """The caller as a reason names it."""
        return f"account {self.account_id}" if self.arn is None else self.arn

    def is_of(self, principal: Principal) -> bool:
        """Whether the principal is this very caller, or the role of this session."""
        if principal.kind is PrincipalKind.ROLE and self.kind is CallerKind.SESSION:
            return (principal.account_id, principal.name, principal.partition) == (
                self.account_id,
                self.name,
                self.partition,
            )
        return self.arn is not None and principal.text == self.arn

    def may_be(self, principal: Principal) -> bool:
        """Whether the principal is one of those that this caller stands for: of its account, or its sessions."""
        if principal.account_id != self.account_id or principal.kind is PrincipalKind.ACCOUNT:
            return False
        if self.kind is CallerKind.WHOLE_ACCOUNT:
            return True
        return self.kind is CallerKind.ROLE and principal.kind is PrincipalKind.SESSION and principal.name == self.name


@lru_cache(maxsize=256)
def identify(account_id: str, principal_arn: str | None, partition: str) -> CallerIdentity:
    """Parse a caller.

    Args:
        account_id: Its account.
        principal_arn: Its ARN, or None for the account as a whole.
        partition: Its partition; an ARN's own goes before it.

    Raises:
        InputError: The account id is not twelve digits, or the ARN is not of a principal of this account.
    """
    if not is_account_id(account_id):
        raise InputError(f"the caller's account {account_id!r} is not 12 digits")
    if principal_arn is None:
        return CallerIdentity(CallerKind.WHOLE_ACCOUNT, account_id, partition, None, None)
    principal = find_principal(principal_arn)
    kind = None if principal is None else _CALLER_KINDS.get(principal.kind)
    if principal is None or principal.partition is None or kind is None:
        raise InputError(
            f"the caller {principal_arn!r} is not the ARN of a user, role, session or account root",
            "an account as a whole is named by its id, without an ARN",
        )
    if principal.account_id != account_id:
        raise InputError(f"the caller {principal_arn!r} is not of the account {account_id}")
    return CallerIdentity(kind, account_id, principal.partition, principal_arn, principal.name)
