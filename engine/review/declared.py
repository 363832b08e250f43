"""What a plan is judged by: the change's declaration, the target branch's, and the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from engine.declaration import DeclaredState

if TYPE_CHECKING:
    from engine.declaration import Declaration, DeclaredGeneration
    from engine.review.proof import RotationProof


class Role(Enum):
    """What the declaration makes of a key; the value is the word that rules use."""

    CURRENT = "current"
    RETAINED = "retained"  # an older generation that is still active
    NEXT = "next"  # a newer generation than the current one
    RETIRED = "retired"
    RELEASED = "released"
    DELETED = "deleted"
    UNDECLARED = "undeclared"


@dataclass(frozen=True, slots=True)
class Declared:
    """The declarations and the evidence that a plan is judged by.

    Attributes:
        change: The declaration of the change.
        base: The target branch's, or None where it was not given.
        proof: What is proved of the tenant, or None.
    """

    change: Declaration
    base: Declaration | None
    proof: RotationProof | None

    @property
    def trusted(self) -> Declaration:
        """The one that the change cannot have written: the target branch's where there is one."""
        return self.base or self.change

    @property
    def vendor_account_id(self) -> str:
        """The vendor's account, as the trusted declaration says."""
        return self.trusted.vendor.account_id

    @property
    def both(self) -> tuple[Declaration, ...]:
        """The trusted declaration and, where it is another, the change's."""
        return (self.change,) if self.base is None else (self.base, self.change)

    def generation(self, number: int) -> DeclaredGeneration | None:
        """The generation of this number, as the trusted declaration says, else as the change does."""
        for declaration in self.both:
            for generation in declaration.generations:
                if generation.number == number:
                    return generation
        return None

    def role(self, number: int | None) -> Role:
        """What the declarations make of a generation's number."""
        generation = None if number is None else self.generation(number)
        if generation is None or number is None:
            return Role.UNDECLARED
        if any(declaration.current == number for declaration in self.both):
            return Role.CURRENT
        if generation.state is not DeclaredState.ACTIVE:
            return Role(generation.state.value)
        return Role.RETAINED if number < max(d.current for d in self.both) else Role.NEXT

    @property
    def revoked_before(self) -> bool:
        """Whether the keys are revoked, by the evidence, or without it by the target branch's declaration."""
        if self.proof is not None:
            return self.proof.revoked
        return self.base is not None and self.base.revoked

    @property
    def proved_not_revoked(self) -> bool:
        """Whether the evidence says that the keys are not revoked."""
        return self.proof is not None and not self.proof.revoked
