"""Running a job: each workload by itself, on with the next where one fails, an event and a result for each.

- A bulk job works on several workloads side by side. Their results come in the order of the workloads.
- A job that is interrupted lets every operation under way stop (`engine.jobs.stopping`), tells them as canceled,
  and begins no other. It waits for them for a moment, and no longer: one that hangs in a call ends with the
  process, and leaves what a killed one does.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from engine.catalogue import Trigger
from engine.errors import InputError, KeyturnError
from engine.jobs.events import EventState, JobEvent, state_of
from engine.jobs.progress import Planned
from engine.jobs.report import JobReport, WorkloadResult, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.catalogue import Workflow, WorkflowKind
    from engine.jobs.operation import JobContext

SIDE_BY_SIDE = 4
GRACE_SECONDS = 5.0
_TURN_SECONDS = 0.2


def check_workflow(context: JobContext, workflow: Workflow, kind: WorkflowKind) -> None:
    """Refuse a workflow that is not the tenant's or not of this kind, before any key is touched (EKM-50).

    Raises:
        InputError: It is neither.
    """
    if workflow.kind is not kind:
        raise InputError(f"{workflow.title} is not a {kind.value} [EKM-50]")
    if workflow.product not in context.declaration.products:
        declared = ", ".join(product.value for product in context.declaration.products)
        raise InputError(
            f"{workflow.product.title} is not a product of tenant {context.tenant!r} [EKM-50]",
            f"declared: {declared}; add {workflow.product.value} to `products` in the declaration if it is covered",
        )


def run_job(
    context: JobContext,
    workflow: Workflow,
    workloads: Iterable[str],
    operate: Callable[[str], WorkloadResult],
    not_covered: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    prepare: Callable[[], None] | None = None,
) -> JobReport:
    """Run one operation for each workload: one after another or, in a bulk job, side by side.

    Args:
        context: What the job works with.
        workflow: What it is.
        workloads: The labels, in order.
        operate: Does one of them; what it raises is that workload's failure and no other's. In a bulk job it is
            called by several threads.
        not_covered: Workloads that are another product's, for the report.
        notes: What people should know of the job as a whole, for the report.
        prepare: Done once the job has begun, before its first workload.

    Raises:
        MachineError: An event cannot be kept.
        InputError: There is nothing to do.
    """
    labels = tuple(workloads)
    if not labels:
        raise InputError(f"{workflow.title} has no workload to work on", _hint(not_covered))
    job = _Job(context, workflow, secrets.token_hex(8), operate)
    started_at = context.clock()
    job.began(len(labels))
    if prepare is not None:
        job.prepare(prepare, labels)
    bulk = workflow.trigger is Trigger.BULK
    results = job.side_by_side(labels) if bulk else [job.run(label) for label in labels]
    return JobReport(job.job_id, workflow, started_at, context.clock(), tuple(results), not_covered, notes)


@dataclass(frozen=True, slots=True)
class _Job:
    context: JobContext
    workflow: Workflow
    job_id: str
    operate: Callable[[str], WorkloadResult]
    told: set[str | None] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def began(self, count: int) -> None:
        """Tell that the job begins."""
        self._record(None, EventState.RUNNING, None, count)
        self.context.plan(Planned(workloads=count))

    def prepare(self, prepare: Callable[[], None], labels: tuple[str, ...]) -> None:
        """Do what comes before the first workload."""
        try:
            prepare()
        except BaseException:
            for label in labels:
                self._record(label, EventState.CANCELED, None)
            raise

    def run(self, label: str) -> WorkloadResult:
        """Do one workload."""
        try:
            self.context.stopping.check()
            result = self.operate(label)
        except KeyturnError as error:
            result = WorkloadResult.failed(label, naming(error, self.workflow, label))
        except BaseException as error:
            # A mistake of ours fails the workload as it ends the job; anything else is an interruption.
            self._record(label, EventState.FAILED if isinstance(error, Exception) else EventState.CANCELED, None)
            raise
        self._record(label, state_of(self.workflow, result), result)
        self.context.plan(Planned(ended=1))
        return result

    def side_by_side(self, labels: tuple[str, ...]) -> list[WorkloadResult]:
        """Do several workloads at a time."""
        crew = _Crew(self.run, labels)
        try:
            return crew.results()
        except BaseException:
            self.context.stopping.ask()
            for label in crew.dismiss():
                self._record(label, EventState.CANCELED, None)
            raise

    def _record(self, label: str | None, state: EventState, result: WorkloadResult | None, count: int = 0) -> None:
        context = self.context
        with self.lock:  # a workload ends once, also where it was given up and ends after all
            if label in self.told:
                return
            self.told.add(label)
        event = JobEvent(
            context.clock(), context.tenant, self.job_id, self.workflow, label, context.actor, state, result, count
        )
        context.events.record(event)


class _Crew:
    """Threads that do workloads side by side; they do not keep the process from ending."""

    def __init__(self, run: Callable[[str], WorkloadResult], labels: tuple[str, ...]) -> None:
        self._run = run
        self._labels = labels
        self._waiting = deque(labels)
        self._under_way: set[str] = set()
        self._ended: SimpleQueue[tuple[str, WorkloadResult | BaseException]] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def results(self) -> list[WorkloadResult]:
        """Do all of them; raises what the first of them raised."""
        for _ in self._labels[:SIDE_BY_SIDE]:
            thread = threading.Thread(target=self._work, daemon=True)
            thread.start()
            self._threads.append(thread)
        results: dict[str, WorkloadResult] = {}
        while len(results) < len(self._labels):
            try:
                # With a limit: a signal may reach a thread that it cannot interrupt, and is then seen in between.
                label, ended = self._ended.get(timeout=_TURN_SECONDS)
            except Empty:
                continue
            if isinstance(ended, BaseException):
                raise ended
            results[label] = ended
        return [results[label] for label in self._labels]

    def dismiss(self) -> tuple[str, ...]:
        """Begin no other, wait a moment for those under way, and say which have not ended then."""
        self._waiting.clear()
        until = time.monotonic() + GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return tuple(sorted(self._under_way))

    def _work(self) -> None:
        while True:
            try:
                label = self._waiting.popleft()
            except IndexError:
                return
            self._under_way.add(label)
            try:
                ended: WorkloadResult | BaseException = self._run(label)
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
                ended = error
            self._under_way.discard(label)
            self._ended.put((label, ended))


def _hint(not_covered: tuple[str, ...]) -> str | None:
    if not not_covered:
        return None
    return f"the source has workloads of other products alone, such as {not_covered[0]}: name that product"
