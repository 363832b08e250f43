"""Where a tenant stands, in sentences: from the declaration, the ledger and what AWS KMS shows; pure.

The console's own words for an enabled tenant are `External Cloud Key Management: Enabled` (EKM-27).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.lifecycle import SERVICE_GENERATION, GenerationState, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.declaration import Declaration
    from engine.kms import KeyDetails
    from engine.ledger.interface import Census
    from engine.lifecycle import Generation, TenantState


@dataclass(frozen=True, slots=True)
class Observation:
    """What AWS KMS shows of a key now: its details, or why they could not be had (EKM-09)."""

    details: KeyDetails | None
    trouble: str | None = None

    @property
    def state_text(self) -> str:
        """The key state in one word."""
        return self.details.state.value if self.details is not None else "unknown"


@dataclass(frozen=True, slots=True)
class GenerationStanding:
    """One generation: as declared, as the ledger has it, as KMS shows it."""

    number: int
    declared: str | None
    ledger: GenerationState | None
    key_arn: str | None
    data_keys: int
    confirmed_by: str | None
    observation: Observation | None


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a tenant stands.

    Attributes:
        tenant: Its name.
        headline: One sentence.
        enabled: Whether Enterprise Key Management is enabled.
        revoked: Whether the customer has taken the access away.
        moving_to: The generation that a rotation in flight goes to, or None.
        key_arn: The current generation's key, or None in cloud mode.
        generations: Every generation that is declared or in the ledger.
        under_service_key: Data keys of customer custody that still stand under the service's own key.
        concerns: What is not as it should be, one sentence each.
        next_steps: What comes next, one sentence each.
    """

    tenant: str
    headline: str
    enabled: bool
    revoked: bool
    moving_to: int | None
    key_arn: str | None
    generations: tuple[GenerationStanding, ...]
    under_service_key: int
    concerns: tuple[str, ...]
    next_steps: tuple[str, ...]


def describe_situation(
    declaration: Declaration,
    state: TenantState,
    census: Census,
    observations: Mapping[str, Observation],
) -> Situation:
    """Put together where a tenant stands.

    Args:
        declaration: The tenant's declaration.
        state: The ledger's state.
        census: The ledger's census.
        observations: What KMS shows, by key ARN; empty where nobody looked.

    Returns:
        The situation.
    """
    numbers = sorted({g.number for g in declaration.generations} | {g.number for g in state.generations})
    standings = tuple(_standing(number, declaration, state, census, observations) for number in numbers)
    current = state.current
    enabled = state.mode is Mode.ENTERPRISE
    return Situation(
        tenant=declaration.tenant,
        headline=_headline(state),
        enabled=enabled,
        revoked=state.revoked,
        moving_to=state.rotation.to if state.rotation is not None else None,
        key_arn=str(current.key_arn) if current is not None else None,
        generations=standings,
        under_service_key=census.under(SERVICE_GENERATION),
        concerns=tuple(_concerns(declaration, state, standings)),
        next_steps=tuple(_next_steps(declaration, state)),
    )


def _standing(
    number: int,
    declaration: Declaration,
    state: TenantState,
    census: Census,
    observations: Mapping[str, Observation],
) -> GenerationStanding:
    declared = next((g for g in declaration.generations if g.number == number), None)
    known = state.find(number)
    key_arn = _key_arn(known, str(declared.key_arn) if declared is not None and declared.key_arn is not None else None)
    return GenerationStanding(
        number=number,
        declared=declared.state.value if declared is not None else None,
        ledger=known.state if known is not None else None,
        key_arn=key_arn,
        data_keys=census.under(number),
        confirmed_by=known.confirmed.by if known is not None and known.confirmed is not None else None,
        observation=observations.get(key_arn) if key_arn is not None else None,
    )


def _key_arn(known: Generation | None, declared: str | None) -> str | None:
    return str(known.key_arn) if known is not None else declared


def _headline(state: TenantState) -> str:
    if state.mode is Mode.CLOUD and state.revoked:
        return "Cloud Key Management is in force, and the access to the customer's keys is revoked."
    if state.mode is Mode.CLOUD:
        registered = [g for g in state.generations if g.state is GenerationState.REGISTERED]
        if registered:
            return (
                f"Cloud Key Management is in force; the key of generation {registered[0].number} is registered"
                " and waits for the legal terms."
            )
        return "Cloud Key Management is in force: Druva's own key wraps the data keys."
    current = state.current_number
    if state.revoked:
        return f"Enterprise Key Management is enabled with generation {current}, and the access is revoked."
    if state.rotation is not None and state.rotation.rewrapped_at is None:
        return f"Data keys are being moved to generation {state.rotation.to}; all keys concerned stay usable."
    if state.rotation is not None:
        return f"Every data key is under generation {current}; the Druva console's own word for it is missing."
    return f"Enterprise Key Management is enabled; generation {current} is fully integrated."


def _concerns(declaration: Declaration, state: TenantState, standings: tuple[GenerationStanding, ...]) -> list[str]:
    concerns = []
    for standing in standings:
        observation, known = standing.observation, state.find(standing.number)
        if known is not None and standing.declared is None:
            concerns.append(f"Generation {standing.number} is in the ledger, but not declared any more.")
        if observation is None or known is None or not known.must_stay_enabled or state.revoked:
            continue
        if observation.details is None:
            concerns.append(f"The key of generation {standing.number} could not be looked at: {observation.trouble}.")
        elif observation.details.state is not KeyState.ENABLED:
            concerns.append(
                f"The key of generation {standing.number} is {observation.state_text}, but data depends on it:"
                " backups and restores fail until it is enabled again."
            )
    if state.mode is Mode.ENTERPRISE and declaration.current > state.current_number:
        concerns.append(
            f"The declaration says that generation {declaration.current} is current,"
            f" but new data keys go to generation {state.current_number}: the ledger leads."
        )
    return concerns


def _next_steps(declaration: Declaration, state: TenantState) -> list[str]:
    if state.revoked:
        return ["`keyturn reinstate` gives the access back, when it shall be."]
    if state.mode is Mode.CLOUD:
        if not declaration.vendor.activated:
            return ["Ask Druva Support to activate Enterprise Key Management, then set druva.activated: true."]
        return [f"`keyturn enable --key-arn ARN --terms FILE` enables the key of generation {declaration.current}."]
    steps: list[str] = []
    current, rotation = state.current, state.rotation
    if current is None:
        return steps
    if rotation is not None and rotation.rewrapped_at is None:
        steps.append(f"`keyturn rotate --to {rotation.to}` goes on moving data keys.")
    if rotation is not None and current.confirmed is None:
        steps.append(f"Set {current.key_arn} in the Druva console (Settings, Enterprise Key Management).")
        steps.append(
            f"`keyturn confirm {current.number} --key-arn {current.key_arn}` records that the console shows it."
        )
    if rotation is None and declaration.current < current.number:
        steps.append(f"Set `current: {current.number}` in the declaration and deploy: the alias follows.")
    newer = [g.number for g in declaration.generations if g.number > current.number and g.state.value == "active"]
    if rotation is None and newer:
        steps.append(f"`keyturn rotate --to {newer[0]} --key-arn ARN` moves every data key to generation {newer[0]}.")
    steps.extend(_endings(state))
    return steps


def _endings(state: TenantState) -> Iterator[str]:
    """How older generations come to their end."""
    retained = [g.number for g in state.generations if g.state is GenerationState.RETAINED]
    if state.rotation is None and retained:
        yield f"`keyturn retire {retained[0]}` lets generation {retained[0]} go, once its retention has passed."
    for generation in state.generations:
        number = generation.number
        if generation.state is GenerationState.RETIRED:
            yield (
                f"Declare generation {number} as `state: retired` and deploy, which disables its key; then"
                f" `keyturn release {number}` lets it go, once it has soaked."
            )
        if generation.state is GenerationState.RELEASED:
            yield f"Once the key of generation {number} is gone, `keyturn release {number}` records it."
