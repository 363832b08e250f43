"""What the ledger's head holds: a tenant's mode, its generations and the rotation in flight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from engine.access.model import KeyState
    from engine.arn import KeyArn

SERVICE_GENERATION = 0
FIRST_GENERATION = 1


class Mode(Enum):
    """Whose key wraps new data keys: the service's own (`cloud`, Druva's default) or the customer's."""

    CLOUD = "cloud"
    ENTERPRISE = "enterprise"


class GenerationState(Enum):
    """Where a generation stands in its life; it only ever moves down this list."""

    REGISTERED = "registered"  # validated and saved, the legal terms not yet agreed
    CURRENT = "current"  # new data keys go to it
    RETAINED = "retained"  # an older one that must stay enabled
    RETIRED = "retired"  # nothing depends on it, proved; it may be disabled
    RELEASED = "released"  # retired, disabled and soaked; it may be scheduled for deletion
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A person's word that Druva's console shows this generation's ARN."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Agreement:
    """The explicit "Yes, I Agree" to the legal terms (EKM-26)."""

    by: str
    at: datetime
    terms_sha256: str


@dataclass(frozen=True, slots=True)
class Observation:
    """What AWS KMS was last seen to say of a key.

    Attributes:
        key_state: The key state; None where KMS no longer has the key.
        since: Since when it was seen so at every look, UTC.
    """

    key_state: KeyState | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Generation:
    """One KMS key of the tenant's line, as the ledger knows it."""

    number: int
    key_arn: KeyArn
    state: GenerationState
    registered_at: datetime
    current_since: datetime | None = None
    integrated_at: datetime | None = None
    confirmed: Confirmation | None = None
    retired_at: datetime | None = None
    released_at: datetime | None = None
    deleted_at: datetime | None = None
    observed: Observation | None = None

    @property
    def must_stay_enabled(self) -> bool:
        """Whether data may depend on this key, so that it must stay enabled (EKM-32, EKM-33)."""
        return self.state in {GenerationState.CURRENT, GenerationState.RETAINED}


@dataclass(frozen=True, slots=True)
class Rotation:
    """A move of every data key to one generation, from its intent until its completion.

    Attributes:
        to: The generation that they move to.
        epoch: Counts the moves of this tenant; a rewrap of an older epoch may not finish this one.
        started_at: When the intent was recorded.
        rewrapped_at: When census and verification were complete, or None while they are not.
    """

    to: int
    epoch: int
    started_at: datetime
    rewrapped_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TenantState:
    """The head of a tenant's ledger.

    Attributes:
        tenant: The tenant's name.
        account_id: The customer's AWS account.
        region: The Region of its keys.
        vendor_account_id: Druva's AWS account.
        mode: Cloud until enabled, enterprise ever after.
        generations: Every generation that was ever registered, in the order of their numbers.
        rotation: The move in flight, or None.
        agreement: Who agreed to the legal terms, or None in cloud mode.
        epoch: How many moves there have been.
        revoked: Whether the customer has taken the access away on purpose.
    """

    tenant: str
    account_id: str
    region: str
    vendor_account_id: str
    mode: Mode = Mode.CLOUD
    generations: tuple[Generation, ...] = ()
    rotation: Rotation | None = None
    agreement: Agreement | None = None
    epoch: int = 0
    revoked: bool = False

    @property
    def current(self) -> Generation | None:
        """The generation that new data keys go to; None in cloud mode."""
        return next((g for g in self.generations if g.state is GenerationState.CURRENT), None)

    @property
    def current_number(self) -> int:
        """The current generation's number; 0, the service's own key, in cloud mode."""
        current = self.current
        return SERVICE_GENERATION if current is None else current.number

    def find(self, number: int) -> Generation | None:
        """The generation of this number, or None."""
        return next((g for g in self.generations if g.number == number), None)

    def with_generation(self, generation: Generation) -> TenantState:
        """This state with one generation added or put in the place of its former self."""
        others = tuple(g for g in self.generations if g.number != generation.number)
        return replace(self, generations=tuple(sorted((*others, generation), key=lambda g: g.number)))
