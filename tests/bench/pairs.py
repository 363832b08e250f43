"""Two sides timed in pairs, one right behind the other, so that a machine whose speed drifts is no matter.

The sides change places from pair to pair. The first pair warms both up and is not counted. What is compared is the
median of the ratios of the pairs, never the best of one side with the best of the other.
"""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAIRS = 9


@dataclass(frozen=True, slots=True)
class Paired:
    """What the pairs say.

    Attributes:
        ours: Our median, in seconds.
        peer: The peer's.
        ratio: How many times as fast as the peer we are: the median of the pairs.
        lowest: The ratio of the worst pair.
        highest: That of the best.
    """

    ours: float
    peer: float
    ratio: float
    lowest: float
    highest: float


def paired(ours: Callable[[], float], peer: Callable[[], float], pairs: int = PAIRS) -> Paired:
    """Time both sides.

    Args:
        ours: Does it once, and says how many seconds it took.
        peer: The same of the other side.
        pairs: How many pairs are counted.
    """
    taken: list[tuple[float, float]] = []
    for number in range(pairs + 1):
        if number % 2:
            theirs = peer()
            taken.append((ours(), theirs))
        else:
            taken.append((ours(), peer()))
    counted = taken[1:]
    ratios = sorted(theirs / mine for mine, theirs in counted)
    ours_median, peer_median = (median(side) for side in zip(*counted, strict=True))
    return Paired(ours_median, peer_median, median(ratios), ratios[0], ratios[-1])


def timed(act: Callable[[], object]) -> float:
    """How many seconds something takes, begun with nothing left to be written to any disk."""
    os.sync()
    gc.collect()
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
