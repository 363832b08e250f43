"""Which keys a revocation is about.

- With the ledger: every generation that it has not released, every key that is declared by its ARN, and what
  the declared aliases point to.
- Without the ledger, or before it knows a current generation: the declared ARNs, the aliases, and every key
  that carries the tenant's tag.
- Each of them with the keys of its multi-Region family. Where KMS does not tell the family, the declared
  replicas stand for it, and that is told: the search may then be incomplete.

What cannot be found out never keeps the keys that were found from being revoked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.arn import KeyArn, parse_key_arn
from engine.declaration import GENERATION_TAG, TENANT_TAG, DeclaredState
from engine.errors import KeyAccessError, KeyturnError
from engine.lifecycle import GenerationState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.declaration import Declaration
    from engine.kms import Kms
    from engine.lifecycle import TenantState

_LET_GO = {GenerationState.RELEASED, GenerationState.DELETED}
_OUT_OF_USE = {GenerationState.RETIRED, *_LET_GO}


@dataclass(frozen=True, slots=True)
class Target:
    """One key to take away or give back: a generation's, or one of its replicas.

    Attributes:
        generation: The generation, or None where it is not known.
        key_arn: The key's full ARN.
        in_use: Whether the key is enabled again when the access is given back; a retired one is not.
    """

    generation: int | None
    key_arn: str
    in_use: bool

    @property
    def region(self) -> str:
        """The Region to do it in."""
        return parse_key_arn(self.key_arn).region


@dataclass(frozen=True, slots=True)
class Found:
    """The keys that were found, and what kept the search from being complete."""

    targets: tuple[Target, ...]
    troubles: tuple[KeyturnError, ...]


def find_targets(declaration: Declaration, state: TenantState | None, connect: Callable[[str], Kms]) -> Found:
    """Find every key whose access a revocation takes away.

    Args:
        declaration: The tenant's declaration.
        state: The ledger's state; None where the ledger cannot be read.
        connect: Gives AWS KMS of a Region.

    Returns:
        The keys, and what went wrong on the way; never an exception of KMS.
    """
    search = _Search(declaration, state, connect)
    search.run()
    return Found(tuple(search.targets.values()), tuple(search.troubles))


class _Search:
    """One search; collects targets by ARN, and troubles."""

    def __init__(self, declaration: Declaration, state: TenantState | None, connect: Callable[[str], Kms]) -> None:
        self._declaration, self._state, self._connect = declaration, state, connect
        generations = state.generations if state is not None else ()
        self._let_go = {generation.key_arn.family for generation in generations if generation.state in _LET_GO}
        self.targets: dict[str, Target] = {}
        self.troubles: list[KeyturnError] = []

    def run(self) -> None:
        for generation in self._state.generations if self._state is not None else ():
            self._add(generation.key_arn, generation.number, in_use=generation.state not in _OUT_OF_USE)
        for declared in self._declaration.generations:
            if declared.key_arn is not None and declared.state is not DeclaredState.DELETED:
                self._add(declared.key_arn, declared.number, in_use=declared.state is DeclaredState.ACTIVE)
        # Tags tell the generation, an alias only the key: so tags come first.
        if self._state is None or self._state.current is None:
            self._by_tag()
        self._by_alias()

    def _add(self, arn: KeyArn, number: int | None, *, in_use: bool) -> None:
        if arn.family in self._let_go or str(arn) in self.targets:
            return
        for member in dict.fromkeys((str(arn), *self._family(arn, number))):
            self.targets.setdefault(member, Target(number, member, in_use))

    def _family(self, arn: KeyArn, number: int | None) -> tuple[str, ...]:
        if not arn.multi_region:
            return ()
        try:
            return self._connect(arn.region).describe(str(arn)).family
        except KeyturnError as error:
            self.troubles.append(error)
            declared = next((g for g in self._declaration.generations if g.number == number), None)
            return tuple(str(replace(arn, region=region)) for region in (declared.replicas if declared else ()))

    def _by_alias(self) -> None:
        named = {generation.alias: generation for generation in self._declaration.generations}
        for alias in dict.fromkeys((*(alias for alias in named if alias is not None), self._declaration.alias)):
            generation = named.get(alias)
            try:
                arn = self._connect(self._declaration.account.region).describe(alias).arn
            except KeyAccessError as error:
                if error.aws_code != "NotFoundException":
                    self.troubles.append(error)
                continue
            active = generation is None or generation.state is DeclaredState.ACTIVE
            self._add(arn, generation.number if generation is not None else None, in_use=active)

    def _by_tag(self) -> None:
        try:
            for arn, tags in self._tagged():
                number = int(tags[GENERATION_TAG]) if tags.get(GENERATION_TAG, "").isdecimal() else None
                declared = next((g for g in self._declaration.generations if g.number == number), None)
                self._add(arn, number, in_use=declared is None or declared.state is DeclaredState.ACTIVE)
        except KeyturnError as error:
            self.troubles.append(error)

    def _tagged(self) -> Iterator[tuple[KeyArn, dict[str, str]]]:
        kms = self._connect(self._declaration.account.region)
        for key_arn in kms.key_arns():
            try:
                tags = dict(kms.tags(key_arn))
            except KeyAccessError as error:
                # One of AWS's own keys, or another team's: it is not for us to see, and not the tenant's.
                if error.aws_code != "AccessDeniedException":
                    self.troubles.append(error)
                continue
            if tags.get(TENANT_TAG) == self._declaration.tenant:
                yield parse_key_arn(key_arn), tags
