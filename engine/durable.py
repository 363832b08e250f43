"""Files that are there whole or not at all, and stay when the machine goes down."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

_STRETCH_BYTES = 8 << 20  # large files are handed to the disk in stretches of about so many bytes
_BEHIND_BYTES = 32 << 20


def write_whole(path: Path, data: bytes, what: str, *, mode: int | None = None, hint: str | None = None) -> None:
    """Write a file beside its place and put it there in one step; an earlier one is replaced.

    Args:
        path: The file.
        data: All that it shall hold.
        what: What it is, for the message, such as `the evidence`.
        mode: Its permissions; what the umask leaves where it is None.
        hint: What can be done where it cannot be written.

    Raises:
        MachineError: It cannot be written; an earlier one is left as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with os.fdopen(descriptor, "wb") as stream:
                if mode is not None:
                    os.fchmod(stream.fileno(), mode)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
            synchronise(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{what} {str(path)!r} cannot be written: {error.strerror}", hint) from error


def synchronise(path: Path) -> None:
    """Make a file, or a folder's list of files, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def synchronise_file_system(descriptor: int) -> None:
    """Make all durable that was written to the file system of an open folder, which waits for no other disk.

    Raises:
        OSError: Its disk lost something of that since the folder was opened.
    """
    import ctypes  # takes time to import, and few need it

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()  # only some systems have it
    elif syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class WriteBack:
    """Hands a file to the disk while it is being written, and lets the page cache forget what the disk has.

    Making the file durable then waits for little, and a large job neither pushes what others use out of memory nor
    needs new memory for each byte. It is advice alone, as Linux takes it: where it is not taken, nothing is lost but
    time. Small files are left to the system.

    Args:
        descriptor: The file; it is written from its beginning on.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = self._handed_over = self._forgotten = 0

    def wrote(self, count: int) -> None:
        """Say that so many bytes more were written."""
        self._written += count
        if self._written - self._handed_over >= _STRETCH_BYTES:
            self._not_needed(self._handed_over, self._written - self._handed_over)
            # Of what the disk has got by now, the same advice takes the memory back.
            behind = (self._handed_over - _BEHIND_BYTES) // _STRETCH_BYTES * _STRETCH_BYTES
            if behind > self._forgotten:
                self._not_needed(self._forgotten, behind - self._forgotten)
                self._forgotten = behind
            self._handed_over = self._written

    def durable(self) -> None:
        """Say that all of it is durable."""
        if self._handed_over:
            self._not_needed(0, 0)

    def _not_needed(self, offset: int, count: int) -> None:
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                os.posix_fadvise(self._descriptor, offset, count, os.POSIX_FADV_DONTNEED)
