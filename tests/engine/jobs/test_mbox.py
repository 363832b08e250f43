"""mBox files: Python's own reader finds every mail that was put in, and nothing else, however it was cut."""

from __future__ import annotations

import mailbox
from email.header import decode_header, make_header
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.jobs import mbox
from engine.jobs.mbox import FOLDER_HEADER, mailbox_lines, message_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

AT = 1_767_225_600_000_000_000  # 2026-01-01

# Mails made of what is hard about them: line ends of both kinds, lines like separators, empty lines, no end.
_fragments = st.sampled_from(
    [
        b"From ",
        b"From anna Thu Jan  1\n",
        b">From x",
        b"\n",
        b"\r\n",
        b"\r",
        b"\n\n",
        b"Subject: x\n",
        b"text",
        b"\xff",
        b"x" * 60,
    ]
)
_mails = st.lists(_fragments, max_size=12).map(b"".join)


def cut(data: bytes, size: int) -> list[memoryview]:
    return [memoryview(data[start : start + size]) for start in range(0, len(data), size)]


def read_back(data: bytes) -> list[bytes]:
    """The mails that Python's reader finds in an mBox file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mailbox.mbox"
        path.write_bytes(data)
        found = mailbox.mbox(path, create=False)
        try:
            return [found.get_bytes(key) for key in found.keys()]  # noqa: SIM118 - a mailbox iterates over mails
        finally:
            found.close()


def written(mails: Iterable[bytes], size: int = 5) -> bytes:
    return b"".join(block for mail in mails for block in message_lines(cut(mail, size), "", AT))


def as_kept(mail: bytes) -> bytes:
    """A mail as mBox keeps it: LF ends, lines like separators quoted, a line end at its end."""
    if mail.startswith(b"From "):  # saved with a separator of its own
        mail = mail.partition(b"\n")[2]
    mail = mail.replace(b"\r\n", b"\n")
    lines = mail.split(b"\n")
    kept = b"\n".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in lines)
    return kept if kept.endswith(b"\n") or not kept else kept + b"\n"


@settings(deadline=None)
@given(mails=st.lists(_mails, max_size=5), size=st.integers(1, 9))
def test_every_mail_is_read_back_as_mbox_keeps_it(mails: list[bytes], size: int) -> None:
    assert [mail.rstrip(b"\n") for mail in read_back(written(mails, size))] == [
        as_kept(mail).rstrip(b"\n") for mail in mails
    ]


@settings(deadline=None)
@given(mails=st.lists(_mails, max_size=5), size=st.integers(1, 9), longest=st.sampled_from([50, 1 << 20]))
def test_the_mails_of_an_mbox_file_are_taken_over(mails: list[bytes], size: int, longest: int) -> None:
    file = b"".join(
        b"From someone Thu Jan  1 00:00:00 2026\n" + as_kept(mail.replace(b"\r", b"")) + b"\n" for mail in mails
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mbox, "_LONGEST_LINE", longest)
        taken = list(mailbox_lines(cut(file, size), "")) if file else []
    assert sum(count for _, count in taken) == len(mails)
    again = b"".join(block for block, _ in taken) + written([b"Subject: the next\n"])
    assert read_back(again) == [*read_back(file), b"Subject: the next\n"]


def test_a_line_like_a_separator_that_is_none_in_an_mbox_file_stays_text() -> None:
    file = b"From a\nSubject: x\n\ntext\nFrom now on\n\nFrom b\nSubject: y\n"
    ((block, count), (end, _)) = mailbox_lines([memoryview(file)], "")
    assert count == 2
    assert read_back(block + end) == [b"Subject: x\n\ntext\n>From now on\n", b"Subject: y\n"]


@pytest.mark.parametrize("folder", ["Inbox", "Archiv/2025 & älter", "a\nSubject: evil", "x" * 300, "café \udce9"])
def test_the_folder_stands_in_a_header_that_cannot_be_broken_out_of(folder: str) -> None:
    data = b"".join(message_lines([memoryview(b"Subject: mine\n\ntext\n")], folder, AT))
    with TemporaryDirectory() as place:
        path = Path(place) / "mailbox.mbox"
        path.write_bytes(data)
        found = mailbox.mbox(path, create=False)
        (message,) = list(found)
        found.close()
    assert message.get_all("Subject") == ["mine"]
    assert message.get_payload() == "text\n"
    shown = str(make_header(decode_header(message[FOLDER_HEADER])))
    assert shown.strip().startswith(folder.partition("\n")[0][:4])


def test_a_line_without_end_is_passed_on_in_parts() -> None:
    line = b"x" * 5_000_000
    blocks = list(message_lines(cut(line, 1 << 20), "", AT))
    assert max(map(len, blocks)) <= 2 << 20
    assert b"".join(blocks) == b"From MAILER-DAEMON Thu Jan  1 00:00:00 2026\n" + line + b"\n\n"
