"""An operation: one workload's pass within a job, and the data key that it has for that pass alone (EKM-46).

- The data key's record is read afresh from the ledger and unwrapped through KMS at the operation's start; at a
  workload's first backup KMS makes it then. It is kept for this operation and for at most the declared number
  of seconds, after which it must be unwrapped again, and it is wiped behind the operation.
- So a revocation lets an operation that has begun complete, and stops every later one. One that goes on for
  longer than the declared seconds fails at its next unwrapping, and publishes nothing.
- A rotation may move the record while an operation begins: both keys are usable, and a wrapping that was
  replaced in that moment is read once more.
- An outage of KMS is waited out for a while, a revocation never (`engine.jobs.patience`).
- A new data key goes to the generation that is current when the ledger takes it; if that changed since KMS made
  it, it is thrown away and another is made under the new generation.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from engine.envelope.data_keys import KeyAccess, check_commitment, make_data_key, wipe
from engine.envelope.lease import KeyLease
from engine.errors import ConflictError, DamagedError, InputError, KeyAccessError
from engine.jobs.events import EventLog, NoEvents
from engine.jobs.patience import Patience
from engine.jobs.progress import Plan, Progress, Progressed, no_plan, no_progress
from engine.jobs.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from engine.declaration import Declaration
    from engine.jobs.vault import Vault
    from engine.ledger.actor import Actor
    from engine.ledger.interface import DataKey, Ledger

_ATTEMPTS = 5
_Answer = TypeVar("_Answer")


def _now() -> datetime:
    return datetime.now(UTC)


def _wait_silently(_outage: KeyAccessError, _seconds: float) -> None:
    """Tells nobody."""


def _nothing_told() -> Mapping[str, Collection[str]]:
    return {}


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a job works with.

    Attributes:
        declaration: The tenant's declaration.
        ledger: Its ledger.
        access: With whose credentials keys are used.
        vault: Its vault.
        actor: Who runs the job.
        events: Takes the job's events.
        told: The ids of the snapshots that the jobs before this one told of, by workload.
        own_files: What is Keyturn's own on this disk, beside the vault: no restore writes over it.
        progress: Is told how far the job is.
        plan: Is told how much there is to do.
        measured: Whether that is worth measuring each workload before it is worked on.
        clock: The time, UTC.
        monotonic: A clock in seconds that never goes back.
        stopping: Whether the job is to stop.
        patience: How long it waits for KMS; by default as a job does.
        waits: Is told of an outage, and for how many seconds the job now waits.
    """

    declaration: Declaration
    ledger: Ledger
    access: KeyAccess
    vault: Vault
    actor: Actor
    events: EventLog = field(default_factory=NoEvents)
    told: Callable[[], Mapping[str, Collection[str]]] = _nothing_told
    own_files: tuple[Path, ...] = ()
    progress: Progress = no_progress
    plan: Plan = no_plan
    measured: bool = False
    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    stopping: Stopping = field(default_factory=Stopping)
    patience: Patience = field(default_factory=Patience)
    waits: Callable[[KeyAccessError, float], None] = _wait_silently

    @property
    def tenant(self) -> str:
        """The tenant's name."""
        return self.declaration.tenant

    def advance(self, step: Progressed) -> None:
        """Tell how far the job is; every operation does so again and again, from any thread.

        Raises:
            StoppedError: The job is to stop.
        """
        self.stopping.check()
        self.progress(step)

    def patiently(self, call: Callable[[], _Answer]) -> _Answer:
        """Make a call of KMS, waiting out an outage as long as the job has patience.

        Raises:
            KeyAccessError: As the call does.
            StoppedError: The job is to stop.
        """
        return self.patience.call(call, self._wait)

    def _wait(self, seconds: float, outage: KeyAccessError) -> None:
        self.waits(outage, seconds)
        self.stopping.pause(seconds)


@dataclass(frozen=True, slots=True)
class OperationKey:
    """A data key that is open for one operation.

    Attributes:
        record: The ledger's record of it.
        lease: The data key itself, for as long as it may be kept.
    """

    record: DataKey
    lease: KeyLease


@contextmanager
def existing_key(context: JobContext, workload: str, purpose: str) -> Iterator[OperationKey]:
    """Open the data key of a workload that has been backed up, for one operation that reads.

    Raises:
        InputError: It has none.
        KeyAccessError: KMS does not unwrap it.
    """
    record = context.ledger.find_data_key(workload, purpose)
    if record is None:
        raise InputError(
            f"workload {workload!r} has no data key for {purpose}: it was never backed up so",
            "`keyturn run snapshots` lists the workloads that the vault holds",
        )
    with _lease(context, record, None) as lease:
        yield OperationKey(record, lease)


@contextmanager
def writing_key(context: JobContext, workload: str, purpose: str) -> Iterator[OperationKey]:
    """Open the data key of a workload, made now if need be, for one operation that writes.

    Other backups of the workload are kept out meanwhile, and the vault has the record that unwrapping needs.

    Raises:
        KeyAccessError: KMS does not make or unwrap it.
        ConflictError: The current generation kept changing.
        MachineError: Another backup of the workload is running.
    """
    record, made = _find_or_make(context, workload, purpose)
    try:
        with context.vault.lock(record), _lease(context, record, made) as lease:
            context.vault.ensure_key_record(_fresh(context, record))
            yield OperationKey(record, lease)
    finally:
        if made is not None:
            wipe(made)


def _find_or_make(context: JobContext, workload: str, purpose: str) -> tuple[DataKey, bytearray | None]:
    """The record of a workload's data key, and the data key itself where it was made just now."""
    attempts_left = _ATTEMPTS
    while True:
        existing = context.ledger.find_data_key(workload, purpose)
        if existing is not None:
            return existing, None
        attempts_left -= 1
        at = context.clock()
        state = context.ledger.head().state
        record, made = context.patiently(partial(make_data_key, context.access, state, workload, purpose, at))
        try:
            context.ledger.add_data_key(record, context.actor, at)
        except BaseException as error:
            wipe(made)
            if isinstance(error, ConflictError) and attempts_left:
                continue
            raise
        return record, made


def _lease(context: JobContext, record: DataKey, made: bytearray | None) -> KeyLease:
    unwrap = partial(_unwrap, context, record)
    return KeyLease(unwrap, context.declaration.max_operation_seconds, context.monotonic, made)


def _unwrap(context: JobContext, record: DataKey) -> bytearray:
    record = _fresh(context, record)
    while True:
        caller = context.access.caller(record.generation)
        try:
            bound = record.encryption_context(context.tenant)
            plaintext = context.patiently(partial(caller.unwrap, record.key_arn, record.ciphertext, bound))
        except KeyAccessError:
            current = _fresh(context, record)
            if (current.key_arn, current.ciphertext) == (record.key_arn, record.ciphertext):
                raise
            record = current
            continue
        try:
            check_commitment(record, plaintext)
        except BaseException:
            wipe(plaintext)
            raise
        return plaintext


def _fresh(context: JobContext, record: DataKey) -> DataKey:
    current = context.ledger.data_key(record.data_key_id)
    if current is None:
        raise DamagedError(
            f"the ledger has lost the data key of workload {record.workload!r}",
            "move the ledger away, then `keyturn ledger recover` brings it back",
        )
    return current
