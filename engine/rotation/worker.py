"""One worker of a move: what it moves, what it sets aside, what it leaves to others.

Data keys that are moved and proved wait until they are a page, or a quarter of a second is over, and are then
stored in one step, in the vault first. A worker that is killed in between has lost the calls for these alone; one
that is interrupted stores them on its way out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.errors import ConflictError, DamagedError, InputError, KeyAccessError, KeyFailure, KeyturnError
from engine.lifecycle import SERVICE_GENERATION
from engine.rotation.moving import NOT_FOUND, Mover, is_of_one_data_key
from engine.rotation.report import Progress, SetAside
from engine.rotation.slices import Slice, slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.ledger.interface import DataKey, Head
    from engine.lifecycle import Rotation, TenantState
    from engine.rotation.job import RewrapJob

_OF_ONE_KEY = {KeyFailure.REVOKED, KeyFailure.DENIED}
_RECOUNT_SECONDS = 20.0
_MOST_UNREADABLE_PAGES = 20_000  # one record costs some 130; a ledger that is damaged as a whole has an end, too
MOST_NAMED = 1000


class Worker:
    """One pass over what is left to move.

    Attributes:
        moved: How many data keys it moved.
        set_aside: Those that it could not, up to `MOST_NAMED`.
        set_aside_count: How many these are in all.
        unusable: By ARN, the keys that cannot be used now, and why.
        unreadable: Records of the ledger that cannot be read at all.
    """

    def __init__(
        self,
        job: RewrapJob,
        state: TenantState,
        rotation: Rotation,
        target_arn: str,
        report_progress: Callable[[Progress], None],
        report_set_aside: Callable[[SetAside], None],
    ) -> None:
        self._job, self._rotation, self._target_arn = job, rotation, target_arn
        self._report_progress, self._report_set_aside = report_progress, report_set_aside
        self._keys: dict[int, str | None] = {g.number: str(g.key_arn) for g in state.generations}
        self._keys[SERVICE_GENERATION] = job.access.service_key_arn
        self._mover = Mover(job.tenant, job.access, job.target, rotation.to, target_arn, rotation.epoch)
        self._pending: list[tuple[DataKey, DataKey]] = []
        self._gone: dict[str, str] = {}
        self._ended = False
        self._stored_at = self._counted_at = job.monotonic()
        self._left = self._total = 0
        self.moved = 0
        self.set_aside: list[SetAside] = []
        self.set_aside_count = 0
        self.unusable: dict[str, KeyturnError] = {}
        self.unreadable: list[DamagedError] = []
        self._unreadable_pages = 0

    def move_all(self) -> None:
        """Go through all slices, and move what is in them."""
        self._count()
        try:
            for piece in slices(self._left, self._job.page):
                for data_key in self._data_keys(piece):
                    self._take(data_key)
                    if self._is_time_to_store():
                        self._store()
                    if self._ended:
                        return
            self._store()
        except BaseException:
            self._store()  # what is proved stays done, however the run ends
            raise

    def _data_keys(self, piece: Slice) -> Iterator[DataKey]:
        """What is to be moved of a slice; of a record that cannot be read, all around it."""
        after, size = piece.after, self._job.page
        halves: tuple[Slice, ...] = ()
        try:
            while True:
                page = self._job.ledger.data_keys_to_move(self._rotation.to, self._target_arn, after, size, piece.up_to)
                yield from page
                if len(page) < size:
                    return
                after = page[-1].data_key_id
        except DamagedError as error:
            self._unreadable_pages += 1
            if self._unreadable_pages > _MOST_UNREADABLE_PAGES:
                raise
            halves = Slice(after, piece.up_to).halves() or ()
            if not halves:
                self.unreadable.append(error)
        for half in halves:
            yield from self._data_keys(half)

    def _is_time_to_store(self) -> bool:
        overdue = self._job.monotonic() - self._stored_at >= self._job.store_seconds
        return overdue or len(self._pending) >= self._job.page

    def _count(self) -> None:
        census = self._job.ledger.census()
        self._counted_at = self._job.monotonic()
        self._left = census.total - census.settled(self._rotation.to, self._target_arn)
        self._total = self.moved + self._left

    def _take(self, old: DataKey) -> None:
        """Move one data key, or set it aside, or leave it."""
        if reason := self._mismatch(old) or self._gone.get(old.key_arn):
            self._pending.append((old, replace(old, set_aside=reason)))
            return
        if old.key_arn in self.unusable:
            return
        try:
            self._pending.append((old, self._mover.moved(old)))
        except InputError as error:
            self.unusable[old.key_arn] = error
        except KeyAccessError as error:
            self._leave(old, error)

    def _leave(self, old: DataKey, error: KeyAccessError) -> None:
        """Set a data key aside, or leave all under its key, or end the run; by what went wrong."""
        if is_of_one_data_key(error):
            self._pending.append((old, replace(old, set_aside=error.message)))
            return
        if error.failure not in _OF_ONE_KEY or error.key_arn == self._target_arn:
            raise error
        gone = self._mover.is_gone(old.generation, old.key_arn) if error.aws_code == NOT_FOUND else None
        match gone:
            case True:
                self._gone[old.key_arn] = error.message
                self._pending.append((old, replace(old, set_aside=error.message)))
            case False:
                raise error  # it is the new key that is not there
            case None:
                self.unusable[old.key_arn] = error

    def _mismatch(self, old: DataKey) -> str | None:
        """Why a record is not what the ledger knows of its generation's key; None where it is."""
        if old.generation not in self._keys:
            return f"its record names generation {old.generation}, which the ledger does not know"
        known = self._keys[old.generation]
        if known is None or known == old.key_arn:
            return None
        return f"its record names {old.key_arn}, but generation {old.generation} is {known}"

    def _store(self) -> None:
        """Store what is pending, and tell of it."""
        self._stored_at = self._job.monotonic()
        if not self._pending:
            return
        pending = tuple(self._pending)
        self._job.records.put_key_records([new for _, new in pending if new.set_aside is None])
        try:
            stored = self._job.ledger.replace_wrappings(pending, self._rotation.epoch)
        except ConflictError:
            if not is_finished(self._job.ledger.head(), self._rotation.epoch):
                raise
            stored = (False,) * len(pending)  # others have moved all of it, these among them
            self._ended = True
        self._pending.clear()
        for (_, new), done in zip(pending, stored, strict=True):
            if done and new.set_aside is None:
                self.moved += 1
            elif done:
                self._tell_set_aside(new, str(new.set_aside))
        if self._job.monotonic() - self._counted_at >= _RECOUNT_SECONDS:
            self._count()  # what others have moved meanwhile is not left to this one
        self._total = max(self._total, self.moved + self.set_aside_count)
        self._report_progress(Progress(self.moved, self.set_aside_count, self._total))

    def _tell_set_aside(self, data_key: DataKey, reason: str) -> None:
        aside = SetAside(data_key.workload, data_key.data_key_id, reason)
        self.set_aside_count += 1
        if len(self.set_aside) < MOST_NAMED:
            self.set_aside.append(aside)
        self._report_set_aside(aside)


def is_finished(head: Head, epoch: int) -> bool:
    """Whether the move of this epoch is recorded as done, and no other was begun since."""
    state = head.state
    return state.epoch == epoch and (state.rotation is None or state.rotation.rewrapped_at is not None)
