"""The doctor's judgement: declared, real and ledger, key by key; each difference with its meaning and its mend.

What is compared: the key's state and its replicas'; its kind and origin; its tags; its policy, by meaning; the
vendor's access, and the grants; the aliases; automatic rotation; the last use; what the ledger and the
declaration say of the generation; where the data keys stand; a revocation. What cannot be looked at is a
difference, not a match. Pure: what KMS shows comes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.diagnosis.access import compare_access
from engine.diagnosis.key import compare_kind, compare_last_use, compare_replicas, compare_state
from engine.diagnosis.model import Aliases, Case, Difference, KeyFacts, ReplicaFacts, unseen
from engine.diagnosis.tenant import compare_census, compare_declared_state, compare_tenant
from engine.lifecycle import GenerationState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.declaration import Declaration
    from engine.ledger.interface import Census
    from engine.lifecycle import TenantState

__all__ = ["Aliases", "Difference", "KeyFacts", "ReplicaFacts", "diagnose"]

_LET_GO = {GenerationState.RELEASED, GenerationState.DELETED}


def diagnose(
    declaration: Declaration,
    state: TenantState,
    census: Census,
    facts: Mapping[int, KeyFacts],
    expected_policies: Mapping[int, str],
    aliases: Aliases,
) -> tuple[Difference, ...]:
    """Compare what is declared, what is real and what the ledger says.

    Args:
        declaration: The tenant's declaration.
        state: The ledger's state.
        census: Its census.
        facts: What KMS shows, by the number of each generation that the ledger knows.
        expected_policies: The key policy that the stacks would write, by generation, for keys of theirs.
        aliases: What the declared aliases point to.

    Returns:
        Every difference; empty where all agree.
    """
    found = [*compare_tenant(declaration, state, aliases), *compare_census(state, census)]
    declared = {generation.number: generation for generation in declaration.generations}
    for number in sorted({*declared, *(generation.number for generation in state.generations)}):
        known = state.find(number)
        found.extend(compare_declared_state(number, declared.get(number), known))
        if known is None:
            continue
        nothing = KeyFacts(None, troubles={"details": "nobody looked"})
        data_keys = census.under(number, str(known.key_arn))
        case = Case(known, declared.get(number), facts.get(number, nothing), expected_policies.get(number), data_keys)
        found.extend(_generation(declaration, state, case))
    return tuple(found)


def _generation(declaration: Declaration, state: TenantState, case: Case) -> Iterator[Difference]:
    details = case.facts.details
    if details is None:
        if case.known.state is GenerationState.DELETED and case.facts.gone:
            return
        if case.facts.gone and case.known.state is GenerationState.RELEASED:
            yield Difference(
                case.number,
                "key",
                "gone",
                "recorded as deleted",
                "The released key no longer exists, and the ledger does not know it yet.",
                f"`keyturn release {case.number}` records it",
            )
        elif case.facts.gone:
            yield Difference(
                case.number,
                "key",
                "gone",
                "a key that KMS shows",
                f"AWS KMS no longer has it: {case.data_keys} data keys under it cannot be opened any more.",
                "is it the right account and Region? A deleted key cannot be brought back",
            )
        else:
            reason = case.facts.troubles.get("details", "no reason given")
            yield unseen(case.number, "key", reason, "It may be gone, or only out of reach.")
        return
    yield from compare_state(state, case, details)
    if case.known.state in _LET_GO:
        return
    yield from compare_replicas(state, case, details)
    yield from compare_kind(case, details)
    yield from compare_access(declaration, state, case, details)
    yield from compare_last_use(state, case)
