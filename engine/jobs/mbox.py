"""mBox files: mails one after another, as RFC 4155 describes and every mail program reads.

- Before each mail stands a line `From MAILER-DAEMON TIME`; behind it an empty line. A line of a mail that could
  be taken for such a line gets one `>` more in front (the variant called mboxrd). Line ends become LF.
- The folder that a mail lay in would be lost: it stands in a header `X-Keyturn-Folder` in front of the mail's
  own. Nothing else of a mail is changed.
- The mails of an mBox file are taken over with their own `From` lines; a line counts as one at the beginning
  and behind an empty line.

Mails pass through in blocks: one of any size takes a few MiB of memory.
"""

from __future__ import annotations

import re
import time
from email.header import Header
from typing import TYPE_CHECKING

from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER_HEADER = "X-Keyturn-Folder"
BEGIN = b"From "
_LONGEST_LINE = 1 << 20
_QUOTED = re.compile(rb"^(>*From )", re.MULTILINE)
_SEPARATOR = re.compile(rb"^From [^\n]*(?:\n|\Z)", re.MULTILINE)


def message_lines(pieces: Iterable[memoryview], folder: str, modified_ns: int) -> Iterator[bytes]:
    """One mail as a part of an mBox file.

    Args:
        pieces: The mail as it is (RFC 5322), perhaps with a `From` line of its own in front.
        folder: The folder that it lay in; empty for none.
        modified_ns: When it was written, nanoseconds since 1970.
    """
    began = ended = False
    for block, at_start in _blocks(pieces):
        mail = block
        if not began:
            separator, mail = _own_separator(block)
            yield separator or _separator(modified_ns)
            yield _folder_header(folder)
            began = True
        yield _quoted(mail, at_start=at_start)
        ended = block.endswith(b"\n")
    if not began:
        yield _separator(modified_ns) + _folder_header(folder)
    yield b"\n" if ended or not began else b"\n\n"


def mailbox_lines(pieces: Iterable[memoryview], folder: str) -> Iterator[tuple[bytes, int]]:
    """The mails of an mBox file as a part of another, and how many began in each block.

    Args:
        pieces: The file's content; it begins with `From `.
        folder: The folder that the file stands for; empty for none.
    """
    header = _folder_header(folder)
    tail, blank_before = b"", True
    for block, at_start in _blocks(pieces):
        taken, count = _taken_over(block, header, at_start=at_start, blank_before=blank_before)
        yield taken, count
        blank_before = block.endswith(b"\n\n") or (block == b"\n" and at_start)
        tail = (tail + block)[-2:]
    yield b"" if tail == b"\n\n" else (b"\n" if tail.endswith(b"\n") else b"\n\n"), 0


def _taken_over(block: bytes, header: bytes, *, at_start: bool, blank_before: bool) -> tuple[bytes, int]:
    count = 0

    def put(match: re.Match[bytes]) -> bytes:
        nonlocal count
        start, line = match.start(), match.group()
        if start == 0 and not at_start:
            return line
        behind_empty = block.endswith(b"\n\n", 0, start) or (start == 1 and at_start)
        if not (blank_before if start == 0 else behind_empty):
            return b">" + line
        count += 1
        return (line if line.endswith(b"\n") else line + b"\n") + header

    return _SEPARATOR.sub(put, block), count


def _own_separator(block: bytes) -> tuple[bytes, bytes]:
    """The `From` line that a mail was saved with, and the rest."""
    if not block.startswith(BEGIN):
        return b"", block
    line, _, rest = block.partition(b"\n")
    return line + b"\n", rest


def _separator(modified_ns: int) -> bytes:
    return f"From MAILER-DAEMON {time.asctime(time.gmtime(modified_ns // 1_000_000_000))}\n".encode("ascii")


def _folder_header(folder: str) -> bytes:
    if not folder:
        return b""
    value = Header(printable(folder), header_name=FOLDER_HEADER).encode(linesep="\n")
    return f"{FOLDER_HEADER}: {value}\n".encode("ascii")


def _quoted(block: bytes, *, at_start: bool) -> bytes:
    if at_start:
        return _QUOTED.sub(rb">\1", block)
    rest_of_line, newline, lines = block.partition(b"\n")
    return rest_of_line + newline + _QUOTED.sub(rb">\1", lines)


def _blocks(pieces: Iterable[memoryview]) -> Iterator[tuple[bytes, bool]]:
    """Whole lines with LF ends, many at a time, each block with whether it begins a line; a line may be too long."""
    rest, at_start = b"", True
    for piece in pieces:
        data = rest + piece
        end = data.rfind(b"\n") + 1
        if not end:
            if len(data) < _LONGEST_LINE:
                rest = data
                continue
            end = len(data) - 1  # the last byte may be the CR of a line end
        block, rest = data[:end], data[end:]
        yield block.replace(b"\r\n", b"\n"), at_start
        at_start = block.endswith(b"\n")
    if rest:
        yield rest, at_start
