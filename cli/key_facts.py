"""What KMS tells of generations' keys, for retiring and releasing them and before anything is signed about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import KeyState
from engine.arn import parse_key_arn
from engine.errors import AwsError, KeyAccessError, RefusedError
from engine.lifecycle import GenerationState, LastUse, LastUseKnowledge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engine.carry_over import KeyAccess
    from engine.declaration import Declaration
    from engine.kms import Kms
    from engine.ledger.actor import Actor
    from engine.lifecycle import Generation, TenantState
    from engine.situation import Observation


def _connected(region: str) -> Kms:
    from engine.kms import connect

    return connect(region)


def family_of(key_arn: str) -> tuple[str, ...]:
    """The ARNs of a key and of all that share its material.

    Raises:
        KeyAccessError: KMS does not tell.
    """
    arn = parse_key_arn(key_arn)
    return _connected(arn.region).describe(key_arn).family if arn.multi_region else (key_arn,)


def observed_state(generation: Generation, actor: Actor) -> KeyState | None:
    """What KMS says of a generation's key now; None where it no longer has it (EKM-09).

    A key is as usable as the most usable of its family: while one replica is enabled it counts as enabled, and
    while one is there that is not about to be deleted it is not gone.

    Raises:
        KeyAccessError: KMS does not tell.
        RefusedError: The credentials are another account's, for whom a missing key proves nothing.
    """
    key_arn = str(generation.key_arn)
    state = _state(key_arn)
    if state is None:
        if f":{generation.key_arn.account_id}:" not in actor.identity:
            raise RefusedError(
                "observation",
                f"{actor.identity} is of another account than the key: that it does not see it proves nothing",
                ("EKM-09",),
                "use credentials of the key's own account",
            )
        return None
    states = [state, *(_state(arn) for arn in family_of(key_arn) if arn != key_arn)]
    there = [one for one in states if one is not None]
    return max(there, key=_usability)


def _state(key_arn: str) -> KeyState | None:
    try:
        return _connected(parse_key_arn(key_arn).region).describe(key_arn).state
    except KeyAccessError as error:
        if error.aws_code != "NotFoundException":
            raise
        return None


def _usability(state: KeyState) -> int:
    """Orders key states: about to be deleted, waiting for its replicas' deletion, disabled, anything else."""
    order = [KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION, KeyState.DISABLED]
    return order.index(state) if state in order else len(order)


def last_use(key_arn: str | None) -> tuple[LastUse, str | None]:
    """What KMS knows of the last use of a key and its replicas, and why it knows nothing."""
    if key_arn is None:
        return LastUse(LastUseKnowledge.UNKNOWN), None
    try:
        usages = [_connected(parse_key_arn(arn).region).usage(arn) for arn in family_of(key_arn)]
    except (KeyAccessError, AwsError) as error:
        return LastUse(LastUseKnowledge.UNKNOWN), f"the key's last use is unknown: {error.message}"
    used = [usage.last_used_at for usage in usages if usage.last_used_at is not None]
    blind = next((usage for usage in usages if usage.is_blind), None)
    if used:
        return LastUse(LastUseKnowledge.USED, max(used)), None
    if blind is None:
        return LastUse(LastUseKnowledge.NEVER_USED), None
    note = f"AWS KMS records uses of this key since {blind.tracked_since:%Y-%m-%d} only, and none since then"
    return LastUse(LastUseKnowledge.UNKNOWN), note


def not_carried_over(older: str, newer: str, declaration: Declaration) -> tuple[tuple[str, ...] | None, str | None]:
    """What an older key gave and a newer one does not (EKM-34); None, and why, where KMS does not tell."""
    from engine.carry_over import find_not_carried_over
    from engine.errors import InputError

    try:
        found = find_not_carried_over(
            _access(older), _access(newer), declaration.vendor.account_id, declaration.vendor_narrowing
        )
    except (KeyAccessError, AwsError, InputError) as error:
        return None, f"whether the newer key carries over what the older one gave is unknown: {error.message}"
    return found, None


def _access(key_arn: str) -> tuple[KeyAccess, ...]:
    from engine.carry_over import KeyAccess

    found = []
    for arn in family_of(key_arn):
        kms = _connected(parse_key_arn(arn).region)
        found.append(KeyAccess(arn, kms.policy(arn), kms.grants(arn)))
    return tuple(found)


def observe(region: str, names: Iterable[str]) -> dict[str, Observation]:
    """What KMS shows of keys now, by their ARNs or aliases; or why it does not."""
    from engine.situation import Observation

    observations = {}
    for name in names:
        try:
            observations[name] = Observation(_connected(region).describe(name))
        except KeyAccessError as error:
            # For a key or an alias that is not there yet: nothing is wrong with it.
            what = "not found" if error.aws_code == "NotFoundException" else error.failure.value
            observations[name] = Observation(None, f"{what} ({error.aws_code or 'no answer of AWS'})")
    return observations


def require_shown(state: TenantState, observations: Mapping[str, Observation]) -> None:
    """Sign nothing about keys of which the endpoint in use knows nothing: what made them may be another one.

    Raises:
        AwsError: KMS does not show a key that the ledger has not let go.
    """
    let_go = {GenerationState.RELEASED, GenerationState.DELETED}
    for generation in state.generations:
        seen = observations.get(str(generation.key_arn))
        if generation.state not in let_go and (seen is None or seen.details is None):
            raise AwsError(
                f"no evidence: AWS KMS does not show {generation.key_arn}, the key of generation {generation.number}:"
                f" {seen.trouble if seen is not None else 'nobody looked'}",
                "export it where the keys can be described",
            )
