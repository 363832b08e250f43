"""A vault in a local folder.

- An object is written under a temporary name in its own folder, synchronised, renamed, and the folder is
  synchronised; the order in which commits return is the order in which they are durable.
- Folders and files are made for their owner alone, and links in the place of objects are not followed.
- The folder is the same one all the time: where its disk is unmounted under a job, nothing is written into what
  then stands in its place.
- Locks are `flock`s on files in `locks/`; the system lets go of them when their process ends, however it ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.durable import synchronise
from engine.errors import DamagedError, MachineError
from engine.jobs.direct_files import AppendedFile
from engine.jobs.objects import MissingObjectError
from engine.jobs.workloads import folder_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(/[A-Za-z0-9][A-Za-z0-9.-]*)*", re.ASCII)
_LOCKS = "locks"


class LocalObjectStore:
    """Objects as files in a folder, which is made when the first object is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._identity: tuple[int, int] | None = None

    @property
    def location(self) -> str:
        """The folder's path."""
        return str(self.root)

    def create(self, name: str) -> LocalObjectWriter:
        """Begin an object."""
        path = self._path(name)
        self._refuse_another_folder()
        with _translated(path):
            _make_folders(path.parent)
            return LocalObjectWriter(path, self._refuse_another_folder)

    def open(self, name: str) -> LocalObjectReader:
        """Open an object, or raise `MissingObjectError`."""
        path = self._path(name)
        self._refuse_another_folder()
        with _translated(path):
            return LocalObjectReader(path)

    def put(self, name: str, data: bytes) -> None:
        """Store a small object in one go."""
        writer = self.create(name)
        try:
            writer.write(memoryview(data))
            writer.commit()
        finally:
            writer.abandon()

    def publish(self, name: str, data: bytes, lock: str | None = None) -> None:  # noqa: ARG002 - a flock is not lost
        """Store a small object under a name of its own."""
        self.put(name, data)

    def prevent(self, name: str) -> bool:
        """Whether nobody can publish under this name: whoever could would hold the lock."""
        return self.size_of(name) is None

    def get(self, name: str) -> bytes:
        """Read a small object, or raise `MissingObjectError`."""
        reader = self.open(name)
        try:
            data = bytearray(reader.size)
            return bytes(data[: reader.read_at(0, memoryview(data))])
        finally:
            reader.close()

    def size_of(self, name: str) -> int | None:
        """The size of an object, or None where there is none."""
        path = self._path(name)
        try:
            with _translated(path):
                return path.lstat().st_size
        except MissingObjectError:
            return None

    def names(self, prefix: str) -> Iterator[str]:
        """The full names of all objects in a folder and below, sorted."""
        top = self._path(prefix) if prefix else self.root
        with _translated(top):
            found = [
                os.path.relpath(os.path.join(folder, name), self.root)  # noqa: PTH118 - many small names
                for folder, _, names in os.walk(top, onerror=_unless_missing)
                for name in names
                if not name.startswith(".")
            ]
        yield from sorted(name for name in found if not name.startswith(f"{_LOCKS}/"))

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The names of the folders right inside a folder, sorted."""
        top = self._path(prefix)
        try:
            with _translated(top):
                return tuple(sorted(entry.name for entry in os.scandir(top) if entry.is_dir(follow_symlinks=False)))
        except MissingObjectError:
            return ()

    def delete_all(self, prefix: str) -> None:
        """Delete a folder with all objects in it, the unfinished ones too."""
        path = self._path(prefix)
        with _translated(path):
            if path.is_dir():
                shutil.rmtree(path)

    def delete_unfinished(self, prefix: str) -> None:
        """Delete what was begun right inside a folder and never committed."""
        path = self._path(prefix)
        with _translated(path):
            for unfinished in path.glob(".*.partial"):
                unfinished.unlink(missing_ok=True)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock of this name, or raise `MachineError` at once."""
        path = self._path(f"{_LOCKS}/{name}.lock")
        with _translated(path):
            _make_folders(path.parent)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise MachineError(
                    f"another backup into {self.location!r} holds the lock {path.name!r}",
                    "wait until the other backup of this workload has ended",
                ) from error
            yield
        finally:
            os.close(descriptor)

    def _refuse_another_folder(self) -> None:
        found = folder_identity(self.root)
        if self._identity is None:
            self._identity = found
        elif found != self._identity:
            raise MachineError(
                f"the vault {self.location!r} is not the folder any more that it was when the job began",
                "is its disk mounted? run the job again once it is",
            )

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not an object's name")
        return self.root / name


class LocalObjectWriter:
    """A file in the making, under a temporary name beside its final one.

    Args:
        path: The file.
        check: Refuses where the vault's folder is not the one any more that it was.
    """

    def __init__(self, path: Path, check: Callable[[], None]) -> None:
        self._path = path
        self._check = check
        self._temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._temporary, flags, 0o600)
        self._descriptor: int | None = descriptor
        self._file = AppendedFile(descriptor)
        self._appeared = False

    def write(self, data: memoryview, /) -> int:
        """Append bytes; all of them are taken."""
        if self._descriptor is None:
            raise ValueError("the object is committed or abandoned")
        with _translated(self._path):
            self._file.write(data)
        return len(data)

    def commit(self) -> None:
        """Make it durable and let it appear under its name."""
        if self._descriptor is None:
            raise ValueError("the object is committed or abandoned")
        with _translated(self._path):
            self._file.synchronise()
            self._close()
            self._check()
            self._temporary.replace(self._path)
            self._appeared = True
            synchronise(self._path.parent)

    def abandon(self) -> None:
        """Throw it away; harmless behind `commit`."""
        if self._appeared:
            return
        with _translated(self._path):
            try:
                self._close()
            finally:
                self._temporary.unlink(missing_ok=True)

    def _close(self) -> None:
        """Close the file, once: behind a failure to close it, its descriptor may be another file's."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class LocalObjectReader:
    """A file that is being read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.size = os.fstat(self._descriptor).st_size
        self._offset = 0

    def read_at(self, offset: int, buffer: memoryview, /) -> int:
        """Fill the buffer from this offset on, and say how many bytes there were before the end."""
        filled = 0
        with _translated(self._path):
            while filled < len(buffer):
                count = os.preadv(self._descriptor, [buffer[filled:]], offset + filled)
                if count == 0:
                    break
                filled += count
        return filled

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on from where the last `readinto` ended; 0 at the end."""
        count = self.read_at(self._offset, buffer)
        self._offset += count
        return count

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _make_folders(path: Path) -> None:
    """Make a folder and those above it, each durable in the one above it."""
    if path.is_dir():
        return
    _make_folders(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    synchronise(path.parent)


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn every error of the file system into ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingObjectError(f"the vault's object {str(path)!r} is missing") from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise MachineError(
                f"the disk is full: the vault cannot write {str(path)!r}", "make room, then run the job again"
            ) from error
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            raise MachineError(f"the vault may not use {str(path)!r}: {error.strerror}") from error
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENOTDIR}:
            raise DamagedError(f"the vault's object {str(path)!r} is not a file: {error.strerror}") from error
        raise MachineError(f"the vault cannot use {str(path)!r}: {error.strerror}") from error
