"""A declaration held against an earlier one: what may never be taken back.

- The tenant and the account and Region of its keys stay what they are: other ones would be other keys.
- A declared generation stays declared under its number; a new one comes at the end (EKM-11).
- `current` never goes down (EKM-11).
- A key ARN, once declared, is neither changed nor removed (EKM-11, EKM-34).
- A key that the stacks make stays one of theirs: with a key_arn or an address it would be made elsewhere,
  and they would let go of it, guard and all. Nor does one made elsewhere become one of theirs.
- What a key cannot change without being replaced stays: origin, key store, external key, multi-Region.
- A replica stays declared until its generation is released: the vendor may read through it (EKM-34).
- The vendor's way to the keys, its statement or its grant, changes by way of `both`: Terraform takes the one away
  while it makes the other, and KMS lets the new one count some minutes later (EKM-18).
- A generation's state only moves on: active, retired, released, deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.declaration import DeclaredState, VendorAccess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.declaration import Declaration, DeclaredGeneration
    from engine.errors import Mistake
    from engine.located_yaml import LocatedDocument, PathOfKeys

_FIXED = ("origin", "custom_key_store_id", "xks_key_id", "multi_region")
_STATE_ORDER = tuple(DeclaredState)


def check_against(document: LocatedDocument, declaration: Declaration, earlier: Declaration) -> tuple[Mistake, ...]:
    """Hold a declaration against an earlier one of the same file.

    Args:
        document: The new declaration as read, for the places.
        declaration: The same, typed.
        earlier: What stood before, for instance on the target branch.

    Returns:
        Every step back; empty where the new one only goes on from the earlier one.
    """
    return tuple(_steps_back(document, declaration, earlier))


def _steps_back(document: LocatedDocument, declaration: Declaration, earlier: Declaration) -> Iterator[Mistake]:
    for path, new, old in (
        (("tenant",), declaration.tenant, earlier.tenant),
        (("aws", "account_id"), declaration.account.account_id, earlier.account.account_id),
        (("aws", "region"), declaration.account.region, earlier.account.region),
    ):
        if new != old:
            yield document.mistake(
                path,
                f"{'.'.join(path)} is {new!r} and was {old!r}",
                f"{old!r}: it would mean other keys [EKM-11]",
            )
    if declaration.current < earlier.current:
        yield document.mistake(
            ("current",),
            f"current is {declaration.current} and was {earlier.current}",
            f"{earlier.current} or higher: there is no way back to an earlier key [EKM-11]",
        )
    ways = {declaration.vendor_access, earlier.vendor_access}
    if len(ways) == 2 and VendorAccess.BOTH not in ways:
        yield document.mistake(
            ("vendor_access",),
            f"vendor_access is {declaration.vendor_access.value} and was {earlier.vendor_access.value}",
            "both, and once that is deployed the other way alone: else there is a time without either [EKM-18]",
        )
    now = {generation.number: (index, generation) for index, generation in enumerate(declaration.generations)}
    for old_generation in earlier.generations:
        if old_generation.number not in now:
            yield document.mistake(
                ("generations",),
                f"generation {old_generation.number} is gone",
                "every generation that was ever declared; a deleted key keeps its entry with state: deleted [EKM-11]",
            )
            continue
        index, generation = now[old_generation.number]
        yield from _generation_steps_back(document, ("generations", index), generation, old_generation)


def _generation_steps_back(
    document: LocatedDocument, path: PathOfKeys, new: DeclaredGeneration, old: DeclaredGeneration
) -> Iterator[Mistake]:
    name = f"generation {new.number}"
    if old.key_arn is not None and new.key_arn != old.key_arn:
        was = f"{old.key_arn}: another key is another generation [EKM-11]"
        if new.key_arn is None:
            yield document.mistake(path, f"{name} has lost its key_arn", was)
        else:
            yield document.mistake((*path, "key_arn"), f"{name} has another key_arn: {new.key_arn}", was)
    if old.made_by_stacks and not new.made_by_stacks:
        which = "key_arn" if new.address is None else "address"
        yield document.mistake(
            (*path, which), f"{name} was made by the stacks", f"no {which}: the stacks would let go of its key"
        )
    if not old.made_by_stacks and new.made_by_stacks and old.key_arn is None:
        yield document.mistake(
            path, f"{name} was made elsewhere", "its address or key_arn: the stacks would make another key"
        )
    for field in _FIXED:
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            yield document.mistake(
                (*path, field),
                f"{name}: {field} is {_text(after)} and was {_text(before)}",
                f"{_text(before)}: AWS would replace the key",
            )
    gone = [replica for replica in old.replicas if replica not in new.replicas]
    if gone and _STATE_ORDER.index(new.state) < _STATE_ORDER.index(DeclaredState.RELEASED):
        yield document.mistake(
            (*path, "replicas"),
            f"{name}: the replica in {', '.join(gone)} is gone",
            "every replica until the generation is released [EKM-34]",
        )
    if _STATE_ORDER.index(new.state) < _STATE_ORDER.index(old.state):
        yield document.mistake(
            (*path, "state"),
            f"{name}: state is {new.state.value!r} and was {old.state.value!r}",
            f"{old.state.value!r} or later",
        )


def _text(value: Any) -> str:
    return "not set" if value is None else str(getattr(value, "value", value))
