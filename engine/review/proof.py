"""What is proved of a tenant's rotation, as the review takes it.

The ledger's owner signs evidence; `engine.evidence` checks the signature, the binding to tenant, accounts and origin,
and the expiry; what is left are facts. Without a proof (None) nothing is proved, and touching the
custody of a generation is blocked.

A proof speaks of ARNs: a key with another ARN has nothing proved of it, whatever its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.arn import KeyArn
    from engine.evidence.statements import Evidence


class Standing(Enum):
    """How far along its life the ledger knows a generation to be."""

    REGISTERED = "registered"  # saved, not agreed: nothing is encrypted under it
    CURRENT = "current"
    RETAINED = "retained"
    RETIRED = "retired"
    RELEASED = "released"
    DELETED = "deleted"

    @property
    def retired(self) -> bool:
        """Whether nothing depends on it any more."""
        return self in (Standing.RETIRED, Standing.RELEASED, Standing.DELETED)

    @property
    def released(self) -> bool:
        """Whether it may be scheduled for deletion, or has been."""
        return self in (Standing.RELEASED, Standing.DELETED)


@dataclass(frozen=True, slots=True)
class GenerationProof:
    """What is proved of one generation.

    Attributes:
        number: The generation.
        key_arn: The key it is proved of.
        standing: How far along its life it is.
        integrated: Whether the rotation to it is complete: census, verification and the console's confirmation,
            for every product (EKM-33).
        certificate: Whether a certificate that nothing is left under it holds.
    """

    number: int
    key_arn: KeyArn
    standing: Standing
    integrated: bool
    certificate: bool


@dataclass(frozen=True, slots=True)
class RotationProof:
    """What is proved of a tenant.

    Attributes:
        tenant: The tenant it is bound to.
        revoked: Whether the customer has revoked its keys.
        generations: One entry a generation that the ledger knows.
    """

    tenant: str
    revoked: bool
    generations: tuple[GenerationProof, ...]

    def of_key(self, key_arn: str | None) -> GenerationProof | None:
        """What is proved of the key of this ARN or id; a replica shares what is proved of its family."""
        if key_arn is None:
            return None
        for entry in self.generations:
            if key_arn in (str(entry.key_arn), entry.key_arn.key_id):
                return entry
        key_id = key_arn.rsplit("/", 1)[-1]
        account_id = key_arn.split(":")[4] if key_arn.count(":") == 5 else None
        if key_id.startswith("mrk-"):
            for entry in self.generations:
                if entry.key_arn.key_id == key_id and entry.key_arn.account_id == account_id:
                    return entry
        return None

    def of_number(self, number: int) -> GenerationProof | None:
        """What is proved of the generation of this number, whatever its key."""
        return next((entry for entry in self.generations if entry.number == number), None)


def proof_of(evidence: Evidence) -> RotationProof:
    """What checked evidence proves.

    Args:
        evidence: As `engine.evidence.read_evidence` hands it over: signature, binding and expiry hold.

    Returns:
        The facts; a certificate counts only where the census beside it is 0.
    """
    return RotationProof(
        tenant=evidence.subject.tenant,
        revoked=evidence.revoked,
        generations=tuple(
            GenerationProof(
                number=entry.number,
                key_arn=entry.key_arn,
                standing=Standing(entry.state.value),
                integrated=entry.integrated,
                certificate=entry.certificate is not None and entry.data_keys == 0,
            )
            for entry in evidence.generations
        ),
    )
