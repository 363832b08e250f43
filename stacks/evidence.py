"""Signed evidence, as the stacks take it: the ledger leads, the stacks follow.

`KEYTURN_EVIDENCE` names the evidence: a file, or a folder with one `TENANT.json` for each tenant. It is checked
against the public key in `KEYTURN_EVIDENCE_KEY`, which the pipeline gives. Where the sandbox signed it, it counts
only with `KEYTURN_EVIDENCE_SANDBOX` set. The rules:

- The alias is moved to a later generation only on evidence that this generation is integrated: its census,
  verification and confirmation are there. Without it, the alias is made where there is none and stays where it
  points (EKM-33).
- Evidence that is given is never contradicted: a generation that is declared retired, released or deleted
  before the ledger let it go, a `current` that the ledger has not reached, or a revocation that the declaration
  would undo, ends the synthesis.
- Evidence that cannot be read or trusted ends the synthesis, too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.declaration import DeclaredState
from engine.errors import RefusedError, UntrustedError
from engine.evidence import read_evidence, read_verification_key
from engine.evidence.binding import expected_of
from engine.lifecycle import FIRST_GENERATION, GenerationState
from engine.located_yaml import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.declaration import Declaration
    from engine.evidence import Evidence

SETTING, KEY_SETTING, SANDBOX_SETTING = "KEYTURN_EVIDENCE", "KEYTURN_EVIDENCE_KEY", "KEYTURN_EVIDENCE_SANDBOX"

_MAX_BYTES = 4 * 1024 * 1024
_NEEDED = {
    DeclaredState.RETIRED: {GenerationState.RETIRED, GenerationState.RELEASED, GenerationState.DELETED},
    DeclaredState.RELEASED: {GenerationState.RELEASED, GenerationState.DELETED},
    DeclaredState.DELETED: {GenerationState.RELEASED, GenerationState.DELETED},
}


def tenants_whose_alias_may_move(declarations: Sequence[Declaration], environment: Mapping[str, str]) -> frozenset[str]:
    """The tenants whose alias the stacks may move, by what evidence proves.

    Args:
        declarations: One for each tenant.
        environment: The process's environment variables.

    Returns:
        The names of those whose `current` is proved to be integrated, or is their first generation.

    Raises:
        InputError, UntrustedError: Evidence was given and cannot be read or trusted.
        RefusedError: A declaration contradicts it.
    """
    allowed = set()
    for declaration in declarations:
        evidence = _evidence_of(declaration, environment)
        if evidence is not None:
            _refuse_contradictions(declaration, evidence)
        if declaration.current == FIRST_GENERATION or _is_integrated(evidence, declaration.current):
            allowed.add(declaration.tenant)
    return frozenset(allowed)


def _evidence_of(declaration: Declaration, environment: Mapping[str, str]) -> Evidence | None:
    named = environment.get(SETTING)
    if not named:
        return None
    key = environment.get(KEY_SETTING)
    if not key:
        raise UntrustedError(
            f"{SETTING} is set, and {KEY_SETTING} is not: nothing tells whose word the evidence is",
            "give the public key of the ledger's owner; `keyturn evidence public-key` prints it",
        )
    path = Path(named)
    if path.is_dir():
        path = path / f"{declaration.tenant}.json"
        if not path.exists():
            return None
    expected = expected_of(declaration, sandbox=bool(environment.get(SANDBOX_SETTING)))
    data = read_file(path, what="the evidence", max_bytes=_MAX_BYTES)
    return read_evidence(str(path), data, read_verification_key(key, Path()), expected, datetime.now(UTC))


def _is_integrated(evidence: Evidence | None, number: int) -> bool:
    entry = evidence.generation(number) if evidence is not None else None
    return entry is not None and entry.integrated


def _refuse_contradictions(declaration: Declaration, evidence: Evidence) -> None:
    found = list(_contradictions(declaration, evidence))
    if found:
        raise RefusedError(
            "ledger-leads",
            f"the declaration of tenant {declaration.tenant!r} is ahead of the ledger: {'; '.join(found)}",
            ("EKM-33",),
            "`keyturn status` shows where the tenant stands; export the evidence anew after the next step",
        )


def _contradictions(declaration: Declaration, evidence: Evidence) -> Iterator[str]:
    if declaration.current > FIRST_GENERATION and not _is_integrated(evidence, declaration.current):
        yield f"generation {declaration.current} is declared current, and is not integrated"
    if evidence.revoked and not declaration.revoked:
        yield "the access is revoked, which this declaration would undo (`keyturn reinstate` gives it back)"
    for generation in declaration.generations:
        needed = _NEEDED.get(generation.state)
        entry = evidence.generation(generation.number)
        if needed is not None and (entry is None or entry.state not in needed):
            standing = "unknown to the ledger" if entry is None else f"{entry.state.value} in the ledger"
            yield f"generation {generation.number} is declared {generation.state.value}, and is {standing}"
