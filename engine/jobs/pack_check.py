"""A pack read whole, segment by segment: which stretches of its content are not what was stored.

Each segment is authenticated with its place and with whether it is the last, so a pack of which every segment
opens is whole: nothing of it was altered, cut off or added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.envelope.segments import plaintext_start
from engine.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.envelope.random_access import RandomAccessReader
    from engine.jobs.entries import Part


@dataclass(frozen=True, slots=True)
class DamagedStretch:
    """A stretch of a pack's content that is not what was stored, from `start` up to `end`, and why."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class PackCheck:
    """What became of reading a pack.

    Attributes:
        size: How many bytes of content it has.
        damaged: The stretches that are damaged, in order.
        unusable: Why none of it can be read, or None.
    """

    size: int
    damaged: tuple[DamagedStretch, ...] = ()
    unusable: str | None = None

    def damage_of(self, part: Part) -> str | None:
        """Why a part of a file is damaged, or None where it is whole."""
        if self.unusable is not None:
            return self.unusable
        if part.offset + part.length > self.size:
            return f"its pack ends at byte {self.size}, before byte {part.offset + part.length}"
        touched = (s for s in self.damaged if s.start < part.offset + part.length and part.offset < s.end)
        return next((stretch.reason for stretch in touched), None)


def check_pack(reader: RandomAccessReader, advanced: Callable[[int], None]) -> PackCheck:
    """Read a pack to its end.

    Args:
        reader: The pack.
        advanced: Told how many bytes more were read.

    Raises:
        KeyAccessError: The data key may not be used any more.
    """
    damaged, number, start = [], 0, 0
    while start < reader.size:
        number += 1
        end = min(plaintext_start(number), reader.size)
        try:
            for _ in reader.pieces(start, end - start):
                pass
        except DamagedError as error:
            damaged.append(DamagedStretch(start, end, error.message))
        advanced(end - start)
        start = end
    return PackCheck(reader.size, tuple(damaged))
