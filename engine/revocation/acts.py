"""Revoking and giving back, key by key: each for itself, each told as it is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, assert_never

from engine.access import KeyState
from engine.errors import KeyAccessError, KeyturnError
from engine.revocation.access import give_back, lacking, look, names, take_away
from engine.revocation.saved import read_saved, write_saved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from engine.kms import Kms
    from engine.revocation.targets import Target

_UNUSABLE = {KeyState.DISABLED, KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION, KeyState.PENDING_IMPORT}


class Way(Enum):
    """How access is taken away."""

    DISABLE = "disable"
    ACCESS = "access"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one key.

    Attributes:
        target: The key.
        error: Why it failed, or None for done.
        note: What one should know besides, or None.
    """

    target: Target
    error: KeyturnError | None
    note: str | None = None


def revoke_keys(
    targets: Iterable[Target], way: Way, vendor_account_id: str, saved: Path, connect: Callable[[str], Kms]
) -> Iterator[Done]:
    """Take the access to each key away.

    Args:
        targets: The keys.
        way: Disable them, or take away what the vendor has.
        vendor_account_id: The vendor's AWS account.
        saved: The file that keeps what is taken away.
        connect: Gives AWS KMS of a Region.
    """

    def revoke(target: Target) -> str | None:
        kms = connect(target.region)
        match way:
            case Way.DISABLE:
                return _disable(kms, target.key_arn)
            case Way.ACCESS:
                return _take_away(kms, target.key_arn, vendor_account_id, saved)
            case _:
                assert_never(way)

    return _each(targets, revoke)


def reinstate_keys(
    targets: Iterable[Target], vendor_account_id: str, saved: Path, connect: Callable[[str], Kms]
) -> Iterator[Done]:
    """Give the access to each key back; arguments as `revoke_keys`.

    Raises:
        InputError: What was saved cannot be read; nothing was changed.
    """
    by_arn = read_saved(saved)

    def reinstate(target: Target) -> str | None:
        kms = connect(target.region)
        if target.in_use:
            kms.enable_key(target.key_arn)
        if target.key_arn in by_arn and target.in_use:
            give_back(kms, by_arn[target.key_arn], vendor_account_id)
        if not target.in_use:
            return "is retired: left as it is"
        missing = lacking(kms, target.key_arn, vendor_account_id)
        return f"the vendor still lacks {', '.join(missing)}: `npx cdktf deploy` gives it back" if missing else None

    return _each(targets, reinstate)


def _each(targets: Iterable[Target], act: Callable[[Target], str | None]) -> Iterator[Done]:
    for target in targets:
        try:
            yield Done(target, None, act(target))
        except KeyturnError as error:
            yield Done(target, error)


def _disable(kms: Kms, key_arn: str) -> str | None:
    try:
        kms.disable_key(key_arn)
    except KeyAccessError as error:
        if error.aws_code == "NotFoundException":
            return "AWS KMS no longer has it"
        state = kms.state_or_none(key_arn)
        if state not in _UNUSABLE:
            raise
        return f"was {state.value} already" if state is not None else None
    return None


def _take_away(kms: Kms, key_arn: str, vendor_account_id: str, saved: Path) -> str | None:
    seen = look(kms, key_arn, vendor_account_id)
    entries = read_saved(saved)
    entries[key_arn] = seen.with_earlier(entries.get(key_arn), names_vendor=names(seen.policy, vendor_account_id))
    write_saved(saved, entries.values())
    take_away(kms, seen, vendor_account_id)
    by_vendor = sum(grant.issuing_account == vendor_account_id for grant in seen.grants)
    return f"{by_vendor} grants that the vendor made are gone for good" if by_vendor else None
