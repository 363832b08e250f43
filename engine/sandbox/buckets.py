"""What S3 refuses and moto does not: another account's bucket, and encryption under a KMS key that is not there.

- A bucket is its owner's alone. AWS lets another account in where the bucket's policy names it; the sandbox
  reads no bucket policy, so it lets nobody in. A copy from another account's bucket is a reading of it.
- Encryption by S3 under a KMS key (SSE-KMS) is refused rather than played: moto would give the object back
  though its key is disabled, and a revocation that was rehearsed so would prove nothing.

(Amazon S3 User Guide, "How Amazon S3 authorizes a request", "Using server-side encryption with AWS KMS keys")
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

from engine.sandbox.refusals import Names, refuse_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.sandbox.http_messages import HttpRequest, HttpResponse

_S3 = "s3"
_ENCRYPTION_HEADER, _COPY_HEADER = "x-amz-server-side-encryption", "x-amz-copy-source"
_BY_KMS = "aws:kms"
_ANOTHERS = Names(
    HTTPStatus.FORBIDDEN,
    "AccessDenied",
    "AccessDenied",
    "AccessDenied",
    "Access Denied: the bucket is another account's.",
)
_NO_KMS = Names(
    HTTPStatus.NOT_IMPLEMENTED,
    "NotImplemented",
    "NotImplemented",
    "NotImplemented",
    "The sandbox's S3 does not encrypt under KMS keys; encrypt with the key itself before the object is put.",
)


def refuse_bucket(request: HttpRequest, account_id: str) -> HttpResponse | None:
    """The refusal of a request to S3, or None where moto may answer it.

    Args:
        request: The request, signed for S3.
        account_id: The caller's account.
    """
    for bucket in _buckets(request):
        if _owner(bucket) not in (None, account_id):
            return refuse_as(request, _S3, _ANOTHERS)
    return refuse_as(request, _S3, _NO_KMS) if _asks_for_kms(request) else None


def _buckets(request: HttpRequest) -> Iterator[str]:
    """Every bucket that a request may be about: that of its host's name, else that of its path, and a copy's source."""
    path, _, query = request.target.partition("?")
    in_path = unquote(path).lstrip("/").split("/")
    of_host = [name for name in _names_in_host(request) if _owner(name) is not None]
    key = in_path if of_host else in_path[1:]
    if request.method != "PUT" or any(key) or query:  # else CreateBucket, which says itself that a name is taken
        yield from of_host or (in_path[0],)
    if source := request.headers.get(_COPY_HEADER):
        yield unquote(source).lstrip("/").split("/")[0]


def _names_in_host(request: HttpRequest) -> list[str]:
    """What a client that names its bucket by the host may mean: `bucket.localhost`, `my.bucket.s3.amazonaws.com`."""
    labels = request.headers.get("host", "").lower().rsplit(":", 1)[0].removeprefix("www.").split(".")
    return [".".join(labels[:count]) for count in range(1, len(labels))]


def _owner(bucket: str) -> str | None:
    from moto.s3.models import s3_backends

    found = s3_backends.bucket_accounts.get(bucket)
    return None if found is None else str(found[1])


def _asks_for_kms(request: HttpRequest) -> bool:
    if request.headers.get(_ENCRYPTION_HEADER, "").startswith(_BY_KMS):
        return True
    asks_for_default = request.method == "PUT" and "encryption" in request.target.partition("?")[2].split("&")
    return asks_for_default and _BY_KMS.encode() in request.body
