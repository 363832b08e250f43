"""What a declaration asks for that only evidence allows, and what it must not leave out.

The ledger leads and the stacks follow (EKM-11, EKM-33). So, beyond what a first deployment needs:

- The alias moves to a later generation than the first only when that one is proved to be integrated: census,
  verification and the console's confirmation. Without evidence it stays where it points (`stacks.evidence`);
  evidence that says otherwise is not contradicted.
- A generation is emitted as `retired` when a certificate says that nothing is left under its key, as
  `released` or `deleted` when it is released. A step further than what is proved is refused.
- Every generation that the evidence, or this folder's Terraform state, knows stays declared: without its
  entry Terraform would destroy the key. It would as well where the entry stays and the stacks no longer make
  the key, at its address: with a key_arn, another origin or without a replica (`prevent_destroy` goes with it).
- A revocation is undone by `keyturn reinstate`, never by a deployment.

Without evidence nothing is proved. A refusal stops the synthesis before anything is written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, assert_never

from engine.declaration import GENERATION_TAG, TENANT_TAG, DeclaredState
from engine.errors import InputError
from engine.lifecycle import FIRST_GENERATION, GenerationState
from stacks.custody import key_addresses
from stacks.evidence import SETTING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from engine.declaration import Declaration, DeclaredGeneration
    from engine.errors import Mistake
    from engine.evidence import Evidence, GenerationEvidence
    from engine.located_yaml import LocatedDocument

_RETIRED = {GenerationState.RETIRED, GenerationState.RELEASED, GenerationState.DELETED}
_RELEASED = {GenerationState.RELEASED, GenerationState.DELETED}


def find_unproved(
    document: LocatedDocument, declaration: Declaration, evidence: Evidence | None, in_state: Mapping[str, int]
) -> tuple[Mistake, ...]:
    """Hold a declaration against what is proved.

    Args:
        document: The declaration as read, for the places.
        declaration: The same, typed.
        evidence: Checked evidence of this tenant, or None.
        in_state: The keys that this folder's Terraform state holds: their addresses, each with its generation.

    Returns:
        Every place where it goes beyond that; empty where the stacks may do all of it.
    """
    return tuple(_unproved(document, declaration, evidence, in_state))


def keys_in_state(folders: Sequence[Path], tenant: str) -> Mapping[str, int]:
    """The keys of a tenant that local Terraform states hold, by their tags.

    Args:
        folders: Where `terraform.TENANT.tfstate` may lie, as CDKTF names it, or `TENANT/terraform.tfstate`, as where
            `keyturn export-hcl` wrote to; no such file holds none.
        tenant: The tenant.

    Returns:
        The address of each, with the number of its generation.

    Raises:
        InputError: One is there and cannot be read.
    """
    names = (f"terraform.{tenant}.tfstate", f"{tenant}/terraform.tfstate")
    return {
        address: number
        for folder in folders
        for name in names
        for address, number in _keys_in(folder / name, tenant).items()
    }


def _keys_in(path: Path, tenant: str) -> Mapping[str, int]:
    try:
        if not path.exists():
            return {}
        resources = json.loads(path.read_bytes())["resources"]
        tagged = [
            (f"{resource['type']}.{resource['name']}", _tags(instance))
            for resource in resources
            if resource.get("mode") != "data"
            for instance in resource.get("instances", ())
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the Terraform state {str(path)!r} cannot be read, so nothing tells which keys it holds",
            "restore it (Terraform keeps the one before as .backup beside it)",
        ) from error
    numbers = ((address, tags.get(GENERATION_TAG)) for address, tags in tagged if tags.get(TENANT_TAG) == tenant)
    return {address: int(number) for address, number in numbers if number and number.isascii() and number.isdigit()}


def _tags(instance: dict[str, Any]) -> dict[str, str]:
    tags = instance["attributes"].get("tags")
    return tags if isinstance(tags, dict) else {}


def _unproved(
    document: LocatedDocument, declaration: Declaration, evidence: Evidence | None, in_state: Mapping[str, int]
) -> Iterator[Mistake]:
    declared = {generation.number for generation in declaration.generations}
    known = {entry.number for entry in evidence.generations} if evidence is not None else set()
    for number in sorted((known | set(in_state.values())) - declared):
        where = "the evidence knows it" if number in known else "its key stands in the Terraform state"
        yield document.mistake(
            ("generations",),
            f"generation {number} is not declared, and {where}",
            "its entry: without it Terraform would destroy the key [EKM-33]",
        )
    yield from _let_go(document, declaration, in_state)
    if evidence is not None and evidence.revoked and not declaration.revoked:
        yield document.mistake(
            ("revoked",),
            "revoked is false, and the evidence says that the access is revoked",
            "true until `keyturn reinstate` has given the access back [EKM-10]",
        )
    if evidence is not None and declaration.current > FIRST_GENERATION:
        entry = evidence.generation(declaration.current)
        if entry is None or not entry.integrated:
            yield document.mistake(
                ("current",),
                f"current is {declaration.current}, and {_lack(evidence, entry, 'integrated')}",
                "a generation that the ledger has come to: `keyturn rotate`, `keyturn confirm`, then export the "
                "evidence anew [EKM-32, EKM-33]",
            )
    for index, generation in enumerate(declaration.generations):
        entry = None if evidence is None else evidence.generation(generation.number)
        if _allowed(generation, entry):
            continue
        command = "retire" if generation.state is DeclaredState.RETIRED else "release"
        word = "retired" if generation.state is DeclaredState.RETIRED else "released"
        yield document.mistake(
            ("generations", index, "state"),
            f"generation {generation.number} is declared {generation.state.value}, and {_lack(evidence, entry, word)}",
            f"an earlier state, or evidence of it: `keyturn {command} {generation.number}`, then "
            f"`keyturn status --evidence FILE` and {SETTING} [EKM-33, EKM-34]",
        )


def _let_go(document: LocatedDocument, declaration: Declaration, in_state: Mapping[str, int]) -> Iterator[Mistake]:
    """The keys that would be destroyed although their generation stays: from its release on one may be."""
    for index, generation in enumerate(declaration.generations):
        if generation.state in {DeclaredState.RELEASED, DeclaredState.DELETED}:
            continue
        held = {address for address, number in in_state.items() if number == generation.number}
        for address in sorted(held - key_addresses(generation)):
            yield document.mistake(
                ("generations", index),
                f"generation {generation.number} has the key {address} in the Terraform state, and declared like this "
                "it would be destroyed",
                "what was declared when the key was made: its origin, its replicas, no key_arn and no address [EKM-33]",
            )


def _allowed(generation: DeclaredGeneration, entry: GenerationEvidence | None) -> bool:
    """Whether a generation may be emitted as it is declared."""
    match generation.state:
        case DeclaredState.ACTIVE:
            return True
        case DeclaredState.RETIRED:
            return entry is not None and entry.state in _RETIRED and _certified(entry)
        case DeclaredState.RELEASED | DeclaredState.DELETED:
            return entry is not None and entry.state in _RELEASED and _certified(entry)
        case _:
            assert_never(generation.state)


def _certified(entry: GenerationEvidence) -> bool:
    return entry.certificate is not None and entry.data_keys == 0


def _lack(evidence: Evidence | None, entry: GenerationEvidence | None, word: str) -> str:
    if evidence is None:
        return f"no evidence says that it is {word}"
    if entry is None:
        return "the evidence does not know that generation"
    if entry.data_keys and word != "integrated":
        return f"the evidence counts {entry.data_keys} data keys under it"
    return f"the evidence does not say that it is {word} (it is {entry.state.value})"
