"""What a correct declaration may ask for and the stacks cannot make: it ends the synthesis, with its place.

- An alias can point to a key made elsewhere only where its `key_arn` is declared.
- A key policy has at most 32 KiB.

Several declarations that are synthesised together share an account's names: each tenant, each alias of
an account and Region, and each declared key stands once. No two stacks have the same name: one would be written
over the other, and Terraform would take the keys of the one for gone. A ledger's table is of one account and Region:
tables of the same name elsewhere are others, and would be left unmade.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.declaration import DeclaredState
from stacks.custody import alias_target
from stacks.key_policy import MAX_POLICY_BYTES, key_policy
from stacks.stack_names import alerts_stack, ledger_stack, vault_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.declaration import Declaration, DeclaredGeneration
    from engine.errors import Mistake
    from engine.located_yaml import LocatedDocument, PathOfKeys

Located = tuple["LocatedDocument", "Declaration"]


def find_limits(document: LocatedDocument, declaration: Declaration) -> tuple[Mistake, ...]:
    """What one declaration asks for beyond the rules above.

    Args:
        document: The declaration as read, for the places.
        declaration: The same, typed.

    Returns:
        Every such place; empty where the stacks can make all of it.
    """
    return tuple(_limits(document, declaration))


def find_collisions(declarations: Sequence[Located]) -> tuple[Mistake, ...]:
    """Names that stand in more than one of the declarations, each reported where it stands again."""
    return (*_collisions(declarations), *_same_stacks(declarations))


def _limits(document: LocatedDocument, declaration: Declaration) -> Iterator[Mistake]:
    for index, generation in enumerate(declaration.generations):
        if generation.state is DeclaredState.DELETED:
            continue
        path: PathOfKeys = ("generations", index)
        if _has_no_target(generation) and generation.alias is not None:
            yield document.mistake(
                (*path, "alias"),
                f"the stacks cannot point the alias {generation.alias!r} to generation {generation.number}: its key is "
                "made elsewhere and its ARN is not declared",
                "key_arn beside its address: the ARN that your own Terraform gave it",
            )
    target = alias_target(declaration)
    if _has_no_target(target):
        yield document.mistake(
            ("generations", declaration.generations.index(target), "address"),
            f"the stacks cannot point the alias {declaration.alias!r} to generation {target.number}: its key is made "
            "elsewhere and its ARN is not declared",
            "key_arn beside it: the ARN that your own Terraform gave the key",
        )
    size = max(
        len(key_policy(declaration, generation.number).to_json().encode())
        for generation in declaration.generations
        if generation.state is not DeclaredState.DELETED
    )
    if size > MAX_POLICY_BYTES:
        yield document.mistake(
            ("key_administrators",),
            f"the key policy would be {size} bytes long",
            f"at most {MAX_POLICY_BYTES} bytes, the limit of AWS KMS: declare fewer principals",
        )


def _has_no_target(generation: DeclaredGeneration) -> bool:
    return not generation.made_by_stacks and generation.key_arn is None


def _collisions(declarations: Sequence[Located]) -> Iterator[Mistake]:
    first: dict[tuple[str, ...], str] = {}
    for document, declaration in declarations:
        place = (declaration.account.partition, declaration.account.account_id, declaration.account.region)
        claims: list[tuple[tuple[str, ...], PathOfKeys, str]] = [
            (("tenant", declaration.tenant), ("tenant",), f"the tenant {declaration.tenant!r}"),
            ((*place, declaration.alias), ("alias",), f"the alias {declaration.alias!r}"),
        ]
        for index, generation in enumerate(declaration.generations):
            path: PathOfKeys = ("generations", index)
            if generation.alias is not None:
                claim = ((*place, generation.alias), (*path, "alias"), f"the alias {generation.alias!r}")
                claims.append(claim)
            if generation.key_arn is not None:
                arn = generation.key_arn
                claims.append((("key", arn.family), (*path, "key_arn"), f"the key {arn}"))
        for key, path, what in claims:
            if key in first:
                yield document.mistake(path, f"{what} is declared in {first[key]} too", "one of its own in each file")
        first |= {key: document.file for key, _, _ in claims if key not in first}


@dataclass(frozen=True, slots=True)
class _Owner:
    """What a stack is of: such as `the table`, its name, and where it lies if the same name elsewhere is another."""

    what: str
    name: str
    place: str | None = None

    def told_beside(self, other: _Owner) -> str:
        """It in words, with its place where nothing else tells the two apart."""
        words = f"{self.what} {self.name!r}"
        return f"{words} in {self.place}" if self.place and other.name == self.name else words


def _same_stacks(declarations: Sequence[Located]) -> Iterator[Mistake]:
    first: dict[str, tuple[_Owner, str]] = {}
    for document, declaration in declarations:
        for name, owner, key in _stacks(declaration):
            other, file = first.setdefault(name, (owner, document.file))
            if other != owner:
                yield document.mistake(
                    (key,),
                    f"the stack {name!r} of {owner.told_beside(other)} would have the name of that of "
                    f"{other.told_beside(owner)} in {file}",
                    "a name of its own for each stack",
                )


def _stacks(declaration: Declaration) -> Iterator[tuple[str, _Owner, str]]:
    """The stacks that a declaration asks for: their names, what each is of, and the key that asks for it."""
    tenant, account = declaration.tenant, declaration.account
    yield tenant, _Owner("the tenant", tenant), "tenant"
    if declaration.alerts is not None:
        yield alerts_stack(tenant), _Owner("the alerts of", tenant), "alerts"
    ledger, vault = ledger_stack(declaration), vault_stack(declaration)
    if ledger is not None:
        place = f"the account {account.account_id} and Region {account.region}"
        yield ledger[0], _Owner("the table", ledger[1], place), "ledger"
    if vault is not None:
        yield vault[0], _Owner("the bucket", vault[1]), "vault"
