"""When Python looks for garbage in cycles: not while much is made that stays, and not once all of it goes."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_collection() -> Iterator[None]:
    """For work that makes data and no garbage in cycles: the collector would walk all of it again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def leave_to_the_end() -> None:
    """For a process about to end: what it holds goes with it, and is not walked once more to find garbage in it."""
    gc.freeze()
