"""Three-valued logic over verdicts: a *depends* is never rounded up, and never down either.

`all_of` is yes when every verdict is yes and no as soon as one is no. `any_of` is yes as soon as one is
yes and no when every one is no. Whatever is then left open depends (Kleene's strong logic).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEGATION = {Verdict.YES: Verdict.NO, Verdict.NO: Verdict.YES, Verdict.DEPENDS: Verdict.DEPENDS}


def certainly(answer: bool) -> Verdict:
    """The verdict of a question whose answer is known."""
    return Verdict.YES if answer else Verdict.NO


def opposite(verdict: Verdict) -> Verdict:
    """Yes for no, no for yes; what depends still depends."""
    return _NEGATION[verdict]


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Whether every one holds; yes where there is none."""
    result = Verdict.YES
    for verdict in verdicts:
        if verdict is Verdict.NO:
            return Verdict.NO
        if verdict is Verdict.DEPENDS:
            result = Verdict.DEPENDS
    return result


def any_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Whether at least one holds; no where there is none."""
    result = Verdict.NO
    for verdict in verdicts:
        if verdict is Verdict.YES:
            return Verdict.YES
        if verdict is Verdict.DEPENDS:
            result = Verdict.DEPENDS
    return result


def agreed(verdicts: Iterable[Verdict]) -> Verdict:
    """What all of them say, and *depends* where they differ; no where there is none."""
    different = set(verdicts)
    if not different:
        return Verdict.NO
    return different.pop() if len(different) == 1 else Verdict.DEPENDS
