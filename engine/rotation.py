"""The rewrap: every data key of a tenant moved to the generation that its rotation goes to.

The order that loses nothing (EKM-33, EKM-34, EKM-35):

1. The intent is in the ledger before the first data key moves: from, to, epoch. From then on new data keys
   go to the new key.
2. Page by page, each data key is re-encrypted inside KMS from its old key to the new one, opened under the
   new key and held against its commitment, copied to the vault's record of it, and only then put in the
   place of exactly the wrapping that it was made from. Until that instant the old wrapping stands, and
   both keys open what is theirs.
3. A data key that cannot be moved is set aside with the reason, and does not stop the rest; it keeps the
   rotation open, and a resumed run tries it again.
4. A revoked key, denied access or an outage is not one data key's trouble: the run stops, and what is done
   stays done.
5. When the census shows nothing left under an older key, the move's end is recorded.

A repeated ReEncrypt is harmless; two workers on one data key end with the wrapping of one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from engine.envelope.data_keys import check_commitment, wipe
from engine.errors import ConflictError, KeyAccessError, KeyFailure
from engine.lifecycle import FinishRewrap
from engine.transitions import carry_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from engine.arn import KeyArn
    from engine.envelope.data_keys import KeyAccess
    from engine.ledger.interface import Actor, Census, DataKey, Head, Ledger
    from engine.lifecycle import Rotation

_OF_ONE_DATA_KEY = {KeyFailure.TAMPERED, KeyFailure.MISCONFIGURED}
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
        if rotation is None or current is None:
            return RewrapReport(head.state.current_number, 0, (), self.ledger.census(), head)
        if rotation.rewrapped_at is not None:
            return RewrapReport(rotation.to, 0, (), self.ledger.census(), head)
        moved, set_aside = self._move_all(rotation, current.key_arn, report_progress)
        census = self.ledger.census()
        if not set_aside:
            head = self._finish(rotation, census)
        return RewrapReport(rotation.to, moved, set_aside, census, head)

    def _move_all(
        self, rotation: Rotation, target: KeyArn, report_progress: Callable[[Progress], None]
    ) -> tuple[int, tuple[SetAside, ...]]:
        census = self.ledger.census()
        left = sum(row.data_keys for row in census.rows if row.generation != rotation.to or row.unverified)
        moved, after = 0, None
        set_aside: list[SetAside] = []
        while page := self.ledger.data_keys_to_move(rotation.to, after, self.page):
            for data_key in page:
                after = data_key.data_key_id
                reason = self._move(data_key, rotation, target)
                if reason is None:
                    moved += 1
                else:
                    set_aside.append(SetAside(data_key.workload, data_key.data_key_id, reason))
                report_progress(Progress(moved, len(set_aside), max(left, moved + len(set_aside))))
        return moved, tuple(set_aside)

    def _move(self, data_key: DataKey, rotation: Rotation, target: KeyArn) -> str | None:
        """Move one data key; the reason where it had to be set aside."""
        try:
            new = self._rewrapped(data_key, rotation, target)
            plaintext = self.access.caller(new.generation).unwrap(
                new.key_arn, new.ciphertext, new.encryption_context(self.tenant)
            )
            try:
                check_commitment(new, plaintext)
            finally:
                wipe(plaintext)
        except KeyAccessError as error:
            if error.failure not in _OF_ONE_DATA_KEY:
                raise
            self.ledger.replace_wrapping(data_key, replace(data_key, set_aside=error.message))
            return error.message
        verified = replace(new, verified=True, set_aside=None)
        self.records.put_key_record(verified)
        self.ledger.replace_wrapping(data_key, verified)
        return None

    def _rewrapped(self, data_key: DataKey, rotation: Rotation, target: KeyArn) -> DataKey:
        if data_key.generation == rotation.to:
            return data_key
        wrapped = self.access.caller(data_key.generation).rewrap(
            data_key.key_arn, str(target), data_key.ciphertext, data_key.encryption_context(self.tenant)
        )
        return replace(
            data_key,
            generation=rotation.to,
            key_arn=str(target),
            ciphertext=wrapped.ciphertext,
            key_material_id=wrapped.key_material_id,
            epoch=rotation.epoch,
            verified=False,
        )

    def _finish(self, rotation: Rotation, census: Census) -> Head:
        under_target = census.under(rotation.to)
        command = FinishRewrap(
            epoch=rotation.epoch,
            remaining=census.total - under_target,
            unverified=sum(row.unverified for row in census.rows if row.generation == rotation.to),
            set_aside=sum(row.set_aside for row in census.rows),
        )
        try:
            return carry_out(self.ledger, command, self.actor, self.clock())
        except ConflictError:
            head = self.ledger.head()
            if head.state.rotation is None or head.state.rotation.rewrapped_at is not None:
                return head  # another worker recorded the same end first
            raise
