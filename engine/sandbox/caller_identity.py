"""STS GetCallerIdentity: the same principal that policies and grants see (AWS STS API Reference)."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from engine.sandbox.http_messages import HttpResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox.credentials import Principal

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def tell_caller_identity(principal: Principal) -> HttpResponse:
    """Answer GetCallerIdentity."""
    members = {"Arn": principal.arn, "UserId": principal.user_id, "Account": principal.account_id}
    return sts_answer("GetCallerIdentity", members)


def sts_answer(action: str, members: Mapping[str, str | Mapping[str, str]]) -> HttpResponse:
    """An answer of STS, in the form of the query protocol."""
    body = (
        f'<{action}Response xmlns="{_NAMESPACE}"><{action}Result>{_xml(members)}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return HttpResponse(HTTPStatus.OK, (("Content-Type", "text/xml"),), body.encode())


def _xml(members: Mapping[str, str | Mapping[str, str]]) -> str:
    texts = {name: escape(value) if isinstance(value, str) else _xml(value) for name, value in members.items()}
    return "".join(f"<{name}>{text}</{name}>" for name, text in texts.items())
