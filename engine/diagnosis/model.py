"""What the doctor looks at and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.access import Grant
    from engine.declaration import DeclaredGeneration
    from engine.kms import KeyDetails, KeyUsage
    from engine.lifecycle import Generation


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What KMS shows of one key; a part that it did not show is None, with the reason in `troubles`."""

    details: KeyDetails | None
    policy: str | None = None
    grants: tuple[Grant, ...] | None = None
    tags: Mapping[str, str] | None = None
    rotation_days: int | None = None
    usage: KeyUsage | None = None
    troubles: tuple[str, ...] = ()


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
    """One generation with all that is known of it."""

    number: int
    declared: DeclaredGeneration | None
    known: Generation | None
    facts: KeyFacts | None
    expected_policy: str | None
    data_keys: int
