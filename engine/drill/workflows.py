"""Running every workflow of the catalogue once, for real, and telling what became of each.

A workflow works only if it gives back what was backed up, byte for byte. One that fails must have written nothing.
"""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, assert_never
from urllib.parse import urlsplit

from engine.catalogue import WORKFLOWS, Custody, Delivery, Mode, WorkflowKind
from engine.drill.model import Outcome, Work
from engine.errors import KeyAccessError, KeyturnError
from engine.jobs.backup import backup
from engine.jobs.links import LinkRequest, download_links
from engine.jobs.preparation import configure, discover
from engine.jobs.restore import RestoreRequest, download, restore
from engine.jobs.workloads import find_workloads, parse_label

if TYPE_CHECKING:
    from pathlib import Path

    from engine.catalogue import Workflow
    from engine.jobs.links import OfferedLink
    from engine.jobs.operation import JobContext
    from engine.jobs.report import JobReport

_LINK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A tenant that is made for a drill.

    Attributes:
        context: What its jobs work with.
        source: Its data.
        scratch: An empty folder for what is brought back.
        legal_hold: Whether the service's own key can be used.
    """

    context: JobContext
    source: Path
    scratch: Path
    legal_hold: bool = True

    def prepare(self) -> None:
        """Back everything up once, with one workload of each product that knows it on legal hold.

        Raises:
            KeyturnError: It does not work: there is nothing to rehearse then.
        """
        for workflow in WORKFLOWS:
            if workflow.kind is WorkflowKind.BACKUP and workflow.default:
                report = backup(self.context, workflow, self.source, legal_hold=self._held(workflow))
                for failure in report.failures:
                    if failure.error is not None:
                        raise failure.error

    def run_all(self, name: str) -> tuple[Work, ...]:
        """Run every workflow once; `name` tells these runs from others."""
        works = []
        for number, workflow in enumerate(WORKFLOWS):
            if workflow.custody is Custody.SERVICE and not self.legal_hold:
                works.append(Work(workflow, Outcome.NOT_RUN, detail="the service's own key cannot be used here"))
            else:
                works.append(self._run(workflow, self.scratch / f"{name}-{number}"))
        return tuple(works)

    def _held(self, workflow: Workflow) -> tuple[str, ...]:
        holds = any(w.product is workflow.product and w.custody is Custody.SERVICE for w in WORKFLOWS)
        if not holds or not self.legal_hold:
            return ()
        return (next(w.label for w in find_workloads(self.source) if w.product is workflow.product),)

    def _run(self, workflow: Workflow, folder: Path) -> Work:
        fetched: list[bytes] = []
        try:
            report = self._report(workflow, folder, fetched)
        except KeyAccessError as error:
            return Work(workflow, Outcome.FAILED_FOR_KEY, (error.failure.value,), error.message)
        except KeyturnError as error:
            return Work(workflow, Outcome.FAILED_OTHERWISE, detail=error.message)
        return self._work(workflow, report, folder, fetched)

    def _report(self, workflow: Workflow, folder: Path, fetched: list[bytes]) -> JobReport:
        context = self.context
        match workflow.kind:
            case WorkflowKind.DISCOVERY:
                return discover(context, workflow, self.source)
            case WorkflowKind.CONFIGURATION:
                return configure(context, workflow, self.source)
            case WorkflowKind.BACKUP:
                return backup(context, workflow, self.source)
            case WorkflowKind.RESTORE:
                return restore(context, workflow, RestoreRequest(None if workflow.mode is Mode.IN_PLACE else folder))
            case WorkflowKind.DOWNLOAD if workflow.delivery is Delivery.LINK:
                with _Visitor(fetched) as visitor:
                    return download_links(context, workflow, LinkRequest(seconds=_LINK_SECONDS), visitor.visit)
            case WorkflowKind.DOWNLOAD:
                return download(context, workflow, RestoreRequest(folder))
            case _:
                assert_never(workflow.kind)

    def _work(self, workflow: Workflow, report: JobReport, folder: Path, fetched: list[bytes]) -> Work:
        written = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
        errors = [result.error for result in report.results if result.error is not None]
        if not errors and report.exit_code == 0:
            return self._compared(workflow, report, folder, written)
        of_key = [error for error in errors if isinstance(error, KeyAccessError)]
        detail = errors[0].message if errors else "it ended with problems"
        if written or fetched:
            return Work(workflow, Outcome.FAILED_OTHERWISE, detail=f"it failed, and gave something out: {detail}")
        if len(of_key) != len(report.results):
            return Work(workflow, Outcome.FAILED_OTHERWISE, detail=detail)
        return Work(workflow, Outcome.FAILED_FOR_KEY, tuple(sorted({e.failure.value for e in of_key})), detail)

    def _compared(self, workflow: Workflow, report: JobReport, folder: Path, written: list[Path]) -> Work:
        gives_files = workflow.delivery is Delivery.FOLDER or workflow.mode is Mode.COPY
        if not gives_files:
            return Work(workflow, Outcome.WORKED)
        if not written:
            return Work(workflow, Outcome.FAILED_OTHERWISE, detail="it gave no file")
        for path in written:
            original = self.source / path.relative_to(folder)
            if not original.is_file() or path.read_bytes() != original.read_bytes():
                return Work(workflow, Outcome.FAILED_OTHERWISE, detail="a file is not what was backed up")
        given = {path.relative_to(folder) for path in written}
        if any(self._files(result.workload) - given for result in report.results):
            return Work(workflow, Outcome.FAILED_OTHERWISE, detail="a file that was backed up did not come back")
        return Work(workflow, Outcome.WORKED)

    def _files(self, label: str) -> set[Path]:
        """The files of a workload, from the source's folder."""
        workload = parse_label(label)
        files = self.source.joinpath(*workload.folder).glob("*" if workload.loose else "**/*")
        return {path.relative_to(self.source) for path in files if path.is_file()}


class _Visitor:
    """Downloads from links as somebody would, while the job waits for that."""

    def __init__(self, fetched: list[bytes]) -> None:
        self._fetched = fetched
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()

    def visit(self, link: OfferedLink) -> None:
        """Download in a thread of its own."""
        thread = threading.Thread(target=self._fetch, args=(link.url,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _fetch(self, url: str) -> None:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_LINK_SECONDS)
        try:
            connection.request("GET", parts.path)
            response = connection.getresponse()
            content = response.read()
            if response.status == http.client.OK:
                self._fetched.append(content)
        except (OSError, http.client.HTTPException):
            return  # the job tells that nobody downloaded
        finally:
            connection.close()
