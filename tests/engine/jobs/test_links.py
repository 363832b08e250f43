"""Downloads by link: on this machine, unguessable, for a while, once; and never past a revocation."""

from __future__ import annotations

import http.client
import mailbox
import os
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from engine.access.model import KeyState
from engine.catalogue import Product, WorkflowKind, find_workflow
from engine.errors import ExitCode, InputError, KeyAccessError, RefusedError
from engine.jobs.link_server import LinkServer
from engine.jobs.links import LinkRequest, OfferedLink, download_links
from engine.jobs.report import JobReport, Outcome
from engine.jobs.restore import RestoreRequest, download
from tests.builders import key_arn
from tests.engine.jobs.world import DOWNLOAD, ManualMonotonic, only, succeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.engine.jobs.world import World

LINK = find_workflow(Product.MICROSOFT_365, WorkflowKind.DOWNLOAD, "PST URL download")


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]


def fetch(url: str, method: str = "GET", **headers: str) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    try:
        connection.request(method, parts.path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
    finally:
        connection.close()


@dataclass
class Job:
    """A download by link under way in a thread of its own."""

    world: World
    request: LinkRequest = field(default_factory=LinkRequest)
    links: dict[str, OfferedLink] = field(default_factory=dict)
    report: JobReport | None = None

    def __post_init__(self) -> None:
        self._offered = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._offered.wait(20)

    def url(self, workload: str) -> str:
        return self.links[workload].url

    def ended(self) -> JobReport:
        self._thread.join(60)
        assert self.report is not None, "the job goes on"
        return self.report

    @property
    def going_on(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        def give_out(link: OfferedLink) -> None:
            self.links[link.workload] = link
            if len(self.links) == len(self.request.workloads or ["one"]):
                self._offered.set()

        self.report = download_links(self.world.context, LINK, self.request, give_out)
        self._offered.set()


@pytest.fixture
def tenant(world: World) -> World:
    for user in ("anna", "bob"):
        world.write(f"exchange_online/{user}/Inbox/1.eml", f"Subject: to {user}\n\ntext\n")
    world.back_up()
    return world


BOTH = ("exchange_online/anna", "exchange_online/bob")


@pytest.fixture
def start(tenant: World) -> Iterator[Callable[..., Job]]:
    jobs: list[Job] = []

    def begin(*workloads: str, seconds: float = 900) -> Job:
        jobs.append(Job(tenant, LinkRequest(workloads, seconds=seconds)))
        return jobs[-1]

    yield begin
    tenant.monotonic.now += 10_000  # whatever a failed test left open ends
    for job in jobs:
        job.ended()


@pytest.mark.requirement("EKM-42")
def test_a_link_gives_the_mailbox_once_and_the_job_ends_by_itself(start: Callable[..., Job], tmp_path: Path) -> None:
    job = start(*BOTH)
    assert fetch(job.url(BOTH[0]), "HEAD").status == 200, "a look takes nothing"
    answer = fetch(job.url(BOTH[0]))
    assert answer.status == 200
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/mbox", "no-store")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''anna.mbox"
    (tmp_path / "got.mbox").write_bytes(answer.body)
    box = mailbox.mbox(tmp_path / "got.mbox", create=False)
    assert [message["Subject"] for message in box] == ["to anna"]
    box.close()
    assert fetch(job.url(BOTH[0])).status in {409, 410}, "its end may not have been noted yet"
    assert job.going_on, "bob's link is still good"
    assert fetch(job.url(BOTH[1])).status == 200
    report = job.ended()
    assert succeeded(report)
    assert [(result.files, result.snapshot is not None) for result in report.results] == [(1, True), (1, True)]
    with pytest.raises(ConnectionError):
        fetch(job.url(BOTH[1]))


def test_a_link_cannot_be_guessed_and_is_for_this_machine_alone(start: Callable[..., Job]) -> None:
    job = start(*BOTH)
    first, second = (urlsplit(job.url(label)) for label in BOTH)
    assert first.hostname == second.hostname == "127.0.0.1"
    token, other = first.path.split("/")[1], second.path.split("/")[1]
    assert token != other
    assert len(token) >= 43
    base = f"http://127.0.0.1:{first.port}"
    for path in ("/", "/anna.mbox", f"/{token}", f"/{token}/bob.mbox", f"/{token[:-1]}/anna.mbox", "/%ff/../x"):
        assert fetch(base + path).status == 404, path
    assert fetch(job.url(BOTH[0]), Host="evil.example").status == 404
    assert fetch(job.url(BOTH[0]), "POST").status == 501
    assert token not in fetch(base).body.decode()


def test_a_link_ends_with_time_and_is_then_no_success(tenant: World, start: Callable[..., Job]) -> None:
    job = start(BOTH[0], seconds=60)
    assert (job.links[BOTH[0]].until - tenant.context.clock()).total_seconds() == pytest.approx(60, abs=20)
    tenant.monotonic.now += 59
    assert job.going_on
    tenant.monotonic.now += 1
    report = job.ended()
    assert isinstance(only(report).error, RefusedError)
    assert report.exit_code is ExitCode.REFUSED


def test_behind_its_time_a_link_answers_nobody() -> None:
    monotonic = ManualMonotonic()
    with LinkServer(60, monotonic) as server:
        link = server.offer("anna.mbox", lambda: iter([memoryview(b"content")]))
        monotonic.now += 59
        assert fetch(server.url(link), "HEAD").status == 200
        monotonic.now += 1
        assert [fetch(server.url(link), method).status for method in ("HEAD", "GET")] == [410, 410]


@pytest.mark.requirement("EKM-46")
@pytest.mark.parametrize(("state", "status"), [(KeyState.DISABLED, 403), (KeyState.UNAVAILABLE, 503)])
def test_a_link_that_was_given_out_before_a_revocation_gives_nothing_after_it(
    tenant: World, start: Callable[..., Job], state: KeyState, status: int
) -> None:
    job = start(BOTH[0], seconds=60)
    tenant.kms.set_state(key_arn(1), state)
    answer = fetch(job.url(BOTH[0]))
    assert answer.status == status
    assert b"to anna" not in answer.body
    assert str(key_arn(1)) not in answer.body.decode(), "who holds a link learns nothing of the key"
    tenant.monotonic.now += 60
    report = job.ended()
    assert isinstance(only(report).error, KeyAccessError)
    assert report.exit_code is ExitCode.AWS


@pytest.mark.requirement("EKM-42")
def test_with_the_key_revoked_no_link_is_given_out(tenant: World) -> None:
    tenant.revoke()
    links: list[OfferedLink] = []
    report = download_links(tenant.context, LINK, LinkRequest(), links.append)
    assert links == []
    assert [result.outcome for result in report.results] == [Outcome.FAILED, Outcome.FAILED]
    assert report.exit_code is ExitCode.AWS


def test_a_download_that_breaks_off_can_be_had_again(tenant: World, start: Callable[..., Job]) -> None:
    job = start(BOTH[0])
    pack = next(tenant.vault_folder.glob(f"data/{tenant.record(BOTH[0]).data_key_id}/*/manifest"))
    whole = pack.read_bytes()
    pack.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert fetch(job.url(BOTH[0])).status == 503
    pack.write_bytes(whole)
    assert fetch(job.url(BOTH[0])).status == 200
    assert succeeded(job.ended())


def test_a_link_to_the_latest_says_that_a_newer_snapshot_is_lost(tenant: World, start: Callable[..., Job]) -> None:
    tenant.back_up()
    max(tenant.vault_folder.glob(f"snapshots/{tenant.record(BOTH[0]).data_key_id}/*.json")).unlink()
    job = start(BOTH[0])
    assert fetch(job.url(BOTH[0])).status == 200
    assert job.ended().exit_code is ExitCode.DAMAGED


def test_a_link_is_for_mailboxes_and_a_folder_for_the_others(tenant: World) -> None:
    with pytest.raises(InputError, match="through a link"):
        download(tenant.context, LINK, RestoreRequest(tenant.root / "device"))
    with pytest.raises(InputError, match="through no link"):
        download_links(tenant.context, DOWNLOAD, LinkRequest(), lambda _: None)


@pytest.mark.requirement("EKM-46")
def test_revoked_while_it_is_given_a_download_breaks_off_and_its_reader_knows(tenant: World) -> None:
    for number in range(12):
        tenant.write(f"exchange_online/anna/Inbox/large{number}.eml", b"Subject: large\n\n" + b"x" * 3_000_000)
    tenant.back_up()
    job = Job(tenant, LinkRequest((BOTH[0],), seconds=1000))
    parts = urlsplit(job.url(BOTH[0]))
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    connection.request("GET", parts.path)
    response = connection.getresponse()
    assert len(response.read(100_000)) == 100_000
    tenant.revoke()
    tenant.monotonic.now += 301
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    tenant.monotonic.now += 1000
    report = job.ended()
    assert isinstance(only(report).error, KeyAccessError)
    assert report.exit_code is ExitCode.AWS


def test_names_that_are_not_utf_8_are_served_too(tenant: World) -> None:
    name = os.fsdecode(b"caf\xe9")
    tenant.write(f"exchange_online/{name}/{name}/{name}.eml", "Subject: odd\n\ntext\n")
    tenant.back_up()
    job = Job(tenant, LinkRequest(("exchange_online/caf%E9",)))
    answer = fetch(job.url("exchange_online/caf%E9"))
    assert answer.status == 200
    assert b"X-Keyturn-Folder: caf\\xe9\nSubject: odd\n" in answer.body
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''caf%5Cxe9.mbox"
    assert succeeded(job.ended())
    request = RestoreRequest(tenant.root / "device", ("exchange_online/caf%E9",))
    mailboxes = find_workflow(Product.MICROSOFT_365, WorkflowKind.DOWNLOAD, "PST and mBox download")
    assert succeeded(download(tenant.context, mailboxes, request))
    assert [path.name for path in (tenant.root / "device/exchange_online").iterdir()] == [f"{name}.mbox"]
