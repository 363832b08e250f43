"""A file that is appended to, past the page cache where it is large and the system lets it.

Packs are written once and seldom read: in the page cache they would take the place of what others use, and cost the
processor a copy of every byte. So once a file is large, whole aligned blocks go straight to the disk (O_DIRECT).
Where the file system, or the place of the bytes in memory, does not allow that, and for the last odd bytes, the file
is written as any other, and handed to the disk as it goes. Durable it is only when it was synchronised, either way.
"""

from __future__ import annotations

import errno
import fcntl
import os

from engine.durable import WriteBack

_LARGE_BYTES = 1 << 20
_BLOCK_BYTES = 4096
_DIRECT = getattr(os, "O_DIRECT", 0)  # only some systems have it


class AppendedFile:
    """Appends to a new file.

    Args:
        descriptor: The file, empty; it is not closed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._write_back = WriteBack(descriptor)
        self._written = 0
        self._may_be_direct = bool(_DIRECT)
        self._is_direct = False

    def write(self, data: memoryview) -> None:
        """Append all of it. Raises `OSError`."""
        rest = data
        while rest:
            direct = self._may_be_direct and self._written >= _LARGE_BYTES
            direct = direct and self._written % _BLOCK_BYTES == len(rest) % _BLOCK_BYTES == 0
            if direct is not self._is_direct:
                self._set_direct(direct)
                continue
            try:
                count = os.write(self._descriptor, rest)
            except OSError as error:
                if not self._is_direct or error.errno != errno.EINVAL:
                    raise
                self._may_be_direct = False
                continue
            rest = rest[count:]
            self._written += count
            self._write_back.wrote(count)

    def synchronise(self) -> None:
        """Make it durable. Raises `OSError`."""
        os.fsync(self._descriptor)
        self._write_back.durable()

    def _set_direct(self, direct: bool) -> None:
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | _DIRECT if direct else flags & ~_DIRECT)
        except OSError as error:
            if not direct or error.errno != errno.EINVAL:
                raise
            self._may_be_direct = False
            return
        self._is_direct = direct
