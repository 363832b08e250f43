"""Files that are there whole or not at all, and stay when the machine goes down."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

WRITE_BACK_BYTES = 8 << 20  # large files are handed to the disk in stretches of so many bytes


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


def begin_writing_back(descriptor: int, offset: int, count: int) -> None:
    """Let the disk begin with bytes that were written just now, so that making them durable waits for less.

    Linux does so on being told that they are not needed soon. It is advice alone: where it is not taken, nothing
    is lost but time.
    """
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, offset, count, os.POSIX_FADV_DONTNEED)
