"""STS GetCallerIdentity: the same principal that policies and grants see (AWS STS API Reference)."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from engine.sandbox.http_messages import HttpResponse

if TYPE_CHECKING:
    from engine.sandbox.credentials import Principal
    from engine.sandbox.http_messages import HttpRequest

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def asks_for_caller_identity(request: HttpRequest) -> bool:
    """Whether a request to STS is GetCallerIdentity."""
    form = request.body.decode("latin-1") if request.method == "POST" else urlsplit(request.target).query
    return parse_qs(form).get("Action") == ["GetCallerIdentity"]


def tell_caller_identity(principal: Principal) -> HttpResponse:
    """Answer GetCallerIdentity."""
    body = (
        f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>{escape(principal.arn)}</Arn><UserId>{escape(principal.user_id)}</UserId>"
        f"<Account>{principal.account_id}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    return HttpResponse(HTTPStatus.OK, (("Content-Type", "text/xml"),), body.encode())
