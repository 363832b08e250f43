"""A sample tenant: an organisation of every product as a folder tree, for tests, benchmarks and the demonstration.

- Microsoft 365: each user's mailbox and drive, sites, teams, groups, public folders. Google Workspace: mailboxes
  and drives, team drives. Entra ID: the objects of a directory (`engine.jobs.sample_directory`).
- Mailboxes come in every form that sources have: most as `.eml` files, some as a Maildir, some as mBox files.
- The same size and seed make the same tree, byte for byte and time for time. Names have spaces, umlauts, other
  scripts and emoji, as real ones do; content is in real formats (`engine.jobs.sample_documents`).
"""

from __future__ import annotations

import math
import os
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, assert_never

from engine.errors import InputError, MachineError
from engine.jobs import sample_documents as documents
from engine.jobs.mbox import message_lines
from engine.jobs.sample_directory import directory_objects
from engine.printing import printable

if TYPE_CHECKING:
    from pathlib import Path

_USERS = (
    *("Anna Lindqvist", "Jürgen Müller", "Zoë O'Brien", "李娜", "Søren Kjær", "Ivana Đorđević", "Marta Núñez"),
    *("Tom Baker", "أمل حسن", "Noah Weiß", "Priya Nair", "Ólafur Jónsson"),
)
_SITES = ("Intranet", "Projekt Größe 2026", "Vertrieb & Marketing", "Research 🔬", "Recht", "Board")
_TEAMS = ("Marketing", "Entwicklung", "Customer Success 🎉", "Einkauf", "Security")
_GROUPS = ("All Company", "Wandergruppe Zürich", "Pilots", "Bürohunde 🐕")
_PUBLIC_FOLDERS = ("Company Calendar", "Aushänge", "Forms")
_BEGIN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


class MailboxForm(Enum):
    """How the mails of a mailbox lie in a source."""

    FILES = "files"
    MAILDIR = "Maildir"
    MBOX = "mBox"


_FORMS = (MailboxForm.FILES, MailboxForm.FILES, MailboxForm.MAILDIR, MailboxForm.MBOX)


@dataclass(frozen=True, slots=True)
class TenantSize:
    """How large a sample tenant is; the defaults make some 530 files and 87 MB.

    Attributes:
        users: How many users of Microsoft 365, each with a mailbox and a drive.
        mails: How many mails each mailbox has; every sixth has a file attached.
        documents: How many documents each drive, and each site, has.
        sites: How many SharePoint sites.
        teams: How many teams.
        groups: How many groups.
        public_folders: How many public folders.
        document_bytes: About how large a picture in a document is.
        google_users: How many users of Google Workspace, each with a mailbox and a drive.
        team_drives: How many team drives.
        directory_users: How many users the directory has; groups, devices and policies come with them.
    """

    users: int = 8
    mails: int = 45
    documents: int = 12
    sites: int = 3
    teams: int = 3
    groups: int = 2
    public_folders: int = 2
    document_bytes: int = 400_000
    google_users: int = 2
    team_drives: int = 1
    directory_users: int = 12

    @classmethod
    def about(cls, megabytes: int) -> TenantSize:
        """The size of a tenant of about so many megabytes, from 3 on; small ones have small documents too."""
        usual = cls()
        factor = megabytes / 87  # the usual one's
        many = factor if factor > 1 else math.sqrt(factor)

        def scaled(count: int) -> int:
            return max(1, round(count * many))

        return replace(
            usual,
            users=scaled(usual.users),
            mails=max(6, round(usual.mails * min(2 * many, 1))),
            documents=max(5, round(usual.documents * min(2 * many, 1))),
            sites=scaled(usual.sites),
            teams=scaled(usual.teams),
            groups=scaled(usual.groups),
            public_folders=scaled(usual.public_folders),
            document_bytes=round(usual.document_bytes * min(factor / many, 1)),
            google_users=scaled(usual.google_users),
            team_drives=scaled(usual.team_drives),
            directory_users=scaled(usual.directory_users),
        )


@dataclass(frozen=True, slots=True)
class SampleTenant:
    """What was made: how many files, and how many bytes they have."""

    files: int
    bytes: int


def make_sample_tenant(folder: Path, size: TenantSize | None = None, seed: int = 1) -> SampleTenant:
    """Make a sample tenant.

    Args:
        folder: Where; it must be empty or not there.
        size: How large.
        seed: Another seed makes another tenant of the same size.

    Raises:
        InputError: The folder has something in it.
        MachineError: It cannot be written.
    """
    size = size or TenantSize()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(
                f"{printable(str(folder))!r} is not empty: a sample tenant is made in a folder of its own",
                "name a folder that does not exist yet",
            )
        maker = _Maker(folder, random.Random(seed), size)  # noqa: S311 - a reproducible tenant, and no secret in it
        maker.make()
    except OSError as error:
        raise MachineError(f"{printable(str(folder))!r} cannot be written to: {error.strerror}") from error
    return SampleTenant(maker.files, maker.bytes)


class _Maker:
    def __init__(self, folder: Path, source: random.Random, size: TenantSize) -> None:
        self._folder = folder
        self._random = source
        self._size = size
        self._users = tuple(_name(_USERS, number) for number in range(size.users))
        self.files = 0
        self.bytes = 0

    def make(self) -> None:
        size = self._size
        for number, user in enumerate(self._users):
            self._mailbox(f"exchange_online/{user}", size.mails, _FORMS[number % len(_FORMS)])
            self._documents(f"onedrive/{user}/Documents", size.documents)
            self._write(f"onedrive/{user}/Notizen.txt", documents.sentences(self._random, 20).encode())
        for number in range(size.sites):
            self._documents(f"sharepoint/{_name(_SITES, number)}/Shared Documents", size.documents)
        for number in range(size.teams):
            team = f"teams/{_name(_TEAMS, number)}"
            self._write(f"{team}/General/messages.json", documents.chat(self._random, self._users or _USERS, 200))
            self._documents(f"{team}/General/Files", max(1, size.documents // 4))
        for number in range(size.groups):
            self._mailbox(f"groups/{_name(_GROUPS, number)}", max(1, size.mails // 4))
        for number in range(size.public_folders):
            self._mailbox(f"public_folder/{_name(_PUBLIC_FOLDERS, number)}", max(1, size.mails // 8))
        for number in range(size.google_users):
            user = _name(_USERS, number)
            self._mailbox(f"gmail/{user}", size.mails, MailboxForm.MBOX)
            self._documents(f"google_drive/{user}/My Drive", size.documents)
        for number in range(size.team_drives):
            self._documents(f"team_drive/{_name(_SITES, number)}", size.documents)
        names = tuple(_name(_USERS, number) for number in range(size.directory_users))
        for path, content in directory_objects(self._random, names):
            self._write(f"directory/northwind.example/{path}", content)

    def _mailbox(self, folder: str, count: int, form: MailboxForm = MailboxForm.FILES) -> None:
        boxes: dict[str, tuple[list[bytes], datetime]] = {}
        for number in range(1, count + 1):
            sender, recipient = (f"{self._random.choice(_USERS)} <user{number}@northwind.example>" for _ in range(2))
            title = documents.subject(self._random, number)
            attachment = None
            if number % 6 == 0:
                attachment = f"{title}.pdf", documents.pdf(self._random, title, self._document_bytes())
            at = self._time()
            place = self._random.choice(("Inbox", "Inbox", "Sent Items", "Archiv/2025 & älter"))
            content = documents.mail(self._random, sender, recipient, title, at, attachment)
            match form:
                case MailboxForm.FILES:
                    self._write(f"{folder}/{place}/{at:%Y-%m-%d} {title}.eml", content, at)
                case MailboxForm.MAILDIR:
                    inside = "" if place == "Inbox" else f".{place.replace('/', '.')}/"
                    flags = self._random.choice(("", "S", "FS"))
                    self._deliver(f"{folder}/Maildir", inside, f"{number}P1.northwind:2,{flags}", content, at)
                case MailboxForm.MBOX:
                    mails, latest = boxes.get(place, ([], at))
                    boxes[place] = [*mails, content], max(latest, at)
                case _:
                    assert_never(form)
        for place, (mails, latest) in boxes.items():
            nanoseconds = int(latest.timestamp()) * 1_000_000_000
            lines = (line for mail in mails for line in message_lines([memoryview(mail)], "", nanoseconds))
            self._write(f"{folder}/{place.replace('/', ' ')}.mbox", b"".join(lines), latest)

    def _deliver(self, maildir: str, inside: str, name: str, content: bytes, at: datetime) -> None:
        """Put a mail into a folder of a Maildir, each of which has its three folders."""
        for part in ("cur", "new", "tmp"):
            for folder in ("", inside):
                (self._folder / f"{maildir}/{folder}{part}").mkdir(parents=True, exist_ok=True)
        self._write(f"{maildir}/{inside}cur/{int(at.timestamp())}.M{name}", content, at)

    def _documents(self, folder: str, count: int) -> None:
        for number in range(1, count + 1):
            title, size = documents.subject(self._random, number), self._document_bytes()
            kind = number % 5
            if kind == 0:
                self._write(f"{folder}/{title}.csv", documents.table(self._random, 2000))
            elif kind == 1:
                self._write(f"{folder}/{title}.docx", documents.word_document(self._random, title, size))
            elif kind == 2:
                self._write(f"{folder}/{title}.xlsx", documents.workbook(self._random, 1500))
            elif kind == 3:
                self._write(f"{folder}/Scans/{title}.pdf", documents.pdf(self._random, title, size))
            else:
                self._write(f"{folder}/Bilder/{title}.png", documents.picture(self._random, size))

    def _document_bytes(self) -> int:
        return self._random.randint(self._size.document_bytes // 2, self._size.document_bytes * 3 // 2)

    def _time(self) -> datetime:
        return _BEGIN + timedelta(seconds=self._random.randrange(180 * 86_400))

    def _write(self, path: str, content: bytes, at: datetime | None = None) -> None:
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        seconds = int((at or self._time()).timestamp())
        os.utime(file, (seconds, seconds))
        self.files += 1
        self.bytes += len(content)


def _name(names: tuple[str, ...], number: int) -> str:
    """The name of this number; behind the last one they begin anew, numbered."""
    again, place = divmod(number, len(names))
    return f"{names[place]} {again + 1}" if again else names[place]
