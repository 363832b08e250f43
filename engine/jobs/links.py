"""Downloads behind a link that ends with time (EKM-42, the seeds' PST URL download).

- Each workload's mails are offered as one mBox file behind a link of its own, on this machine
  (`engine.jobs.link_server`). Nothing is decrypted before somebody downloads, and nothing of it is written.
- A link is offered only if the data key opens. Each download is an operation of its own, which unwraps the
  data key again: a link that was given out before a revocation gives nothing after it (EKM-46).
- The job ends when every link was used, or their time is over. A link that nobody used is no success.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.catalogue import Delivery, WorkflowKind
from engine.errors import InputError, KeyturnError, RefusedError, without_frames
from engine.jobs.known_snapshots import find_snapshot
from engine.jobs.link_server import Link, LinkServer, LinkState
from engine.jobs.mailboxes import PROPRIETARY, MailboxContent, mailbox_place
from engine.jobs.operation import existing_key
from engine.jobs.running import check_workflow, run_job
from engine.jobs.selection import check_paths, chosen_workloads, covered_workload, purpose_of, told_of_newer
from engine.jobs.vault import LATEST
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from engine.catalogue import Workflow
    from engine.jobs.operation import JobContext
    from engine.jobs.report import JobReport, WorkloadResult
    from engine.jobs.snapshot_names import SnapshotId

LINK_SECONDS = 900


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """What to offer, and for how long.

    Attributes:
        workloads: The labels of the workloads; None for all that the workflow covers.
        snapshot: `latest`, or the id or number of a snapshot.
        paths: Files or folders of the one workload that is named; empty for all of it.
        seconds: How long the links are good for.
    """

    workloads: tuple[str, ...] | None = None
    snapshot: str = LATEST
    paths: tuple[str, ...] = ()
    seconds: float = LINK_SECONDS


@dataclass(frozen=True, slots=True)
class OfferedLink:
    """A link as it is given out: whoever has it can download until it ends."""

    workload: str
    url: str
    until: datetime


def download_links(
    context: JobContext, workflow: Workflow, request: LinkRequest, give_out: Callable[[OfferedLink], None]
) -> JobReport:
    """Offer downloads behind links, and serve them until they are used or their time is over.

    Args:
        context: What the job works with.
        workflow: A download of the catalogue that is delivered by a link.
        request: What to offer, and for how long.
        give_out: Told each link.

    Returns:
        A result for each workload.

    Raises:
        InputError: The workflow is not the tenant's, or the request cannot be; no key was touched.
        MachineError: This machine lets nobody listen.
    """
    check_workflow(context, workflow, WorkflowKind.DOWNLOAD)
    check_paths(request.paths, request.workloads)
    if workflow.delivery is not Delivery.LINK:
        raise InputError(f"{workflow.title} goes into a folder, and through no link")
    labels = chosen_workloads(context, workflow, request.workloads)
    with LinkServer(request.seconds, context.monotonic) as server:
        until = context.clock() + timedelta(seconds=request.seconds)
        offers: dict[str, _Offer] = {}
        failures: dict[str, KeyturnError] = {}

        def offer_all() -> None:
            for label in labels:
                try:
                    offer = _Offer(context, workflow, label, request)
                    link = offer.link = server.offer(offer.file_name, offer.content)
                except KeyturnError as error:
                    failures[label] = without_frames(error)
                else:
                    offers[label] = offer
                    give_out(OfferedLink(label, server.url(link), until))

        def operate(label: str) -> WorkloadResult:
            if label in failures:
                raise failures[label]
            return offers[label].wait(server)

        return run_job(context, workflow, labels, operate, notes=(PROPRIETARY,), prepare=offer_all)


class _Offer:
    """One workload's mails behind a link; opening it proves that the data key may be used."""

    def __init__(self, context: JobContext, workflow: Workflow, label: str, request: LinkRequest) -> None:
        workload = covered_workload(workflow, label)
        self._context = context
        self._label = workload.label
        self._wanted = request.snapshot
        self._paths = request.paths
        self._purpose = purpose_of(workflow)
        self._given: MailboxContent | None = None
        self.file_name = printable(mailbox_place(workload)[-1])
        self.link: Link | None = None
        with existing_key(context, self._label, self._purpose) as key:
            self._record = key.record
            self._snapshot: SnapshotId = find_snapshot(context, key.record, request.snapshot)
            with closing(context.vault.open_snapshot(key.record, key.lease, self._snapshot)):
                pass

    def content(self) -> Iterator[memoryview]:
        """The content, for one download: an operation of its own."""
        with existing_key(self._context, self._label, self._purpose) as key:
            given = MailboxContent(self._context, self._label, key, self._snapshot, self._paths)
            yield from given.pieces()
        self._given = given

    def wait(self, server: LinkServer) -> WorkloadResult:
        """Wait for the download.

        Raises:
            KeyturnError: It came to nothing, or nobody downloaded.
        """
        link = self.link
        if link is None:
            raise ValueError("the link was never offered")
        server.wait(link)
        if link.state is LinkState.USED and self._given is not None:
            result = self._given.result()
            return told_of_newer(self._context, self._record, self._wanted, self._snapshot, result)
        raise link.failure or RefusedError(
            "link-ended",
            f"the link for {self._label!r} ended before anybody had downloaded all of it",
            ("EKM-42",),
            "run the download again; --valid-for makes its links last longer",
        )
