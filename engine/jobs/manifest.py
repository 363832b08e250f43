"""The manifest of a snapshot: every entry of one workload, and where its content lies.

A manifest is a stream of lines, each a JSON object, encrypted like every payload:

- first a header: format, tenant, workload, purpose, snapshot, the snapshot before it, time, and the source;
- then the entries, in the order of their paths' components, which is also the order of a walk: each folder
  before what is in it. No path stands twice. Names that are not UTF-8 are kept byte for byte;
- a pack is introduced by a line of its own before the first entry that refers to it; an entry's `parts` are
  triples of pack, offset and length, in order. A pack may be one of an earlier snapshot: what did not change
  is not stored again;
- last an end line with the totals.

A manifest is checked as it is read, even though it is authentic: whoever wrote it may have been hostile, so no
path leads out of its folder, and numbers are what they say. What fails a check is damaged.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, assert_never

from engine.jobs.entries import Entry, FileEntry, FolderEntry, LinkEntry, ManifestHeader, Omission, Totals, order

if TYPE_CHECKING:
    from engine.jobs.snapshot_names import PackName

FORMAT = 1

_text = json.encoder.encode_basestring_ascii
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode


class ManifestEncoder:
    """Makes the lines of a manifest."""

    def __init__(self) -> None:
        self._packs: dict[PackName, int] = {}
        self._pack: PackName | None = None  # the last one that was referred to
        self._pack_number = 0
        self._last: list[str] | None = None
        self.totals = Totals()

    def header(self, header: ManifestHeader) -> bytes:
        """The first line."""
        return _line(
            {
                "format": FORMAT,
                "tenant": header.tenant,
                "workload": header.workload,
                "purpose": header.purpose,
                "snapshot": str(header.snapshot),
                "previous": None if header.previous is None else str(header.previous),
                "created_at": header.created_at,
                "source": header.source,
            }
        )

    def entry(self, entry: Entry) -> bytes:
        """The lines of an entry; entries come in order."""
        place = order(entry.path)
        if self._last is not None and place <= self._last:
            raise ValueError("the entries of a manifest come in the order of their paths")
        self._last = place
        self.totals.count(entry)
        match entry:
            case FileEntry():
                return self._file(entry)
            case FolderEntry():
                return _line({"folder": entry.path, "mode": entry.mode, "modified_ns": entry.modified_ns})
            case LinkEntry():
                return _line({"link": entry.path, "target": entry.target, "modified_ns": entry.modified_ns})
            case Omission():
                return _line({"omitted": entry.path, "reason": entry.reason.name})
            case _:
                assert_never(entry)

    def end(self) -> bytes:
        """The last line."""
        return _line({"end": [self.totals.entries, self.totals.files, self.totals.bytes]})

    def _file(self, entry: FileEntry) -> bytes:
        lines, parts = b"", []
        for part in entry.parts:
            if part.pack is not self._pack:  # neighbours share the object, whose hash takes time
                number = self._packs.get(part.pack)
                if number is None:
                    number = self._packs[part.pack] = len(self._packs)
                    lines += _line({"pack": str(part.pack.snapshot), "number": part.pack.number})
                self._pack, self._pack_number = part.pack, number
            parts.append(f"[{self._pack_number},{part.offset},{part.length}]")
        return lines + _file_line(entry, parts)


def _file_line(entry: FileEntry, parts: list[str]) -> bytes:
    """As `_line` would make it, in a third of its time: a snapshot has one such line for each file."""
    return (
        f'{{"file":{_text(entry.path)},"size":{entry.size},"mode":{entry.mode},"modified_ns":{entry.modified_ns},'
        f'"changed_ns":{entry.changed_ns},"inode":{entry.inode},"settled":{"true" if entry.settled else "false"},'
        f'"parts":[{",".join(parts)}]}}\n'
    ).encode("ascii")


def _line(document: dict[str, Any]) -> bytes:
    return _encode(document).encode("ascii") + b"\n"
