"""S3's buckets and objects in a state folder.

One entry for a bucket without its objects, one for the versions of an object without their bodies, one for
each body and one for each part of an upload under way; a body is written once. The parts of a finished
object are not kept beside it.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from engine.sandbox.state.moto_pickles import dump, load

if TYPE_CHECKING:
    from engine.sandbox.state.folder import StateFolder

Changes = dict[str, "bytes | None"]
_PREFIX = "s3/"
_NOT_OF_A_BUCKET = ("keys",)
_NOT_OF_AN_OBJECT = ("_value_buffer", "lock", "multipart")


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of an object: its members and its body's entry, None for a delete marker's."""

    members: dict[str, Any]
    body: str | None


class StoredObjects:
    """The rows of S3, of every account.

    Args:
        folder: Where they are; what it holds is put into moto.
        partition: The AWS partition.

    Raises:
        DamagedError: An entry cannot be read.
    """

    def __init__(self, folder: StateFolder, partition: str) -> None:
        self._folder = folder
        self._partition = partition
        self._bodies: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._numbers = count(1)
        self._restore()

    def changes(self, account_id: str, bucket: str | None, key: str | None) -> Changes:
        """What a call has changed.

        Args:
            account_id: Who called.
            bucket: The bucket that it was about; None for all of the account.
            key: The object that it was about; None for all of the bucket.
        """
        from moto.s3.models import s3_backends

        place = s3_backends.bucket_accounts.get(bucket) if bucket is not None else None
        account_id = place[1] if place is not None else account_id
        backend = s3_backends[account_id][self._partition]
        changes: Changes = {
            f"{_PREFIX}{account_id}/tags": dump({n: v for n, v in backend.__dict__.items() if n != "buckets"})
        }
        for name in [bucket] if bucket is not None else [*backend.buckets, *self._kept_buckets(account_id)]:
            changes |= self._of_bucket(account_id, name, backend.buckets.get(name), key)
        return changes

    def _kept_buckets(self, account_id: str) -> set[str]:
        prefix = f"{_PREFIX}{account_id}/bucket/"
        return {name.removeprefix(prefix) for name in self._folder.names(prefix)}

    def _of_bucket(self, account_id: str, name: str, bucket: Any, key: str | None) -> Changes:
        row, objects = f"{_PREFIX}{account_id}/bucket/{name}", f"{_PREFIX}{account_id}/object/{name}/"
        bodies = f"{_PREFIX}{account_id}/body/{name}/"
        if bucket is None:
            parts = self._folder.names(f"{_PREFIX}{account_id}/part/{name}/")
            return dict.fromkeys((row, *self._folder.names(objects), *self._folder.names(bodies), *parts))
        members = {member: value for member, value in bucket.__dict__.items() if member not in _NOT_OF_A_BUCKET}
        changes = self._with_parts(row, members, f"{_PREFIX}{account_id}/part/{name}/")
        if key is not None:
            return changes | self._of_object(bucket, key, objects, bodies)
        for gone in set(self._folder.names(objects)) - {objects + _quoted(one) for one in dict.keys(bucket.keys)}:
            changes |= self._of_object(bucket, unquote(gone.removeprefix(objects)), objects, bodies)
        for one in tuple(dict.keys(bucket.keys)):
            changes |= self._of_object(bucket, one, objects, bodies)
        return changes

    def _with_parts(self, row: str, members: dict[str, Any], prefix: str) -> Changes:
        """A bucket's own entry, with an entry for every part of its uploads that has none yet."""
        from moto.s3.models import FakeKey

        changes, used = Changes(), set[str]()

        def named(found: Any) -> str | None:
            if not isinstance(found, FakeKey):
                return None
            if (part := self._bodies.get(found)) is None:
                part = self._bodies[found] = f"{prefix}{next(self._numbers)}"
                changes[part] = dump((_members(found), found.value))
            used.add(part)
            return part

        changes[row] = dump(members, named)
        return changes | dict.fromkeys(part for part in self._folder.names(prefix) if part not in used)

    def _of_object(self, bucket: Any, key: str, objects: str, bodies: str) -> Changes:
        prefix = f"{bodies}{_quoted(key)}/"
        versions, changes = [], Changes()
        for version in bucket.keys.getlist(key, []):
            if not hasattr(version, "_value_buffer"):
                versions.append(_Version({n: v for n, v in version.__dict__.items() if n != "key"}, None))
                continue
            if (body := self._bodies.get(version)) is None:
                body = self._bodies[version] = f"{prefix}{next(self._numbers)}"
                changes[body] = version.value
            versions.append(_Version(_members(version), body))
        used = {one.body for one in versions}
        changes |= dict.fromkeys(body for body in self._folder.names(prefix) if body not in used)
        changes[objects + _quoted(key)] = dump([(one.members, one.body) for one in versions]) if versions else None
        return changes

    def _restore(self) -> None:
        from moto.s3.models import FakeBucket, FakeDeleteMarker, s3_backends
        from moto.s3.utils import _VersionedKeyStore

        bodies: dict[str, bytes] = {}
        buckets: list[tuple[str, str, bytes]] = []
        later: list[tuple[str, str, str, bytes]] = []
        for name, value in self._folder.read(_PREFIX):
            account_id, kind, *rest = name.removeprefix(_PREFIX).split("/")
            backend = s3_backends[account_id][self._partition]
            if kind == "tags":
                backend.__dict__.update(load(value))
            elif kind == "bucket":
                buckets.append((account_id, rest[0], value))
            elif kind == "object":
                later.append((account_id, rest[0], unquote(rest[1]), value))
            else:
                bodies[name] = value
                self._numbers = count(max(next(self._numbers), int(rest[-1]) + 1))
        for account_id, bucket_name, value in buckets:
            bucket: Any = FakeBucket.__new__(FakeBucket)
            found: dict[str, Any] = {}
            find = partial(self._part, bodies, found)
            bucket.__dict__.update(load(value, find), keys=_VersionedKeyStore())
            s3_backends[account_id][self._partition].buckets[bucket_name] = bucket
            s3_backends.bucket_accounts[bucket_name] = (self._partition, account_id)
        for account_id, bucket_name, key, value in later:
            versions: list[Any] = []
            for members, body in load(value):
                if body is None:
                    marker: Any = FakeDeleteMarker.__new__(FakeDeleteMarker)
                    marker.__dict__.update(members, key=versions[-1] if versions else None)
                    versions.append(marker)
                else:
                    versions.append(self._object(body, members, bodies.pop(body)))
            s3_backends[account_id][self._partition].buckets[bucket_name].keys.setlist(key, versions)

    def _part(self, bodies: dict[str, bytes], found: dict[str, Any], name: str) -> Any:
        if name not in found:
            found[name] = self._object(name, *load(bodies.pop(name)))
        return found[name]

    def _object(self, name: str, members: dict[str, Any], body: bytes) -> Any:
        from moto.s3.models import FakeKey

        version: Any = FakeKey.__new__(FakeKey)
        version.__setstate__({**members, "multipart": None, "value": body})
        self._bodies[version] = name
        return version


def _members(version: Any) -> dict[str, Any]:
    return {name: value for name, value in version.__dict__.items() if name not in _NOT_OF_AN_OBJECT}


def _quoted(key: str) -> str:
    return quote(key, safe="")
