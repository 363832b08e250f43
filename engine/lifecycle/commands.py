"""What can be asked of a tenant's state, and the two ways in which it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from engine.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from engine.access.model import KeyState
    from engine.arn import KeyArn
    from engine.lifecycle.state import TenantState


@dataclass(frozen=True, slots=True)
class Register:
    """Save a validated key as the first generation, before the legal terms (EKM-25)."""

    number: int
    key_arn: KeyArn
    activated: bool


@dataclass(frozen=True, slots=True)
class Enable:
    """Agree to the legal terms and go from cloud to enterprise (EKM-12, EKM-26).

    It names the key that was validated and shown, so that no other is enabled in its place.
    """

    number: int
    key_arn: KeyArn
    agreed_by: str
    terms_sha256: str


@dataclass(frozen=True, slots=True)
class Rotate:
    """Record the intent to move every data key to a new, validated generation (EKM-28…36)."""

    to: int
    key_arn: KeyArn


@dataclass(frozen=True, slots=True)
class FinishRewrap:
    """Say that the move is done: what the census and the verification of this epoch found.

    Attributes:
        epoch: The epoch that was worked on.
        remaining: Data keys of customer custody that stand under another key than the target's.
        unverified: Data keys under the target that have not been proved to decrypt under it.
        set_aside: Data keys that could not be moved.
    """

    epoch: int
    remaining: int
    unverified: int
    set_aside: int


@dataclass(frozen=True, slots=True)
class Confirm:
    """Record that Druva's console shows this generation's ARN."""

    number: int
    key_arn: KeyArn
    by: str


@dataclass(frozen=True, slots=True)
class Observe:
    """Record what AWS KMS says of a generation's key now; None where it no longer has it (EKM-09)."""

    number: int
    key_state: KeyState | None


class LastUseKnowledge(Enum):
    """What KMS could tell of a key's last successful use."""

    USED = "used"
    NEVER_USED = "never used"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LastUse:
    """A key's last successful use as KMS tells it (GetKeyLastUsage); `at` only where it was used."""

    knowledge: LastUseKnowledge
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """A person takes it upon themselves, by name and reason."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Declare that nothing depends on an older generation's key any more.

    Attributes:
        number: The generation.
        data_keys: How many data keys stand under its key.
        last_use: When its key was last used.
        retention_days: For how many days it is kept after the newer one was integrated.
        override: Who answers for what nobody could look at, and why; None for nobody.
        not_carried_over: What its key gave and the current one's does not; None where nobody could look.
    """

    number: int
    data_keys: int
    last_use: LastUse
    retention_days: int
    override: Override | None = None
    not_carried_over: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Let a retired key go: it may then be scheduled for deletion.

    Attributes:
        number: The generation.
        failed_attempts: Uses of the disabled key that were seen to fail, or that show that it was enabled in between;
            None where nobody could look.
        soak_days: For how many days the key must have been seen disabled.
        override: Who answers for it where nobody could look, and why; None for nobody.
    """

    number: int
    failed_attempts: int | None
    soak_days: int
    override: Override | None = None


@dataclass(frozen=True, slots=True)
class MarkDeleted:
    """Record that KMS was seen no longer to have a released generation's key, or to be about to delete it."""

    number: int


@dataclass(frozen=True, slots=True)
class Revoke:
    """Record that the customer takes the access away; changes no mode (EKM-10)."""

    by: str


@dataclass(frozen=True, slots=True)
class Reinstate:
    """Record that the customer gives the access back."""

    by: str


Command = (
    Register | Enable | Rotate | FinishRewrap | Confirm | Observe | Retire | Release | MarkDeleted | Revoke | Reinstate
)


@dataclass(frozen=True, slots=True)
class Transition:
    """A command that is carried out by storing `state` and journalling `event` in one step.

    Attributes:
        state: The state after it.
        event: The event's name, as the journal and `history` show it.
        details: What the journal keeps of it: JSON values, no secret.
    """

    state: TenantState
    event: str
    details: Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that is refused, and changes nothing.

    Attributes:
        rule: The rule that says no.
        message: What was refused and why.
        requirements: The requirements that ask for the rule.
        hint: What would be allowed instead.
    """

    rule: str
    message: str
    requirements: tuple[str, ...]
    hint: str | None = None

    def error(self) -> RefusedError:
        """The refusal as the error that the command line shows."""
        return RefusedError(self.rule, self.message, self.requirements, self.hint)


Answer = Transition | Refusal
