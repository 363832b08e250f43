"""What a snapshot holds: files, folders, links, and what had to be left out; each with its path."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.jobs.snapshot_names import PackName, SnapshotId


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a file's content: `length` bytes from `offset` on in the plaintext of a pack."""

    pack: PackName
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file.

    Attributes:
        path: From the workload's folder, with `/`; bytes that are not UTF-8 as surrogates (PEP 383).
        size: In bytes.
        mode: The permission bits.
        modified_ns: The time of its last modification, nanoseconds since 1970.
        changed_ns: The time of its last change of status, which nobody can set.
        inode: Its number in its file system.
        settled: Whether it had been left alone long enough when it was read for these times to tell the next
            change; if not, the next backup reads it again.
        parts: Where its content lies; empty for an empty file.
    """

    path: str
    size: int
    mode: int
    modified_ns: int
    changed_ns: int
    inode: int
    settled: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A folder; the workload's own has the empty path."""

    path: str
    mode: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class LinkEntry:
    """A symbolic link, kept as a link and never followed."""

    path: str
    target: str
    modified_ns: int


class OmissionReason(Enum):
    """Why something is not in a snapshot."""

    UNREADABLE = "cannot be read"
    VANISHED = "vanished while the backup ran"
    CHANGED = "kept changing while it was read"
    TOO_DEEP = "lies too deep"
    SPECIAL = "is a device, a socket or a pipe"
    VAULT = "is the vault itself"

    @property
    def expected(self) -> bool:
        """Whether it is left out on purpose, rather than because something went wrong."""
        return self in {OmissionReason.SPECIAL, OmissionReason.VAULT}


@dataclass(frozen=True, slots=True)
class Omission:
    """Something that is there in the source and not in the snapshot."""

    path: str
    reason: OmissionReason


Entry = FileEntry | FolderEntry | LinkEntry | Omission


@dataclass(frozen=True, slots=True)
class ManifestHeader:
    """What a manifest says of its snapshot as a whole.

    Attributes:
        tenant: The tenant.
        workload: The workload's label.
        purpose: The purpose of its data key.
        snapshot: The snapshot.
        previous: The snapshot before it, or None for the first.
        created_at: When it was begun, as RFC 3339 in UTC.
        source: The folder that was backed up, as the machine named it.
    """

    tenant: str
    workload: str
    purpose: str
    snapshot: SnapshotId
    previous: SnapshotId | None
    created_at: str
    source: str


@dataclass(slots=True)
class Totals:
    """What a manifest counts."""

    entries: int = 0
    files: int = 0
    bytes: int = 0

    def count(self, entry: Entry) -> None:
        """Count one more entry."""
        self.entries += 1
        if isinstance(entry, FileEntry):
            self.files += 1
            self.bytes += entry.size


def order(path: str) -> list[str]:
    """What entries are sorted by."""
    return path.split("/") if path else []
