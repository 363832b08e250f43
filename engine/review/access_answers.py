"""The answers about access: a verdict with a fourth value for what the plan does not tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


class Answer(Enum):
    """Whether a call is allowed, with a fourth value for what the plan does not tell."""

    YES = "yes"
    DEPENDS = "depends"
    NO = "no"
    UNKNOWN = "unknown"

    __hash__ = object.__hash__  # members are single; Enum's own hash costs a call in Python at each look-up


class Reach(Enum):
    """How much of what it needs an account can do with a key."""

    FULL = "full"
    CONDITIONAL = "conditional"  # everything, some of it only under a condition
    PARTIAL = "partial"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Grounds:
    """What an answer that depends hangs on, in the canonical form: equal where it means the same.

    Attributes:
        allowing: The statements and grants that allow, for certain or under a condition.
        denying: The statements that deny under a condition.
    """

    allowing: frozenset[Hashable]
    denying: frozenset[Hashable]

    def as_good_as(self, other: Grounds) -> bool:
        """Whether whatever the other lets pass certainly passes here."""
        return self.allowing >= other.allowing and self.denying <= other.denying


NO_GROUNDS = Grounds(frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Access:
    """The answers to one account's questions about one key, action by action.

    Attributes:
        actions: What was asked.
        answers: The answers, in the same order.
        denied: Whether it is an explicit Deny that makes the answer a NO.
        grounds: What an answer that depends hangs on; nothing for the others.
        reach: The answers together; found once, for one access is that to thousands of keys.
    """

    actions: tuple[str, ...]
    answers: tuple[Answer, ...]
    denied: tuple[bool, ...]
    grounds: tuple[Grounds, ...]
    reach: Reach = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reach", _reach(frozenset(self.answers)))

    def with_answer(self, *wanted: Answer) -> tuple[str, ...]:
        """The actions that have one of these answers."""
        return tuple(a for a, answer in zip(self.actions, self.answers, strict=True) if answer in wanted)


def _reach(found: frozenset[Answer]) -> Reach:
    if found == {Answer.YES}:
        return Reach.FULL
    if found == {Answer.NO}:
        return Reach.NONE
    if Answer.NO in found:
        return Reach.PARTIAL if found & {Answer.YES, Answer.DEPENDS} else Reach.UNKNOWN
    return Reach.UNKNOWN if Answer.UNKNOWN in found else Reach.CONDITIONAL
