"""Packs: the content of a snapshot's files as one sequence of bytes, cut into objects of one size.

Many small files share a pack, a big one spans several, and neither number nor size of the files shows in the
vault. A pack is written while the next bytes are read and encrypted, and is durable before the next one begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.envelope.segments import plaintext_start
from engine.envelope.stream import EncryptingWriter
from engine.envelope.write_behind import WriteBehind
from engine.jobs.entries import Part
from engine.jobs.snapshot_names import PackName

if TYPE_CHECKING:
    from engine.envelope.segments import KeySource
    from engine.jobs.objects import ObjectStore, ObjectWriter
    from engine.jobs.snapshot_names import DataKeyPlace, SnapshotId

PACK_BYTES = plaintext_start(256)  # 256 whole segments: 256 MiB in the vault


class PackWriter:
    """Encrypts content into packs.

    Args:
        store: Where the packs go.
        place: What they are called and bound to.
        snapshot: The snapshot that they belong to.
        keys: Asked for the data key before each segment.
        pack_bytes: How many bytes of plaintext a pack takes.
    """

    def __init__(
        self,
        store: ObjectStore,
        place: DataKeyPlace,
        snapshot: SnapshotId,
        keys: KeySource,
        pack_bytes: int = PACK_BYTES,
    ) -> None:
        self._store = store
        self._place = place
        self._keys = keys
        self._pack_bytes = pack_bytes
        self._pack = PackName(snapshot, 0)
        self._object: ObjectWriter | None = None
        self._behind: WriteBehind | None = None
        self._stream: EncryptingWriter | None = None
        self._start = 0
        self._parts: list[Part] = []

    def begin_file(self) -> None:
        """Begin the content of a file; what came before without `end_file` belongs to none."""
        self._parts = []
        self._start = 0 if self._stream is None else self._stream.plaintext_bytes

    def room(self) -> memoryview:
        """Room for the next bytes, never empty; put bytes at its start, then `advance`."""
        stream = self._stream
        if stream is not None and stream.plaintext_bytes >= self._pack_bytes:
            self._end_part()
            self._end_pack()
            stream = None
        if stream is None:
            stream = self._begin_pack()
        room, left = stream.room(), self._pack_bytes - stream.plaintext_bytes
        return room if len(room) <= left else room[:left]

    def advance(self, count: int) -> None:
        """Say that `count` bytes were put at the start of `room()`."""
        if self._stream is not None:
            self._stream.advance(count)

    def write(self, data: memoryview) -> None:
        """Take bytes of the file that was begun."""
        while data:
            room = self.room()
            count = min(len(room), len(data))
            room[:count] = data[:count]
            self.advance(count)
            data = data[count:]

    def end_file(self) -> tuple[Part, ...]:
        """End the file that was begun, and say where its content lies."""
        self._end_part()
        return tuple(self._parts)

    def close(self) -> None:
        """End the last pack; all packs are then durable."""
        if self._stream is not None:
            self._end_pack()

    def abandon(self) -> None:
        """Throw the pack in the making away."""
        if self._stream is not None:
            self._stream.abandon()
            self._stream = None
        if self._behind is not None:
            self._behind.drop()
            self._behind = None
        if self._object is not None:
            self._object.abandon()
            self._object = None

    def _begin_pack(self) -> EncryptingWriter:
        self._pack = PackName(self._pack.snapshot, self._pack.number + 1)
        name = self._place.pack(self._pack)
        self._object = self._store.create(name)
        self._behind = WriteBehind(self._object)
        self._stream = EncryptingWriter(self._keys, self._place.associated_data(name), self._behind, f"object {name}")
        self._start = 0
        return self._stream

    def _end_part(self) -> None:
        if self._stream is not None and (length := self._stream.plaintext_bytes - self._start):
            self._parts.append(Part(self._pack, self._start, length))
            self._start += length

    def _end_pack(self) -> None:
        if self._stream is not None and self._behind is not None and self._object is not None:
            self._stream.close()
            self._behind.finish()
            self._object.commit()
        self._stream = self._behind = self._object = None
