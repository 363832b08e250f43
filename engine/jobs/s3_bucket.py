"""The bucket of a vault: where it is, with whose credentials, and its unfinished uploads, through boto3."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.errors import AwsError, InputError
from engine.kms.session import aws_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import S3Credential

_FIRST_REGION = "us-east-1"  # where boto3 is told of none; S3 names the bucket's own
_CREDENTIAL_LIFE = timedelta(minutes=5)
_PERMISSIONS = "check the credentials in use and their IAM policy (engine/jobs/s3_objects.py names the permissions)"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket that is there and may be listed; `connect_bucket` makes it.

    Attributes:
        name: Its name.
        region: The Region that it is in.
        endpoint_url: Where it is reached.
    """

    name: str
    region: str
    endpoint_url: str
    _client: Any
    _credentials: Any

    def credentials(self) -> S3Credential:
        """The credentials just now: boto3 renews those that end."""
        frozen = self._credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _CREDENTIAL_LIFE,
        }

    def uploads(self, prefix: str) -> list[tuple[str, str]]:
        """The keys and ids of the uploads in parts that have not ended, under a prefix."""
        found: list[tuple[str, str]] = []
        with _translated(self.name):
            for page in self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name, Prefix=prefix):
                found += [(upload["Key"], upload["UploadId"]) for upload in page.get("Uploads", ())]
        return found

    def abort_upload(self, key: str, upload: str) -> None:
        """Abort an upload; harmless where it has ended meanwhile."""
        with _translated(self.name):
            try:
                self._client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload)
            except self._client.exceptions.NoSuchUpload:
                return


def connect_bucket(name: str) -> Bucket:
    """Connect to a bucket with boto3's usual chain, as the customer.

    Raises:
        InputError: There is no such bucket.
        AwsError: S3 refuses, or cannot be reached; or there are no credentials.
    """
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 4})
    with _translated(name):
        region = boto3.Session().region_name or _FIRST_REGION
        connect: Any = aws_session(region).client
        region = _region(connect("s3", config=config), name) or region
        session = aws_session(region)
        connect = session.client
        client, credentials = connect("s3", config=config), session.get_credentials()
        if credentials is None:
            raise AwsError(f"there are no AWS credentials for the vault's bucket {name!r}", _PERMISSIONS)
        return Bucket(name, region, client.meta.endpoint_url, client, credentials)


def _region(client: Any, name: str) -> str | None:
    answer = client.head_bucket(Bucket=name)
    region: str | None = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    return region


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn boto3's errors into ours."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no code")
        if code in {"404", "NoSuchBucket"}:
            raise InputError(
                f"the vault's bucket {name!r} is not there",
                "`vault` in the declaration names it; is it the right account?",
            ) from error
        raise AwsError(f"the vault's bucket {name!r} cannot be used: S3 answered {code}", _PERMISSIONS) from error
    except (BotoCoreError, ValueError) as error:
        raise AwsError(
            f"the vault's bucket {name!r} cannot be used: {error}", "check the network and AWS settings"
        ) from error
