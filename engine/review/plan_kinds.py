"""Which entries of a plan bear on custody, by type, mode and address; a KMS resource in disguise is refused.

Terraform writes a type in small letters, marks as data only what it reads, and begins the address of a data source with
`data.`. A plan in which that is otherwise was edited by hand, or another tool made it: what it would do cannot be told.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from engine.errors import InputError
from engine.review.plan import CUSTODY_TYPES, FOUNDATION_TYPES, GENERIC_TYPES, KMS_PREFIXES, POLICY_DOCUMENT_TYPE
from engine.review.plan_json import HOW_TO_SHOW
from engine.review.values import printable

_ONLY_READ = (["read"], ["no-op"])
_CUSTODY_IN_AN_ADDRESS = "aws_kms_"
_TYPES = CUSTODY_TYPES | FOUNDATION_TYPES


def may_bear_on_custody(kind: str, entry: dict[str, Any]) -> bool:
    """Whether an entry needs a closer look: asked of every entry of a plan."""
    if kind in _TYPES or _is_misspelt(kind):
        return True
    address = entry.get("address")
    return address.__class__ is str and _CUSTODY_IN_AN_ADDRESS in address


def is_managed_custody(place: object, kind: str, entry: dict[str, Any]) -> bool:
    """Whether an entry is a managed resource that bears on custody.

    Args:
        place: Where it stands, for messages.
        kind: Its type.
        entry: The entry, of changes, of a state or of planned values.

    Raises:
        InputError: It is such a resource in disguise.
    """
    address = entry.get("address")
    if _is_misspelt(kind):
        raise InputError(f"{place} has the type {printable(kind, 80)!r}, which Terraform never writes so", HOW_TO_SHOW)
    module = entry.get("module_address")
    plainly = f"{module}.{kind}." if module else f"{kind}."
    if isinstance(address, str) and not address.startswith(plainly):
        _require_the_type_of(place, address, kind)
    if kind not in _TYPES:
        return False
    if entry.get("mode") != "data":
        return True
    change = entry.get("change")
    read = change is None or (isinstance(change, dict) and change.get("actions") in _ONLY_READ)
    if not read or not isinstance(address, str) or f"data.{kind}." not in address:
        raise InputError(
            f"{place} ({printable(str(address))}) is marked as data, and is no data source that is only read",
            HOW_TO_SHOW,
        )
    return False


@lru_cache(maxsize=4096)
def _is_misspelt(kind: str) -> bool:
    """Whether a type is that of a KMS resource but for the case of its letters and spaces around it."""
    spelt = kind.strip().casefold()
    other = GENERIC_TYPES | FOUNDATION_TYPES | {POLICY_DOCUMENT_TYPE}
    return spelt != kind and (spelt.startswith(KMS_PREFIXES) or spelt in other)


def _require_the_type_of(place: object, address: str, kind: str) -> None:
    from engine.review.references import parse_steps  # most plans without a key never need it

    names = [step.name for step in parse_steps(address)]
    while len(names) > 2 and names[0] == "module":
        names = names[2:]
    own = names[1] if len(names) > 1 and names[0] == "data" else names[0] if names else ""
    if own != kind and own in _TYPES:
        raise InputError(
            f"{place} ({printable(address)}) has another type than its address: {printable(kind, 80)}", HOW_TO_SHOW
        )
