"""Patterns of the policy language: `*` stands for any run of characters, `?` for exactly one.

A pattern is compiled once, when the policy is read. Matching takes time linear in the text for every piece
between two stars: each piece is found at its first place and kept there (an atomic group), so that a
policy cannot make the evaluator run for ever.

Two questions are asked where a value is known only by its form, such as "some role of this account":
`covers` (every text of the form matches) and `overlaps` (at least one text matches both). `covers` may miss
a case in which a star of the form and the text behind it fill a `?*`; it never says yes wrongly. Of two patterns too
long to compare, `covers` says no and `overlaps` yes: that leaves the answer open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

# One token a character; the two wildcards are tokens that no single character can be.
ANY = "**"
ONE = "??"
# Two patterns whose lengths multiply to more are not compared: no ARN and no action comes near.
_MOST_STEPS = 1_000_000
# Policies repeat the same few actions and ARNs; of these lengths and so many, compiled ones are kept.
_LONGEST_KEPT = 256
_MOST_KEPT = 2_048
Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; two are equal when their tokens are.

    Attributes:
        tokens: Single characters, `ANY` and `ONE`; in a run of wildcards each `ONE` first, then one `ANY` at most.
        literal: The only text that matches, or None for a pattern with wildcards.
    """

    tokens: Tokens
    literal: str | None = field(compare=False)
    _expression: re.Pattern[str] | None = field(compare=False, repr=False)

    @property
    def everything(self) -> bool:
        """Whether every text matches."""
        return self.tokens == (ANY,)

    def matches(self, text: str) -> bool:
        """Whether the whole text matches; letters of another case do not."""
        if self._expression is None:
            return text == self.literal
        return self._expression.fullmatch(text) is not None

    def covers(self, form: Pattern) -> bool:
        """Whether every text that matches the form matches this pattern."""
        if self.literal is not None or form.literal is not None:
            return form.literal is not None and self.matches(form.literal)
        if len(self.tokens) * len(form.tokens) > _MOST_STEPS:
            return False
        return _covers(self.tokens, form.tokens)

    def overlaps(self, form: Pattern) -> bool:
        """Whether some text matches both."""
        if self.literal is not None:
            return form.matches(self.literal)
        if form.literal is not None:
            return self.matches(form.literal)
        return len(self.tokens) * len(form.tokens) > _MOST_STEPS or _overlap(self.tokens, form.tokens)


def tokens_of(text: str, *, wildcards: bool = True) -> Tokens:
    """Split a text into tokens; without wildcards `*` and `?` are ordinary characters."""
    if not wildcards:
        return tuple(text)
    return tuple({"*": ANY, "?": ONE}.get(character, character) for character in text)


def compile_pattern(pattern: str | Tokens) -> Pattern:
    """Compile a text with wildcards, or tokens as `tokens_of` makes them."""
    return _compile(pattern) if len(pattern) > _LONGEST_KEPT else _compile_once(pattern)


def _compile(pattern: str | Tokens) -> Pattern:
    tokens = tokens_of(pattern) if isinstance(pattern, str) else pattern
    tokens = _in_order(tokens)
    if ANY not in tokens and ONE not in tokens:
        return Pattern(tokens, "".join(tokens), None)
    return Pattern(tokens, None, re.compile(_expression(tokens), re.DOTALL))


_compile_once = lru_cache(maxsize=_MOST_KEPT)(_compile)


def split_tokens(tokens: Tokens, separator: str, most: int) -> tuple[Tokens, ...]:
    """Split at a character, into `most` + 1 parts at the most, as `str.split` does."""
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == separator and len(parts) <= most:
            parts.append([])
        else:
            parts[-1].append(token)
    return tuple(tuple(part) for part in parts)


def _in_order(tokens: Tokens) -> Tokens:
    """One spelling for every run of wildcards: `*?*` and `?*` are the same."""
    ordered: list[str] = []
    star = False
    for token in tokens:
        if token == ANY:
            star = True
            continue
        if star and token != ONE:
            ordered.append(ANY)
            star = False
        ordered.append(token)
    return (*ordered, ANY) if star else tuple(ordered)


def _expression(tokens: Tokens) -> str:
    pieces = [""]
    for token in tokens:
        if token == ANY:
            pieces.append("")
        else:
            pieces[-1] += "." if token == ONE else re.escape(token)
    if len(pieces) == 1:
        return pieces[0]
    middle = "".join(f"(?>.*?{piece})" for piece in pieces[1:-1])
    return f"{pieces[0]}{middle}.*{pieces[-1]}"


def _covers(pattern: Tokens, form: Tokens) -> bool:
    """Match the pattern against the form's tokens, where only a `*` can stand for the form's `*`."""
    reachable = [True, *(False for _ in form)]
    for token in pattern:
        if token == ANY:
            first = reachable.index(True) if True in reachable else len(reachable)
            reachable = [at >= first for at in range(len(reachable))]
            continue
        reachable = [False] + [
            reachable[at] and other != ANY and token in (ONE, other) for at, other in enumerate(form)
        ]
    return reachable[-1]


def _overlap(one: Tokens, other: Tokens) -> bool:
    """Walk both patterns at once, from their ends."""
    below = [True]
    for token in reversed(other):
        below.append(below[-1] and token == ANY)
    for token in reversed(one):
        row = [below[0] and token == ANY]
        for at, against in enumerate(reversed(other)):
            if ANY in (token, against):
                row.append(below[at + 1] or row[at])
            else:
                row.append(below[at] and (ONE in (token, against) or token == against))
        below = row
    return below[-1]
