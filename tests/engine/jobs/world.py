"""A small world for jobs: a tenant with its keys, ledger, vault and source, in a temporary folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.catalogue import Product, Workflow, WorkflowKind, find_workflow
from engine.envelope.data_keys import PAYLOAD, KeyAccess
from engine.jobs.backup import backup
from engine.jobs.events import JsonLinesEvents
from engine.jobs.history import told_snapshots
from engine.jobs.operation import JobContext
from engine.jobs.patience import Patience
from engine.jobs.restore import RestoreRequest, restore
from engine.jobs.vault import Vault, open_or_create_vault
from engine.ledger.sqlite_making import create_sqlite_ledger
from engine.lifecycle import Enable, Mode, Register, Rotate
from engine.transitions import carry_out
from tests.builders import ACTOR, NOW, VENDOR, cloud_state, declaration, key_arn
from tests.in_memory_kms import InMemoryKms

if TYPE_CHECKING:
    from pathlib import Path

    from engine.jobs.report import JobReport, WorkloadResult
    from engine.ledger.interface import DataKey, Ledger

SERVICE = str(key_arn(0, account_id=VENDOR))
MANUAL_BACKUP = find_workflow(Product.MICROSOFT_365, WorkflowKind.BACKUP, "manual")
COPY = find_workflow(Product.MICROSOFT_365, WorkflowKind.RESTORE, "restore, as a copy")
IN_PLACE = find_workflow(Product.MICROSOFT_365, WorkflowKind.RESTORE, "restore, in place")
DOWNLOAD = find_workflow(Product.MICROSOFT_365, WorkflowKind.DOWNLOAD, "restore download")


class LaterClock:
    """A minute ahead of the machine, so that files written just now count as left alone."""

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=1)


@dataclass
class ManualMonotonic:
    """A monotonic clock that moves when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """A tenant with the vendor's credentials at hand; another process may make the same one in the same folder."""

    root: Path
    vault_location: str = "vault"
    kms: InMemoryKms = field(default_factory=InMemoryKms)
    monotonic: ManualMonotonic = field(default_factory=ManualMonotonic)

    def __post_init__(self) -> None:
        for arn in (SERVICE, key_arn(1), key_arn(2)):
            self.kms.add_key(arn)
        self.source = self.root / "source"
        self.source.mkdir(exist_ok=True)
        ledger_path = self.root / "ledger" / "ledger.db"
        self.ledger: Ledger = create_sqlite_ledger(ledger_path, cloud_state(), ACTOR, NOW)
        self.vault: Vault = open_or_create_vault(self.vault_location, self.root, "northwind")
        self.events = self.root / "events.jsonl"

    @property
    def vault_folder(self) -> Path:
        return self.root / "vault"

    @property
    def context(self) -> JobContext:
        return JobContext(
            declaration=declaration(),
            ledger=self.ledger,
            access=KeyAccess(self.kms, self.kms, SERVICE),
            vault=self.vault,
            actor=ACTOR,
            events=JsonLinesEvents(self.events),
            told=partial(told_snapshots, self.events),
            clock=LaterClock(),
            monotonic=self.monotonic,
            patience=Patience(()),
        )

    def enable(self) -> None:
        """Enable the tenant, unless another process did."""
        if self.ledger.head().state.mode is Mode.ENTERPRISE:
            return
        carry_out(self.ledger, Register(1, key_arn(1), activated=True), ACTOR, NOW)
        carry_out(self.ledger, Enable(1, key_arn(1), "Anna Admin", "0" * 64), ACTOR, NOW)

    def start_rotation(self) -> None:
        carry_out(self.ledger, Rotate(2, key_arn(2)), ACTOR, NOW)

    def rewrap(self, record: DataKey) -> DataKey:
        """Move one data key to generation 2, as a rotation does."""
        arn = str(key_arn(2))
        wrapped = self.kms.rewrap(record.key_arn, arn, record.ciphertext, record.encryption_context("northwind"))
        moved = replace(record, generation=2, key_arn=arn, ciphertext=wrapped.ciphertext, epoch=2)
        assert self.ledger.replace_wrapping(record, moved, epoch=2)
        return moved

    def revoke(self, generation: int = 1) -> None:
        self.kms.set_state(key_arn(generation), KeyState.DISABLED)

    def reinstate(self, generation: int = 1) -> None:
        self.kms.set_state(key_arn(generation), KeyState.ENABLED)

    def write(self, path: str, content: bytes | str = b"content") -> Path:
        """Write a file into the source."""
        file = self.source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def record(self, workload: str, purpose: str = PAYLOAD) -> DataKey:
        record = self.ledger.find_data_key(workload, purpose)
        assert record is not None
        return record

    def back_up(self, *legal_hold: str, workflow: Workflow = MANUAL_BACKUP) -> JobReport:
        return backup(self.context, workflow, self.source, None, legal_hold)

    def restore(
        self, folder: str = "restored", *workloads: str, workflow: Workflow = COPY, **rest: object
    ) -> JobReport:
        request = RestoreRequest(self.root / folder, workloads or None)
        return restore(self.context, workflow, replace(request, **rest))  # type: ignore[arg-type]


def only(report: JobReport) -> WorkloadResult:
    """The result of a job of one workload."""
    (result,) = report.results
    return result


def succeeded(report: JobReport) -> bool:
    return report.exit_code == 0 and not report.failures


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is in a folder: content, permission bits and times of files and folders, targets of links."""
    found: dict[str, tuple[object, ...]] = {}
    for above, folders, files in os.walk(os.fsencode(folder)):
        for name in (*folders, *files):
            path = os.path.join(above, name)  # noqa: PTH118 - names in bytes
            status = os.lstat(path)
            key = os.fsdecode(os.path.relpath(path, os.fsencode(folder)))
            if os.path.islink(path):  # noqa: PTH114
                found[key] = ("link", os.readlink(path), status.st_mtime_ns)  # noqa: PTH115
            elif os.path.isdir(path):  # noqa: PTH112
                found[key] = ("folder", status.st_mode & 0o777, status.st_mtime_ns)
            else:
                with open(path, "rb") as file:  # noqa: PTH123
                    found[key] = ("file", status.st_mode & 0o777, status.st_mtime_ns, file.read())
    return found
