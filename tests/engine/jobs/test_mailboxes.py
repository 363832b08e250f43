"""Downloads of mailboxes: one mBox file a workload, whatever form its mails had in the source."""

from __future__ import annotations

import mailbox
from email.header import decode_header, make_header
from typing import TYPE_CHECKING

import pytest

from engine.catalogue import Product, WorkflowKind, find_workflow
from engine.errors import ExitCode, InputError, KeyAccessError
from engine.jobs.mbox import FOLDER_HEADER
from engine.jobs.report import Outcome, ProblemKind
from engine.jobs.restore import RestoreRequest, download
from engine.jobs.sample_tenant import TenantSize, make_sample_tenant
from engine.jobs.vault import Vault
from tests.engine.jobs.world import only, succeeded, tree

if TYPE_CHECKING:
    from pathlib import Path

    from engine.jobs.report import JobReport
    from tests.engine.jobs.world import World

MBOX = find_workflow(Product.MICROSOFT_365, WorkflowKind.DOWNLOAD, "PST and mBox download")


def mail(subject: str) -> bytes:
    return f"Subject: {subject}\r\n\r\nText of {subject}\r\n".encode()


def read(path: Path) -> list[tuple[str, str]]:
    """The subjects and folders of an mBox file, as Python's reader finds them."""
    found = mailbox.mbox(path, create=False)
    try:
        return [
            (str(message["Subject"]), str(make_header(decode_header(message[FOLDER_HEADER] or ""))))
            for message in found
        ]
    finally:
        found.close()


def get(world: World, *workloads: str, folder: str = "device", overwrite: bool = False) -> JobReport:
    request = RestoreRequest(world.root / folder, workloads or None, overwrite=overwrite)
    return download(world.context, MBOX, request)


@pytest.mark.requirement("EKM-42")
@pytest.mark.parametrize(
    "form", [".eml files", "a Maildir", "a Maildir++ with folders in it", "mBox files", "everything at once"]
)
def test_mails_of_any_form_come_as_one_mbox_that_python_reads_back(world: World, form: str) -> None:
    anna = world.source / "exchange_online/anna"
    anna.mkdir(parents=True)
    expected: list[tuple[str, str]] = []
    if form in {".eml files", "everything at once"}:
        world.write("exchange_online/anna/Inbox/1.eml", mail("first"))
        world.write("exchange_online/anna/Archiv & älter/2.EML", mail("second"))
        world.write("exchange_online/anna/loose.eml", mail("third"))
        expected += [("first", "Inbox"), ("second", "Archiv & älter"), ("third", "")]
    if form in {"a Maildir", "everything at once"}:
        folder = mailbox.Maildir(anna / "maildir", create=True)
        folder.add(mail("delivered"))
        flagged = mailbox.MaildirMessage(mail("read"))
        flagged.set_subdir("cur")
        flagged.add_flag("S")
        folder.add(flagged)
        expected += [("delivered", "maildir"), ("read", "maildir")]
    if form in {"a Maildir++ with folders in it", "everything at once"}:
        top = mailbox.Maildir(anna / "plus", create=True)
        top.add(mail("top"))
        top.add_folder("Sent.2025").add(mail("sent"))
        expected += [("top", "plus"), ("sent", "plus/Sent/2025")]
    if form in {"mBox files", "everything at once"}:
        for name in ("Drafts.mbox", "Sent Items"):
            box = mailbox.mbox(anna / name)
            box.add(mail(f"one of {name}"))
            box.add(mail(f"two of {name}"))
            box.close()
            expected += [(f"{number} of {name}", name.removesuffix(".mbox")) for number in ("one", "two")]
    assert succeeded(world.back_up())
    report = get(world)
    assert succeeded(report)
    assert sorted(read(world.root / "device/exchange_online/anna.mbox")) == sorted(expected)
    assert only(report).files == len(expected)
    assert "PST is a proprietary format" in report.notes[0]


@pytest.mark.requirement("EKM-42")
def test_the_mails_are_what_they_were(world: World) -> None:
    world.source.rmdir()
    make_sample_tenant(world.source, TenantSize(users=2, google_users=0, mails=12, documents=0, document_bytes=20_000))
    assert succeeded(world.back_up())
    report = get(world)
    assert succeeded(report)
    labels = {result.workload.partition("/")[0] for result in report.results}
    assert labels == {"exchange_online", "groups", "public_folder"}
    for result in report.results:
        found = mailbox.mbox(world.root / "device" / f"{result.workload}.mbox", create=False)
        kept = {
            found.get_bytes(key).partition(b"\n")[2].rstrip(b"\n")
            for key in found.keys()  # noqa: SIM118 - a mailbox iterates over mails
        }
        found.close()
        files = (world.source / result.workload).rglob("*.eml")
        assert kept == {path.read_bytes().replace(b"\r\n", b"\n").rstrip(b"\n") for path in files}
        assert len(kept) == result.files


def test_what_is_no_mail_is_left_out_and_told(world: World) -> None:
    world.write("exchange_online/anna/1.eml", mail("first"))
    for name in ("notes.txt", "README", "data.mbox", "tmp/unfinished:2,", "link"):
        world.write(f"exchange_online/anna/{name}", "no mail")
    (world.source / "exchange_online/anna/link").unlink()
    (world.source / "exchange_online/anna/link").symlink_to("1.eml")
    world.back_up()
    report = get(world)
    assert {problem.path for problem in only(report).problems} == {
        *("notes.txt", "README", "data.mbox", "tmp/unfinished:2,", "link")
    }
    assert all(problem.kind is ProblemKind.NOTE for problem in only(report).problems)
    assert report.exit_code is ExitCode.DONE
    assert read(world.root / "device/exchange_online/anna.mbox") == [("first", "")]


def test_a_mailbox_that_begins_at_the_very_end_of_a_pack_is_none_the_less_one(world: World) -> None:
    world.vault = Vault(world.vault._store, "northwind", pack_bytes=1000)
    world.write("exchange_online/anna/first.bin", b"x" * 997)
    world.write("exchange_online/anna/second.MBOX", b"From anna\n" + mail("second").replace(b"\r", b""))
    assert succeeded(world.back_up())
    report = get(world)
    assert [problem.path for problem in only(report).problems] == ["first.bin"]
    assert read(world.root / "device/exchange_online/anna.mbox") == [("second", "second")]


def test_a_workload_without_mails_is_refused_and_only_those_with_mails_are_taken(world: World) -> None:
    world.write("exchange_online/anna/1.eml", mail("first"))
    world.write("onedrive/anna/file")
    world.write("other/1.eml", mail("other"))
    world.back_up()
    assert [result.workload for result in get(world).results] == ["exchange_online/anna"]
    for label in ("onedrive/anna", "files/other", "gmail/anna"):
        assert isinstance(only(get(world, label)).error, InputError)
    assert list(tree(world.root / "device")) == ["exchange_online", "exchange_online/anna.mbox"]


def test_nothing_is_overwritten_silently(world: World) -> None:
    file = world.write("exchange_online/anna/1.eml", mail("first"))
    world.back_up()
    assert succeeded(get(world))
    before = tree(world.root / "device")
    assert succeeded(get(world)), "the same content again is no conflict"
    assert tree(world.root / "device") == before
    file.write_bytes(mail("changed"))
    world.back_up()
    report = get(world)
    (problem,) = only(report).problems
    assert (problem.kind, report.exit_code) == (ProblemKind.LEFT_ALONE, ExitCode.REFUSED)
    assert tree(world.root / "device") == before
    assert succeeded(get(world, overwrite=True))
    assert read(world.root / "device/exchange_online/anna.mbox") == [("changed", "")]


@pytest.mark.parametrize("size", [100, 6_000_000])
def test_a_damaged_mail_is_told_and_the_others_are_given_whole(world: World, size: int) -> None:
    world.write("exchange_online/anna/1.eml", mail("first"))
    world.back_up()
    pack = next(world.vault_folder.rglob("pack-*"))
    world.write("exchange_online/anna/2.eml", mail("second") + b"x" * size)
    world.write("exchange_online/anna/3.eml", mail("third"))
    world.back_up()
    (newer,) = set(world.vault_folder.rglob("pack-*")) - {pack}
    content = bytearray(newer.read_bytes())
    content[size // 2] ^= 1
    newer.write_bytes(content)
    report = get(world)
    assert report.exit_code is ExitCode.DAMAGED
    subjects = [subject for subject, _ in read(world.root / "device/exchange_online/anna.mbox")]
    damaged = {problem.path for problem in only(report).problems}
    assert "2.eml" in damaged
    assert "first" in subjects
    assert len(subjects) + len(damaged) == 3


@pytest.mark.requirement("EKM-42")
def test_with_the_key_revoked_there_is_no_mailbox(world: World) -> None:
    world.write("exchange_online/anna/1.eml", mail("first"))
    world.back_up()
    world.revoke()
    result = only(get(world))
    assert result.outcome is Outcome.FAILED
    assert isinstance(result.error, KeyAccessError)
    assert MBOX.title in result.error.message
    assert not (world.root / "device").exists()
