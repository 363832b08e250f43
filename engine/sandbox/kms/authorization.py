"""Whether the caller may: the evaluator of `engine.access`, asked on every call, and AWS's words for a no.

- A call on a key needs the key policy or a grant, and the caller's own IAM where it counts. Only a *yes*
  passes; *depends* is a no.
- A call that names no key (CreateKey, ListKeys…) and an alias are matters of the caller's own IAM alone.
- A key of another account that is not there, and one that the caller may not use, are told in the same
  words, so that nobody can probe for keys.
- Access comes before state: who may not is not told whether the key is disabled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.access import Effect, evaluate, state_refusal
from engine.access.model import Request, Verdict
from engine.sandbox.identity_policies import Opinion
from engine.sandbox.kms.conditions import alias_context, caller_context, key_context
from engine.sandbox.kms.errors import KmsError, access_denied, not_found
from engine.sandbox.kms.identifiers import Target, find_target, missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.access import KeyPolicy
    from engine.access.model import Grant
    from engine.sandbox.kms.call import Call
    from engine.sandbox.kms.model import GrantRecord, KeyRecord

_CONCEALED = (
    "the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)


def target_of(call: Call, identifier: str, *, aliases: bool = False, action: str | None = None) -> Target:
    """Find the key that an identifier names for this caller.

    Args:
        call: The call.
        identifier: The `KeyId` that was sent.
        aliases: Whether the operation takes aliases.
        action: The permission to name in a refusal; the operation's own by default.

    Raises:
        KmsError: `NotFoundException`, or for another account's key `AccessDeniedException`.
    """
    reference = call.reference(identifier, aliases=aliases)
    target = find_target(call.store, reference)
    if target is not None:
        call.touched.append(target.key.arn)
        return target
    if reference.account_id == call.account_id:
        raise not_found(missing(reference))
    raise _denied(call, action or f"kms:{call.operation}", reference.arn, _CONCEALED)


def authorize(
    call: Call,
    target: Target,
    action: str | None = None,
    context: Mapping[str, tuple[str, ...]] | None = None,
    grants: tuple[GrantRecord, ...] | None = None,
) -> None:
    """Let the caller through only where the evaluator says yes.

    Args:
        call: The call.
        target: The key.
        action: The IAM action; the operation's own by default.
        context: The condition keys that the call's own parameters bring.
        grants: The grants that count; all of the key's by default.

    Raises:
        KmsError: `AccessDeniedException`.
    """
    key = target.key
    action = action or f"kms:{call.operation}"
    request = Request(action, key.arn, key.account_id, {**key_context(call, target), **(context or {})}, complete=True)
    counting = tuple(record.grant for record in (key.grants if grants is None else grants))
    asked = request
    if call.principal.policies is not None:
        asked = replace(request, context={**request.context, **alias_context(call, target)})
    own = call.principal.opinion(asked)
    if own is Opinion.DENIED:
        raise _denied(call, action, key.arn, "an identity-based policy explicitly denies it")
    identity = Verdict.YES if own is Opinion.ALLOWED else Verdict.NO
    policy = key.policy
    if own is Opinion.LIMITED and call.principal.role_arn is not None:
        policy, counting = _for_the_session_itself(call.principal.arn, policy, counting)
    decision = evaluate(policy, counting, replace(call.principal.caller, identity=identity), request)
    if decision.verdict is Verdict.YES:
        return
    if key.account_id != call.account_id:
        raise _denied(call, action, key.arn, _CONCEALED)
    name = action.removeprefix("kms:")
    raise _denied(call, action, key.arn, f"no resource-based policy allows the kms:{name} action")


def authorize_identity(
    call: Call,
    action: str | None = None,
    resource: str = "*",
    context: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Let the caller through where its own IAM policies allow the action. Raises `AccessDeniedException`."""
    action = action or f"kms:{call.operation}"
    request = Request(action, resource, call.account_id, {**caller_context(call), **(context or {})}, complete=True)
    if call.principal.opinion(request) is not Opinion.ALLOWED:
        raise _denied(call, action, resource, f"no identity-based policy allows the {action} action")


def _for_the_session_itself(
    arn: str, policy: KeyPolicy, grants: tuple[Grant, ...]
) -> tuple[KeyPolicy, tuple[Grant, ...]]:
    """What is left of a policy and of grants for a session that its boundary or session policy limits.

    What its role is allowed by name counts within those limits; what the session is allowed by its own name counts
    beyond them. (IAM User Guide, "Policy evaluation logic", resource-based policies and implicit denies)
    """
    statements = tuple(
        statement
        for statement in policy.statements
        if statement.effect is Effect.DENY or statement.principals.names(arn)
    )
    return replace(policy, statements=statements), tuple(grant for grant in grants if grant.grantee_principal == arn)


def refuse_state(operation: str, key: KeyRecord) -> None:
    """Refuse what the key's state does not allow (AWS KMS Developer Guide, "Key state table")."""
    if (refusal := state_refusal(operation, key.state)) is not None:
        raise KmsError(refusal.code, refusal.message_for(key.arn))


def admitted(call: Call, context: Mapping[str, tuple[str, ...]] | None = None) -> Target:
    """Find the key that `KeyId` names, check that the caller may, then that the key's state allows it.

    Args:
        call: A call of an operation that takes no alias.
        context: The condition keys that the call's own parameters bring.

    Raises:
        KmsError: What AWS answers to the first of the three that fails.
    """
    target = target_of(call, call.parameters.text("KeyId"))
    authorize(call, target, context=context)
    refuse_state(call.operation, target.key)
    return target


def _denied(call: Call, action: str, resource: str, because: str) -> KmsError:
    return access_denied(
        f"User: {call.principal.arn} is not authorized to perform: {action} on resource: {resource} because {because}"
    )
