"""Differences between the declaration and the ledger: the tenant as a whole, and each generation's state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.declaration import DeclaredState
from engine.diagnosis.model import Aliases, Difference, unseen
from engine.lifecycle import SERVICE_GENERATION, GenerationState, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.declaration import Declaration, DeclaredGeneration
    from engine.ledger.interface import Census, CensusRow
    from engine.lifecycle import Generation, TenantState

_DECLARED_AS = {
    GenerationState.RETIRED: DeclaredState.RETIRED,
    GenerationState.RELEASED: DeclaredState.RELEASED,
    GenerationState.DELETED: DeclaredState.DELETED,
}


def compare_tenant(declaration: Declaration, state: TenantState, aliases: Aliases) -> Iterator[Difference]:
    """What the tenant as a whole is declared to be, against the ledger and the aliases."""
    if declaration.revoked != state.revoked:
        yield Difference(
            None,
            "revocation",
            f"declared {_revoked(declaration.revoked)}, ledger {_revoked(state.revoked)}",
            "the same in both",
            "The next deploy would do what the declaration says, against what was done.",
            "`keyturn revoke` or `keyturn reinstate`, whichever is meant",
        )
    yield from _compare_aliases(declaration, state, aliases)
    current = state.current
    if state.mode is Mode.CLOUD or current is None:
        return
    if declaration.current > current.number:
        yield Difference(
            None,
            "current",
            f"declared {declaration.current}, ledger {current.number}",
            f"at most {current.number}",
            "The ledger leads: new data keys do not go to the declared generation yet.",
            f"`keyturn rotate --to {declaration.current}`, or declare `current: {current.number}`",
        )
    elif declaration.current < current.number and state.rotation is None:
        yield Difference(
            None,
            "current",
            f"declared {declaration.current}, ledger {current.number}",
            str(current.number),
            "The rotation is complete, but the declaration and with it the alias have not followed.",
            f"set `current: {current.number}` and deploy with evidence",
        )


def _compare_aliases(declaration: Declaration, state: TenantState, aliases: Aliases) -> Iterator[Difference]:
    wanted = {declaration.alias: declaration.current}
    for generation in declaration.generations:
        if generation.alias is not None and generation.state is not DeclaredState.DELETED:
            wanted[generation.alias] = generation.number
    for alias, number in wanted.items():
        known = state.find(number)
        if known is None:
            continue
        if alias not in aliases.targets:
            reason = aliases.troubles.get(alias, "nobody looked")
            yield unseen(None, "alias", reason, f"Where {alias} points to is not known.")
            continue
        target = aliases.targets[alias]
        if target != str(known.key_arn):
            yield Difference(
                None,
                "alias",
                f"{alias} points to {target or 'nothing'}",
                str(known.key_arn),
                f"Who goes by the alias takes another key for that of generation {number}.",
                "`npx cdktf deploy`, with evidence in KEYTURN_EVIDENCE",
            )


def compare_census(state: TenantState, census: Census) -> Iterator[Difference]:
    """Where the data keys stand, against the generations that the ledger knows."""
    keys = {generation.number: str(generation.key_arn) for generation in state.generations}
    for row in census.rows:
        if row.generation != SERVICE_GENERATION and keys.get(row.generation) != row.key_arn:
            yield Difference(
                row.generation,
                "data keys",
                f"{row.data_keys} records name {row.key_arn}",
                keys.get(row.generation, "a generation that the ledger knows"),
                "Records were altered: they name another key than their generation's.",
                "bring the ledger back from a backup",
            )
        elif state.rotation is None and state.mode is Mode.ENTERPRISE:
            yield from _compare_standing(state, row)
        if row.set_aside:
            yield Difference(
                row.generation,
                "data keys",
                f"{row.set_aside} set aside",
                "none",
                "They could not be moved; what they protect still depends on the older key.",
                f"`keyturn rotate --to {state.current_number}` tries them again",
            )


def _compare_standing(state: TenantState, row: CensusRow) -> Iterator[Difference]:
    """Where no move is in flight every data key stands under the current key, and is proved to open there."""
    seen = None
    if row.generation != state.current_number:
        seen = f"{row.data_keys} under its key"
    elif row.unverified:
        seen = f"{row.unverified} not proved to open"
    if seen is not None:
        yield Difference(
            row.generation,
            "data keys",
            seen,
            "all proved under the current key, as no move is in flight",
            "Nothing moves or proves them: the older key can never be retired.",
            "`keyturn verify` shows whether the ledger is intact; a rotation to a further generation moves them",
        )


def compare_declared_state(
    number: int, declared: DeclaredGeneration | None, known: Generation | None
) -> Iterator[Difference]:
    """What is declared of a generation, against how far the ledger says it is."""
    if declared is None:
        yield Difference(
            number,
            "declaration",
            "not declared",
            "every generation that was ever used",
            "The stacks let go of a key that is not declared.",
            "put its entry back; a deleted key keeps it with `state: deleted`",
        )
        return
    ledger = DeclaredState.ACTIVE if known is None else _DECLARED_AS.get(known.state, DeclaredState.ACTIVE)
    order = list(DeclaredState)
    seen = f"declared {declared.state.value}, ledger {ledger.value}"
    if order.index(declared.state) > order.index(ledger):
        if declared.state is DeclaredState.DELETED and ledger is DeclaredState.RELEASED:
            return  # the deploy of `deleted` is what deletes it; the key's own state tells when
        yield Difference(
            number,
            "state",
            seen,
            f"at most {ledger.value}",
            "A deploy would let the key go before the ledger says that nothing depends on it.",
            f"declare it {ledger.value} again, or `keyturn retire {number}` and `keyturn release {number}` first",
        )
    elif order.index(declared.state) < order.index(ledger):
        yield Difference(
            number,
            "state",
            seen,
            ledger.value,
            "The key could go on to its next step, which a deploy makes.",
            f"declare `state: {ledger.value}` and deploy, with the evidence",
        )


def _revoked(value: bool) -> str:
    return "revoked" if value else "not revoked"
