"""Writing restored files into a folder, so that nothing outside it can be touched and nothing is lost.

- Every folder on the way is opened relative to the one that it is in, and never through a link: neither a link
  that was there before nor one that was just restored leads out.
- A file is written under a temporary name in its folder and takes its own name when all of it has been
  authenticated and written.
- Nothing is overwritten silently. A file that is there with the same content is left as it is; one with other
  content is told and left alone, unless overwriting was asked for; a folder is never replaced.
- The vault and the ledger are never written into or over, whatever was asked for.
- What was written is durable when the destination is closed; where the disk has lost some of it, that is told then.
- Permission bits and modification times come back, but no set-user-id, set-group-id or sticky bit. A folder
  that was there before keeps its own.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol, Self

from engine.durable import WriteBack, synchronise_file_system
from engine.errors import MachineError
from engine.jobs.own_places import OwnPlaces
from engine.jobs.workloads import identity_of
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from engine.jobs.entries import FolderEntry, LinkEntry

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_COMPARED_BYTES = 1 << 20
_PRIVATE = 0o700


class Written(Enum):
    """What became of an entry."""

    WRITTEN = "written"
    IDENTICAL = "was there already, with the same content"
    DIFFERENT = "is there already, with other content"
    IN_THE_WAY = "something else stands in its place"
    OWN = "is not restored: vault, ledger and declaration stay as they are"


class _OwnFolderError(OSError):
    """The way leads into a folder that is Keyturn's own."""


class FileAttributes(Protocol):
    """What a file is to be; an entry of a snapshot is one."""

    @property
    def size(self) -> int | None:
        """In bytes; None where only its content tells."""
        ...

    @property
    def mode(self) -> int:
        """The permission bits."""
        ...

    @property
    def modified_ns(self) -> int:
        """The time of its last modification, nanoseconds since 1970."""
        ...


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that is made of the content of others."""

    modified_ns: int
    size: None = None
    mode: int = 0o600


@dataclass(slots=True)
class _Open:
    """A folder that is open: its name, its descriptor and file system, and what to give it when it is left."""

    name: str
    descriptor: int
    device: int
    made: bool
    private: bool
    entry: FolderEntry | None = None


class Destination:
    """A folder that entries are restored into, in the order of their paths. A context manager.

    Args:
        folder: The folder; it is made if need be.
        overwrite: Whether files of other content may be replaced.
        made: The identities of folders that the same job has made before, which are not somebody else's then.
        own: What is Keyturn's own and left as it is.

    Raises:
        MachineError: It cannot be made or opened, or, from every method, written to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        overwrite: bool,
        made: set[tuple[int, int]] | None = None,
        own: OwnPlaces | None = None,
    ) -> None:
        self._folder = folder
        self._own = OwnPlaces() if own is None else own
        self._overwrite = overwrite
        self._made = set() if made is None else made
        try:
            folder.mkdir(parents=True, exist_ok=True)
            root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._failed(error) from error
        self._levels = [_Open("", root, os.fstat(root).st_dev, made=False, private=False)]

    def folder(self, place: tuple[str, ...], entry: FolderEntry) -> Written:
        """Make a folder, unless it is there."""
        try:
            level = self._enter(place, last_mode=_PRIVATE)
        except OSError as error:
            return self._in_the_way(error)
        level.entry = entry
        return Written.WRITTEN if level.made else Written.IDENTICAL

    def link(self, place: tuple[str, ...], entry: LinkEntry) -> Written:
        """Make a symbolic link with the target that it had; nothing here ever follows it."""
        *above, name = place
        try:
            folder = self._enter(tuple(above)).descriptor
            if self._own.has_file(folder, name):
                return Written.OWN
            try:
                os.symlink(entry.target, name, dir_fd=folder)
            except FileExistsError:
                return self._existing_link(folder, name, entry)
            self._set_link_time(folder, name, entry)
        except OSError as error:
            return self._in_the_way(error)
        return Written.WRITTEN

    def file(
        self, place: tuple[str, ...], entry: FileAttributes, content: Callable[[], Iterator[memoryview]]
    ) -> Written:
        """Write a file.

        Args:
            place: Its path's components.
            entry: What it is to be.
            content: Gives its authenticated content; asked again where it is first compared, then written.

        Raises:
            KeyturnError: Its content cannot be had; nothing appears under its name.
        """
        *above, name = place
        try:
            level = self._enter(tuple(above))
            if self._own.has_file(level.descriptor, name):
                return Written.OWN
            folder, there = level.descriptor, _status(level.descriptor, name)
            if there is not None:
                if stat.S_ISDIR(there.st_mode):
                    return Written.IN_THE_WAY
                likely = stat.S_ISREG(there.st_mode) and entry.size in {None, there.st_size}
                if likely and _same(folder, name, content()):
                    return Written.IDENTICAL
                if not self._overwrite:
                    return Written.DIFFERENT if stat.S_ISREG(there.st_mode) else Written.IN_THE_WAY
            # Nobody else writes into a folder that was made just now, for its owner alone.
            return self._write(folder, name, entry, content(), replace=there is not None or level.private)
        except OSError as error:
            return self._in_the_way(error)

    def close(self) -> None:
        """Give the folders that were made their permissions and times, and make all of it durable."""
        self._leave_all(durable=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            with suppress(MachineError):  # the failure that led here must not be hidden by another
                self._leave_all(durable=False)

    def _leave_all(self, *, durable: bool) -> None:
        failure: MachineError | None = None
        while self._levels:
            try:
                self._leave(durable=durable)
            except MachineError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _enter(self, place: tuple[str, ...], last_mode: int = 0o777) -> _Open:
        """Open a folder, making it (with this mode) and those above it where they are missing."""
        common = 0
        while common < min(len(place), len(self._levels) - 1) and self._levels[common + 1].name == place[common]:
            common += 1
        while len(self._levels) > common + 1:
            self._leave()
        for number, name in enumerate(place[common:], start=common + 1):
            above = self._levels[-1].descriptor
            mode = last_mode if number == len(place) else 0o777
            try:
                os.mkdir(name, mode, dir_fd=above)
                new = True
            except FileExistsError:
                new = False
            descriptor = os.open(name, _FOLDER, dir_fd=above)
            if self._own.has_folder(descriptor):
                os.close(descriptor)
                raise _OwnFolderError(errno.ENOTDIR, Written.OWN.value)
            status = os.fstat(descriptor)
            if new:
                self._made.add(identity_of(status))
            made, private = identity_of(status) in self._made, new and mode == _PRIVATE
            self._levels.append(_Open(name, descriptor, status.st_dev, made, private))
        return self._levels[-1]

    def _leave(self, *, durable: bool = True) -> None:
        level = self._levels.pop()
        try:
            if level.made and level.entry is not None:
                os.fchmod(level.descriptor, level.entry.mode & 0o777)
                os.utime(level.descriptor, ns=(level.entry.modified_ns, level.entry.modified_ns))
            if durable and not (self._levels and self._levels[-1].device == level.device):
                self._synchronise(level)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            os.close(level.descriptor)

    def _synchronise(self, level: _Open) -> None:
        """Make all durable that was written to the file system of a folder, since it was opened."""
        try:
            synchronise_file_system(level.descriptor)
        except OSError as error:
            raise MachineError(
                f"the disk of {printable(str(self._folder))!r} has lost what was written to it: {error.strerror}",
                "what was restored there may be damaged: restore once more, into a new folder on a disk that is whole",
            ) from error

    def _write(
        self, folder: int, name: str, entry: FileAttributes, content: Iterator[memoryview], *, replace: bool
    ) -> Written:
        temporary = f".keyturn-{secrets.token_hex(8)}.partial"
        descriptor = os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder)
        try:
            try:
                write_back = WriteBack(descriptor)
                for piece in content:
                    rest = piece
                    while rest:
                        rest = rest[os.write(descriptor, rest) :]
                    write_back.wrote(len(piece))
                os.fchmod(descriptor, entry.mode & 0o777)
                os.utime(descriptor, ns=(entry.modified_ns, entry.modified_ns))
            finally:
                os.close(descriptor)
            if replace:
                os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                _appear(folder, temporary, name)
        except FileExistsError:
            return Written.DIFFERENT
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
        return Written.WRITTEN

    def _existing_link(self, folder: int, name: str, entry: LinkEntry) -> Written:
        try:
            if os.readlink(name, dir_fd=folder) == entry.target:
                return Written.IDENTICAL
        except OSError:
            there = _status(folder, name)
            if there is None or stat.S_ISDIR(there.st_mode):
                return Written.IN_THE_WAY
        if not self._overwrite:
            return Written.DIFFERENT
        temporary = f".keyturn-{secrets.token_hex(8)}.partial"
        os.symlink(entry.target, temporary, dir_fd=folder)
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        self._set_link_time(folder, name, entry)
        return Written.WRITTEN

    def _set_link_time(self, folder: int, name: str, entry: LinkEntry) -> None:
        os.utime(name, ns=(entry.modified_ns, entry.modified_ns), dir_fd=folder, follow_symlinks=False)

    def _in_the_way(self, error: OSError) -> Written:
        """A link or a file where a folder should be belongs to the entry; anything else to the machine."""
        if isinstance(error, _OwnFolderError):
            return Written.OWN
        if error.errno in {errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}:
            return Written.IN_THE_WAY
        raise self._failed(error) from error

    def _failed(self, error: OSError) -> MachineError:
        folder = printable(str(self._folder))
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return MachineError(
                f"the disk is full: {folder!r} cannot be written to", "make room, then run the restore again"
            )
        return MachineError(
            f"{folder!r} cannot be written to: {error.strerror}", "check the folder's permissions, or name another one"
        )


def _appear(folder: int, temporary: str, name: str) -> None:
    """Let a new file take its name; FileExistsError where something appeared there meanwhile."""
    try:
        # Unlike a rename, a link refuses to take the place of another file.
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}:
            raise
        if _status(folder, name) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from error
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)  # a file system without links


def _status(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _same(folder: int, name: str, content: Iterator[memoryview]) -> bool:
    """Whether a file holds exactly this content; one that cannot be read does not."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except PermissionError:
        return False
    with open(descriptor, "rb", buffering=_COMPARED_BYTES) as there:  # noqa: PTH123 - a descriptor has no path
        return all(there.read(len(piece)) == piece for piece in content) and not there.read(1)
