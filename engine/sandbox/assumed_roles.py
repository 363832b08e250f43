"""STS AssumeRole, with the role's trust policy honoured.

- The role must be there and its trust policy must allow the caller; "no such role" and "you may not" are one
  and the same answer.
- A trust policy that names the caller itself, in its own account, is enough. One that names its account, or
  a caller of another account, needs the caller's own IAM policies as well. Where the caller is a session whose
  boundary or session policy does not allow it, only the session's own name is enough.
- A session lasts 15 minutes to the role's longest, an hour unless the role says otherwise and always where
  one role assumes the next; it ends by the sandbox's clock.
- Roles are not assumed by web identity or SAML here.
(AWS STS API Reference, AssumeRole; IAM User Guide, "How to use trust policies with IAM roles")
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from engine.access import Effect, parse_key_policy
from engine.access.model import Request, Verdict
from engine.access.principals import identify
from engine.errors import InputError
from engine.sandbox.caller_context import context_of
from engine.sandbox.caller_identity import sts_answer
from engine.sandbox.identity_policies import Opinion, speaks_of
from engine.sandbox.refusals import Names, refuse_as

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.access import KeyPolicy
    from engine.sandbox.clock import SandboxClock
    from engine.sandbox.credentials import Principal
    from engine.sandbox.http_messages import HttpRequest, HttpResponse

_ACTION = "sts:AssumeRole"
_ROLE = re.compile(r"arn:(?P<partition>[a-z-]+):iam::(?P<account>[0-9]{12}):role/(?P<path>[\x21-\x7e]+)", re.ASCII)
_SESSION = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_SHORTEST, _USUAL, _LONGEST = 900, 3600, 43200  # seconds


def action_of(request: HttpRequest) -> str | None:
    """The action that a request to STS asks for."""
    actions = _parameters(request).get("Action", [])
    return actions[0] if len(actions) == 1 else None


def assume_role(request: HttpRequest, principal: Principal, clock: SandboxClock, region: str) -> HttpResponse:
    """Answer AssumeRole. The caller lets nobody else change moto's data meanwhile."""
    parameters = {name: values[0] for name, values in _parameters(request).items()}
    role_arn, session_name = parameters.get("RoleArn", ""), parameters.get("RoleSessionName", "")
    found = _ROLE.fullmatch(role_arn)
    if found is None or not _SESSION.fullmatch(session_name):
        wrong = "roleArn" if found is None else "roleSessionName"
        return _invalid(request, f"1 validation error detected: Value at '{wrong}' failed to satisfy constraint")
    role = _role(found["partition"], found["account"], role_arn)
    if role is None or not _trusts(role, role_arn, found["account"], principal, clock, parameters, request, region):
        message = f"User: {principal.arn} is not authorized to perform: {_ACTION} on resource: {role_arn}"
        return refuse_as(request, "sts", Names(HTTPStatus.FORBIDDEN, "AccessDenied", "AccessDenied", "", message))
    try:
        duration = int(parameters.get("DurationSeconds", str(_USUAL)))
    except ValueError:
        duration = 0
    longest = _USUAL if principal.role_arn is not None else int(role.max_session_duration or _USUAL)
    if not _SHORTEST <= duration <= min(longest, _LONGEST):
        return _invalid(
            request, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role, or is below 900."
        )
    policy = parameters.get("Policy")
    if policy is not None and not _is_json(policy):
        names = Names(HTTPStatus.BAD_REQUEST, "", "MalformedPolicyDocument", "", "The session policy is not JSON.")
        return refuse_as(request, "sts", names)
    return _issue(role, role_arn, found["partition"], session_name, duration, policy, clock, region)


def _issue(
    role: Any,
    role_arn: str,
    partition: str,
    session_name: str,
    duration: int,
    policy: str | None,
    clock: SandboxClock,
    region: str,
) -> HttpResponse:
    from moto.sts.models import sts_backends

    session = sts_backends[role.account_id][partition].assume_role(
        region_name=region,
        role_session_name=session_name,
        role_arn=role_arn,
        policy=policy or "",
        duration=duration,
        external_id="",
    )
    until = session.expiration
    session.expiration = until + clock.ahead  # the client's clock did not move, the sandbox's did
    credentials = {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.session_token,
        "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    user = {"AssumedRoleId": session.user_id, "Arn": session.arn}
    return sts_answer("AssumeRole", {"Credentials": credentials, "AssumedRoleUser": user})


def _trusts(
    role: Any,
    role_arn: str,
    account_id: str,
    principal: Principal,
    clock: SandboxClock,
    parameters: Mapping[str, str],
    request: HttpRequest,
    region: str,
) -> bool:
    policy = _trust_policy(role.assume_role_policy_document)
    if policy is None:
        return False
    context = context_of(principal, clock.now(), region, request.client_address[0])
    context["sts:RoleSessionName"] = (parameters["RoleSessionName"],)
    if "ExternalId" in parameters:
        context["sts:ExternalId"] = (parameters["ExternalId"],)
    asked = Request(_ACTION, role_arn, account_id, context, complete=True)
    caller = principal.caller
    called_by = identify(caller.account_id, caller.principal_arn, caller.partition)
    opinion = principal.opinion(asked)
    if opinion is Opinion.DENIED:
        return False
    trusted = False
    for statement in policy.statements:
        spoken = speaks_of(statement, caller, asked, resource=False)
        if statement.effect is Effect.DENY:
            if Verdict.NO not in (spoken, statement.principals.denied(called_by)[0]):
                return False
            continue
        if spoken is not Verdict.YES:
            continue
        standing = statement.principals.allowed(called_by)
        enough = standing.direct and principal.account_id == account_id
        if opinion is Opinion.LIMITED and principal.role_arn is not None:
            enough = enough and statement.principals.names(principal.arn)
        trusted = trusted or enough or ((standing.direct or standing.through_account) and opinion is Opinion.ALLOWED)
    return trusted


def _trust_policy(text: str) -> KeyPolicy | None:
    try:
        return parse_key_policy(text)
    except InputError:
        return None


def _role(partition: str, account_id: str, role_arn: str) -> Any:
    from moto.iam.models import iam_backends

    if account_id not in iam_backends:
        return None
    roles = iam_backends[account_id][partition].roles.values()
    return next((role for role in roles if role.arn == role_arn), None)


def _parameters(request: HttpRequest) -> dict[str, list[str]]:
    form = request.body.decode("latin-1") if request.method == "POST" else urlsplit(request.target).query
    return parse_qs(form)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _invalid(request: HttpRequest, message: str) -> HttpResponse:
    return refuse_as(request, "sts", Names(HTTPStatus.BAD_REQUEST, "ValidationError", "ValidationError", "", message))
