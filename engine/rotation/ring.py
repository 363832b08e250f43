"""The way round all data keys that are left to move, page by page, for several workers at once.

The ids of data keys are random, so a worker that begins behind a random id begins somewhere else than the
others. It goes on to the end, then from the beginning to where it began: what another has moved meanwhile
does not come to it any more. Where it finds another at the same page, it begins anew elsewhere.

Every round that is gone to its end has met every data key that was there to be moved when it was reached.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.ledger.interface import DataKey

    Page = tuple[DataKey, ...]
    ReadPage = Callable[[str | None], Page]

MOST_JUMPS = 64


def go_round(read_page: ReadPage, met_another: Callable[[], bool]) -> Iterator[Page]:
    """Go once round all data keys, from anywhere.

    Args:
        read_page: Reads the page behind an id, from the very first for None; empty at the end.
        met_another: Asked behind each page whether another worker was at it, too.

    Yields:
        Page after page; some come again where another worker was met.
    """
    for jumps_left in range(MOST_JUMPS, -1, -1):
        for page in _from(secrets.token_hex(16), read_page):
            yield page
            if met_another() and jumps_left:
                break
        else:
            return


def _from(start: str, read_page: ReadPage) -> Iterator[Page]:
    after = start
    while page := read_page(after):
        yield page
        after = page[-1].data_key_id
    beginning: str | None = None
    while page := read_page(beginning):
        before = tuple(data_key for data_key in page if data_key.data_key_id <= start)
        if before:
            yield before
        if len(before) < len(page):
            return
        beginning = page[-1].data_key_id
