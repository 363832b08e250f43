"""One run of a rewrap: what is left is moved, and the end recorded where nothing is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import ConflictError
from engine.lifecycle import FinishRewrap
from engine.rotation.job import RewrapJob
from engine.rotation.report import RewrapReport
from engine.rotation.worker import Worker, is_finished
from engine.transitions import carry_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.arn import KeyArn
    from engine.ledger.interface import Census, Head
    from engine.lifecycle import Rotation
    from engine.rotation.report import Progress, SetAside

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Rewrap(RewrapJob):
    """A rewrap of one tenant."""

    def run(
        self,
        report_progress: Callable[[Progress], None] = lambda _: None,
        report_set_aside: Callable[[SetAside], None] = lambda _: None,
    ) -> RewrapReport:
        """Move what is left to move, and record the end where nothing is left.

        Args:
            report_progress: Called whenever data keys were stored.
            report_set_aside: Called for each that is set aside.

        Returns:
            What was done; with data keys set aside, the rotation stays open.

        Raises:
            KeyAccessError: A key is revoked, access is denied, or KMS is out of reach: run it again later.
            InputError: Data keys stand under the service's own key, and the vendor's credentials are missing.
            ConflictError: The move was superseded by another.
            DamagedError: A record of the ledger cannot be read; all others were moved.
        """
        head = self.ledger.head()
        rotation, current = head.state.rotation, head.state.current
        if rotation is None or current is None or rotation.rewrapped_at is not None:
            return RewrapReport(head.state.current_number, 0, (), 0, self.ledger.census(), head)
        worker = Worker(self, head.state, rotation, str(current.key_arn), report_progress, report_set_aside)
        worker.move_all()
        if worker.unusable:
            raise next(iter(worker.unusable.values()))
        if worker.unreadable:
            raise worker.unreadable[0]
        census = self.ledger.census()
        head = self.ledger.head() if worker.set_aside_count else self._finish(rotation, current.key_arn, census)
        return RewrapReport(rotation.to, worker.moved, tuple(worker.set_aside), worker.set_aside_count, census, head)

    def _finish(self, rotation: Rotation, target: KeyArn, census: Census) -> Head:
        rows = [row for row in census.rows if (row.generation, row.key_arn) == (rotation.to, str(target))]
        command = FinishRewrap(
            epoch=rotation.epoch,
            remaining=census.total - sum(row.data_keys for row in rows),
            unverified=sum(row.unverified for row in rows),
            set_aside=sum(row.set_aside for row in census.rows),
        )
        for attempts_left in range(_ATTEMPTS, -1, -1):
            head = self.ledger.head()
            if is_finished(head, rotation.epoch):
                return head  # another worker recorded the same end first
            try:
                return carry_out(self.ledger, command, self.actor, self.clock(), head)
            except ConflictError:
                if not attempts_left:
                    raise
        raise AssertionError
