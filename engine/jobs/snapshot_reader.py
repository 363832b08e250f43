"""A committed snapshot as it is read: its entries from the manifest, and the content of files from its packs."""

from __future__ import annotations

import io
from collections import OrderedDict
from typing import TYPE_CHECKING

from engine.envelope.random_access import RandomAccessReader
from engine.envelope.stream import DecryptingReader
from engine.errors import DamagedError
from engine.jobs.entries import FileEntry, order
from engine.jobs.manifest_reader import ManifestDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.envelope.segments import KeySource
    from engine.jobs.entries import Entry, ManifestHeader
    from engine.jobs.objects import ObjectReader, ObjectStore
    from engine.jobs.snapshot_names import DataKeyPlace, PackName, SnapshotId

_OPEN_PACKS = 4  # each holds 2 MiB of buffers


class SnapshotReader:
    """Reads one snapshot; `Vault.open_snapshot` makes it. To be closed.

    Args:
        store: The vault's objects.
        place: What the objects are called and bound to.
        snapshot: The snapshot.
        keys: Asked for the data key before each segment.

    Raises:
        DamagedError: The manifest is missing, or not what was stored.
        KeyAccessError: The data key may not be used.
    """

    def __init__(self, store: ObjectStore, place: DataKeyPlace, snapshot: SnapshotId, keys: KeySource) -> None:
        self._store = store
        self._place = place
        self._keys = keys
        self._packs: OrderedDict[PackName, tuple[ObjectReader, RandomAccessReader]] = OrderedDict()
        name = place.manifest(snapshot)
        self._object = store.open(name)
        try:
            self._stream = DecryptingReader(keys, place.associated_data(name), self._object, f"object {name}")
            self._decoder = ManifestDecoder(io.BufferedReader(self._stream, 1 << 20), f"object {name}")
            self.header: ManifestHeader = self._decoder.header()
            _check_header(self.header, place, snapshot, name)
        except BaseException:
            self._object.close()
            raise

    def entries(self) -> Iterator[Entry]:
        """The entries in the order of their paths, once, up to the authenticated end.

        Raises:
            DamagedError: The manifest is not what was stored, or an entry is not one.
            KeyAccessError: The data key may not be used any more.
        """
        return self._decoder.entries()

    def content(self, entry: FileEntry) -> Iterator[memoryview]:
        """The content of a file in pieces, each authenticated, and valid until the next one is asked for.

        Raises:
            DamagedError: It is missing, or not what was stored.
            KeyAccessError: The data key may not be used any more.
        """
        for part in entry.parts:
            yield from self.pack(part.pack).pieces(part.offset, part.length)

    def pack(self, pack: PackName) -> RandomAccessReader:
        """A pack, for reading at any place; good until a few others were asked for.

        Raises:
            DamagedError: It is missing, or of no size that a pack has.
        """
        if pack in self._packs:
            self._packs.move_to_end(pack)
            return self._packs[pack][1]
        if len(self._packs) == _OPEN_PACKS:
            self._close_oldest()
        name = self._place.pack(pack)
        stored = self._store.open(name)
        try:
            reader = RandomAccessReader(
                self._keys, self._place.associated_data(name), stored, stored.size, f"object {name}"
            )
        except BaseException:
            stored.close()
            raise
        self._packs[pack] = stored, reader
        return reader

    def close(self) -> None:
        """Let go of everything, and wipe what is kept of the plaintext."""
        self._stream.close()
        self._object.close()
        while self._packs:
            self._close_oldest()

    def _close_oldest(self) -> None:
        _, (stored, reader) = self._packs.popitem(last=False)
        reader.close()
        stored.close()


class EarlierFiles:
    """The files of the snapshot before, to be looked up in the order of their paths.

    What cannot be read of it is as if it were not there: its files are stored anew, and `damage` says why.

    Args:
        reader: The snapshot before, or None.
        damage: Why there is no reader although there is a snapshot, or None.
    """

    def __init__(self, reader: SnapshotReader | None, damage: DamagedError | None = None) -> None:
        self._entries = iter(()) if reader is None else reader.entries()
        self._next: Entry | None = None
        self._place: list[str] | None = []
        self.damage = damage

    def find(self, path: str) -> FileEntry | None:
        """The file of exactly this path; paths are asked for in order.

        Raises:
            KeyAccessError: The data key may not be used any more.
        """
        if self._place is None:
            return None
        place = order(path)
        while self._place is not None and (self._next is None or self._place < place):
            self._step()
        return self._next if self._place == place and isinstance(self._next, FileEntry) else None

    def _step(self) -> None:
        try:
            self._next = next(self._entries, None)
        except DamagedError as error:
            self._next, self.damage = None, error
        self._place = None if self._next is None else order(self._next.path)


def _check_header(header: ManifestHeader, place: DataKeyPlace, snapshot: SnapshotId, name: str) -> None:
    said = (header.tenant, header.workload, header.purpose, header.snapshot)
    if said != (place.tenant, place.workload, place.purpose, snapshot):
        raise DamagedError(f"object {name} is damaged: it says that it is {header.workload!r} at {header.snapshot}")
