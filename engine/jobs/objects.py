"""Where a vault keeps its objects: what any store must promise, a local folder as much as a bucket.

- An object appears under its name whole and durable, or not at all; what was begun and not committed is never
  listed or opened.
- Names are made of letters, digits, `-`, `.` and `/`; they come from this program and tell nothing of what
  the objects hold.
- A lock keeps two backups of one workload apart; it ends with the process that holds it, at once or soon after.

Every method raises `MachineError` where this machine cannot do it (a full disk, a missing permission), and
`AwsError` where AWS cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engine.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


class MissingObjectError(DamagedError):
    """An object that should be there is not."""


class ObjectWriter(Protocol):
    """An object in the making."""

    def write(self, data: memoryview, /) -> int:
        """Append bytes; all of them are taken."""
        ...

    def commit(self) -> None:
        """Make it durable and let it appear under its name."""
        ...

    def abandon(self) -> None:
        """Throw it away; harmless behind `commit`."""
        ...


class ObjectReader(Protocol):
    """An object that is being read."""

    @property
    def size(self) -> int:
        """Its size in bytes."""
        ...

    def read_at(self, offset: int, buffer: memoryview, /) -> int:
        """Fill the buffer from this offset on, and say how many bytes there were before the end."""
        ...

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on from where the last `readinto` ended; 0 at the end."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class ObjectStore(Protocol):
    """A place for objects."""

    @property
    def location(self) -> str:
        """Where it is, for people."""
        ...

    def create(self, name: str) -> ObjectWriter:
        """Begin an object. One that stands under the name already is replaced when the new one is committed."""
        ...

    def open(self, name: str) -> ObjectReader:
        """Open an object.

        Raises:
            MissingObjectError: There is none of this name.
        """
        ...

    def put(self, name: str, data: bytes) -> None:
        """Store a small object in one go, in the place of one that stands there already."""
        ...

    def publish(self, name: str, data: bytes, lock: str | None = None) -> None:
        """Store a small object where nothing stands; while the lock of this name is still held, where one is named.

        Raises:
            MachineError: The lock was lost, or the name was given away; nothing appears.
        """
        ...

    def prevent(self, name: str) -> bool:
        """See to it that nobody publishes under this name any more; only ever under the lock.

        Returns:
            False where something is published there already.
        """
        ...

    def get(self, name: str) -> bytes:
        """Read a small object. Raises as `open`."""
        ...

    def size_of(self, name: str) -> int | None:
        """The size of an object, or None where there is none."""
        ...

    def names(self, prefix: str) -> Iterator[str]:
        """The full names of all objects in a folder and below, sorted; the whole store for the empty prefix."""
        ...

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The names of the folders right inside a folder, sorted; also of those with unfinished objects alone."""
        ...

    def delete_all(self, prefix: str) -> None:
        """Delete a folder with all objects in it, the unfinished ones too."""
        ...

    def delete_unfinished(self, prefix: str) -> None:
        """Delete what was begun right inside a folder and never committed; only where nothing is being written."""
        ...

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold the lock of this name, without waiting for it.

        Raises:
            MachineError: Another holds it.
        """
        ...
