"""Reading a manifest; its form and the checks that it has to pass are told in `engine.jobs.manifest`."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from engine.errors import DamagedError
from engine.jobs.entries import (
    Entry,
    FileEntry,
    FolderEntry,
    LinkEntry,
    ManifestHeader,
    Omission,
    OmissionReason,
    Part,
    Totals,
    order,
)
from engine.jobs.manifest import FORMAT
from engine.jobs.snapshot_names import PackName, SnapshotId
from engine.jobs.workloads import is_file_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedIOBase

_LONGEST_LINE = 1 << 26


class ManifestDecoder:
    """Reads a manifest.

    Args:
        lines: The decrypted lines; reading them raises `DamagedError` where they are not authentic.
        name: What to call the manifest in errors.
    """

    def __init__(self, lines: BufferedIOBase, name: str) -> None:
        self._lines = lines
        self._name = name
        self._packs: list[PackName] = []
        self._totals = Totals()

    def header(self) -> ManifestHeader:
        """The header; asked for first, and once.

        Raises:
            DamagedError: It is not one, or of a format that this version does not know.
        """
        document = self._document()
        if document.get("format") != FORMAT:
            raise DamagedError(
                f"{self._name} has format {document.get('format')!r}; this version of Keyturn reads {FORMAT}",
                "use the version of Keyturn that wrote it, or a newer one",
            )
        previous = document.get("previous")
        return ManifestHeader(
            tenant=self._text(document, "tenant"),
            workload=self._text(document, "workload"),
            purpose=self._text(document, "purpose"),
            snapshot=self._snapshot(document.get("snapshot")),
            previous=None if previous is None else self._snapshot(previous),
            created_at=self._text(document, "created_at"),
            source=self._text(document, "source"),
        )

    def entries(self) -> Iterator[Entry]:
        """The entries, up to the authenticated end.

        Raises:
            DamagedError: An entry is not one, out of order, or leads out of its folder; or some are missing.
        """
        last: list[str] | None = None
        while "end" not in (document := self._document()):
            if "pack" in document:
                number = self._number(document, "number")
                self._packs.append(PackName(self._snapshot(document["pack"]), number))
                continue
            entry = self._entry(document)
            place = order(entry.path)
            if last is not None and place <= last:
                raise self._damaged("an entry is out of order")
            last = place
            self._totals.count(entry)
            yield entry
        totals = self._totals
        if document["end"] != [totals.entries, totals.files, totals.bytes]:
            raise self._damaged("its totals are not those of its entries")
        if self._lines.readline(1):
            raise self._damaged("it goes on behind its end")

    def _entry(self, document: dict[str, Any]) -> Entry:
        if "file" in document:
            return self._file(document)
        if "folder" in document:
            path = self._path(document["folder"], may_be_empty=True)
            return FolderEntry(path, self._number(document, "mode"), self._time(document, "modified_ns"))
        if "link" in document:
            target = self._of_file_system(self._text(document, "target"))
            return LinkEntry(self._path(document["link"]), target, self._time(document, "modified_ns"))
        if "omitted" in document:
            try:
                reason = OmissionReason[document.get("reason", "")]
            except (KeyError, TypeError):
                raise self._damaged("an omission has no reason") from None
            return Omission(self._path(document["omitted"], may_be_empty=True), reason)
        raise self._damaged("a line is of no known kind")

    def _file(self, document: dict[str, Any]) -> FileEntry:
        size, parts, triples = self._number(document, "size"), [], document.get("parts")
        if not isinstance(triples, list):
            raise self._damaged("a file has no parts")
        for triple in triples:
            if not (isinstance(triple, list) and len(triple) == 3 and all(_is_number(value) for value in triple)):
                raise self._damaged("a part is not a triple of numbers")
            pack, offset, length = triple
            if pack >= len(self._packs) or length == 0:
                raise self._damaged("a part lies nowhere")
            parts.append(Part(self._packs[pack], offset, length))
        if sum(part.length for part in parts) != size:
            raise self._damaged("a file's parts are not its size")
        return FileEntry(
            path=self._path(document["file"]),
            size=size,
            mode=self._number(document, "mode"),
            modified_ns=self._time(document, "modified_ns"),
            changed_ns=self._time(document, "changed_ns"),
            inode=self._number(document, "inode"),
            settled=document.get("settled") is True,
            parts=tuple(parts),
        )

    def _document(self) -> dict[str, Any]:
        line = self._lines.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise self._damaged("it has no end" if not line else "a line is too long")
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._damaged("a line is not JSON") from error
        if not isinstance(document, dict):
            raise self._damaged("a line is not a JSON object")
        return document

    def _path(self, value: Any, *, may_be_empty: bool = False) -> str:
        if value == "" and may_be_empty:
            return ""
        if not isinstance(value, str) or not all(is_file_name(name) for name in value.split("/")):
            raise self._damaged("a path leads out of its folder")
        return self._of_file_system(value)

    def _of_file_system(self, value: str) -> str:
        try:
            os.fsencode(value)
        except UnicodeEncodeError:
            raise self._damaged("a name is not one of any file system") from None
        return value

    def _text(self, document: dict[str, Any], key: str) -> str:
        value = document.get(key)
        if not isinstance(value, str) or "\0" in value:
            raise self._damaged(f"{key} is not text")
        return value

    def _number(self, document: dict[str, Any], key: str) -> int:
        value = document.get(key)
        if not isinstance(value, int) or not _is_number(value):
            raise self._damaged(f"{key} is not a number")
        return value

    def _time(self, document: dict[str, Any], key: str) -> int:
        value = document.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 63:
            raise self._damaged(f"{key} is not a time")
        return value

    def _snapshot(self, value: Any) -> SnapshotId:
        snapshot = SnapshotId.parse(value) if isinstance(value, str) else None
        if snapshot is None:
            raise self._damaged("it names a snapshot that cannot be")
        return snapshot

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError(f"{self._name} is damaged: {what}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
