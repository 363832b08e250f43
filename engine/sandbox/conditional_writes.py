"""S3's conditional writes where moto's differ: a conflict during the upload, and the conditions of CopyObject.

- A conditional write during which another write or a deletion of the same object took effect is answered with
  409 `ConditionalRequestConflict`: whoever wrote should look again, then retry. One that began after the other
  is answered with 412 `PreconditionFailed`. The upload begins with its first byte and ends with its effect.
- CopyObject's `If-Match` and `If-None-Match` are about the destination, as PutObject's; `If-Match` counts for
  CompleteMultipartUpload as well.
- Of two conditional writes at once, one takes effect: `MotoServices.alone` lets one at a time change objects.
(Amazon S3 API Reference, PutObject, CopyObject, CompleteMultipartUpload; User Guide, "How to prevent object
overwrites with conditional writes")
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.sax.saxutils import unescape

from engine.sandbox.operation_names import operation_name
from engine.sandbox.refusals import Names, refuse_as

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.sandbox.http_messages import HttpRequest, HttpResponse

_CONDITIONAL = frozenset({"s3:PutObject", "s3:CopyObject", "s3:CompleteMultipartUpload"})
_ONE = frozenset({*_CONDITIONAL, "s3:DeleteObject"})
_MANY = "s3:DeleteObjects"
_DELETED_KEY = re.compile(rb"<Key>([^<]*)</Key>")

_CONFLICT = Names(
    HTTPStatus.CONFLICT,
    "",
    "",
    "ConditionalRequestConflict",
    "The conditional request cannot succeed due to a conflicting operation against this resource.",
)
_FAILED = Names(
    HTTPStatus.PRECONDITION_FAILED,
    "",
    "",
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
)
_MISSING = Names(HTTPStatus.NOT_FOUND, "", "", "NoSuchKey", "The specified key does not exist.")


class ConditionalWrites:
    """When each object was last changed. Its caller lets one call at a time change objects.

    Args:
        partition: The AWS partition.
    """

    def __init__(self, partition: str) -> None:
        self._partition = partition
        self._changed: dict[str, float] = {}  # path of the object → when, by the machine's steady clock

    def write(self, request: HttpRequest, act: Callable[[], HttpResponse]) -> HttpResponse:
        """Let a request to S3 change objects, or refuse it; `act` lets moto answer."""
        operation = operation_name(request, "s3")
        path = unquote(request.target.partition("?")[0])
        conditions = {"if-match", "if-none-match"} & request.headers.keys()
        if conditions and operation in _CONDITIONAL:
            if self._changed.get(path, -1.0) > request.began:
                return refuse_as(request, "s3", _CONFLICT)
            if operation != "s3:PutObject" and (refusal := self._refusal(request, operation, path)) is not None:
                return refuse_as(request, "s3", refusal)
        response = act()
        if response.status < HTTPStatus.BAD_REQUEST:
            self._changed |= dict.fromkeys(_changed_by(operation, path, request.body), time.monotonic())
        return response

    def _refusal(self, request: HttpRequest, operation: str, path: str) -> Names | None:
        found = self._object(path)
        wanted = request.headers.get("if-match")
        if wanted is not None:
            if found is None:
                return _MISSING
            if wanted.strip('"') not in ("*", found.etag.strip('"')):
                return _FAILED
        # An upload in parts that is completed again is the same one: moto sees to that.
        unmet = operation == "s3:CopyObject" and "if-none-match" in request.headers and found is not None
        return _FAILED if unmet else None

    def _object(self, path: str) -> Any:
        from moto.s3.models import FakeKey, s3_backends

        bucket_name, _, key = path.lstrip("/").partition("/")
        place = s3_backends.bucket_accounts.get(bucket_name)
        bucket = s3_backends[place[1]][self._partition].buckets.get(bucket_name) if place is not None else None
        found = bucket.keys.get(key) if bucket is not None else None
        return found if isinstance(found, FakeKey) else None


def _changed_by(operation: str, path: str, body: bytes) -> Iterable[str]:
    if operation in _ONE:
        return (path,)
    if operation == _MANY:
        return tuple(f"{path.rstrip('/')}/{unescape(found.decode())}" for found in _DELETED_KEY.findall(body))
    return ()
