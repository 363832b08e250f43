"""What the doctor looks at and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.access import Grant, KeyState
    from engine.declaration import DeclaredGeneration
    from engine.kms import KeyDetails, KeyUsage
    from engine.lifecycle import Generation


@dataclass(frozen=True, slots=True)
class ReplicaFacts:
    """What its own Region shows of another key of the family; a part that it did not show is None.

    Attributes:
        state: The key state.
        policy: The key policy, JSON: each replica has one of its own.
        grants: The grants: each replica has its own.
        usage: The last use there.
    """

    state: KeyState
    policy: str | None = None
    grants: tuple[Grant, ...] | None = None
    usage: KeyUsage | None = None


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What KMS shows of one key; a part that it did not show is None, with the reason in `troubles`.

    Attributes:
        details: What DescribeKey tells, or None.
        gone: Whether KMS answered that there is no such key.
        policy: The key policy, JSON.
        grants: The grants.
        tags: The tags.
        rotation_days: After how many days KMS rotates the material; 0 for never.
        usage: The last use.
        replicas: The other keys of its family by ARN; None for one that could not be looked at.
        troubles: Why a part is missing, by its name: `details`, `policy`, `grants`, `tags`, `rotation`, `usage`;
            of a replica by its ARN, or the part's name, a blank and the ARN.
    """

    details: KeyDetails | None
    gone: bool = False
    policy: str | None = None
    grants: tuple[Grant, ...] | None = None
    tags: Mapping[str, str] | None = None
    rotation_days: int | None = None
    usage: KeyUsage | None = None
    replicas: Mapping[str, ReplicaFacts | None] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Aliases:
    """What the declared aliases point to: by name the key's ARN, or None where there is no such alias.

    A name that could not be looked up is missing, with the reason in `troubles`.
    """

    targets: Mapping[str, str | None]
    troubles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it should be.

    Attributes:
        generation: Whose, or None for the tenant as a whole.
        what: What differs, in a word or two.
        seen: What is.
        expected: What should be.
        meaning: What it means, in one sentence.
        mend: The command or step that mends it.
    """

    generation: int | None
    what: str
    seen: str
    expected: str
    meaning: str
    mend: str


@dataclass(frozen=True, slots=True)
class Case:
    """One generation that the ledger knows, with all that KMS shows and the declaration says of it."""

    known: Generation
    declared: DeclaredGeneration | None
    facts: KeyFacts
    expected_policy: str | None
    data_keys: int

    def why_not(self, what: str) -> str:
        """Why a part is missing."""
        return self.facts.troubles.get(what, "nobody looked")

    @property
    def number(self) -> int:
        """The generation's number."""
        return self.known.number


def unseen(number: int | None, what: str, reason: str, meaning: str) -> Difference:
    """A part that could not be looked at: that is a difference, not a match."""
    return Difference(
        number, what, f"not to be seen ({reason})", "something to compare", meaning, "look at these credentials"
    )
