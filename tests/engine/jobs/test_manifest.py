"""Manifests: what is written is read, and nothing that could do harm or is incomplete is read as if it were right."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    order,
)
from engine.jobs.manifest import ManifestEncoder
from engine.jobs.manifest_reader import ManifestDecoder
from engine.jobs.snapshot_names import PackName, SnapshotId
from tests.builders import NOW

SNAPSHOT = SnapshotId.new(7, NOW)
EARLIER = SnapshotId.new(6, NOW)
HEADER = ManifestHeader(
    "northwind", "onedrive/bob", "payload", SNAPSHOT, EARLIER, "2026-03-01T12:00:00.000000Z", "/tenant"
)
FILE: dict[str, Any] = {
    "file": "a/b",
    "size": 0,
    "mode": 0o644,
    "modified_ns": 1,
    "changed_ns": 1,
    "inode": 1,
    "settled": True,
    "parts": [],
}
PACK = {"pack": str(SNAPSHOT), "number": 1}

_names = (
    st.binary(min_size=1, max_size=12)
    .filter(lambda name: name not in {b".", b".."} and not {0, ord("/")} & set(name))
    .map(os.fsdecode)
)
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join)
_numbers = st.integers(0, 2**63 - 1)
_times = st.integers(-(2**62), 2**62)
_packs = st.builds(PackName, st.sampled_from([SNAPSHOT, EARLIER]), st.integers(1, 9))
_parts = st.lists(st.builds(Part, _packs, st.integers(0, 2**40), st.integers(1, 2**40)), max_size=4).map(tuple)


def _file(path: str, parts: tuple[Part, ...], mode: int, time: int, inode: int, settled: bool) -> FileEntry:
    return FileEntry(path, sum(part.length for part in parts), mode, time, time, inode, settled, parts)


_entries = st.one_of(
    st.builds(_file, _paths, _parts, _numbers, _times, _numbers, st.booleans()),
    st.builds(FolderEntry, _paths, _numbers, _times),
    st.builds(LinkEntry, _paths, _paths, _times),
    st.builds(Omission, _paths, st.sampled_from(OmissionReason)),
)


def encoded(entries: list[Entry]) -> bytes:
    encoder = ManifestEncoder()
    return encoder.header(HEADER) + b"".join(encoder.entry(entry) for entry in entries) + encoder.end()


def decoded(data: bytes) -> tuple[ManifestHeader, list[Entry]]:
    decoder = ManifestDecoder(io.BytesIO(data), "the manifest")
    return decoder.header(), list(decoder.entries())


@settings(deadline=None)
@given(entries=st.lists(_entries, max_size=12, unique_by=lambda entry: entry.path))
def test_every_manifest_is_read_as_it_was_written(entries: list[Entry]) -> None:
    entries.sort(key=lambda entry: order(entry.path))
    assert decoded(encoded(entries)) == (HEADER, entries)


@settings(deadline=None)
@given(
    entries=st.lists(_entries, min_size=1, max_size=6, unique_by=lambda entry: entry.path),
    place=st.floats(0, 1, exclude_max=True),
)
def test_a_manifest_that_lacks_its_end_is_never_read_as_whole(entries: list[Entry], place: float) -> None:
    entries.sort(key=lambda entry: order(entry.path))
    data = encoded(entries)
    with pytest.raises(DamagedError):
        decoded(data[: int(len(data) * place)])


@settings(deadline=None)
@given(data=st.binary(max_size=200))
def test_what_is_no_manifest_is_damaged_and_nothing_else(data: bytes) -> None:
    header = ManifestEncoder().header(HEADER)
    for text in (data, header + data, header + data + b"\n"):
        with pytest.raises(DamagedError):
            decoded(text)


def test_entries_out_of_order_are_not_written() -> None:
    encoder = ManifestEncoder()
    encoder.entry(FolderEntry("b", 0, 0))
    with pytest.raises(ValueError, match="order"):
        encoder.entry(FolderEntry("a", 0, 0))


def lines(*documents: dict[str, Any] | list[Any] | str) -> bytes:
    """A manifest of these lines behind a right header, with an end that counts them rightly."""
    files = [d for d in documents if isinstance(d, dict) and "file" in d]
    entries = [d for d in documents if isinstance(d, dict) and not d.keys() & {"pack"}]
    size = sum(d["size"] for d in files if isinstance(d.get("size"), int))
    end = {"end": [len(entries), len(files), size]}
    return ManifestEncoder().header(HEADER) + b"".join(json.dumps(d).encode() + b"\n" for d in (*documents, end))


def test_the_lines_below_would_pass_if_nothing_were_wrong_with_them() -> None:
    part = FILE | {"size": 3, "parts": [[0, 5, 3]]}
    assert len(decoded(lines({"folder": "", "mode": 0, "modified_ns": 0}, PACK, part))[1]) == 2


HOSTILE_PATHS = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/..",
    "./a",
    "a//b",
    "a/",
    "a/.",
    "\0",
    "a\0b",
    "\ud800",
    5,
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
@pytest.mark.parametrize("kind", ["file", "folder", "link", "omitted"])
def test_no_path_leads_out_of_its_folder(path: Any, kind: str) -> None:
    line = {
        "file": FILE,
        "folder": {"mode": 0, "modified_ns": 0},
        "link": {"target": "x", "modified_ns": 0},
        "omitted": {"reason": "VANISHED"},
    }[kind] | {kind: path}
    if path == "" and kind in {"folder", "omitted"}:
        return  # the workload's own folder
    with pytest.raises(DamagedError):
        decoded(lines(line))


@pytest.mark.parametrize(
    "documents",
    [
        [FILE, FILE],
        [FILE | {"file": "b"}, FILE | {"file": "a"}],
        [{"link": "a", "target": "x", "modified_ns": 0}, FILE | {"file": "a"}],
        [FILE | {"size": 1}],
        [FILE | {"size": -1}],
        [FILE | {"size": True}],
        [FILE | {"size": 1 << 63}],
        [FILE | {"size": 3, "parts": [[0, 0, 3]]}],
        [PACK, FILE | {"size": 3, "parts": [[1, 0, 3]]}],
        [PACK, FILE | {"size": 3, "parts": [[-1, 0, 3]]}],
        [PACK, FILE | {"size": 3, "parts": [[0, -1, 3]]}],
        [PACK, FILE | {"size": 3, "parts": [[0, 0, 2]]}],
        [PACK, FILE | {"size": 0, "parts": [[0, 0, 0]]}],
        [PACK, FILE | {"size": 3, "parts": [[0, 0, 4], [0, 9, -1]]}],
        [PACK, FILE | {"size": 3, "parts": [{"pack": 0}]}],
        [PACK, FILE | {"size": 3, "parts": 3}],
        [PACK, FILE | {"size": 3, "parts": "abc"}],
        [FILE | {"mode": "0644"}],
        [FILE | {"modified_ns": 1 << 63}],
        [FILE | {"modified_ns": 1.5}],
        [{"pack": "../../keys", "number": 1}],
        [{"pack": "000001-20269901T000000Z-00000000", "number": 1}],
        [{"pack": str(SNAPSHOT), "number": "1/../../x"}],
        [{"pack": 5, "number": 1}],
        [{"link": "a", "target": 7, "modified_ns": 0}],
        [{"link": "a", "target": "a\0b", "modified_ns": 0}],
        [{"link": "a", "target": "\ud800", "modified_ns": 0}],
        [{"omitted": "a", "reason": "BECAUSE"}],
        [{"omitted": "a", "reason": []}],
        [{"device": "a"}],
        [["file", "a"]],
        ["file"],
        [{}],
    ],
)
def test_what_fails_a_check_is_damaged(documents: list[Any]) -> None:
    with pytest.raises(DamagedError):
        decoded(lines(*documents))


@pytest.mark.parametrize("end", [[0, 0, 0], [1, 0, 0], [1, 1, 1], [1, 1], None, {}])
def test_totals_that_are_not_those_of_the_entries_are_damaged(end: Any) -> None:
    header = ManifestEncoder().header(HEADER)
    with pytest.raises(DamagedError):
        decoded(header + json.dumps(FILE).encode() + b"\n" + json.dumps({"end": end}).encode() + b"\n")


def test_what_follows_the_end_is_damaged() -> None:
    with pytest.raises(DamagedError):
        decoded(encoded([]) + b"\n")


def test_deep_nesting_is_damaged_and_not_a_crash() -> None:
    with pytest.raises(DamagedError):
        decoded(ManifestEncoder().header(HEADER) + b'{"file":' + b"[" * 200_000 + b"\n")


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"format": None}, {"tenant": 5}, {"snapshot": "latest"}, {"snapshot": None}, {"previous": ".."}],
)
def test_a_header_that_is_none_is_damaged(change: dict[str, Any]) -> None:
    header = json.loads(ManifestEncoder().header(HEADER)) | change
    with pytest.raises(DamagedError):
        decoded(json.dumps(header).encode() + b"\n")


def test_ids_of_snapshots_sort_by_number_whatever_the_clock_did() -> None:
    ids = [SnapshotId.new(number, NOW.replace(year=2030 - number)) for number in (1, 2, 10)]
    assert sorted(ids, key=lambda snapshot: snapshot.text) == ids
    assert [snapshot.number for snapshot in ids] == [1, 2, 10]
    assert SnapshotId.parse(ids[0].text) == ids[0]
    assert ids[0].at == NOW.replace(year=2029)
