"""Who signed a request, for which Region and service: the credential scope of AWS Signature Version 4.

It stands in the `Authorization` header, or in the query of a presigned URL, as
`ACCESS-KEY-ID/DATE/REGION/SERVICE/aws4_request`. The signature itself is not checked: the sandbox is for
its own user's machine. (IAM User Guide, "Elements of an AWS API request signature")
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from engine.sandbox.http_messages import HttpRequest

_SCOPE = re.compile(
    r"(?P<key>[A-Za-z0-9]{16,128})/[0-9]{8}/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request"
)
_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256\s+(?:.*,\s*)?Credential=(?P<scope>[^,\s]+)")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says of its signer.

    Attributes:
        access_key_id: The access key id.
        region: The Region that was signed for.
        service: The service that was signed for, such as `kms`.
        session_token: The token that came with it, or None.
    """

    access_key_id: str
    region: str
    service: str
    session_token: str | None


def read_signature(request: HttpRequest) -> Signature | None:
    """The signer of a request; None where it is not signed, or not readably."""
    if (header := request.headers.get("authorization")) is not None:
        found = _CREDENTIAL.match(header)
        token = request.headers.get("x-amz-security-token")
        return _of_scope(found["scope"], token) if found else None
    query = parse_qs(urlsplit(request.target).query)
    if "X-Amz-Credential" not in query:
        return None
    return _of_scope(query["X-Amz-Credential"][0], query.get("X-Amz-Security-Token", [None])[0])


def _of_scope(scope: str, token: str | None) -> Signature | None:
    found = _SCOPE.fullmatch(scope)
    return Signature(found["key"], found["region"], found["service"], token) if found else None
