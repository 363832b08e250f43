"""Downloads of mailboxes: the mails of a workload, in any of the forms that sources have, as one mBox file (EKM-42).

- A file is a mail if its name ends in `.eml`, or if it lies in the `cur` or `new` of a Maildir; a file that ends
  in `.mbox`, or in nothing, is a whole mailbox if it begins with a `From ` line. What is neither is left out and
  told: it comes with a download of files.
- A mail that is damaged in the vault is told, and the others are given: no mail is passed on before all of it
  has been authenticated.
- PST is Microsoft's own format. No open software writes it, so mBox is given for it, and the report says so.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from engine.errors import DamagedError
from engine.jobs.destination import MadeFile, Written
from engine.jobs.entries import FileEntry, FolderEntry, LinkEntry, Omission, order
from engine.jobs.mbox import BEGIN, mailbox_lines, message_lines
from engine.jobs.progress import Progressed
from engine.jobs.report import Outcome, Problem, ProblemKind, WorkloadResult
from engine.jobs.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.jobs.destination import Destination
    from engine.jobs.entries import Entry
    from engine.jobs.operation import JobContext, OperationKey
    from engine.jobs.snapshot_names import SnapshotId
    from engine.jobs.snapshot_reader import SnapshotReader
    from engine.jobs.workloads import Workload

PROPRIETARY = (
    "PST is a proprietary format that open software cannot write: the mails are given as mBox, an open format that"
    " mail programs read and that tools for Outlook turn into PST"
)
SUFFIX = ".mbox"
_HELD_IN_MEMORY = 4 << 20  # a larger mail is read twice: to authenticate all of it, then to pass it on


@dataclass(slots=True)
class MailboxContent:
    """The mails of one snapshot as an mBox file, and what was met on the way.

    Attributes:
        mails: How many mails were given.
        bytes: How many bytes they have.
        problems: What was left out.
    """

    context: JobContext
    label: str
    key: OperationKey
    snapshot: SnapshotId
    paths: tuple[str, ...] = ()
    mails: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)

    def pieces(self) -> Iterator[memoryview]:
        """The file's content; asked for once.

        Raises:
            DamagedError: The manifest is not what was stored.
            KeyAccessError: The data key may not be used any more.
        """
        selection = Selection(self.paths)
        with closing(self.context.vault.open_snapshot(self.key.record, self.key.lease, self.snapshot)) as reader:
            for entry in reader.entries():
                if selection.takes(entry):
                    yield from self._entry(entry, reader)
        for path in selection.not_found():
            self.problems.append(Problem(path, ProblemKind.MISSING, "is not in this snapshot"))

    def result(self) -> WorkloadResult:
        """What became of the workload."""
        grave = any(problem.kind is not ProblemKind.NOTE for problem in self.problems)
        return WorkloadResult(
            workload=self.label,
            outcome=Outcome.WITH_PROBLEMS if grave else Outcome.COMPLETED,
            snapshot=str(self.snapshot),
            files=self.mails,
            bytes=self.bytes,
            problems=tuple(self.problems),
        )

    def _entry(self, entry: Entry, reader: SnapshotReader) -> Iterator[memoryview]:
        match entry:
            case FileEntry():
                yield from self._file(entry, reader)
            case FolderEntry():
                pass
            case LinkEntry():
                self._leave_out(entry, "is a link, and so not in the mailbox")
            case Omission():
                self._leave_out(entry, f"is not in the snapshot, because it {entry.reason.value}")
            case _:
                assert_never(entry)

    def _file(self, entry: FileEntry, reader: SnapshotReader) -> Iterator[memoryview]:
        place = order(entry.path)
        mail = place[-1].casefold().endswith(".eml") or place[-2:-1] in (["cur"], ["new"])
        mailbox = not mail and (place[-1].casefold().endswith(SUFFIX) or "." not in place[-1])
        content: list[bytes] | None = None
        if mail or mailbox:
            try:
                if mailbox and entry.size and not _begins_a_mailbox(entry, reader):
                    mailbox = False
                else:
                    content = _authenticated(entry, reader)
            except DamagedError as error:
                self.problems.append(Problem(entry.path, ProblemKind.DAMAGED, error.message))
                return
        if not (mail or mailbox):
            self._leave_out(entry, "is not a mail, and so not in the mailbox")
            return
        pieces = reader.content(entry) if content is None else (memoryview(piece) for piece in content)
        if mail:
            self.mails += 1
            for block in message_lines(pieces, _folder_of_mail(place), entry.modified_ns):
                yield memoryview(block)
        elif entry.size:
            for block, count in mailbox_lines(pieces, _folder_of_mailbox(place)):
                self.mails += count
                yield memoryview(block)
        self.bytes += entry.size
        self.context.advance(Progressed(self.label, files=1, bytes=entry.size))

    def _leave_out(self, entry: Entry, reason: str) -> None:
        self.problems.append(Problem(entry.path, ProblemKind.NOTE, reason))


def mailbox_place(workload: Workload) -> tuple[str, ...]:
    """Where the mailbox of a workload goes: beside where its folder would, `exchange_online/anna.mbox`."""
    *above, name = workload.folder
    return (*above, f"{name}{SUFFIX}")


def download_mailbox(
    context: JobContext,
    workload: Workload,
    key: OperationKey,
    snapshot: SnapshotId,
    paths: tuple[str, ...],
    destination: Destination,
) -> WorkloadResult:
    """Write the mails of a workload as one mBox file.

    Raises:
        DamagedError: The snapshot's manifest is not what was stored; nothing is written.
        KeyAccessError: The data key may not be used any more; nothing is written.
        MachineError: The file cannot be written.
    """
    made = [MailboxContent(context, workload.label, key, snapshot, paths)]

    def content() -> Iterator[memoryview]:
        made.append(MailboxContent(context, workload.label, key, snapshot, paths))
        return made[-1].pieces()

    place = mailbox_place(workload)
    written = destination.file(place, MadeFile(int(snapshot.at.timestamp()) * 10**9), content)
    mailbox = made[-1]
    if written in {Written.DIFFERENT, Written.IN_THE_WAY, Written.OWN}:
        mailbox = replace(made[0], problems=[Problem(place[-1], ProblemKind.LEFT_ALONE, written.value)])
    return mailbox.result()


def _folder_of_mail(place: list[str]) -> str:
    """The folder of a mail: where it lies, or, in a Maildir, what its folder stands for (`.Sent.2025` in Maildir++)."""
    *above, _ = place
    if place[-1].casefold().endswith(".eml") or above[-1:] not in (["cur"], ["new"]):
        return "/".join(above)
    *above, _ = above
    return "/".join([*above[:-1], *above[-1][1:].split(".")] if above and above[-1].startswith(".") else above)


def _folder_of_mailbox(place: list[str]) -> str:
    """The folder that an mBox file stands for."""
    *above, name = place
    return "/".join([*above, name[: -len(SUFFIX)] if name.casefold().endswith(SUFFIX) else name])


def _begins_a_mailbox(entry: FileEntry, reader: SnapshotReader) -> bool:
    begin = b""
    for piece in reader.content(entry):  # its first piece may be shorter, where a pack ends there
        begin += piece[: len(BEGIN) - len(begin)]
        if len(begin) == len(BEGIN):
            break
    return begin == BEGIN


def _authenticated(entry: FileEntry, reader: SnapshotReader) -> list[bytes] | None:
    """All of a small file's content, authenticated; None for a large one, which was read through for that."""
    if entry.size <= _HELD_IN_MEMORY:
        return [bytes(piece) for piece in reader.content(entry)]
    for _ in reader.content(entry):
        pass
    return None
