"""What can be signed: evidence of a tenant's whole key state, a certificate for one old key, a checkpoint.

A *certificate* says: at this point of the journal no data key of customer custody was left under this ARN,
and every one that had been moved away was proved to open under its new key. It covers the data keys of this
ledger and says so; it cannot see inside the vendor.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from engine.arn import KeyArn
    from engine.lifecycle import GenerationState


class Origin(Enum):
    """With what a statement was made: AWS itself, or a sandbox, whose word proves nothing about AWS."""

    AWS = "aws"
    SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a statement is about, and with what it was made.

    Attributes:
        tenant: The tenant.
        account_id: The customer's AWS account.
        vendor_account_id: Druva's AWS account.
        region: The Region of the keys.
        origin: AWS or a sandbox.
    """

    tenant: str
    account_id: str
    vendor_account_id: str
    region: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class JournalHead:
    """A point of a journal: how many entries it had, and the last one's hash."""

    length: int
    hash: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A point of the journal, to be held against the ledger later."""

    subject: Subject
    issued_at: datetime
    journal: JournalHead


@dataclass(frozen=True, slots=True)
class Certificate:
    """Nothing is left under an old generation's key.

    Attributes:
        subject: Whom it is about.
        issued_at: When it was made, UTC.
        journal: The point of the journal that it speaks of.
        generation: The old generation.
        key_arn: Its key.
        moved_to: The generation that its data keys were moved to.
        data_keys: How many data keys of this ledger were counted under other keys, each proved to open there.
    """

    subject: Subject
    issued_at: datetime
    journal: JournalHead
    generation: int
    key_arn: KeyArn
    moved_to: int
    data_keys: int


@dataclass(frozen=True, slots=True)
class GenerationEvidence:
    """What is proved of one generation.

    Attributes:
        number: The generation.
        key_arn: Its key.
        state: How far along its life the ledger knows it to be.
        data_keys: How many data keys stand under its key.
        integrated: Whether the rotation to it is complete: census, verification, console (EKM-33).
        certificate: Its certificate, or None.
    """

    number: int
    key_arn: KeyArn
    state: GenerationState
    data_keys: int
    integrated: bool
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class RotationEvidence:
    """A move of data keys that was in flight."""

    to: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the ledger's owner says of a tenant's keys.

    Attributes:
        subject: Whom it is about.
        issued_at: When it was made, UTC.
        expires_at: Until when it counts, UTC.
        journal: The point of the journal that it speaks of.
        enabled: Whether Enterprise Key Management is enabled.
        revoked: Whether the customer has taken the access away on purpose.
        current: The generation that new data keys go to; 0 in cloud mode.
        rotation: The move in flight, or None.
        generations: Every generation that the ledger knows.
    """

    subject: Subject
    issued_at: datetime
    expires_at: datetime
    journal: JournalHead
    enabled: bool
    revoked: bool
    current: int
    rotation: RotationEvidence | None
    generations: tuple[GenerationEvidence, ...]

    def generation(self, number: int) -> GenerationEvidence | None:
        """What is proved of the generation of this number, or None."""
        return next((entry for entry in self.generations if entry.number == number), None)


Statement = Evidence | Certificate | Checkpoint
