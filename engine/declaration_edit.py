"""Changing one value of a declaration where it stands, and nothing else: comments and layout stay.

The new file is written beside the old one and takes its place in one step, so that no crash leaves half.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from engine.declaration import read_declaration
from engine.durable import write_whole
from engine.errors import InputError
from engine.located_yaml import read_file

if TYPE_CHECKING:
    from pathlib import Path


def set_revoked(path: Path, *, revoked: bool) -> bool:
    """Write `revoked` into a declaration.

    Args:
        path: The declaration; a symbolic link's target is changed.
        revoked: The value.

    Returns:
        Whether the file was changed; False where it says so already.

    Raises:
        InputError: The declaration has mistakes, or its text cannot be changed safely.
        MachineError: It cannot be written.
    """
    path = path.resolve()
    data = read_file(path, what="the declaration")
    document = read_declaration(str(path), data)
    if document.value["revoked"] is revoked:
        return False
    old, new = ("false", "true") if revoked else ("true", "false")
    text = data.decode("utf-8-sig")
    place = document.positions["revoked",]
    lines = text.splitlines(keepends=True)
    line, column = lines[place.line - 1], place.column - 1
    if line[column : column + len(old)].lower() != old:
        raise InputError(f"{path}:{place.line}: `revoked` cannot be changed here", f"write revoked: {new} yourself")
    lines[place.line - 1] = line[:column] + new + line[column + len(old) :]
    changed = "".join(lines).encode("utf-8")
    if read_declaration(str(path), changed).value != {**document.value, "revoked": revoked}:
        raise InputError(f"{path}: `revoked` cannot be changed safely", f"write revoked: {new} yourself")
    write_whole(path, changed, "the declaration", mode=stat.S_IMODE(path.stat().st_mode))
    return True
