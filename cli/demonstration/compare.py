"""Comparing what was restored with what was backed up: every folder, file and byte."""

from __future__ import annotations

import filecmp
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_SAMPLES = 40
_SAMPLE_BYTES = 48
_READ_BYTES = 64 * 1024 * 1024
_TELLING_NAME = 12  # a shorter name may occur in ciphertext by chance


def differences(expected: Path, found: Path, left_out: Collection[Path] = ()) -> list[str]:
    """The paths, from both folders, that are missing on one side or hold something else.

    Args:
        expected: What was backed up; pipes, sockets and devices in it are no part of a backup.
        found: What was restored.
        left_out: Paths in `expected` that the backup said it left out.
    """
    ours = {path: kind for path in _paths(expected) if (kind := _kind(expected / path)) != "other"}
    for path in left_out:
        ours.pop(str(path), None)
    theirs = {path: _kind(found / path) for path in _paths(found)}
    different = sorted(ours.keys() ^ theirs.keys())
    common = sorted(ours.keys() & theirs.keys())
    different.extend(path for path in common if not _same(expected / path, found / path, ours[path], theirs[path]))
    return different


def _same(expected: Path, found: Path, kind: str, found_kind: str) -> bool:
    if kind != found_kind:
        return False
    if kind == "file":
        return filecmp.cmp(expected, found, shallow=False)
    return kind != "link" or expected.readlink() == found.readlink()


def count_files(folder: Path) -> tuple[int, int]:
    """How many regular files a folder holds, at any depth, and how many bytes they have."""
    sizes = [(folder / path).lstat().st_size for path in _paths(folder) if _kind(folder / path) == "file"]
    return len(sizes), sum(sizes)


def plaintext_found(source: Path, vault: Path, known: Collection[str] = ()) -> list[str]:
    """Samples of the source's names and contents that can be read in the vault.

    Args:
        source: What was backed up.
        vault: The vault's folder.
        known: Names that may stand there, as those of workloads do where KMS needs them.
    """
    samples = [(what, sample) for what, sample in _samples(source) if not any(sample in os.fsencode(n) for n in known)]
    found: list[str] = []
    left = _READ_BYTES
    for path in _paths(vault):
        if left <= 0 or _kind(vault / path) != "file":
            continue
        data = (vault / path).read_bytes()[:left]
        left -= len(data)
        stored = path.encode(errors="surrogateescape") + b"\n" + data
        found.extend(name for name, sample in samples if sample in stored)
    return found


def _samples(source: Path) -> Iterator[tuple[str, bytes]]:
    files = [path for path in _paths(source) if _kind(source / path) == "file"]
    for path in files[:: max(1, len(files) // _SAMPLES)]:
        name = (source / path).name
        if len(name) >= _TELLING_NAME:
            yield f"the name {name}", os.fsencode(name)
        try:
            with (source / path).open("rb") as stream:
                stream.seek(max(0, (source / path).stat().st_size // 2))
                content = stream.read(_SAMPLE_BYTES)
        except OSError:  # a file that nobody can read is in no backup either
            continue
        if len(content) == _SAMPLE_BYTES and any(content):
            yield f"content of {name}", content


def _paths(folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield str(Path(parent, name).relative_to(folder))


def _kind(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"
