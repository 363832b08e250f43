"""What a principal's own IAM policies say: of KMS calls, and of assuming a role.

A deny that matches goes before everything. Else an allow is needed, of the identity's policies and, where
there are such, of its permissions boundary and its session policy as well. A policy that cannot be read
allows nothing and denies everything: nobody can tell what it would deny. So does a deny of which it cannot be
told whether its conditions hold. (IAM User Guide, "Policy evaluation
logic"; "Permissions boundaries for IAM entities"; "Session policies")

The language is the key policy's but for `Principal`, so `engine.access` reads and matches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.access import Effect, parse_key_policy
from engine.access.context import Facts
from engine.access.model import Verdict
from engine.access.policy_document import load_document
from engine.access.principals import identify
from engine.access.verdicts import all_of
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.access import KeyPolicy, Statement
    from engine.access.model import Caller, Request

_NOBODY_IN_PARTICULAR = {"AWS": "*"}
_REMEMBERED = 512


class Opinion(Enum):
    """What policies say of a call."""

    ALLOWED = "allowed"
    SILENT = "silent"
    LIMITED = "limited"  # its boundary or its session policy does not allow it
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class IdentityPolicies:
    """The policies of a user or of a role's session, as JSON.

    Attributes:
        attached: Those that are attached to the identity or written into it.
        limits: The permissions boundary and the session policy, where there are such.
    """

    attached: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def opinion(self, caller: Caller, request: Request) -> Opinion:
        """What the policies say of a call."""
        found = _opinion(self.attached, caller, request)
        limiting = [_opinion((limit,), caller, request) for limit in self.limits]
        if Opinion.DENIED in (found, *limiting):
            return Opinion.DENIED
        return found if all(one is Opinion.ALLOWED for one in limiting) else Opinion.LIMITED


def speaks_of(statement: Statement, caller: Caller, request: Request, *, resource: bool = True) -> Verdict:
    """Whether a statement's action, resource and conditions are those of a call, whoever its principals are.

    Args:
        statement: The statement.
        caller: Who calls.
        request: The call; its `key_arn` is the resource, whatever that is.
        resource: Whether the statement must name the resource; a role's trust policy does not.
    """
    facts = Facts(
        identify(caller.account_id, caller.principal_arn, caller.partition), request, request.action.partition(":")[2]
    )
    if not statement.actions.include(request.action.lower()):
        return Verdict.NO
    named = statement.resources.include(request, facts) if resource else Verdict.YES
    return all_of([named, *(test.outcome(facts)[0] for test in statement.conditions)])


def _opinion(texts: tuple[str, ...], caller: Caller, request: Request) -> Opinion:
    allowed = False
    for text in texts:
        policy = _read(text)
        if policy is None:
            return Opinion.DENIED
        for statement in policy.statements:
            spoken = speaks_of(statement, caller, request)
            if statement.effect is Effect.DENY and spoken is not Verdict.NO:
                return Opinion.DENIED
            allowed = allowed or (statement.effect is Effect.ALLOW and spoken is Verdict.YES)
    return Opinion.ALLOWED if allowed else Opinion.SILENT


@lru_cache(maxsize=_REMEMBERED)
def _read(text: str) -> KeyPolicy | None:
    try:
        document: Any = load_document(text)
        statements = document["Statement"]
        listed = [statements] if isinstance(statements, dict) else statements
        named = [{**statement, "Principal": _NOBODY_IN_PARTICULAR} for statement in listed]
        return parse_key_policy({**document, "Statement": named})
    except (InputError, KeyError, TypeError):
        return None
