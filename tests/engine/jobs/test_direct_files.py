"""Files that go past the page cache hold the same bytes, wherever the bytes lie in memory and however they are cut."""

from __future__ import annotations

import fcntl
import mmap
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from engine.jobs.direct_files import AppendedFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBIBYTE = 1 << 20


@contextmanager
def appended(path: Path) -> Iterator[tuple[AppendedFile, int]]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        yield AppendedFile(descriptor), descriptor
    finally:
        os.close(descriptor)


def aligned(size: int) -> memoryview:
    """Bytes that begin with a page of memory."""
    memory = memoryview(mmap.mmap(-1, size))
    memory[:] = os.urandom(size)
    return memory


def goes_direct(descriptor: int) -> bool:
    return bool(fcntl.fcntl(descriptor, fcntl.F_GETFL) & getattr(os, "O_DIRECT", 0))


@pytest.mark.parametrize("size", [0, 1, MEBIBYTE, 8 * MEBIBYTE, 8 * MEBIBYTE + 1, 20 * MEBIBYTE, 20 * MEBIBYTE + 4097])
def test_a_file_of_any_size_holds_what_was_appended(tmp_path: Path, size: int) -> None:
    content = aligned(size) if size else memoryview(b"")
    with appended(tmp_path / "file") as (file, _):
        for start in range(0, size, MEBIBYTE):
            file.write(content[start : start + MEBIBYTE])
        file.synchronise()
    assert (tmp_path / "file").read_bytes() == content


def test_bytes_that_do_not_begin_with_a_page_are_written_all_the_same(tmp_path: Path) -> None:
    content = aligned(12 * MEBIBYTE + 4096)[1 : 12 * MEBIBYTE + 1]
    with appended(tmp_path / "file") as (file, _):
        for start in range(0, len(content), MEBIBYTE):
            file.write(content[start : start + MEBIBYTE])
        file.synchronise()
    assert (tmp_path / "file").read_bytes() == content


def test_odd_lengths_in_the_midst_are_written_all_the_same(tmp_path: Path) -> None:
    content = aligned(16 * MEBIBYTE)
    with appended(tmp_path / "file") as (file, _):
        for start, end in ((0, 9), (9, 10), (10, 13)):
            file.write(content[start * MEBIBYTE : end * MEBIBYTE])
        file.write(content[13 * MEBIBYTE : 13 * MEBIBYTE + 5])
        file.write(content[13 * MEBIBYTE + 5 :])
        file.synchronise()
    assert (tmp_path / "file").read_bytes() == content


def test_behind_a_block_that_was_written_in_part_the_rest_is_handed_to_the_disk_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, write, handed_over = aligned(40 * MEBIBYTE), os.write, []

    def write_in_part(descriptor: int, data: memoryview) -> int:
        lies_at = os.lseek(descriptor, 0, os.SEEK_CUR)
        return write(descriptor, data[:512] if lies_at == 16 * MEBIBYTE else data)

    monkeypatch.setattr(os, "write", write_in_part)
    monkeypatch.setattr(os, "posix_fadvise", lambda _descriptor, offset, count, _: handed_over.append(offset + count))
    with appended(tmp_path / "file") as (file, _):
        for start in range(0, len(content), MEBIBYTE):
            file.write(content[start : start + MEBIBYTE])
        assert max(handed_over) == 40 * MEBIBYTE
        file.synchronise()
    assert (tmp_path / "file").read_bytes() == content


def test_a_small_file_is_written_as_any_other(tmp_path: Path) -> None:
    content = aligned(MEBIBYTE)
    with appended(tmp_path / "file") as (file, descriptor):
        file.write(content[: MEBIBYTE // 2])
        file.write(content[MEBIBYTE // 2 :])
        assert not goes_direct(descriptor)


def test_an_error_of_the_disk_is_told(tmp_path: Path) -> None:
    content = aligned(MEBIBYTE)
    (tmp_path / "file").touch()
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            AppendedFile(descriptor).write(content)
    finally:
        os.close(descriptor)
