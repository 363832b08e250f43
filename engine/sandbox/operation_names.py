"""The name of the operation that a request asks for, such as `kms:ReEncrypt` or `s3:PutObject`.

JSON services name it in `X-Amz-Target`, query services in the parameter `Action`. S3 has no name on the
wire: there it follows from the method, the query and a few headers (Amazon S3 API Reference, "Operations").
What S3 does on a sub-resource that is not in the table is named after the method and the sub-resource,
such as `s3:GetTagging`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from engine.sandbox.http_messages import HttpRequest

_OBJECT = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject", "POST": "PostObject"}
_BUCKET = {"GET": "ListObjects", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
_UPLOADS = {
    ("POST", "uploads"): "CreateMultipartUpload",
    ("GET", "uploads"): "ListMultipartUploads",
    ("PUT", "uploadId"): "UploadPart",
    ("GET", "uploadId"): "ListParts",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "delete"): "DeleteObjects",
}
# Query parameters that choose what of an operation, not which one.
_PLAIN = frozenset({"versionId", "partNumber", "x-id", "list-type", "prefix", "delimiter", "marker", "max-keys"})


def operation_name(request: HttpRequest, service: str) -> str:
    """The operation of a request that was signed for a service."""
    if (target := request.headers.get("x-amz-target")) is not None:
        return f"{service}:{target.rpartition('.')[2]}"
    if service == "s3":
        return f"s3:{_of_s3(request)}"
    form = request.body.decode("latin-1") if request.method == "POST" else urlsplit(request.target).query
    actions = parse_qs(form).get("Action", [])
    return f"{service}:{actions[0] if len(actions) == 1 else request.method}"


def _of_s3(request: HttpRequest) -> str:
    path, _, query = request.target.partition("?")
    _, _, key = path.strip("/").partition("/")
    parameters = parse_qs(query, keep_blank_values=True)
    for name in parameters:
        if (request.method, name) in _UPLOADS:
            copied = name == "uploadId" and request.method == "PUT" and "x-amz-copy-source" in request.headers
            return "UploadPartCopy" if copied else _UPLOADS[request.method, name]
    if "list-type" in parameters and not key:
        return "ListObjectsV2"
    for name in parameters:
        if name not in _PLAIN and not name.lower().startswith(("x-amz-", "response-")) and not parameters[name][0]:
            return request.method.capitalize() + name.capitalize()
    if path == "/":
        return "ListBuckets"
    if not key:
        return _BUCKET.get(request.method, request.method)
    if request.method == "PUT" and "x-amz-copy-source" in request.headers:
        return "CopyObject"
    return _OBJECT.get(request.method, request.method)
