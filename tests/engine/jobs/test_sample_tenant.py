"""The sample tenant is the same every time, and its documents are what they say they are."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import json
import mailbox
import re
import struct
import zipfile
import zlib
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from engine.catalogue import APPLICATIONS, Product, WorkflowKind, find_workflow
from engine.errors import InputError
from engine.jobs.restore import RestoreRequest, download, restore
from engine.jobs.sample_tenant import TenantSize, make_sample_tenant
from engine.jobs.workloads import find_workloads
from tests.engine.jobs.world import succeeded, tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.jobs.world import World

SMALL = TenantSize(users=4, mails=12, documents=10, document_bytes=20_000)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tenant") / "small"
    make_sample_tenant(folder, SMALL)
    return folder


def test_the_same_size_and_seed_make_the_same_tenant_and_another_seed_another(small: Path, tmp_path: Path) -> None:
    made = make_sample_tenant(tmp_path / "again", SMALL)
    files = {path: what for path, what in tree(small).items() if what[0] == "file"}
    again = {path: what for path, what in tree(tmp_path / "again").items() if what[0] == "file"}
    assert files == again
    assert made.files == len(files)
    assert made.bytes == sum(path.stat().st_size for path in small.rglob("*") if path.is_file())
    make_sample_tenant(tmp_path / "other", SMALL, seed=2)
    assert tree(tmp_path / "other").keys() != tree(small).keys()


def test_by_default_it_has_some_hundreds_of_files_and_at_least_50_megabytes(tmp_path: Path) -> None:
    made = make_sample_tenant(tmp_path / "tenant")
    assert 300 <= made.files <= 1000
    assert made.bytes >= 50_000_000


@pytest.mark.parametrize("megabytes", [3, 30])
def test_it_is_about_as_large_as_it_was_asked_to_be(tmp_path: Path, megabytes: int) -> None:
    made = make_sample_tenant(tmp_path / "tenant", TenantSize.about(megabytes))
    assert megabytes * 0.6 < made.bytes / 1_000_000 < megabytes * 1.7
    assert TenantSize.about(870).users == 10 * TenantSize().users


def test_it_has_every_application_of_every_product(small: Path) -> None:
    applications = Counter(workload.application for workload in find_workloads(small))
    assert applications == {
        "exchange_online": 4,
        "onedrive": 4,
        "sharepoint": 3,
        "teams": 3,
        "groups": 2,
        "public_folder": 2,
        "gmail": 2,
        "google_drive": 2,
        "team_drive": 1,
        "directory": 1,
    }
    assert applications.keys() == {application.name for application in APPLICATIONS}


def test_its_mailboxes_come_in_every_form(small: Path) -> None:
    boxes = list(small.rglob("*.mbox"))
    for path in boxes:
        found = mailbox.mbox(path, create=False)
        assert len(found) > 0
        assert all(message["Message-ID"] and message["Date"] for message in found)
        found.close()
    maildirs = [mailbox.Maildir(path, create=False) for path in small.rglob("Maildir")]
    in_maildirs = [message for maildir in maildirs for message in maildir]
    assert boxes
    assert len(in_maildirs) > 0
    assert all(message["Message-ID"] for message in in_maildirs)


def test_its_directory_is_made_of_objects_that_refer_to_each_other(small: Path) -> None:
    objects = [json.loads(path.read_text(encoding="utf-8")) for path in (small / "directory").rglob("*.json")]
    kinds = {found["@odata.type"].rpartition(".")[2] for found in objects}
    assert kinds == {
        *("user", "group", "device", "directoryRole", "application", "servicePrincipal", "conditionalAccessPolicy")
    }
    known = {found["id"] for found in objects}
    for found in objects:
        for member in found.get("members", []):
            assert (member if isinstance(member, str) else member["id"]) in known


def test_mails_are_mails(small: Path) -> None:
    attachments = 0
    for path in small.rglob("*.eml"):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert not message.defects
        assert message["From"].addresses
        assert message["Date"].datetime.year == 2026
        assert message.get_body(("plain",)) is not None
        for attachment in message.iter_attachments():
            assert attachment.get_content().startswith(b"%PDF-")
            attachments += 1
    assert attachments


def test_office_documents_are_packages_whose_parts_are_there(small: Path) -> None:
    for suffix in ("docx", "xlsx"):
        paths = list(small.rglob(f"*.{suffix}"))
        assert paths
        for path in paths:
            with zipfile.ZipFile(path) as package:
                assert package.testzip() is None
                names = set(package.namelist())
                for name in names:
                    if name.endswith((".xml", ".rels")):
                        ET.fromstring(package.read(name))  # noqa: S314 - made by this project just now
                types = package.read("[Content_Types].xml").decode()
                assert {part.lstrip("/") for part in re.findall(r'PartName="([^"]+)"', types)} <= names
                (main,) = re.findall(r'Target="([^"]+)"', package.read("_rels/.rels").decode())
                assert main in names


def test_pdfs_have_a_right_cross_reference_table(small: Path) -> None:
    paths = list(small.rglob("*.pdf"))
    assert paths
    for path in paths:
        data = path.read_bytes()
        start = int(data.rstrip().rsplit(b"\n", 2)[-2])
        assert data[start:].startswith(b"xref\n")
        places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n", data[start:])]
        for number, place in enumerate(places, start=1):
            assert data[place:].startswith(b"%d 0 obj\n" % number)


def test_pictures_are_whole(small: Path) -> None:
    for path in small.rglob("*.png"):
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        offset, kinds = 8, []
        while offset < len(data):
            (length,) = struct.unpack(">I", data[offset : offset + 4])
            body = data[offset + 4 : offset + 8 + length]
            assert struct.unpack(">I", data[offset + 8 + length : offset + 12 + length])[0] == zlib.crc32(body)
            kinds.append(body[:4])
            offset += 12 + length
        assert kinds == [b"IHDR", b"IDAT", b"IEND"]


def test_tables_and_chats_can_be_read(small: Path) -> None:
    for path in small.rglob("*.csv"):
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        assert {len(row) for row in rows} == {3}
    for path in small.rglob("messages.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["messages"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(InputError):
        make_sample_tenant(tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_sample_tenant_comes_back_byte_for_byte(world: World) -> None:
    world.source.rmdir()
    make_sample_tenant(world.source, SMALL)
    for product in Product:
        assert succeeded(world.back_up(workflow=find_workflow(product, WorkflowKind.BACKUP)))
        way = WorkflowKind.DOWNLOAD if product is Product.ENTRA_ID else WorkflowKind.RESTORE
        request = RestoreRequest(world.root / "restored")
        bring_back = download if way is WorkflowKind.DOWNLOAD else restore
        assert succeeded(bring_back(world.context, find_workflow(product, way), request))
    source, restored = tree(world.source), tree(world.root / "restored")
    assert {path: what for path, what in restored.items() if "/" in path} == {
        path: what for path, what in source.items() if "/" in path
    }
