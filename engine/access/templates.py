"""Texts of a policy with policy variables, such as `${aws:PrincipalTag/team, 'none'}`.

Rules (IAM User Guide, "IAM policy elements: Variables and tags"): variables count in policies of version
2012-10-17 alone, elsewhere they are ordinary text; `${*}`, `${?}` and `${$}` stand for the character; a key
that is absent gives the default if there is one, else a value that equals nothing; a key with several values
cannot be a variable. What a variable brings in is text: a star in it is a star.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, assert_never

from engine.access.context import Absent, Formed, Known, Unknown
from engine.access.patterns import Pattern, Tokens, compile_pattern, tokens_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.access.context import Facts

_MARK = re.compile(r"\$\{([^{}]*)\}")
_VARIABLE = re.compile(r"\s*([^,'\s][^,']*?)\s*(?:,\s*'([^']*)'\s*)?")
_SPECIAL = frozenset("*?$")


class Unbound(Enum):
    """Why a template is not a pattern here."""

    NULL = "a variable has no value"
    UNKNOWN = "the value of a variable is not known"


NULL: Final = Unbound.NULL
UNKNOWN: Final = Unbound.UNKNOWN


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable.

    Attributes:
        key: The condition key that it takes, in lower case.
        default: What stands for it where the key is absent, or None.
    """

    key: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """A text of a policy.

    Attributes:
        pieces: Tokens of patterns, and variables between them.
        lower: Whether variables are brought in in lower case, as the tokens are.
        fixed: The compiled pattern where there is no variable.
    """

    pieces: tuple[Tokens | Variable, ...]
    lower: bool
    fixed: Pattern | None = field(compare=False)

    @property
    def canonical(self) -> Hashable:
        """The same for templates that mean the same."""
        return self.pieces if self.fixed is None else self.fixed.tokens

    def bind(self, facts: Facts) -> Pattern | Unbound:
        """The pattern that the text is for this call."""
        if self.fixed is not None:
            return self.fixed
        tokens: list[str] = []
        for piece in self.pieces:
            if not isinstance(piece, Variable):
                tokens.extend(piece)
                continue
            value = _value(piece, facts)
            if isinstance(value, Unbound):
                return value
            tokens.extend(value.lower() if self.lower else value)
        return compile_pattern(tuple(tokens))


def parse_template(text: str, *, variables: bool, wildcards: bool = True, lower: bool = False) -> Template:
    """Parse a text of a policy.

    Args:
        text: As it stands in the policy.
        variables: Whether the policy's version has variables.
        wildcards: Whether `*` and `?` are wildcards here.
        lower: Whether it is compared without regard to case.
    """

    def literal(part: str) -> Tokens:
        return tokens_of(part.lower() if lower else part, wildcards=wildcards)

    pieces: list[Tokens | Variable] = []
    at = 0
    for mark in _MARK.finditer(text) if variables else ():
        pieces.append(literal(text[at : mark.start()]))
        at = mark.end()
        pieces.append((mark[1],) if mark[1] in _SPECIAL else _variable(mark[1]))
    pieces.append(literal(text[at:]))
    kept = tuple(piece for piece in pieces if piece != ())
    if any(isinstance(piece, Variable) for piece in kept):
        return Template(kept, lower, None)
    tokens = tuple(token for piece in kept if not isinstance(piece, Variable) for token in piece)
    return Template((tokens,), lower, compile_pattern(tokens))


def _variable(text: str) -> Variable:
    """Parse what stands in the braces; what is not of the form names a key that no call brings."""
    found = _VARIABLE.fullmatch(text)
    return Variable(text.lower(), None) if found is None else Variable(found[1].lower(), found[2])


def _value(variable: Variable, facts: Facts) -> str | Unbound:
    match facts.find(variable.key):
        case Known(values):
            return values[0] if len(values) == 1 else UNKNOWN
        case Absent():
            return NULL if variable.default is None else variable.default
        case Formed() | Unknown():
            return UNKNOWN
        case never:
            assert_never(never)
