"""Which keys are in scope, and what the declaration and the evidence say of each.

In scope are the declared generations, of the change's declaration and of the target branch's; their replicas; and
any key that the vendor's account can use at any of the three moments, declared or not. A key that another tenant's
tags name is in scope only so. A generation that is current for one of the two declarations is current.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from engine.review.access_answers import Reach
from engine.review.resources import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.custody import Custody
    from engine.review.declared import Declared, Role
    from engine.review.generations import Generations
    from engine.review.key_access import KeyAccess
    from engine.review.keys import Key
    from engine.review.proof import GenerationProof


class Revocation(Enum):
    """What the declaration says of a revocation, and whether that is news."""

    NONE = "none"
    INTRODUCED = "introduced"  # this change declares it; nothing shows that it is so already
    KNOWN = "known"  # the target branch or the evidence says so, or the vendor cannot use the key already


@dataclass(frozen=True, slots=True)
class Subject:
    """A key in scope.

    Attributes:
        key: The key.
        number: Its generation, or None where it is not a generation's.
        role: What the declaration makes of it.
        proof: What is proved of it, or None.
        revocation: What the declaration says of a revocation.
    """

    key: Key
    number: int | None
    role: Role
    proof: GenerationProof | None
    revocation: Revocation

    @property
    def name(self) -> str:
        """The key for people: `generation 1`, `generation 1 (replica)`, or its address."""
        if self.number is None:
            return self.key.address
        return f"generation {self.number}{' (replica)' if self.key.is_replica else ''}"


@dataclass(frozen=True, slots=True)
class Scope:
    """Decides which keys are in scope."""

    custody: Custody
    declared: Declared
    generations: Generations
    access: KeyAccess

    def subjects(self) -> tuple[Subject, ...]:
        """The keys in scope, in the plan's order."""
        return tuple(self._subjects())

    def _subjects(self) -> Iterator[Subject]:
        for key in self.custody.keys.values():
            number = self.generations.number(key)
            if number is not None or self.access.vendor_reaches(key):
                yield self.subject(key)

    def subject(self, key: Key) -> Subject:
        """What the declaration and the evidence say of a key."""
        number = self.generations.number(key)
        proof = None if self.declared.proof is None else self.declared.proof.of_key(key.arn or key.key_id)
        return Subject(key, number, self.declared.role(number), proof, self._revocation(key))

    def _revocation(self, key: Key) -> Revocation:
        if not self.declared.change.revoked:
            return Revocation.NONE
        if self.declared.revoked_before or key.enabled(Moment.OBSERVED) is False:
            return Revocation.KNOWN
        gone = key.exists and self.access.vendor_access(key, Moment.OBSERVED).reach is Reach.NONE
        return Revocation.KNOWN if gone else Revocation.INTRODUCED
