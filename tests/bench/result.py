"""What a benchmark says: our figure, a peer's from the same run, and whether the goal is met."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the table.

    Attributes:
        name: What was measured, of how much.
        ours: Our figure, in `unit`.
        peer: The peer's on the same data in the same run, or None where there is only a limit.
        ratio: How many times better than the peer ours is, whichever way is better; None without a peer.
        goal: The goal in words, such as `at most 1.0 s`.
        met: Whether the goal is met.
        unit: Of both figures, such as `s` or `MB`.
        spread: The lowest and the highest ratio, where there are several of which `ratio` is the median.
    """

    name: str
    ours: float
    peer: float | None
    ratio: float | None
    goal: str
    met: bool
    unit: str
    spread: tuple[float, float] | None = None
