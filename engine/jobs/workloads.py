"""What a source is made of: workloads, each backed up, restored and keyed by itself.

A source is a folder. Its layout says which workload a file belongs to:

- a first-level folder named like an application of the catalogue (`exchange_online`, `teams`, …) holds one
  workload per second-level folder, `exchange_online/anna`;
- any other first-level folder is the workload `files/NAME`;
- what lies loose beside them is the workload `files/.` or, inside an application's folder, `exchange_online/.`.

So every file belongs to exactly one workload. A workload's label goes into the KMS encryption context and
the ledger; it must be plain text, so control characters, invisible marks, `%` and bytes that are not UTF-8 are
percent-encoded in it. A symbolic link is never followed, and so never a workload.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from engine.catalogue import find_application
from engine.errors import InputError
from engine.printing import printable

if TYPE_CHECKING:
    from pathlib import Path

    from engine.catalogue import Product

FILES = "files"
LOOSE = "."

# Control characters, `%`, line breaks of Unicode, marks that turn the direction of text, and bytes that are not UTF-8.
_NOT_PLAIN = re.compile(
    r"[%\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    """One workload.

    Attributes:
        application: An application of the catalogue, or `files`.
        name: Its folder's name as the disk has it, or `.` for what lies loose.
    """

    application: str
    name: str

    @property
    def label(self) -> str:
        """The workload as people, the ledger and KMS know it, such as `exchange_online/anna`."""
        return f"{self.application}/{_escaped(self.name)}"

    @property
    def loose(self) -> bool:
        """Whether it is what lies loose in its folder, without the folders in it."""
        return self.name == LOOSE

    @property
    def folder(self) -> tuple[str, ...]:
        """Where it lies in a source, as the names of the folders on the way; empty for the source itself."""
        above = () if self.application == FILES else (self.application,)
        return above if self.loose else (*above, self.name)

    @property
    def product(self) -> Product | None:
        """The product that its application belongs to; None for `files`, which any product's job takes."""
        application = find_application(self.application)
        return None if application is None else application.product


def parse_label(label: str) -> Workload:
    """Read a workload's label.

    Raises:
        InputError: It is not one.
    """
    application, slash, escaped = label.partition("/")
    name = os.fsdecode(unquote_to_bytes(escaped))
    known = application == FILES or find_application(application) is not None
    if not (known and slash and is_file_name(name) | (name == LOOSE)):
        raise InputError(
            f"{printable(label)!r} is not a workload",
            "a workload is APPLICATION/NAME, such as exchange_online/anna, or files/NAME",
        )
    return Workload(application, name)


def find_workloads(source: Path) -> tuple[Workload, ...]:
    """Find the workloads of a source, in the order of their labels.

    Raises:
        InputError: It is not a folder that can be read.
    """
    try:
        with os.scandir(source) as entries:
            folders = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    except OSError as error:
        raise InputError(f"the source {printable(str(source))!r} cannot be read: {error.strerror}") from error
    found: set[Workload] = set()
    for name, is_folder in folders.items():
        if not is_folder:
            found.add(Workload(FILES, LOOSE))
        elif find_application(name) is None:
            found.add(Workload(FILES, name))
        else:
            found.update(_of_application(source / name))
    return tuple(sorted(found, key=lambda workload: workload.label))


def _of_application(folder: Path) -> set[Workload]:
    loose = Workload(folder.name, LOOSE)
    try:
        with os.scandir(folder) as entries:
            found = {
                Workload(folder.name, entry.name) if entry.is_dir(follow_symlinks=False) else loose for entry in entries
            }
    except OSError:
        return {loose}  # its own operation then fails to read it, and says so
    # An application's folder without anything in it is a workload too, so that a restore brings it back.
    return found or {loose}


def is_file_name(name: str) -> bool:
    """Whether this can be the name of something in a folder: not empty, `.` or `..`, without `/` and NUL."""
    return name not in {"", ".", ".."} and "/" not in name and "\0" not in name


def _escaped(name: str) -> str:
    return _NOT_PLAIN.sub(
        lambda match: "".join(f"%{byte:02X}" for byte in os.fsencode(match.group())),
        name,
    )


def identity_of(status: os.stat_result) -> tuple[int, int]:
    """What tells one file or folder of this machine from another."""
    return status.st_dev, status.st_ino


def folder_identity(path: Path) -> tuple[int, int] | None:
    """The identity of a folder that may not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return identity_of(status) if stat.S_ISDIR(status.st_mode) else None
