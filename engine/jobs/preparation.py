"""Discovery and configuration: what there is to back up, and making it ready for it (EKM-37 to EKM-40).

- Discovery finds the workloads of the applications that its workflow covers, and keeps the list as an
  encrypted inventory in the vault; it uses the key, so it fails when that is revoked.
- Configuring a workload whose application uses the key while being configured makes its data key, or proves
  that it still opens. Configuring any other uses no key, and does not fail when it is revoked.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from engine.catalogue import WorkflowKind, find_application
from engine.envelope.data_keys import PAYLOAD
from engine.errors import InputError
from engine.jobs.entries import FileEntry
from engine.jobs.known_snapshots import find_lost, remember, told_ids
from engine.jobs.operation import JobContext, writing_key
from engine.jobs.report import JobReport, Outcome, WorkloadResult
from engine.jobs.running import check_workflow, run_job
from engine.jobs.workloads import find_workloads
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from engine.catalogue import Workflow
    from engine.jobs.workloads import Workload

INVENTORY_FILE = "inventory.json"


def inventory_label(workflow: Workflow) -> str:
    """The label under which the inventory of a product is kept, beside those of its workloads."""
    return f"inventory/{workflow.product.value}"


def discover(
    context: JobContext, workflow: Workflow, source: Path, applications: Collection[str] | None = None
) -> JobReport:
    """Find the workloads of a source, and keep the list encrypted in the vault.

    Args:
        context: What the job works with.
        workflow: A discovery of the catalogue; it says which applications it covers.
        source: The folder.
        applications: The names of those that are looked at; None for all that the workflow covers.

    Returns:
        One result, for the inventory; its `files` counts the workloads that were found.

    Raises:
        InputError: The workflow is not the tenant's, an application not the workflow's, or the source cannot be
            read; no key was touched.
    """
    check_workflow(context, workflow, WorkflowKind.DISCOVERY)
    for application in applications or ():
        if application not in workflow.applications:
            raise InputError(
                f"{workflow.title} does not look at {printable(application)!r} [EKM-50]",
                f"it looks at: {', '.join(workflow.applications)}",
            )
    wanted = workflow.applications if applications is None else applications
    found = [workload for workload in find_workloads(source) if workload.application in wanted]

    def operate(label: str) -> WorkloadResult:
        at = context.clock()
        content = _inventory(found)
        with writing_key(context, label, PAYLOAD) as key, ExitStack() as stack:
            context.vault.collect_leftovers(key.record, partial(told_ids, context, key.record))
            before = next(reversed(context.vault.snapshots(key.record)), None)
            lost = find_lost(context, key.record, before)
            writer = context.vault.begin_snapshot(key.record, key.lease, at, str(source))
            stack.callback(writer.abandon)
            writer.content.begin_file()
            writer.content.write(memoryview(content))
            time_ns = int(at.timestamp()) * 1_000_000_000
            parts = writer.content.end_file()
            writer.add(FileEntry(INVENTORY_FILE, len(content), 0o600, time_ns, time_ns, 0, settled=False, parts=parts))
            writer.commit(context.clock())
            remember(context, key.record, writer.snapshot, lost)
            return WorkloadResult(
                label,
                Outcome.COMPLETED if lost is None else Outcome.WITH_PROBLEMS,
                str(writer.snapshot),
                len(found),
                len(content),
                problems=() if lost is None else (lost.problem(PAYLOAD, before),),
                found=tuple(workload.label for workload in found),
            )

    return run_job(context, workflow, [inventory_label(workflow)], operate)


def configure(
    context: JobContext, workflow: Workflow, source: Path, workloads: Collection[str] | None = None
) -> JobReport:
    """Make workloads ready for backup.

    Args:
        context: What the job works with.
        workflow: A configuration of the catalogue; it says which applications it is for.
        source: The folder that was discovered.
        workloads: The labels of those to configure; None for all that the workflow is for.

    Returns:
        A result for each workload.

    Raises:
        InputError: The workflow is not the tenant's, or the source cannot be read; no key was touched.
    """
    check_workflow(context, workflow, WorkflowKind.CONFIGURATION)
    found = [workload.label for workload in find_workloads(source) if workload.application in workflow.applications]

    def operate(label: str) -> WorkloadResult:
        if label not in found:
            raise InputError(
                f"{printable(label)!r} is not a workload of {printable(str(source))!r} that {workflow.title} is for",
                f"it is for: {', '.join(workflow.applications)}",
            )
        if workflow.uses_customer_key:
            with writing_key(context, label, PAYLOAD):
                pass
        return WorkloadResult(label, Outcome.COMPLETED)

    return run_job(context, workflow, found if workloads is None else dict.fromkeys(workloads), operate)


def _inventory(found: list[Workload]) -> bytes:
    entries = []
    for workload in found:
        application = find_application(workload.application)
        title = workload.application if application is None else application.title
        entries.append({"workload": workload.label, "application": title})
    return json.dumps({"format": 1, "workloads": entries}, ensure_ascii=True, indent=1).encode("ascii")
