"""What a lost ledger is brought back to: from a backup, from the wrapped-key records in the vault, or from both.

- A backup gives everything as it was when it was taken. The vault gives every wrapped data key, with the key
  that it stands under and the move that put it there. Of two wrappings of a data key the later move's is taken.
- Where the vault has data keys under a generation that the backup does not know as current, that generation is
  current: the ledger was further than the backup. Nothing leads back (EKM-11).
- What only the vault tells is not believed to be proved, and nothing is left under an older key for good. In
  either case the recovered ledger has a move to the current generation in flight: `keyturn rotate --to N` opens
  every data key and moves what was left behind, and the console is confirmed anew where another generation
  became current. Until then no older key is let go (EKM-33, EKM-34).
- Every older generation that is known is retained, unless it is declared as deleted and nothing stands under
  it. When it was registered, agreed to or confirmed is not known without a backup, and is not made up.
- The journal goes on from the backup's with one entry, `recovered`; without a backup it begins with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.arn import parse_key_arn
from engine.catalogue import Custody
from engine.declaration import DeclaredState
from engine.errors import DamagedError, InputError
from engine.ledger.contents import LedgerContents
from engine.ledger.interface import Head
from engine.ledger.journal import GENESIS, make_entry
from engine.ledger.opening import initial_state
from engine.ledger.state_document import encode_state, state_hash
from engine.ledger.verification import RECOVERED, told_data_keys
from engine.lifecycle import SERVICE_GENERATION, Generation, GenerationState, Mode, Rotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from engine.declaration import Declaration
    from engine.ledger.actor import Actor
    from engine.ledger.interface import DataKey
    from engine.ledger.journal import JournalEntry
    from engine.lifecycle import TenantState

_LET_GO = {GenerationState.RETIRED, GenerationState.RELEASED}


@dataclass(frozen=True, slots=True)
class Recovered:
    """A ledger that is ready to be written.

    Attributes:
        contents: All that it will hold.
        from_backup: How many data keys are as the backup has them.
        from_vault: How many are as the vault has them: newer than the backup, or not in it.
        unproved: Whether a move is in flight that has to prove them.
    """

    contents: LedgerContents
    from_backup: int
    from_vault: int
    unproved: bool


def plan_recovery(
    declaration: Declaration,
    backup: LedgerContents | None,
    records: Iterable[DataKey],
    actor: Actor,
    at: datetime,
) -> Recovered:
    """Put together what a lost ledger is brought back to.

    Args:
        declaration: The tenant's declaration.
        backup: A backup that was read, or None.
        records: The wrapped-key records in the vault, of every generation.
        actor: Who recovers.
        at: Now, UTC.

    Raises:
        InputError: There is nothing to recover from, or the backup is of another tenant.
        DamagedError: The sources contradict each other.
    """
    base = initial_state(declaration)
    if backup is not None:
        _require_same_tenant(backup.head.state, base)
        base = backup.head.state
    every = list(records)
    if backup is None and not every:
        raise InputError(
            f"there is nothing to recover from: the vault {declaration.vault!r} has no wrapped data keys",
            "name a backup: `keyturn ledger recover --from FILE`",
        )
    data_keys, from_backup = _newest(backup, every)
    _require_one_for_each_workload(data_keys.values())
    news = from_backup < len(data_keys)
    state = _state(base, declaration, every, data_keys.values(), at, news=news)
    unproved = state.rotation is not None and state.rotation != base.rotation
    if unproved:
        data_keys = {
            data_key_id: key if key.custody is Custody.SERVICE else replace(key, verified=False, set_aside=None)
            for data_key_id, key in data_keys.items()
        }
    contents = _contents(backup, state, data_keys, actor, at)
    return Recovered(contents, from_backup, len(data_keys) - from_backup, unproved)


def _require_same_tenant(found: TenantState, declared: TenantState) -> None:
    for what, one, other in (
        ("tenant", found.tenant, declared.tenant),
        ("AWS account", found.account_id, declared.account_id),
        ("Region", found.region, declared.region),
        ("vendor account", found.vendor_account_id, declared.vendor_account_id),
    ):
        if one != other:
            raise InputError(f"the backup is of the {what} {one!r}, the declaration of {other!r}")


def _newest(backup: LedgerContents | None, records: list[DataKey]) -> tuple[dict[str, DataKey], int]:
    """Of each data key the wrapping that was made last, and how many of them are the backup's."""
    data_keys = {} if backup is None else {key.data_key_id: key for key in backup.data_keys()}
    taken = set(data_keys)
    for record in records:
        known = data_keys.get(record.data_key_id)
        if known is not None and _identity(known) != _identity(record):
            raise DamagedError(
                f"the vault and the backup, or two records in the vault, say different things of data key"
                f" {record.data_key_id!r}: {known.workload!r} and {record.workload!r}"
            )
        if known is None or (record.epoch, record.generation) > (known.epoch, known.generation):
            data_keys[record.data_key_id] = record
            taken.discard(record.data_key_id)
    return data_keys, len(taken)


def _identity(data_key: DataKey) -> tuple[object, ...]:
    """What no move changes."""
    return data_key.workload, data_key.purpose, data_key.custody, data_key.commitment


def _require_one_for_each_workload(data_keys: Iterable[DataKey]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for key in data_keys:
        other = seen.setdefault((key.workload, key.purpose), key.data_key_id)
        if other != key.data_key_id:
            raise DamagedError(
                f"workload {key.workload!r} has two data keys for {key.purpose}: {other} and {key.data_key_id}",
                "take the folder of the one without snapshots out of the vault's `keys`, and keep it",
            )


def _state(
    base: TenantState,
    declaration: Declaration,
    records: list[DataKey],
    data_keys: Iterable[DataKey],
    at: datetime,
    *,
    news: bool,
) -> TenantState:
    arns = _arns(base, records)
    under = {key.generation for key in data_keys if key.custody is Custody.CUSTOMER}
    newest = max(under, default=SERVICE_GENERATION)
    state = replace(base, revoked=base.revoked or declaration.revoked)
    epoch = max([base.epoch, *(key.epoch for key in records)]) + 1
    if newest > base.current_number:
        for declared in declaration.generations:
            if declared.number < newest and declared.key_arn is not None:
                arns.setdefault(declared.number, str(declared.key_arn))
        state = _advanced(state, arns, newest, at)
        deleted = {g.number for g in declaration.generations if g.state is DeclaredState.DELETED} - under
        state = replace(
            state,
            mode=Mode.ENTERPRISE,
            generations=tuple(
                replace(g, state=GenerationState.DELETED, deleted_at=g.deleted_at or at) if g.number in deleted else g
                for g in state.generations
            ),
            epoch=epoch,
            rotation=Rotation(newest, epoch, at),
        )
    elif base.current is not None and (news or (base.rotation is None and under - {base.current.number})):
        state = state.with_generation(replace(base.current, integrated_at=None))
        state = replace(state, epoch=epoch, rotation=Rotation(base.current.number, epoch, at))
    for generation in state.generations:
        if generation.number in under and generation.state in _LET_GO:
            kept = replace(generation, state=GenerationState.RETAINED, retired_at=None, released_at=None)
            state = state.with_generation(kept)
    return state


def _arns(base: TenantState, records: list[DataKey]) -> dict[int, str]:
    """The ARN of each generation's key, as everybody tells it."""
    arns = {generation.number: str(generation.key_arn) for generation in base.generations}
    for record in records:
        if record.custody is Custody.CUSTOMER and record.generation != SERVICE_GENERATION:
            known = arns.setdefault(record.generation, record.key_arn)
            if known != record.key_arn:
                raise DamagedError(f"generation {record.generation} is {known} and {record.key_arn} at once")
    return arns


def _advanced(state: TenantState, arns: dict[int, str], newest: int, at: datetime) -> TenantState:
    """The state in which `newest` is current, and every older generation is kept."""
    for number, arn in sorted(arns.items()):
        known = state.find(number) or Generation(number, parse_key_arn(arn), GenerationState.RETAINED, at)
        if number == newest:
            known = replace(known, state=GenerationState.CURRENT, current_since=at)
        elif known.state in {GenerationState.CURRENT, GenerationState.REGISTERED}:
            known = replace(known, state=GenerationState.RETAINED)
        state = state.with_generation(known)
    return state


def _contents(
    backup: LedgerContents | None, state: TenantState, data_keys: dict[str, DataKey], actor: Actor, at: datetime
) -> LedgerContents:
    before = backup.head if backup is not None else Head(-1, state, 0, GENESIS)
    told = sum(map(told_data_keys, backup.entries())) if backup is not None else 0
    if len(data_keys) < told:
        raise DamagedError(
            f"the backup's journal tells of {told} data keys, but the backup and the vault have {len(data_keys)}",
            "take another backup, or recover from the vault alone, without --from",
        )
    details = {
        "source": "the vault" if backup is None else "a backup and the vault",
        "backup_sha256": None if backup is None else backup.source,
        "data_keys": len(data_keys) - told,  # those that no entry before tells of
        "current": state.current_number,
    }
    encoded = state_hash(encode_state(state))
    entry = make_entry(before.journal_length + 1, before.journal_hash, RECOVERED, details, actor, at, encoded)

    def entries() -> Iterator[JournalEntry]:
        if backup is not None:
            yield from backup.entries()
        yield entry

    return LedgerContents(
        source=GENESIS if backup is None else backup.source,
        head=Head(before.version + 1, state, entry.number, entry.hash),
        entries=entries,
        data_keys=lambda: iter(data_keys.values()),
    )
