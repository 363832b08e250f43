"""What objects of the vault are called, and what is bound to each as associated data.

    vault.json                                  the vault's format and tenant
    keys/<data key>/<generation>.json           wrapped-key records
    snapshots/<data key>/<snapshot>.json        commit records: a snapshot exists once this does
    data/<data key>/<snapshot>/manifest         encrypted: which files, and where their content lies
    data/<data key>/<snapshot>/pack-<number>    encrypted: the content, many files in one object

- A workload appears in names only as the random id of its data key, which neither names nor hashes it.
- A snapshot's id is its number in the line of its data key, its time and a random part. Numbers grow by one,
  so ids sort by age whatever the clock did.
- The associated data of an encrypted object says tenant, workload, purpose, data key, snapshot and name: an
  object that was swapped, renamed, or copied into another snapshot does not authenticate.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import rfc8785

if TYPE_CHECKING:
    from engine.ledger.interface import DataKey

VAULT_MARKER = "vault.json"
MANIFEST = "manifest"
_KEY_RECORD_PAGES = "keys/pages/"
_SNAPSHOT_ID = re.compile(r"([0-9]{6,})-([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{8}", re.ASCII)
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class SnapshotId:
    """The id of a snapshot, such as `000012-20260704T120000Z-1f2e3d4c`."""

    text: str

    @classmethod
    def new(cls, number: int, at: datetime) -> SnapshotId:
        """The id of a new snapshot."""
        return cls(f"{number:06}-{at.astimezone(UTC).strftime(_TIME)}-{secrets.token_hex(4)}")

    @classmethod
    def parse(cls, text: str) -> SnapshotId | None:
        """Read an id; None where the text is not one."""
        match = _SNAPSHOT_ID.fullmatch(text)
        if match is None:
            return None
        try:
            datetime.strptime(match[2], _TIME).replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(text)

    def __str__(self) -> str:
        """The id as text."""
        return self.text

    @property
    def number(self) -> int:
        """Its number in the line of its data key, from 1 on."""
        return int(self.text.partition("-")[0])

    @property
    def at(self) -> datetime:
        """When it was begun, UTC, to the second."""
        return datetime.strptime(self.text.split("-")[1], _TIME).replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PackName:
    """A pack: the snapshot that wrote it, and its number there, from 1 on."""

    snapshot: SnapshotId
    number: int


@dataclass(frozen=True, slots=True)
class DataKeyPlace:
    """What the objects of one data key are called and bound to."""

    tenant: str
    workload: str
    purpose: str
    data_key_id: str

    @classmethod
    def of(cls, tenant: str, record: DataKey) -> DataKeyPlace:
        """The place of a data key's objects."""
        return cls(tenant, record.workload, record.purpose, record.data_key_id)

    @property
    def data(self) -> str:
        """The folder of all its snapshots' content."""
        return f"data/{self.data_key_id}"

    @property
    def commits(self) -> str:
        """The folder of its commit records."""
        return f"snapshots/{self.data_key_id}"

    def commit(self, snapshot: SnapshotId) -> str:
        """The name of a snapshot's commit record."""
        return f"{self.commits}/{snapshot}.json"

    def content(self, snapshot: SnapshotId) -> str:
        """The folder of a snapshot's content."""
        return f"{self.data}/{snapshot}"

    def manifest(self, snapshot: SnapshotId) -> str:
        """The name of a snapshot's manifest."""
        return f"{self.content(snapshot)}/{MANIFEST}"

    def pack(self, pack: PackName) -> str:
        """The name of a pack."""
        return f"{self.content(pack.snapshot)}/pack-{pack.number:06}"

    def associated_data(self, name: str) -> bytes:
        """What is bound to the object of this name, whose snapshot stands in the name: canonical JSON."""
        return rfc8785.dumps(
            {
                "format": "keyturn vault object 1",
                "tenant": self.tenant,
                "workload": self.workload,
                "purpose": self.purpose,
                "object": name,
            }
        )


def key_records(data_key_id: str) -> str:
    """The folder of a data key's wrapped-key records."""
    return f"keys/{data_key_id}"


def key_record(data_key_id: str, generation: int) -> str:
    """The name of a data key's wrapped-key record under a generation."""
    return f"{key_records(data_key_id)}/{generation:06}.json"


def key_record_page(epoch: int) -> str:
    """A new name for the records of data keys that one move took together."""
    return f"{_KEY_RECORD_PAGES}{epoch:06}-{secrets.token_hex(8)}.json"


def is_key_record_page(name: str) -> bool:
    """Whether an object of this name holds several records."""
    return name.startswith(_KEY_RECORD_PAGES)
