"""A vault's objects in an Amazon S3 bucket, under a prefix; `obstore` moves the bytes.

- An object appears whole or not at all: small ones are put in one request, large ones uploaded in parts that S3
  joins at the end. Parts that were never joined are aborted where a leftover is collected.
- What is published is written under the condition that nothing stands there yet, while the lock is proved to be
  still held (`engine.jobs.s3_locks`). Before leftovers are deleted, an empty object takes the name that they
  could still be published under: whoever was only slow, and not dead, is then refused, and no snapshot appears
  whose content is gone.
- An empty object is no object: no object of the vault is empty.
- Endpoint, Region and credentials come from boto3's usual chain; the bucket's own Region is asked for once.

IAM permissions: `s3:ListBucket` and `s3:ListBucketMultipartUploads` on the bucket; `s3:GetObject`, `s3:PutObject`,
`s3:DeleteObject` and `s3:AbortMultipartUpload` on its objects.
(Amazon S3 User Guide, "How to prevent object overwrites with conditional writes", "Uploading and copying objects
using multipart upload")
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from engine.errors import InputError, MachineError
from engine.jobs.objects import MissingObjectError
from engine.jobs.s3_bucket import Bucket, connect_bucket
from engine.jobs.s3_errors import missing_bucket, translated
from engine.jobs.s3_locks import LEASE_SECONDS, LOCKS, S3Locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from obstore import WritableFile

SCHEME = "s3://"
_LOCATION = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9!_.*'()/-]*))?", re.ASCII)
_PART_BYTES = 8 << 20  # S3 takes 5 MiB to 5 GiB, and 10,000 of them: more than any pack or manifest has
_PARTS_AT_ONCE = 2
_READ_AHEAD_BYTES = 8 << 20


def open_s3(location: str, lease_seconds: float = LEASE_SECONDS) -> S3ObjectStore:
    """Open the store at `s3://bucket/prefix`.

    Raises:
        InputError: It is no such location, or there is no such bucket.
        AwsError: S3 refuses, or cannot be reached.
    """
    match = _LOCATION.fullmatch(location)
    prefix = "" if match is None else (match[2] or "").strip("/")
    if match is None or any(part in {"", ".", ".."} for part in prefix.split("/") if prefix):
        raise InputError(
            f"the vault {location!r} is no place in S3",
            "declare s3://bucket/prefix; the prefix may have letters, digits and !_.*'()/-",
        )
    return S3ObjectStore(connect_bucket(match[1]), prefix, lease_seconds)


class S3ObjectStore:
    """Objects in a bucket; `open_s3` makes it. Safe to use from several threads."""

    def __init__(self, bucket: Bucket, prefix: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self.location = f"{SCHEME}{bucket.name}/{prefix}".rstrip("/")
        self._store = S3Store(
            bucket.name,
            prefix=prefix or None,
            config={
                "endpoint": bucket.endpoint_url,
                "region": bucket.region,
                "virtual_hosted_style_request": False,
                "conditional_put": "etag",
            },
            client_options={
                "allow_http": bucket.endpoint_url.startswith("http://"),
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(seconds=60),
            },
            retry_config={"max_retries": 6, "retry_timeout": timedelta(seconds=60)},
            credential_provider=bucket.credentials,
        )
        self._locks = S3Locks(self._store, self.location, lease_seconds)

    def create(self, name: str) -> S3ObjectWriter:
        """Begin an object."""
        with translated(self._called(name)):
            file = obstore.open_writer(self._store, name, buffer_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
        return S3ObjectWriter(self, name, file)

    def open(self, name: str) -> S3ObjectReader:
        """Open an object, or raise `MissingObjectError`."""
        size = self.size_of(name)
        if size is None:
            raise MissingObjectError(f"the vault's object {self._called(name)!r} is missing")
        return S3ObjectReader(self._store, name, self._called(name), size)

    def put(self, name: str, data: bytes) -> None:
        """Store a small object in one go."""
        with missing_bucket(self.location), translated(self._called(name)):
            obstore.put(self._store, name, data, use_multipart=False)

    def publish(self, name: str, data: bytes, lock: str | None = None) -> None:
        """Store a small object where none stands; while the lock of this name is still held, where one is named."""
        if lock is not None:
            self._locks.prove(lock)
        with missing_bucket(self.location), translated(self._called(name)):
            try:
                obstore.put(self._store, name, data, mode="create")
            except (AlreadyExistsError, PreconditionError) as error:
                # A request whose answer was lost is sent again, and then finds what it wrote itself.
                if bytes(obstore.get(self._store, name).bytes()) != data:
                    raise MachineError(
                        f"object {self._called(name)!r} cannot be published: another writer took or gave away its name",
                        "run the backup again, where its connection to S3 lasts",
                    ) from error

    def prevent(self, name: str) -> bool:
        """See to it that nobody publishes under this name any more; False where it is published already."""
        with translated(self._called(name)):
            try:
                obstore.put(self._store, name, b"", mode="create")
            except (AlreadyExistsError, PreconditionError):
                return self.size_of(name) is None
        return True

    def get(self, name: str) -> bytes:
        """Read a small object, or raise `MissingObjectError`."""
        with translated(self._called(name)):
            data = bytes(obstore.get(self._store, name).bytes())
        if not data:
            raise MissingObjectError(f"the vault's object {self._called(name)!r} is missing")
        return data

    def size_of(self, name: str) -> int | None:
        """The size of an object, or None where there is none."""
        try:
            with translated(self._called(name)):
                return int(obstore.head(self._store, name)["size"]) or None
        except MissingObjectError:
            return None

    def names(self, prefix: str) -> Iterator[str]:
        """The full names of all objects in a folder and below, sorted."""
        with translated(self._called(prefix)):
            found = [
                str(meta["path"])
                for page in obstore.list(self._store, prefix=prefix or None, chunk_size=1000)
                for meta in page
                if meta["size"]
            ]
        yield from sorted(name for name in found if not name.startswith(f"{LOCKS}/"))

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The names of the folders right inside a folder, sorted; also of those with unfinished uploads alone."""
        with translated(self._called(prefix)):
            listed = obstore.list_with_delimiter(self._store, prefix=prefix)["common_prefixes"]
        found = {path.rpartition("/")[2] for path in listed}
        found.update(name.removeprefix(f"{prefix}/").partition("/")[0] for name, _ in self._uploads(prefix))
        return tuple(sorted(found))

    def delete_all(self, prefix: str) -> None:
        """Delete a folder with all objects in it, and abort what is being uploaded there."""
        self.delete_unfinished(prefix)
        with translated(self._called(prefix)):
            for page in obstore.list(self._store, prefix=prefix, chunk_size=1000):
                obstore.delete(self._store, [meta["path"] for meta in page])

    def delete_unfinished(self, prefix: str) -> None:
        """Abort the uploads into a folder that never ended."""
        for name, upload in self._uploads(prefix):
            self._bucket.abort_upload(self._prefix + name, upload)

    def abort_uploads_of(self, name: str) -> None:
        """Abort the uploads of one object; harmless where there is none."""
        for key, upload in self._bucket.uploads(self._prefix + name):
            if key == self._prefix + name:
                self._bucket.abort_upload(key, upload)

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock of this name, or raise `MachineError` at once."""
        return self._locks.hold(name)

    def _uploads(self, prefix: str) -> list[tuple[str, str]]:
        """The objects in a folder that are being uploaded in parts, and the id of each upload."""
        return [
            (key.removeprefix(self._prefix), upload) for key, upload in self._bucket.uploads(f"{self._prefix}{prefix}/")
        ]

    def _called(self, name: str) -> str:
        return f"{self.location}/{name}"


class S3ObjectWriter:
    """An object that is being uploaded."""

    def __init__(self, store: S3ObjectStore, name: str, file: WritableFile) -> None:
        self._store = store
        self._name = name
        self._called = f"{store.location}/{name}"
        self._file: WritableFile | None = file
        self._bytes = 0

    def write(self, data: memoryview, /) -> int:
        """Append bytes; all of them are taken."""
        if self._file is None:
            raise ValueError("the object is committed or abandoned")
        with missing_bucket(self._store.location), translated(self._called):
            self._file.write(bytes(data))  # it keeps what it is given until it is sent; the buffer is the caller's
        self._bytes += len(data)
        return len(data)

    def commit(self) -> None:
        """Let S3 join the parts: it then appears under its name."""
        if self._file is None:
            raise ValueError("the object is committed or abandoned")
        with missing_bucket(self._store.location), translated(self._called):
            self._file.close()
        self._file = None

    def abandon(self) -> None:
        """Throw it away; harmless behind `commit`."""
        if self._file is not None:
            self._file = None  # it is never closed: closing would let it appear
            if self._bytes > _PART_BYTES:
                self._store.abort_uploads_of(self._name)


class S3ObjectReader:
    """An object that is being read, a stretch ahead where it is read in order."""

    def __init__(self, store: S3Store, name: str, called: str, size: int) -> None:
        self._store = store
        self._name = name
        self._called = called
        self.size = size
        self._offset = 0
        self._ahead: Any = memoryview(b"")
        self._start = 0

    def read_at(self, offset: int, buffer: memoryview, /) -> int:
        """Fill the buffer from this offset on, and say how many bytes there were before the end."""
        filled = 0
        while filled < len(buffer) and offset + filled < self.size:
            at = offset + filled
            if not self._start <= at < self._start + len(self._ahead):
                self._fetch(at, len(buffer) - filled)
            stretch = self._ahead[at - self._start :][: len(buffer) - filled]
            buffer[filled : filled + len(stretch)] = stretch
            filled += len(stretch)
        return filled

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on from where the last `readinto` ended; 0 at the end."""
        count = self.read_at(self._offset, buffer)
        self._offset += count
        return count

    def close(self) -> None:
        """Let go of what was read ahead."""
        self._ahead, self._start = memoryview(b""), 0

    def _fetch(self, offset: int, wanted: int) -> None:
        """Get a stretch: what is wanted, and more of it where reading goes on from the last one."""
        goes_on = offset == self._start + len(self._ahead)
        length = min(max(wanted, _READ_AHEAD_BYTES) if goes_on else wanted, self.size - offset)
        with translated(self._called):
            data = memoryview(obstore.get_range(self._store, self._name, start=offset, length=length))
        if len(data) != length:
            raise MissingObjectError(f"the vault's object {self._called!r} became shorter while it was read")
        self._ahead, self._start = data, offset
