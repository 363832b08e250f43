"""Reading a file of a source as it is, or saying that it could not be read as it is.

- A file is opened relative to its folder, never through a link, and never waits for the other end of a pipe.
- What it was when it was found and after reading is compared: size, times, inode. A file that changed underneath is
  read again, twice at most; if it changed each time it is left out and told, for a torn copy would be silently wrong.
- Its content is read once, into the snapshots of all the data keys that it goes to.
- A file counts as unchanged since the last snapshot if size, both times and inode are the same, and if it had
  been left alone for two seconds when it was read then: file systems keep times that coarsely.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from engine.jobs.entries import FileEntry, Omission, OmissionReason, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.jobs.packs import PackWriter
    from engine.jobs.source_tree import FoundFile

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_SETTLED_NS = 2_000_000_000
_ATTEMPTS = 3


def is_unchanged(entry: FileEntry | None, status: os.stat_result) -> bool:
    """Whether a file still is what an earlier snapshot says of it."""
    return (
        entry is not None
        and entry.settled
        and (entry.size, entry.modified_ns, entry.changed_ns, entry.inode)
        == (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    )


def file_entry(path: str, status: os.stat_result, parts: tuple[Part, ...], *, read_at_ns: int) -> FileEntry:
    """The entry of a file; `read_at_ns` is when it was read, nanoseconds since 1970."""
    modified_ns, changed_ns = status.st_mtime_ns, status.st_ctime_ns
    latest_ns = max(modified_ns, changed_ns)
    return FileEntry(
        path,
        status.st_size,
        stat.S_IMODE(status.st_mode),
        modified_ns,
        changed_ns,
        status.st_ino,
        latest_ns + _SETTLED_NS < read_at_ns,
        parts,
    )


def store_file(
    found: FoundFile, contents: Sequence[PackWriter], read_at_ns: int, advanced: Callable[[int], None]
) -> list[FileEntry] | Omission:
    """Read a file into one or more snapshots.

    Args:
        found: The file.
        contents: The content of each snapshot that it goes to; at least one.
        read_at_ns: Now, nanoseconds since 1970.
        advanced: Told how many bytes were read, again and again.

    Returns:
        Its entry for each of the snapshots, or why it is left out.

    Raises:
        KeyturnError: A snapshot could not take it.
    """
    known: os.stat_result | None = found.status
    for _ in range(_ATTEMPTS):
        try:
            descriptor = os.open(found.name, _FILE, dir_fd=found.folder)
        except FileNotFoundError:
            return Omission(found.path, OmissionReason.VANISHED)
        except OSError:
            return Omission(found.path, OmissionReason.UNREADABLE)
        try:
            status = _read_unchanged(descriptor, known, contents, advanced)
            if status is not None:
                # A list, for it is made in half the time of a generator.
                return [file_entry(found.path, status, c.end_file(), read_at_ns=read_at_ns) for c in contents]
        except OSError:
            return Omission(found.path, OmissionReason.UNREADABLE)
        finally:
            os.close(descriptor)
        known = None
    return Omission(found.path, OmissionReason.CHANGED)


def _read_unchanged(
    descriptor: int, known: os.stat_result | None, contents: Sequence[PackWriter], advanced: Callable[[int], None]
) -> os.stat_result | None:
    """Read a file to its end; what it is, or None where it changed since it was found, or opened."""
    before = os.fstat(descriptor) if known is None else known
    if not stat.S_ISREG(before.st_mode):
        return None
    for content in contents:
        content.begin_file()
    if before.st_size == 0:  # a file of a pseudo file system says so too, and yet has content
        return None if os.read(descriptor, 1) or not _same(before, os.fstat(descriptor)) else before
    first, *others = contents
    total = 0
    while total <= before.st_size:  # one that grows is not followed for ever
        room = first.room()
        count = os.readv(descriptor, [room])
        if count == 0:
            break
        if others:
            for other in others:
                other.write(room[:count])
        first.advance(count)
        advanced(count)
        total += count
        if total == before.st_size and count < len(room):
            break  # a short read of a regular file is its end
    after = os.fstat(descriptor)
    return before if total == before.st_size and _same(before, after) else None


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (
        before.st_size == after.st_size
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_ctime_ns == after.st_ctime_ns
        and before.st_ino == after.st_ino
        and before.st_dev == after.st_dev
    )
