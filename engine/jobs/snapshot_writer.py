"""A snapshot in the making: content into packs, entries into the manifest, and last the commit record.

Nothing of it can be seen before the commit record is there, and the commit record is written when everything
that it stands for is durable. What is left of a snapshot that was never committed is a leftover: the next
backup of the workload deletes it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import rfc8785

from engine.envelope.segments import plaintext_size
from engine.envelope.stream import EncryptingWriter
from engine.errors import DamagedError, KeyturnError
from engine.jobs.manifest import ManifestEncoder
from engine.jobs.packs import PackWriter
from engine.times import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from engine.envelope.segments import KeySource
    from engine.jobs.entries import Entry, FileEntry, ManifestHeader, Totals
    from engine.jobs.objects import ObjectStore
    from engine.jobs.snapshot_names import DataKeyPlace, PackName

COMMIT_FORMAT = 1
_LINES_BYTES = 1 << 16  # lines of the manifest wait for so many


class SnapshotWriter:
    """Writes one snapshot; `Vault.begin_snapshot` makes it.

    Args:
        store: The vault's objects.
        place: What the objects are called and bound to.
        header: The manifest's header.
        keys: Asked for the data key before each segment.
        pack_bytes: How many bytes of plaintext a pack takes.
    """

    def __init__(
        self, store: ObjectStore, place: DataKeyPlace, header: ManifestHeader, keys: KeySource, pack_bytes: int
    ) -> None:
        self._store = store
        self._place = place
        self.snapshot, self.previous = header.snapshot, header.previous
        self._committing = False
        self._sizes: dict[PackName, int] = {}
        self.content = PackWriter(store, place, header.snapshot, keys, pack_bytes)
        name = place.manifest(header.snapshot)
        self._object = store.create(name)
        self._stream = EncryptingWriter(keys, place.associated_data(name), self._object, f"object {name}")
        self._encoder = ManifestEncoder()
        self._lines = bytearray(self._encoder.header(header))

    @property
    def totals(self) -> Totals:
        """What the manifest has counted so far."""
        return self._encoder.totals

    def can_keep(self, entry: FileEntry) -> bool:
        """Whether the content of an entry of an earlier snapshot is still there, so that it can be referred to."""
        return all(part.offset + part.length <= self._size(part.pack) for part in entry.parts)

    def add(self, entry: Entry) -> None:
        """Add an entry; entries come in the order of their paths."""
        self._lines += self._encoder.entry(entry)
        if len(self._lines) >= _LINES_BYTES:
            self._write_lines()

    def commit(self, at: datetime) -> None:
        """Make everything durable, and let the snapshot appear.

        Args:
            at: Now, UTC.

        Raises:
            KeyAccessError: The data key may not be used any more; nothing appears.
            MachineError: The store cannot do it; nothing appears.
        """
        self.content.close()
        self._lines += self._encoder.end()
        self._write_lines()
        self._stream.close()
        self._object.commit()
        record: dict[str, str | int] = {
            "format": COMMIT_FORMAT,
            "tenant": self._place.tenant,
            "data_key_id": self._place.data_key_id,
            "snapshot": str(self.snapshot),
            "committed_at": format_time(at),
            "manifest_bytes": self._stream.ciphertext_bytes,
        }
        self._committing = True
        self._store.publish(self._place.commit(self.snapshot), rfc8785.dumps(record), self._place.data_key_id)

    def abandon(self) -> None:
        """Throw it away; harmless behind `commit`, and where the commit may have happened."""
        self._stream.abandon()
        self._lines.clear()
        # What cannot be deleted now is a leftover, which the next backup collects; the failure that led here
        # must not be hidden by it, and nothing of what is left may stay open.
        with suppress(KeyturnError):
            try:
                self.content.abandon()
            finally:
                self._object.abandon()
            if not self._committing:
                self._store.delete_all(self._place.content(self.snapshot))

    def _write_lines(self) -> None:
        self._stream.write(self._lines)
        self._lines[:] = bytes(len(self._lines))  # names are the customer's
        self._lines.clear()

    def _size(self, pack: PackName) -> int:
        size = self._sizes.get(pack)
        if size is None:
            name = self._place.pack(pack)
            stored = self._store.size_of(name)
            try:
                size = 0 if stored is None else plaintext_size(stored, name)
            except DamagedError:
                size = 0  # the content is stored anew
            self._sizes[pack] = size
        return size
