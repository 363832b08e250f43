"""Running a job: each workload by itself, on with the next where one fails, an event and a result for each."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from engine.errors import InputError, KeyturnError
from engine.jobs.events import EventState, JobEvent, state_of
from engine.jobs.report import JobReport, WorkloadResult, naming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.catalogue import Workflow, WorkflowKind
    from engine.jobs.operation import JobContext


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
) -> JobReport:
    """Run one operation for each workload.

    Args:
        context: What the job works with.
        workflow: What it is.
        workloads: The labels, in order.
        operate: Does one of them; what it raises is that workload's failure and no other's.
        not_covered: Workloads that are another product's, for the report.
        notes: What people should know of the job as a whole, for the report.

    Raises:
        MachineError: An event cannot be kept.
        InputError: There is nothing to do.
    """
    labels = tuple(workloads)
    if not labels:
        raise InputError(f"{workflow.title} has no workload to work on", _hint(not_covered))
    job_id, started_at = secrets.token_hex(8), context.clock()

    def record(workload: str, state: EventState, result: WorkloadResult | None) -> None:
        event = JobEvent(context.clock(), context.tenant, job_id, workflow, workload, context.actor, state, result)
        context.events.record(event)

    results = []
    for label in labels:
        try:
            result = operate(label)
        except KeyturnError as error:
            result = WorkloadResult.failed(label, naming(error, workflow, label))
        except (KeyboardInterrupt, SystemExit):
            record(label, EventState.CANCELED, None)
            raise
        record(label, state_of(workflow, result), result)
        results.append(result)
    return JobReport(job_id, workflow, started_at, context.clock(), tuple(results), not_covered, notes)


def _hint(not_covered: tuple[str, ...]) -> str | None:
    if not not_covered:
        return None
    return f"the source has workloads of other products alone, such as {not_covered[0]}: name that product"
