"""The answers about access: a verdict with a fourth value for what the plan does not tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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
class Access:
    """The answers to one account's questions about one key, action by action."""

    actions: tuple[str, ...]
    answers: tuple[Answer, ...]
    denied: tuple[bool, ...]  # by an explicit Deny, that is: without it the answer would be better

    @property
    def reach(self) -> Reach:
        """The answers together."""
        found = set(self.answers)
        if found == {Answer.YES}:
            return Reach.FULL
        if found == {Answer.NO}:
            return Reach.NONE
        if Answer.NO in found:
            return Reach.PARTIAL if found & {Answer.YES, Answer.DEPENDS} else Reach.UNKNOWN
        return Reach.UNKNOWN if Answer.UNKNOWN in found else Reach.CONDITIONAL

    def with_answer(self, *wanted: Answer) -> tuple[str, ...]:
        """The actions that have one of these answers."""
        return tuple(a for a, answer in zip(self.actions, self.answers, strict=True) if answer in wanted)
