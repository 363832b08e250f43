"""Locks in S3: an object that its holder renews, and that others may take once it has not been renewed for long.

- A lock is taken by a write under the condition that there is none, or that the one there is still exactly the one
  that was found too old. Its age is told by S3's own clock, so no machine's clock matters.
- A holder that could not renew its lock in time knows by its own steady clock that it may have lost it, earlier
  than others may take it. Before anything is published it renews once more: what S3 refuses then is lost.
- The lock of a process that was killed is free again when its time is over.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from engine.errors import KeyturnError, MachineError
from engine.jobs.objects import MissingObjectError
from engine.jobs.s3_errors import missing_bucket, translated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from obstore.store import S3Store

LOCKS = "locks"
LEASE_SECONDS = 120.0
_CLOCK = f"{LOCKS}/clock"
_RENEWALS = 4  # in the time of a lease
_SURE = 0.7  # for this much of a lease its holder relies on it


class S3Locks:
    """The locks of a vault in S3.

    Args:
        store: The vault's objects.
        location: The vault, for people.
        lease_seconds: For how long a lock that is not renewed stays taken.
    """

    def __init__(self, store: S3Store, location: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._location = location
        self._lease_seconds = lease_seconds
        self._held: dict[str, _Held] = {}

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold a lock, and renew it from a thread of its own.

        Raises:
            MachineError: Another holds it.
            AwsError: S3 refuses, or cannot be reached.
        """
        held = _Held(self._store, f"{LOCKS}/{name}.lock", self._location, self._lease_seconds)
        held.take()
        self._held[name] = held
        ended = threading.Event()
        renewing = threading.Thread(target=held.keep, args=(ended,), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join()
            del self._held[name]
            held.let_go()

    def prove(self, name: str) -> None:
        """Prove that this process holds a lock now.

        Raises:
            MachineError: It does not, or not any more.
            AwsError: S3 refuses, or cannot be reached.
        """
        held = self._held.get(name)
        if held is None:
            raise ValueError(f"the lock {name!r} is not held")
        held.renew()


class _Held:
    """One lock that this process takes."""

    def __init__(self, store: S3Store, path: str, location: str, lease_seconds: float) -> None:
        self._store = store
        self._path = path
        self._location = location
        self._lease_seconds = lease_seconds
        self._token = secrets.token_hex(16)
        self._renewals = 0
        self._tag: str | None = None
        self._sure_until = 0.0
        self._lost = False
        self._alone = threading.Lock()

    def take(self) -> None:
        """Take it, or raise `MachineError` where another holds it."""
        with missing_bucket(self._location), translated(self._called), self._alone:
            began = time.monotonic()
            try:
                self._write(began, None)
            except (AlreadyExistsError, PreconditionError):
                self._take_over(began)

    def _take_over(self, began: float) -> None:
        try:
            found = obstore.head(self._store, self._path)
        except FileNotFoundError as error:
            raise self._taken(0) from error  # given back just now; the next one to ask gets it
        left = self._lease_seconds - (self._now() - found["last_modified"]).total_seconds()
        # S3 tells whole seconds: one more makes sure that none is taken too early.
        if left >= -1:
            raise self._taken(left)
        try:
            self._write(began, found["e_tag"])
        except (AlreadyExistsError, PreconditionError) as error:
            raise self._taken(self._lease_seconds) from error

    def keep(self, ended: threading.Event) -> None:
        """Renew it until the end."""
        while not ended.wait(self._lease_seconds / _RENEWALS):
            # What fails is tried again in a moment; whether it came too late is seen when something is published.
            with suppress(KeyturnError):
                self.renew()

    def renew(self) -> None:
        """Renew it, and be sure of it.

        Raises:
            MachineError: It is lost.
        """
        with self._alone, missing_bucket(self._location), translated(self._called):
            began = time.monotonic()
            if self._lost or began > self._sure_until:
                self._lost = True
                raise self._gone()
            try:
                self._write(began, self._tag)
            except (AlreadyExistsError, PreconditionError, FileNotFoundError) as error:
                if self._is_ours():  # the answer was lost, and the request sent again
                    return
                self._lost = True
                raise self._gone() from error

    def let_go(self) -> None:
        """Give it back, where it is surely still ours."""
        with self._alone:
            if self._lost or time.monotonic() > self._sure_until:
                return
            # One that cannot be given back ends with its time; what the job did must not fail for it.
            with suppress(KeyturnError), translated(self._called):
                obstore.delete(self._store, self._path)

    def _write(self, began: float, tag: str | None) -> None:
        self._renewals += 1
        # Its content differs each time, and so does the tag that others take it over by.
        content = f"{self._token} {self._renewals}".encode()
        written = obstore.put(self._store, self._path, content, mode="create" if tag is None else {"e_tag": tag})
        self._tag = written["e_tag"]
        self._sure_until = began + self._lease_seconds * _SURE

    def _is_ours(self) -> bool:
        with suppress(FileNotFoundError):
            found = obstore.get(self._store, self._path)
            if bytes(found.bytes()) == f"{self._token} {self._renewals}".encode():
                self._tag = found.meta["e_tag"]
                return True
        return False

    def _now(self) -> datetime:
        """What time it is at S3."""
        obstore.put(self._store, _CLOCK, secrets.token_bytes(8), use_multipart=False)
        try:
            return obstore.head(self._store, _CLOCK)["last_modified"]
        except FileNotFoundError as error:
            raise MissingObjectError(f"the vault's object {_CLOCK!r} is missing") from error

    @property
    def _called(self) -> str:
        return f"{self._location}/{self._path}"

    def _taken(self, left: float) -> MachineError:
        return MachineError(
            f"another backup into {self._location!r} holds the lock {self._path.rpartition('/')[2]!r}",
            "wait until the other backup of this workload has ended;"
            f" if it was killed, its lock is free in {max(left, 0) + 2:.0f} s",
        )

    def _gone(self) -> MachineError:
        return MachineError(
            f"the lock {self._path.rpartition('/')[2]!r} in {self._location!r} was lost: it was not renewed in time",
            "run the backup again; nothing of this one was published",
        )
