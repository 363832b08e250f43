"""Which generation a key is.

By its ARN or that of its multi-Region family, by what the evidence proves, by the tags `keyturn:tenant` and
`keyturn:generation` as they were, by its declared address, by the address that our stacks give (unless the tags say
another tenant's), by the tags as they will be, or as a replica of its primary key: in this order, so that what a change
writes comes last. Of a key that moves, the address where it was comes first, for the same reason.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.declaration import DeclaredState
from engine.review.resources import MOMENTS, Moment
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from engine.review.custody import Custody
    from engine.review.declared import Declared
    from engine.review.keys import Key

TENANT_TAG = "keyturn:tenant"
GENERATION_TAG = "keyturn:generation"
_STACK_NAME = re.compile(r"generation_([1-9][0-9]{0,8})", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class Generations:
    """Tells the generations of a plan's keys.

    Args:
        custody: All keys of the plan.
        declared: What they are judged by.
    """

    def __init__(self, custody: Custody, declared: Declared) -> None:
        self._custody = custody
        self._declared = declared
        self._tenants = frozenset(declaration.tenant for declaration in declared.both)
        self._existing: dict[int, list[Key]] | None = None
        self._numbers: dict[str, int | None] = {}
        self.keys_of_arn: dict[str, list[Key]] = {}
        for key in custody.keys.values():
            if key.arn is not None:
                self.keys_of_arn.setdefault(key.arn, []).append(key)
        self._by_arn = {
            str(generation.key_arn): generation.number
            for declaration in reversed(declared.both)
            for generation in declaration.generations
            if generation.key_arn is not None
        }
        self._by_family = {
            generation.key_arn.family: generation.number
            for declaration in reversed(declared.both)
            for generation in declaration.generations
            if generation.key_arn is not None and generation.key_arn.multi_region
        }
        self._by_id = {arn.rsplit("/", 1)[-1]: number for arn, number in self._by_arn.items()}
        self._by_address = {
            generation.address: generation.number
            for declaration in reversed(declared.both)
            for generation in declaration.generations
            if generation.address is not None
        }

    def number(self, key: Key) -> int | None:
        """The generation of a key, or None."""
        if key.address not in self._numbers:
            self._numbers[key.address] = None  # a replica of itself is no way to find out
            self._numbers[key.address] = self._number(key)
        return self._numbers[key.address]

    def _number(self, key: Key) -> int | None:
        if key.arn is not None and key.arn in self._by_arn:
            return self._by_arn[key.arn]
        if self._by_family and key.arn is not None and (number := self._of_family(key.arn)) is not None:
            return number
        if key.arn is None and key.resource is None and key.key_id in self._by_id:
            return self._by_id[key.key_id]
        proof = None if self._declared.proof is None else self._declared.proof.of_key(key.arn or key.key_id)
        if proof is not None:
            return proof.number
        if key.resource is None:
            return None
        drifted = key.resource.recorded is not key.resource.observed
        for moment in (Moment.RECORDED, Moment.OBSERVED) if drifted else (Moment.OBSERVED,):
            if (number := self.tagged(key, moment)) is not None:
                return number
        for address in (key.resource.former_address, key.resource.address):
            if address is not None and address in self._by_address:
                return self._by_address[address]
        if (number := self._of_stack(key)) is not None:
            return number
        if not key.resource.untouched and (number := self.tagged(key, Moment.PLANNED)) is not None:
            return number
        primary = self._custody.keys.get(key.primary) if key.primary is not None else None
        return self.number(primary) if primary is not None else None

    def _of_family(self, arn: str) -> int | None:
        """The generation with whose key a key shares its material, in whichever Regions the two are."""
        parts = arn.split(":")
        if len(parts) != 6 or not parts[5].startswith("key/mrk-"):
            return None
        return self._by_family.get(f"{parts[1]}:{parts[4]}:{parts[5].removeprefix('key/')}")

    def by_planned_tags_alone(self, key: Key) -> bool:
        """Whether nothing but the tags that the plan gives a key makes it a generation's.

        Asked of a key that bore no such tags before, and of a generation whose ARN nothing gives.
        """
        resource = key.resource
        if resource is None or self.tagged(key, Moment.PLANNED) is None:
            return False
        if {resource.address, resource.former_address} & self._by_address.keys():
            return False
        return self._of_stack(key) is None

    def existing(self, number: int) -> tuple[Key, ...]:
        """The keys that were there before the apply and are the generation's."""
        if self._existing is None:
            self._existing = {}
            for key in self._custody.keys.values():
                found = self.number(key) if key.exists else None
                if found is not None:
                    self._existing.setdefault(found, []).append(key)
        return tuple(self._existing.get(number, ()))

    @property
    def all_placed(self) -> bool:
        """Whether every declared generation that is not deleted has a key in the plan, or an ARN that is known."""
        placed = {self.number(key) for key in self._custody.keys.values()}
        return all(
            generation.number in placed or self.known_arn(generation.number) is not None
            for declaration in self._declared.both
            for generation in declaration.generations
            if generation.state is not DeclaredState.DELETED
        )

    def tagged(self, key: Key, moment: Moment) -> int | None:
        """The generation that the key's tags name at a moment, where they name a declared tenant's."""
        attributes = key.at(moment)
        if attributes is None:
            return None
        if attributes.tag(TENANT_TAG) not in self._tenants:
            return None
        text = attributes.tag(GENERATION_TAG)
        return int(text) if isinstance(text, str) and _NUMBER.fullmatch(text) else None

    def tags_unknown(self, key: Key, moment: Moment) -> bool:
        """Whether the key's generation tags are not known at a moment."""
        attributes = key.at(moment)
        return attributes is not None and UNKNOWN in (attributes.tag(TENANT_TAG), attributes.tag(GENERATION_TAG))

    def known_arn(self, number: int) -> str | None:
        """The ARN that the declaration or the evidence gives a generation."""
        for arn, known in self._by_arn.items():
            if known == number:
                return arn
        proof = None if self._declared.proof is None else self._declared.proof.of_number(number)
        return None if proof is None else str(proof.key_arn)

    def used_by(self, key: Key) -> int | None:
        """Another generation that the key's ARN belongs to, or None.

        A key comes to two generations where it is imported, moved or tagged as one and is known as the other.
        """
        claimed = self.claimed(key)
        if key.arn is None or claimed is None:
            return None
        for other in self.keys_of_arn.get(key.arn, ()):
            if other.address == key.address:
                continue
            number = self.claimed(other)
            if number is not None and number != claimed:
                return number
        known = self.number(key)
        return known if known is not None and known != claimed else None

    def claimed(self, key: Key) -> int | None:
        """The generation that the code makes of a key: by its planned tags, its declared or its stack's address."""
        planned = self.tagged(key, Moment.PLANNED) or self.tagged(key, Moment.OBSERVED)
        if planned is not None or key.resource is None:
            return planned
        return self._by_address.get(key.resource.address) or self._of_stack(key, moved=False)

    def _of_stack(self, key: Key, *, moved: bool = True) -> int | None:
        """The generation that our stacks make under this address, unless the tags say another tenant's.

        Args:
            key: The key.
            moved: Whether the address where it stood before a move counts too, and first.
        """
        resource = key.resource
        if resource is None or resource.module_address or resource.index is not None:
            return None
        former = (resource.former_address or "").rpartition(".")[2] if moved else ""
        for name in (former, resource.name):
            found = _STACK_NAME.fullmatch(name)
            if found is None or (generation := self._declared.generation(int(found[1]))) is None:
                continue
            tenants = {attributes.tag(TENANT_TAG) for m in MOMENTS if (attributes := key.at(m)) is not None}
            known = {tenant for tenant in tenants if isinstance(tenant, str)}
            foreign = known and not known & self._tenants
            if generation.made_by_stacks and not foreign:
                return generation.number
        return None
