"""The vault: encrypted snapshots of workloads, and the wrapped keys that they need.

- A snapshot of a workload appears whole or not at all: its commit record is written last, when everything else
  is durable (`engine.jobs.snapshot_writer`).
- No name, path, size or content of a file stands in it in plaintext. Workloads are named only in the
  wrapped-key records, where KMS needs them (`engine.jobs.key_records`).
- Objects are bound to where they belong: swapped, renamed or copied, they do not authenticate
  (`engine.jobs.snapshot_names`).
- One backup of a workload runs at a time. It collects what a killed one left.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import rfc8785

from engine.errors import DamagedError, InputError
from engine.jobs.entries import ManifestHeader
from engine.jobs.key_records import (
    KeyRecord,
    decode_key_record,
    decode_key_records,
    encode_key_record,
    encode_key_records,
)
from engine.jobs.local_objects import LocalObjectStore
from engine.jobs.objects import MissingObjectError
from engine.jobs.packs import PACK_BYTES
from engine.jobs.snapshot_names import (
    VAULT_MARKER,
    DataKeyPlace,
    SnapshotId,
    is_key_record_page,
    key_record,
    key_record_page,
)
from engine.jobs.snapshot_reader import SnapshotReader
from engine.jobs.snapshot_writer import COMMIT_FORMAT, SnapshotWriter
from engine.printing import printable
from engine.times import format_time

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

    from engine.envelope.segments import KeySource
    from engine.jobs.objects import ObjectStore
    from engine.ledger.interface import DataKey

FORMAT = 1
LATEST = "latest"
_EARLIER = "name an earlier snapshot of the workload to restore that one"


class Vault:
    """One tenant's vault; `open_vault` and `open_or_create_vault` make it.

    Every method raises `MachineError` or `AwsError` where the store cannot do it, and `DamagedError` where what it
    holds is not what was stored.
    """

    def __init__(self, store: ObjectStore, tenant: str, pack_bytes: int = PACK_BYTES) -> None:
        self._store = store
        self._tenant = tenant
        self._pack_bytes = pack_bytes

    @property
    def location(self) -> str:
        """Where it is, for people."""
        return self._store.location

    @property
    def local_folder(self) -> Path | None:
        """The folder that it is in, or None where it is in none of this machine's."""
        return self._store.root if isinstance(self._store, LocalObjectStore) else None

    def put_key_record(self, data_key: DataKey) -> None:
        """Keep a wrapped data key; beside those of other generations, in the place of one of the same."""
        name = key_record(data_key.data_key_id, data_key.generation)
        self._store.put(name, encode_key_record(KeyRecord(self._tenant, data_key)))

    def put_key_records(self, data_keys: Sequence[DataKey]) -> None:
        """Keep a copy of each of these wrapped data keys: of several in one object, for speed and for cost."""
        if len(data_keys) == 1:
            self.put_key_record(data_keys[0])
        elif data_keys:
            records = [KeyRecord(self._tenant, data_key) for data_key in data_keys]
            self._store.put(key_record_page(max(key.epoch for key in data_keys)), encode_key_records(records))

    def ensure_key_record(self, data_key: DataKey) -> None:
        """Keep a wrapped data key unless one under its generation is kept already."""
        if self._store.size_of(key_record(data_key.data_key_id, data_key.generation)) is None:
            self.put_key_record(data_key)

    def key_records(self) -> Iterator[KeyRecord]:
        """The wrapped keys: of each data key the wrapping that was made last.

        Raises:
            DamagedError: A record cannot be read, or is of another tenant or data key than its name says.
        """
        latest: dict[str, KeyRecord] = {}
        for record in self.every_key_record():
            key = record.data_key
            known = latest.get(key.data_key_id)
            if known is None or (key.epoch, key.generation) > (known.data_key.epoch, known.data_key.generation):
                latest[key.data_key_id] = record
        yield from latest.values()

    def every_key_record(self) -> Iterator[KeyRecord]:
        """The wrapped keys of every generation. Raises as `key_records`."""
        for found in self.examined_key_records():
            if isinstance(found, DamagedError):
                raise found
            yield found

    def examined_key_records(self) -> Iterator[KeyRecord | DamagedError]:
        """The wrapped keys of every generation, and an error in the place of each object that is damaged."""
        for name in self._store.names("keys"):
            try:
                records = self._key_records_in(name)
            except DamagedError as error:
                yield error
            else:
                yield from records

    def _key_records_in(self, name: str) -> Sequence[KeyRecord]:
        data, called, alone = self._store.get(name), f"object {name}", not is_key_record_page(name)
        records = (decode_key_record(data, called),) if alone else decode_key_records(data, called)
        for record in records:
            key = record.data_key
            is_anothers = alone and name != key_record(key.data_key_id, key.generation)
            if record.tenant != self._tenant or is_anothers:
                raise DamagedError(f"object {name} is damaged: it is the record of another data key")
        return records

    def lock(self, data_key: DataKey) -> AbstractContextManager[None]:
        """Keep other backups of this workload out; raises `MachineError` where one is running."""
        return self._store.lock(data_key.data_key_id)

    def snapshots(self, data_key: DataKey) -> tuple[SnapshotId, ...]:
        """The committed snapshots under a data key, the oldest first."""
        place = DataKeyPlace.of(self._tenant, data_key)
        names = (name.removeprefix(f"{place.commits}/") for name in self._store.names(place.commits))
        found = (SnapshotId.parse(name.removesuffix(".json")) for name in names)
        return tuple(sorted((snapshot for snapshot in found if snapshot is not None), key=lambda s: (s.number, s.text)))

    def uncommitted(self, data_key: DataKey) -> tuple[SnapshotId, ...]:
        """The snapshots that have content and no commit record: their backups did not end, or have not yet."""
        begun = [SnapshotId.parse(name) for name in self._store.folders(DataKeyPlace.of(self._tenant, data_key).data)]
        committed = set(self.snapshots(data_key))
        return tuple(snapshot for snapshot in begun if snapshot is not None and snapshot not in committed)

    def find_snapshot(self, data_key: DataKey, wanted: str = LATEST) -> SnapshotId:
        """Find a snapshot.

        Args:
            data_key: The data key that it is under.
            wanted: `latest`, its id, or its number.

        Raises:
            InputError: There is none such; the hint lists those that there are.
        """
        snapshots = self.snapshots(data_key)
        if not snapshots:
            raise InputError(f"there is no snapshot of workload {data_key.workload!r} ({data_key.purpose})")
        if wanted == LATEST:
            return snapshots[-1]
        for snapshot in snapshots:
            if wanted == snapshot.text or (wanted.isascii() and wanted.isdigit() and int(wanted) == snapshot.number):
                return snapshot
        listed = ", ".join(str(snapshot) for snapshot in snapshots[-5:])
        raise InputError(
            f"workload {data_key.workload!r} has no snapshot {printable(wanted)!r}",
            f"{LATEST}, or one of its {len(snapshots)}, the newest of which are {listed}",
        )

    def collect_leftovers(self, data_key: DataKey, told: Callable[[], Collection[str]] = tuple) -> int:
        """Delete what killed backups of a workload left, and say of how many; only ever under its `lock`.

        A killed backup leaves content under the number behind the last committed one. Content without a commit
        record under any other number has lost its record, later snapshots may refer to it, and it is kept. So is
        what the job history tells of as a snapshot: it was committed, and its record was lost.

        Args:
            data_key: The data key's record.
            told: The ids of the workload's snapshots that the job history tells of; asked for where there are
                whole leftovers. A copy on legal hold is told of by the snapshot that was made with it, at its time.

        Raises:
            DamagedError: Commit records are missing; nothing was deleted.
        """
        place = DataKeyPlace.of(self._tenant, data_key)
        committed = self.snapshots(data_key)
        next_number = committed[-1].number + 1 if committed else 1
        uncommitted = self.uncommitted(data_key)
        leftovers = [snapshot for snapshot in uncommitted if snapshot.number == next_number]
        whole = [snapshot for snapshot in leftovers if self._store.size_of(place.manifest(snapshot)) is not None]
        known = _parsed(told()) if whole else frozenset()
        times = {snapshot.at for snapshot in known} - {snapshot.at for snapshot in committed}
        lost = any(snapshot.number > next_number for snapshot in uncommitted)
        if lost or any(snapshot in known or snapshot.at in times for snapshot in whole):
            raise DamagedError(
                f"the vault has snapshots of workload {data_key.workload!r} whose commit records are missing",
                f"bring {place.commits!r} in {self.location!r} back from a copy of the vault;"
                f" where there is no copy, move what has none out of {place.data!r}: it is given up then",
            )
        collected = 0
        for snapshot in leftovers:
            if self._store.prevent(place.commit(snapshot)):
                self._store.delete_all(place.content(snapshot))
                collected += 1
        self._store.delete_unfinished(place.commits)
        return collected

    def begin_snapshot(self, data_key: DataKey, keys: KeySource, at: datetime, source: str) -> SnapshotWriter:
        """Begin a snapshot under a data key; only ever under its `lock`.

        Args:
            data_key: The data key's record.
            keys: Asked for the data key itself.
            at: Now, UTC.
            source: What is backed up, for the manifest.
        """
        committed = self.snapshots(data_key)
        previous = committed[-1] if committed else None
        header = ManifestHeader(
            tenant=self._tenant,
            workload=data_key.workload,
            purpose=data_key.purpose,
            snapshot=SnapshotId.new(1 if previous is None else previous.number + 1, at),
            previous=previous,
            created_at=format_time(at),
            source=source,
        )
        place = DataKeyPlace.of(self._tenant, data_key)
        return SnapshotWriter(self._store, place, header, keys, self._pack_bytes)

    def open_snapshot(self, data_key: DataKey, keys: KeySource, snapshot: SnapshotId) -> SnapshotReader:
        """Open a committed snapshot.

        Raises:
            DamagedError: Its commit record or manifest is missing or not what was stored.
            KeyAccessError: The data key may not be used.
        """
        place = DataKeyPlace.of(self._tenant, data_key)
        name = place.commit(snapshot)
        try:
            record = json.loads(self._store.get(name))
            stands_for = (record["format"], record["data_key_id"], record["snapshot"], record["manifest_bytes"])
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(f"object {name} is damaged: it cannot be read ({error})", _EARLIER) from error
        manifest = place.manifest(snapshot)
        if stands_for != (COMMIT_FORMAT, place.data_key_id, snapshot.text, self._store.size_of(manifest)):
            raise DamagedError(f"object {name} is damaged: it does not stand for {manifest}", _EARLIER)
        return SnapshotReader(self._store, place, snapshot, keys)

    def is_empty(self) -> bool:
        """Whether it holds neither a snapshot nor a wrapped key."""
        return not any(True for folder in ("keys", "snapshots") for _ in self._store.names(folder))


def open_vault(location: str, folder: Path, tenant: str) -> Vault | None:
    """Open a tenant's vault.

    Args:
        location: As the declaration says; a relative path is meant from the declaration's folder.
        folder: The declaration's folder.
        tenant: The tenant.

    Returns:
        The vault, or None where there is none.

    Raises:
        InputError: It is another tenant's, or of a kind that this version cannot open.
        DamagedError: It is none, or of a format that this version does not know.
    """
    store = _store(location, folder)
    try:
        marker = store.get(VAULT_MARKER)
    except MissingObjectError:
        if next(store.names(""), None) is None:
            return None
        raise
    try:
        document = json.loads(marker)
        known, owner = document["format"] == FORMAT, document["tenant"]
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{VAULT_MARKER} of the vault {store.location!r} cannot be read: {error}") from error
    if not known:
        raise DamagedError(
            f"the vault {store.location!r} has format {document['format']!r}; this version of Keyturn reads {FORMAT}",
            "use the version of Keyturn that wrote it, or a newer one",
        )
    if owner != tenant:
        raise InputError(
            f"the vault {store.location!r} is of tenant {owner!r}, not {tenant!r}",
            "give each tenant a `vault` of its own in its declaration",
        )
    return Vault(store, tenant)


def open_or_create_vault(location: str, folder: Path, tenant: str) -> Vault:
    """Open a tenant's vault, or make an empty one. Raises as `open_vault`."""
    vault = open_vault(location, folder, tenant)
    if vault is None:
        store = _store(location, folder)
        store.publish(VAULT_MARKER, rfc8785.dumps({"format": FORMAT, "tenant": tenant}))
        vault = Vault(store, tenant)
    return vault


def vault_is_empty(location: str, folder: Path, tenant: str) -> bool:
    """Whether there is no vault, or nothing in it. Raises as `open_vault`."""
    vault = open_vault(location, folder, tenant)
    return vault is None or vault.is_empty()


def _parsed(told: Collection[str]) -> frozenset[SnapshotId]:
    return frozenset(snapshot for text in told if (snapshot := SnapshotId.parse(text)) is not None)


def _store(location: str, folder: Path) -> ObjectStore:
    if location.startswith("s3://"):
        from engine.jobs.s3_objects import open_s3  # boto3 and obstore take time to import

        return open_s3(location)
    if "://" in location:
        raise InputError(
            f"the vault {location!r} is of a kind that this version cannot open",
            "declare the path of a folder, or s3://bucket/prefix",
        )
    return LocalObjectStore(folder / location)
