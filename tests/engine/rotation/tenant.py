"""A tenant with data keys, a KMS that can be made to fail, and what is asserted of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.envelope.data_keys import PAYLOAD, KeyAccess, make_data_key, opened, wipe
from engine.errors import KeyAccessError, KeyFailure
from engine.lifecycle import Confirm, Enable, Register, Rotate
from engine.rotation import Rewrap, RewrapReport
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, VENDOR, key_arn
from tests.in_memory_kms import InMemoryKms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.kms import WrappedBytes
    from engine.ledger.interface import DataKey, Ledger

SERVICE = key_arn(0, account_id=VENDOR)
TENANT = "northwind"


@dataclass
class Records:
    """Keeps what the vault would keep."""

    kept: list[DataKey] = field(default_factory=list)

    def put_key_records(self, data_keys: Sequence[DataKey]) -> None:
        self.kept.extend(data_keys)


class FailingKms(InMemoryKms):
    """Stops after so many rewraps, as a process does that is killed, or a KMS that goes away."""

    left: int | None = None
    failure = KeyFailure.UNAVAILABLE

    def rewrap(
        self, source_arn: str, destination_arn: str, ciphertext: bytes, context: Mapping[str, str]
    ) -> WrappedBytes:
        if self.left == 0:
            raise KeyAccessError(self.failure, "it stops here", key_arn=source_arn)
        if self.left is not None:
            self.left -= 1
        return super().rewrap(source_arn, destination_arn, ciphertext, context)


@dataclass
class Tenant:
    """A tenant with data keys made in cloud mode."""

    ledger: Ledger
    kms: FailingKms
    records: Records = field(default_factory=Records)
    plaintexts: dict[str, bytes] = field(default_factory=dict)

    @property
    def access(self) -> KeyAccess:
        return KeyAccess(self.kms, self.kms, str(SERVICE))

    def add(self, workload: str) -> None:
        record, plaintext = make_data_key(self.access, self.ledger.head().state, workload, PAYLOAD, NOW)
        self.ledger.add_data_key(record, ACTOR, NOW)
        self.plaintexts[workload] = bytes(plaintext)
        wipe(plaintext)

    def job(self, page: int = 2) -> Rewrap:
        return Rewrap(self.ledger, TENANT, self.access, self.records, ACTOR, lambda: NOW, page)

    def rewrap(self, page: int = 2) -> RewrapReport:
        return self.job(page).run()

    def at_the_first_key(self) -> None:
        """Enabled, everything moved to generation 1, confirmed."""
        self.enable()
        self.rewrap()
        self.confirm(1)

    def enable(self) -> None:
        carry_out(self.ledger, Register(1, key_arn(1), activated=True), ACTOR, NOW)
        carry_out(self.ledger, Enable(1, key_arn(1), "Ada", "ab" * 32), ACTOR, NOW)

    def rotate(self, to: int) -> None:
        self.kms.add_key(key_arn(to))
        carry_out(self.ledger, Rotate(to, key_arn(to)), ACTOR, NOW)

    def confirm(self, number: int) -> None:
        carry_out(self.ledger, Confirm(number, key_arn(number), "Ada"), ACTOR, NOW)

    def assert_every_data_key_opens(self) -> None:
        for workload, plaintext in self.plaintexts.items():
            record = self.ledger.find_data_key(workload, PAYLOAD)
            assert record is not None
            with opened(self.access, TENANT, record) as data_key:
                assert bytes(data_key) == plaintext
