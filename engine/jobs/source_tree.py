"""Walking one workload of a source, safely: what is there, in order, without following a link.

- Every folder is opened relative to the one that it is in, and never through a link, so a link that is put in
  a folder's place while the walk runs leads nowhere.
- Links are found as links. Devices, sockets and pipes are left out and told. What cannot be read, or vanished
  between being listed and being looked at, is told too: nothing is left out silently.
- The vault's own folder is left out where it lies in the source.
- The order is that of manifests: by the components of the path, each folder before what is in it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.jobs.entries import FolderEntry, LinkEntry, Omission, OmissionReason
from engine.jobs.workloads import identity_of
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.jobs.workloads import Workload

MOST_LEVELS = 500  # each level holds a file descriptor open
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class FoundFile:
    """A regular file.

    Attributes:
        path: From the workload's folder.
        name: Its name in its folder.
        folder: A descriptor of its folder, open until the walk goes on.
        status: What it was when it was found.
    """

    path: str
    name: str
    folder: int
    status: os.stat_result


Found = FoundFile | FolderEntry | LinkEntry | Omission


def walk(source: Path, workload: Workload, left_out: tuple[int, int] | None = None) -> Iterator[Found]:
    """Walk a workload.

    Args:
        source: The source's folder.
        workload: One of its workloads.
        left_out: The identity of a folder to leave out: the vault's.

    Returns:
        What was found, beginning with the workload's own folder.

    Raises:
        InputError: The workload's folder is not there or cannot be read.
    """
    try:
        folder = _open_workload(source, workload)
        try:
            status, names = os.fstat(folder), _names(folder)
        except OSError:
            os.close(folder)
            raise
    except OSError as error:
        raise InputError(
            f"workload {workload.label!r} cannot be read in {printable(str(source))!r}: {error.strerror}"
        ) from error
    if identity_of(status) == left_out:
        os.close(folder)
        yield Omission("", OmissionReason.VAULT)
        return
    top = FolderEntry("", stat.S_IMODE(status.st_mode), status.st_mtime_ns)
    yield from _walk_folders(_Level(folder, "", iter(names)), top, without_folders=workload.loose, left_out=left_out)


def _open_workload(source: Path, workload: Workload) -> int:
    folder = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in workload.folder:
        above = folder
        try:
            folder = os.open(name, _FOLDER, dir_fd=above)
        finally:
            os.close(above)
    return folder


@dataclass(slots=True)
class _Level:
    folder: int
    prefix: str
    names: Iterator[str]


def _walk_folders(
    level: _Level, top: FolderEntry, *, without_folders: bool, left_out: tuple[int, int] | None
) -> Iterator[Found]:
    levels = [level]
    try:
        yield top
        while levels:
            level = levels[-1]
            name = next(level.names, None)
            if name is None:
                os.close(levels.pop().folder)
                continue
            found = _look_at(level, name, left_out, without_folders=without_folders)
            if isinstance(found, _Level):
                levels.append(found)
                status = os.fstat(found.folder)
                yield FolderEntry(found.prefix[:-1], stat.S_IMODE(status.st_mode), status.st_mtime_ns)
                if len(levels) > MOST_LEVELS:
                    yield from (Omission(found.prefix + name, OmissionReason.TOO_DEEP) for name in found.names)
            elif found is not None:
                yield found
    finally:
        for level in levels:
            os.close(level.folder)


def _look_at(
    level: _Level, name: str, left_out: tuple[int, int] | None, *, without_folders: bool
) -> Found | _Level | None:
    path = level.prefix + name
    try:
        status = os.stat(name, dir_fd=level.folder, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            return FoundFile(path, name, level.folder, status)
        if stat.S_ISLNK(status.st_mode):
            return LinkEntry(path, os.readlink(name, dir_fd=level.folder), status.st_mtime_ns)
        if not stat.S_ISDIR(status.st_mode):
            return Omission(path, OmissionReason.SPECIAL)
        if without_folders:
            return None
        return Omission(path, OmissionReason.VAULT) if identity_of(status) == left_out else _enter(level, name, path)
    except FileNotFoundError:
        return Omission(path, OmissionReason.VANISHED)
    except OSError:
        return Omission(path, OmissionReason.UNREADABLE)


def _enter(level: _Level, name: str, path: str) -> _Level:
    folder = os.open(name, _FOLDER, dir_fd=level.folder)
    try:
        return _Level(folder, f"{path}/", iter(_names(folder)))
    except OSError:
        os.close(folder)
        raise


def _names(folder: int) -> list[str]:
    return sorted(os.listdir(folder))
