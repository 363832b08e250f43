"""What every ledger keeps and promises, whatever it is stored in.

- The **head** is the tenant's lifecycle state. It changes only by compare-and-swap, together with the
  journal entry that tells of it; who loses the race changes nothing and is told so (`ConflictError`).
- A **data key** is only ever kept wrapped. A new one is taken in only if it stands under the generation
  that is current at that instant, so that no late writer adds to a key that is being left.
- A **rewrap** puts a new wrapping in the place of exactly the one it was made from, or does nothing, so that
  no data key ever goes back to an older key. It is taken in only for the move that is in flight: a worker of
  a superseded move is told to stop.
- The **census** counts data keys of customer custody by generation and key ARN; legal-hold copies are never
  in it (EKM-43). A data key counts as under an old key if its generation or its ARN is that key's.
- Of each data key the **newest snapshot** in the vault is remembered, so that every machine that shares the ledger
  notices where the vault has lost it. The number only grows, but for the one that takes a lost one's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from engine.catalogue import Custody
    from engine.ledger.actor import Actor
    from engine.ledger.journal import JournalEntry
    from engine.lifecycle import TenantState, Transition

PAYLOAD, LEGAL_HOLD = "payload", "legal_hold"
PURPOSES = (PAYLOAD, LEGAL_HOLD)


@dataclass(frozen=True, slots=True)
class Head:
    """The ledger's head at one instant.

    Attributes:
        version: Goes up by one with each transition; what a compare-and-swap compares.
        state: The tenant's lifecycle state.
        journal_length: How many entries the journal has.
        journal_hash: The hash of its last entry, as hexadecimal digits.
    """

    version: int
    state: TenantState
    journal_length: int
    journal_hash: str


@dataclass(frozen=True, slots=True)
class DataKey:
    """A wrapped data key and where it belongs.

    Attributes:
        data_key_id: A random id, never reused.
        workload: What it encrypts, such as `exchange_online/anna`.
        purpose: `payload`, or `legal_hold` for the separate copy under the service's key.
        custody: Whose key shall wrap it. Customer custody stands under generation 0 in cloud mode.
        generation: The generation whose key wraps it now; 0 for the service's own key.
        key_arn: The full ARN of that key.
        ciphertext: The wrapped data key.
        commitment: A commitment to the plaintext, 32 bytes, so that another key is noticed.
        key_material_id: Which material of the KMS key wrapped it, where KMS tells it.
        epoch: The epoch of the move that made this wrapping; 0 where none did.
        verified: Whether this wrapping has been proved to decrypt under its key.
        set_aside: Why it could not be moved in the last attempt, or None.
        created_at: When the data key was made, UTC.
    """

    data_key_id: str
    workload: str
    purpose: str
    custody: Custody
    generation: int
    key_arn: str
    ciphertext: bytes
    commitment: bytes
    key_material_id: str | None
    epoch: int
    verified: bool
    set_aside: str | None
    created_at: datetime

    def encryption_context(self, tenant: str) -> Mapping[str, str]:
        """The KMS encryption context that it is wrapped with; AWS logs it, so it holds no secret."""
        return encryption_context(tenant, self.workload, self.purpose)


def encryption_context(tenant: str, workload: str, purpose: str) -> Mapping[str, str]:
    """The KMS encryption context of a data key: what it belongs to, bound to its ciphertext."""
    return {"keyturn:tenant": tenant, "keyturn:workload": workload, "keyturn:purpose": purpose}


@dataclass(frozen=True, slots=True)
class CensusRow:
    """How many data keys stand under one key.

    Attributes:
        generation: The generation.
        key_arn: Its key's full ARN.
        data_keys: How many.
        unverified: How many of them have not been proved to decrypt under this key.
        set_aside: How many of them could not be moved away in the last attempt.
    """

    generation: int
    key_arn: str
    data_keys: int
    unverified: int
    set_aside: int


@dataclass(frozen=True, slots=True)
class Census:
    """The census of a tenant's data keys of customer custody, by generation."""

    rows: tuple[CensusRow, ...]

    def under(self, generation: int, key_arn: str | None = None) -> int:
        """How many data keys stand under this generation, by its number or by its key's ARN."""
        return sum(row.data_keys for row in self.rows if row.generation == generation or row.key_arn == key_arn)

    def settled(self, generation: int, key_arn: str) -> int:
        """How many data keys stand under exactly this generation's key, and are proved to open there."""
        rows = (row for row in self.rows if (row.generation, row.key_arn) == (generation, key_arn))
        return sum(row.data_keys - row.unverified for row in rows)

    @property
    def total(self) -> int:
        """How many data keys there are."""
        return sum(row.data_keys for row in self.rows)


class Ledger(Protocol):
    """One tenant's ledger.

    Every method raises `MachineError` or `AwsError` where the store fails, and `DamagedError` where what it
    holds is not what was written.
    """

    @property
    def location(self) -> str:
        """Where it is, as the declaration names it."""
        ...

    def head(self) -> Head:
        """The head as of now."""
        ...

    def commit(self, expected: Head, transition: Transition, actor: Actor, at: datetime) -> Head:
        """Store a transition and its journal entry in one step.

        Raises:
            ConflictError: The head is not the expected one any more; nothing was stored.
        """
        ...

    def add_data_key(self, data_key: DataKey, actor: Actor, at: datetime) -> None:
        """Take in a new data key, and journal it.

        Raises:
            ConflictError: It stands under another generation than new ones go to now, or its workload has
                one for this purpose already; nothing was stored.
        """
        ...

    def find_data_key(self, workload: str, purpose: str) -> DataKey | None:
        """The data key of a workload for a purpose, or None."""
        ...

    def data_key(self, data_key_id: str) -> DataKey | None:
        """The data key of this id, or None."""
        ...

    def data_keys(self, purpose: str) -> Iterator[DataKey]:
        """Every data key for a purpose, in the order of their workloads (by code point).

        Read page by page: one that is taken in meanwhile may be among them or not; none comes twice.
        """
        ...

    def data_keys_to_move(
        self, target_generation: int, target_arn: str, after: str | None, limit: int, up_to: str | None = None
    ) -> tuple[DataKey, ...]:
        """A page of the data keys of customer custody that are not under the target's key and proved there.

        In the order of their ids, beginning behind `after` and ending with `up_to`, where they are given;
        those set aside are among them.
        """
        ...

    def replace_wrapping(self, old: DataKey, new: DataKey, epoch: int) -> bool:
        """Put `new` in the place of exactly `old`, as a worker of the move of this epoch.

        Returns:
            False, and nothing stored, where `old` is not there any more.

        Raises:
            ConflictError: The move of this epoch is not the one in flight any more; nothing was stored.
        """
        ...

    def replace_wrappings(self, replacements: Sequence[tuple[DataKey, DataKey]], epoch: int) -> tuple[bool, ...]:
        """Do what `replace_wrapping` does for each pair of an old and a new record, each for itself.

        One step for all of them where the store can, so that a page costs one wait for the disk.

        Returns:
            For each pair, in their order, whether it was stored.

        Raises:
            ConflictError: The move of this epoch is not the one in flight any more. What was stored before
                that was seen stays.
        """
        ...

    def census(self) -> Census:
        """Count the data keys of customer custody."""
        ...

    def remember_snapshot(self, data_key_id: str, number: int, snapshot: str, lost: str | None = None) -> None:
        """Remember a snapshot as the newest one under a data key, unless one of a higher number is.

        Args:
            data_key_id: The data key.
            number: The snapshot's number in its line, from 1 on.
            snapshot: Its id.
            lost: The id of one that the vault has lost; where that one is remembered, this one takes its place.
        """
        ...

    def newest_snapshot(self, data_key_id: str) -> str | None:
        """The id of the newest snapshot that was ever remembered under a data key, or None."""
        ...

    def journal(self, after: int = 0) -> Iterator[JournalEntry]:
        """The entries behind number `after`, in order."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...
