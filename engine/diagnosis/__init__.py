"""The doctor's judgement: declared, real and ledger, key by key; each difference with its meaning and its mend.

What is compared: the key's state; its kind and origin; its tags; its policy, by meaning; the vendor's access;
the alias; automatic rotation; replicas; the last use; what the ledger and the declaration say of the
generation; a revocation. What cannot be looked at is a difference, not a match. Pure: what KMS shows comes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.diagnosis.access import compare_access
from engine.diagnosis.custody import (
    compare_kind,
    compare_last_use,
    compare_ledger_and_declaration,
    compare_state,
    compare_tenant,
)
from engine.diagnosis.model import Case, Difference, KeyFacts
from engine.lifecycle import GenerationState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.declaration import Declaration
    from engine.ledger.interface import Census
    from engine.lifecycle import TenantState

__all__ = ["Difference", "KeyFacts", "diagnose"]


def diagnose(
    declaration: Declaration,
    state: TenantState,
    census: Census,
    facts: Mapping[int, KeyFacts],
    expected_policies: Mapping[int, str],
    alias_target: str | None,
) -> tuple[Difference, ...]:
    """Compare what is declared, what is real and what the ledger says.

    Args:
        declaration: The tenant's declaration.
        state: The ledger's state.
        census: Its census.
        facts: What KMS shows, by generation.
        expected_policies: The key policy that the stacks would write, by generation, for keys of theirs.
        alias_target: The ARN that the declared alias points to, or None where there is none.

    Returns:
        Every difference; empty where all agree.
    """
    found = list(compare_tenant(declaration, state, alias_target))
    declared = {generation.number: generation for generation in declaration.generations}
    for number in sorted({*declared, *(generation.number for generation in state.generations)}):
        known = state.find(number)
        arn = str(known.key_arn) if known is not None else None
        case = Case(
            number,
            declared.get(number),
            known,
            facts.get(number),
            expected_policies.get(number),
            census.under(number, arn),
        )
        found.extend(_generation(declaration, state, case))
    return tuple(found)


def _generation(declaration: Declaration, state: TenantState, case: Case) -> Iterator[Difference]:
    yield from compare_ledger_and_declaration(case)
    if case.known is None:
        return
    if case.facts is None or case.facts.details is None:
        if case.known.state is not GenerationState.DELETED:
            reason = "; ".join(case.facts.troubles) if case.facts is not None else "nobody looked"
            yield Difference(
                case.number,
                "key",
                f"not to be seen ({reason})",
                "a key that KMS shows",
                "It may be gone or only out of reach; data that stands under it cannot be opened if it is gone.",
                "look at the credentials, the Region and the key itself",
            )
        return
    yield from compare_state(state, case, case.facts.details)
    if case.known.state in {GenerationState.RELEASED, GenerationState.DELETED}:
        return
    yield from compare_kind(case, case.facts.details)
    yield from compare_access(declaration, state, case, case.facts)
    yield from compare_last_use(state, case, case.facts)
