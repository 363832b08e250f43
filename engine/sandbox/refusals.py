"""Refusing a request outside of the service that it is for, in the form that the service's clients read.

S3 answers in XML of its own, the query services (STS, IAM, SNS, CloudWatch…) in another, everything else in
JSON with the error's name in `__type`. (AWS General Reference, "Common error types")
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from engine.sandbox.http_messages import HttpResponse

if TYPE_CHECKING:
    from engine.sandbox.http_messages import HttpRequest


@dataclass(frozen=True, slots=True)
class Names:
    """What one and the same refusal is called in each of the three forms."""

    status: int
    json: str
    query: str
    s3: str
    message: str


class Refusal(Enum):
    """Why a request goes no further."""

    NOT_SIGNED = Names(
        HTTPStatus.FORBIDDEN,
        "MissingAuthenticationTokenException",
        "MissingAuthenticationToken",
        "AccessDenied",
        "The request is not signed: the sandbox answers its own credentials alone.",
    )
    UNKNOWN_CREDENTIALS = Names(
        HTTPStatus.FORBIDDEN,
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "The security token included in the request is invalid.",
    )
    EXPIRED = Names(
        HTTPStatus.BAD_REQUEST,
        "ExpiredTokenException",
        "ExpiredToken",
        "ExpiredToken",
        "The security token included in the request is expired",
    )
    WRONG_SERVICE = Names(
        HTTPStatus.FORBIDDEN,
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "SignatureDoesNotMatch",
        "The credential is scoped to another service.",
    )
    NOT_IMPLEMENTED = Names(
        HTTPStatus.NOT_IMPLEMENTED,
        "UnknownOperationException",
        "InvalidAction",
        "NotImplemented",
        "The sandbox does not have this operation.",
    )
    FAILED = Names(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "InternalFailure",
        "InternalFailure",
        "InternalError",
        "The sandbox itself failed.",
    )


def refuse(request: HttpRequest, service: str | None, refusal: Refusal) -> HttpResponse:
    """Refuse a request in the form of its service.

    Args:
        request: The request.
        service: The service that it was signed for, where that is known.
        refusal: Why.
    """
    return refuse_as(request, service, refusal.value)


def refuse_as(request: HttpRequest, service: str | None, names: Names) -> HttpResponse:
    """Refuse a request by names that are not in the table; the arguments are as of `refuse`."""
    request_id = str(uuid.uuid4())
    headers: tuple[tuple[str, str], ...] = (("x-amzn-RequestId", request_id),)
    message = escape(names.message)
    if service == "s3" or (service is None and "x-amz-target" not in request.headers):
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{names.s3}</Code><Message>{message}</Message>'
            f"<RequestId>{request_id}</RequestId></Error>"
        )
        return _xml(names.status, headers, body)
    if "x-amz-target" not in request.headers:
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{names.query}</Code><Message>{message}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return _xml(names.status, headers, body)
    document = json.dumps({"__type": names.json, "message": names.message}).encode()
    content_type = ("Content-Type", request.headers.get("content-type", "application/x-amz-json-1.1"))
    return HttpResponse(names.status, (*headers, content_type), document)


def _xml(status: int, headers: tuple[tuple[str, str], ...], body: str) -> HttpResponse:
    return HttpResponse(status, (*headers, ("Content-Type", "text/xml")), body.encode())
