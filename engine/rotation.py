"""The rewrap: every data key of a tenant moved to the generation that its rotation goes to.

The order that loses nothing (EKM-33, EKM-34, EKM-35):

1. The intent is in the ledger before the first data key moves: from, to, epoch. From then on new data keys
   go to the new key.
2. Page by page, each data key is re-encrypted inside KMS from its old key to the new one, opened under the
   new key and held against its commitment, copied to the vault's record of it, and only then put in the
   place of exactly the wrapping that it was made from. Until that instant the old wrapping stands, and
   both keys open what is theirs.
3. A data key that cannot be moved is set aside with the reason, and does not stop the rest; it keeps the
   rotation open, and a resumed run tries it again. So is one whose record names another key than the
   ledger's for its generation: no call is made with it.
4. Where an old key is revoked or denied, what stands under it is left, what stands under others goes on,
   and the run ends with that error. An outage, or a trouble of the new key, ends the run at once. What is
   done stays done.
5. When the census shows nothing left under an older key, the move's end is recorded.
6. A worker of a move that was superseded changes nothing more.

A repeated ReEncrypt is harmless; two workers on one data key end with the wrapping of one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from engine.envelope.data_keys import check_commitment, wipe
from engine.errors import ConflictError, KeyAccessError, KeyFailure
from engine.lifecycle import SERVICE_GENERATION, FinishRewrap
from engine.transitions import carry_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from engine.arn import KeyArn
    from engine.envelope.data_keys import KeyAccess
    from engine.ledger.interface import Actor, Census, DataKey, Head, Ledger
    from engine.lifecycle import Rotation, TenantState

_OF_ONE_KEY = {KeyFailure.REVOKED, KeyFailure.DENIED}
DEFAULT_PAGE = 200


class KeyRecords(Protocol):
    """Where wrapped data keys are kept beside the ledger: the vault, which carries what it needs to be read."""

    def put_key_record(self, data_key: DataKey) -> None:
        """Keep a copy of a wrapped data key."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rewrap is: data keys done and set aside in this run, and how many there are in all."""

    done: int
    set_aside: int
    total: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """A data key that could not be moved, and why."""

    workload: str
    data_key_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RewrapReport:
    """What one run of a rewrap did.

    Attributes:
        to: The generation that data keys move to.
        moved: How many this run moved.
        set_aside: Those that it could not.
        census: The census at the end.
        head: The ledger's head at the end.
    """

    to: int
    moved: int
    set_aside: tuple[SetAside, ...]
    census: Census
    head: Head


@dataclass(frozen=True, slots=True)
class Rewrap:
    """A rewrap of one tenant.

    Attributes:
        ledger: The tenant's ledger, with a rotation in flight.
        tenant: The tenant's name.
        access: With whose credentials keys are used.
        records: Where wrapped data keys are kept beside the ledger.
        actor: Who does it.
        clock: Tells the time in UTC.
        page: How many data keys are read at a time.
    """

    ledger: Ledger
    tenant: str
    access: KeyAccess
    records: KeyRecords
    actor: Actor
    clock: Callable[[], datetime]
    page: int = DEFAULT_PAGE

    def run(self, report_progress: Callable[[Progress], None] = lambda _: None) -> RewrapReport:
        """Move what is left to move, and record the end where nothing is left.

        Args:
            report_progress: Called after each data key.

        Returns:
            What was done; with data keys set aside, the rotation stays open.

        Raises:
            KeyAccessError: A key is revoked, access is denied, or KMS is out of reach: run it again later.
        """
        head = self.ledger.head()
        rotation, current = head.state.rotation, head.state.current
        if rotation is None or current is None or rotation.rewrapped_at is not None:
            return RewrapReport(head.state.current_number, 0, (), self.ledger.census(), head)
        run = _Run(self, head.state, rotation, current.key_arn, report_progress)
        run.move_all()
        census = self.ledger.census()
        if run.unusable:
            raise next(iter(run.unusable.values()))
        head = self.ledger.head() if run.set_aside else self._finish(rotation, current.key_arn, census)
        return RewrapReport(rotation.to, run.moved, tuple(run.set_aside), census, head)

    def _finish(self, rotation: Rotation, target: KeyArn, census: Census) -> Head:
        rows = [row for row in census.rows if (row.generation, row.key_arn) == (rotation.to, str(target))]
        command = FinishRewrap(
            epoch=rotation.epoch,
            remaining=census.total - sum(row.data_keys for row in rows),
            unverified=sum(row.unverified for row in rows),
            set_aside=sum(row.set_aside for row in census.rows),
        )
        try:
            return carry_out(self.ledger, command, self.actor, self.clock())
        except ConflictError:
            head = self.ledger.head()
            if head.state.rotation is None or head.state.rotation.rewrapped_at is not None:
                return head  # another worker recorded the same end first
            raise


class _Run:
    """One pass over what is left to move."""

    def __init__(
        self,
        job: Rewrap,
        state: TenantState,
        rotation: Rotation,
        target: KeyArn,
        report_progress: Callable[[Progress], None],
    ) -> None:
        self._job, self._rotation, self._target = job, rotation, str(target)
        self._report_progress = report_progress
        self._keys = {generation.number: str(generation.key_arn) for generation in state.generations}
        if job.access.service_key_arn is not None:
            self._keys[SERVICE_GENERATION] = job.access.service_key_arn
        self.moved = 0
        self.set_aside: list[SetAside] = []
        self.unusable: dict[str, KeyAccessError] = {}

    def move_all(self) -> None:
        census = self._job.ledger.census()
        left = census.total - census.settled(self._rotation.to, self._target)
        after: str | None = None
        while page := self._job.ledger.data_keys_to_move(self._rotation.to, self._target, after, self._job.page):
            for data_key in page:
                after = data_key.data_key_id
                if data_key.key_arn not in self.unusable:
                    self._move(data_key)
                done = self.moved + len(self.set_aside)
                self._report_progress(Progress(self.moved, len(self.set_aside), max(left, done)))

    def _move(self, data_key: DataKey) -> None:
        known = self._keys.get(data_key.generation)
        if known is not None and known != data_key.key_arn:
            self._put_aside(
                data_key, f"its record names {data_key.key_arn}, but generation {data_key.generation} is {known}"
            )
            return
        try:
            new = self._rewrapped(data_key)
            self._prove(new)
        except KeyAccessError as error:
            if _is_of_one_data_key(error):
                self._put_aside(data_key, error.message)
            elif error.failure in _OF_ONE_KEY and error.key_arn != self._target:
                self.unusable[data_key.key_arn] = error
            else:
                raise
            return
        proved = replace(new, verified=True, set_aside=None)
        self._job.records.put_key_record(proved)
        if self._job.ledger.replace_wrapping(data_key, proved, self._rotation.epoch):
            self.moved += 1

    def _put_aside(self, data_key: DataKey, reason: str) -> None:
        self._job.ledger.replace_wrapping(data_key, replace(data_key, set_aside=reason), self._rotation.epoch)
        self.set_aside.append(SetAside(data_key.workload, data_key.data_key_id, reason))

    def _rewrapped(self, data_key: DataKey) -> DataKey:
        if (data_key.generation, data_key.key_arn) == (self._rotation.to, self._target):
            return data_key
        caller = self._job.access.caller(data_key.generation)
        context = data_key.encryption_context(self._job.tenant)
        wrapped = caller.rewrap(data_key.key_arn, self._target, data_key.ciphertext, context)
        return replace(
            data_key,
            generation=self._rotation.to,
            key_arn=self._target,
            ciphertext=wrapped.ciphertext,
            key_material_id=wrapped.key_material_id,
            epoch=self._rotation.epoch,
            verified=False,
        )

    def _prove(self, data_key: DataKey) -> None:
        """Open a data key under the new key, and hold it against its commitment."""
        caller = self._job.access.caller(data_key.generation)
        plaintext = caller.unwrap(data_key.key_arn, data_key.ciphertext, data_key.encryption_context(self._job.tenant))
        try:
            check_commitment(data_key, plaintext)
        finally:
            wipe(plaintext)


def _is_of_one_data_key(error: KeyAccessError) -> bool:
    """Whether an error is about the one data key's own record, so that others may fare better."""
    return error.failure is KeyFailure.TAMPERED or error.aws_code == "IncorrectKeyException"
