"""Patterns of ARNs, which are compared part by part, and patterns held against a form instead of a value."""

from __future__ import annotations

from engine.access.model import Verdict
from engine.access.patterns import Pattern, compile_pattern, split_tokens

ARN_PARTS = 6


def arn_parts(pattern: Pattern) -> tuple[Pattern, ...]:
    """The six parts of an ARN's pattern, the last with all that follows; fewer where it has fewer colons."""
    return tuple(compile_pattern(part) for part in split_tokens(pattern.tokens, ":", ARN_PARTS - 1))


def form_matches(pattern: Pattern, form: Pattern) -> Verdict:
    """Whether every text of a form matches (yes), none does (no), or perhaps one does (depends)."""
    if pattern.covers(form):
        return Verdict.YES
    return Verdict.DEPENDS if pattern.overlaps(form) else Verdict.NO
