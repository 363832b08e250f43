"""What is handed to the disk as it is written is forgotten behind it, without gaps."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from engine.durable import WriteBack

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1 << 20


@pytest.mark.parametrize("step", [4096, MEBIBYTE - 16, MEBIBYTE, 3 * MEBIBYTE + 5])
def test_behind_the_last_of_it_all_of_a_large_file_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    advised: list[tuple[int, int]] = []

    def advise(_descriptor: int, offset: int, count: int, _advice: int) -> None:
        advised.append((offset, count))

    monkeypatch.setattr(os, "posix_fadvise", advise)
    with (tmp_path / "file").open("wb") as file:
        write_back = WriteBack(file.fileno())
        for _ in range(0, 200 * MEBIBYTE, step):
            write_back.wrote(step)
    borders = sorted({offset for offset, _ in advised} | {offset + count for offset, count in advised})
    for start, end in pairwise(borders):
        times = sum(offset <= start and end <= offset + count for offset, count in advised)
        # Once to hand it to the disk, and, a while later, once more to forget it.
        assert times == 2 or (times == 1 and start >= 140 * MEBIBYTE)
    assert borders[0] == 0
    assert borders[-1] >= 180 * MEBIBYTE


def test_a_small_file_is_left_to_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def advise(*_arguments: int) -> None:
        raise AssertionError

    monkeypatch.setattr(os, "posix_fadvise", advise)
    with (tmp_path / "file").open("wb") as file:
        write_back = WriteBack(file.fileno())
        write_back.wrote(MEBIBYTE)
        write_back.durable()
