"""Taking the access to every key away, and giving it back: the customer's right at any time (EKM-09, EKM-10).

- Every generation that is not yet released is covered, each with all its replicas: a key that stays usable
  leaves what stands under it readable.
- One way is to disable the keys. The other is to take away what the vendor has: the statements of the key
  policy that allow its account, and every grant to it, by it, or for it to retire. Afterwards the access is
  evaluated: what still allows it is told, not overlooked.
- Each key is done for itself; one that fails does not keep the others from being done.
- Giving back enables what must be usable: retired keys stay disabled. What was taken out of a policy and
  the customer's own grants are restored from what was saved before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from engine.access import VENDOR_REQUIRED_ACTIONS, Caller, Grant, Request, Verdict, evaluate, parse_key_policy
from engine.arn import parse_key_arn, principal_account
from engine.errors import KeyturnError, RefusedError
from engine.lifecycle import GenerationState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.declaration import Declaration
    from engine.kms import Kms
    from engine.lifecycle import TenantState

_LET_GO = {GenerationState.RELEASED, GenerationState.DELETED}


class Way(Enum):
    """How access is taken away."""

    DISABLE = "disable"
    ACCESS = "access"


@dataclass(frozen=True, slots=True)
class Target:
    """One key to take away or give back: a generation's, or one of its replicas."""

    generation: int
    key_arn: str

    @property
    def region(self) -> str:
        """The Region to do it in."""
        return parse_key_arn(self.key_arn).region


@dataclass(frozen=True, slots=True)
class SavedAccess:
    """What the vendor had on a key before it was taken away."""

    key_arn: str
    policy: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one key: None for done, or why it failed."""

    target: Target
    error: KeyturnError | None


def find_targets(declaration: Declaration, state: TenantState, connect: Callable[[str], Kms]) -> tuple[Target, ...]:
    """Every key whose access a revocation takes away: unreleased generations and their replicas.

    Args:
        declaration: The tenant's declaration; its Region is asked for replicas.
        state: The ledger's state.
        connect: Gives AWS KMS of a Region.

    Raises:
        RefusedError: There is none.
        KeyAccessError: KMS does not tell of a key's replicas.
    """
    kms = connect(declaration.account.region)
    targets: list[Target] = []
    for generation in state.generations:
        if generation.state in _LET_GO:
            continue
        arns = [str(generation.key_arn)]
        if generation.key_arn.multi_region:
            arns += kms.describe(str(generation.key_arn)).family
        targets.extend(Target(generation.number, arn) for arn in dict.fromkeys(arns))
    if not targets:
        raise RefusedError("revocation", "the ledger knows no key whose access could be revoked", ("EKM-10",))
    return tuple(targets)


def save_access(
    targets: tuple[Target, ...], vendor_account_id: str, connect: Callable[[str], Kms]
) -> tuple[SavedAccess, ...]:
    """What the vendor has on each key, to be kept before it is taken away.

    Raises:
        KeyAccessError: KMS does not tell; nothing was changed.
    """
    return tuple(_look(connect(target.region), target.key_arn, vendor_account_id) for target in targets)


def disable_all(targets: tuple[Target, ...], connect: Callable[[str], Kms]) -> Iterator[Done]:
    """Disable each key; each is told as it is done."""
    for target in targets:
        try:
            connect(target.region).disable_key(target.key_arn)
            yield Done(target, None)
        except KeyturnError as error:
            yield Done(target, error)


def take_access_away(
    targets: tuple[Target, ...],
    saved: tuple[SavedAccess, ...],
    vendor_account_id: str,
    connect: Callable[[str], Kms],
) -> Iterator[Done]:
    """Take away what the vendor has on each key, as it was saved; each is told as it is done."""
    by_arn = {access.key_arn: access for access in saved}
    for target in targets:
        try:
            _take_access(connect(target.region), by_arn[target.key_arn], vendor_account_id)
            yield Done(target, None)
        except KeyturnError as error:
            yield Done(target, error)


def reinstate_all(
    targets: tuple[Target, ...],
    state: TenantState,
    saved: tuple[SavedAccess, ...],
    vendor_account_id: str,
    connect: Callable[[str], Kms],
) -> Iterator[Done]:
    """Give the access to each key back; retired ones stay disabled."""
    by_arn = {access.key_arn: access for access in saved}
    for target in targets:
        generation = state.find(target.generation)
        try:
            kms = connect(target.region)
            if generation is not None and generation.must_stay_enabled:
                kms.enable_key(target.key_arn)
            if target.key_arn in by_arn:
                _give_access(kms, by_arn[target.key_arn], vendor_account_id)
            yield Done(target, None)
        except KeyturnError as error:
            yield Done(target, error)


def policy_without(policy: str, account_id: str) -> str:
    """A key policy without what its Allow statements give one account; other principals keep theirs."""
    document: dict[str, Any] = json.loads(policy)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    document["Statement"] = [kept for statement in statements if (kept := _without(statement, account_id)) is not None]
    return json.dumps(document)


def _without(statement: dict[str, Any], account_id: str) -> dict[str, Any] | None:
    principal = statement.get("Principal")
    if statement.get("Effect") != "Allow" or not isinstance(principal, dict) or "AWS" not in principal:
        return statement
    named = principal["AWS"] if isinstance(principal["AWS"], list) else [principal["AWS"]]
    kept = [name for name in named if principal_account(name) != account_id]
    if len(kept) == len(named):
        return statement
    others = {kind: names for kind, names in principal.items() if kind != "AWS"}
    if not kept and not others:
        return None
    return {**statement, "Principal": {**others, **({"AWS": kept} if kept else {})}}


def _look(kms: Kms, key_arn: str, vendor_account_id: str) -> SavedAccess:
    grants = tuple(grant for grant in kms.grants(key_arn) if _concerns(grant, vendor_account_id))
    return SavedAccess(key_arn, kms.policy(key_arn), grants)


def _take_access(kms: Kms, saved: SavedAccess, vendor_account_id: str) -> None:
    kms.put_policy(saved.key_arn, policy_without(saved.policy, vendor_account_id))
    for grant in _look(kms, saved.key_arn, vendor_account_id).grants:
        kms.revoke_grant(saved.key_arn, grant.grant_id)
    left = _what_is_left(kms, saved.key_arn, vendor_account_id)
    if left:
        raise RefusedError(
            "revocation",
            f"the vendor's account {vendor_account_id} still has access to {saved.key_arn}: {'; '.join(left)}",
            ("EKM-10",),
            "disable the keys instead: `keyturn revoke --way disable`",
        )


def _concerns(grant: Grant, account_id: str) -> bool:
    principals = (grant.grantee_principal, grant.retiring_principal or "")
    return account_id in {*(principal_account(principal) for principal in principals), grant.issuing_account}


def _what_is_left(kms: Kms, key_arn: str, vendor_account_id: str) -> list[str]:
    arn = parse_key_arn(key_arn)
    policy, grants = parse_key_policy(kms.policy(key_arn)), kms.grants(key_arn)
    vendor = Caller.account(vendor_account_id, arn.partition)
    left = []
    for action in (*VENDOR_REQUIRED_ACTIONS, "kms:CreateGrant"):
        decision = evaluate(policy, grants, vendor, Request(action, key_arn, arn.account_id))
        if decision.verdict is not Verdict.NO:
            left.append(f"{action.removeprefix('kms:')} ({decision.reason})")
    return left


def _give_access(kms: Kms, saved: SavedAccess, vendor_account_id: str) -> None:
    kms.put_policy(saved.key_arn, saved.policy)
    present = {(g.grantee_principal, g.operations) for g in kms.grants(saved.key_arn)}
    for grant in saved.grants:
        by_vendor = grant.issuing_account == vendor_account_id
        if not by_vendor and (grant.grantee_principal, grant.operations) not in present:
            kms.create_grant(saved.key_arn, grant)
