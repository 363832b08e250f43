"""The catalogue as a page for people, `docs/workflows.md`: written from the table, and checked against it.

`python -m engine.catalogue > docs/workflows.md` writes it anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from engine.catalogue.model import Application, Custody, Delivery, Product, Workflow, WorkflowKind
from engine.catalogue.table import APPLICATIONS, LEGAL_HOLD_DOWNLOAD, WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_INTRODUCTION = """\
# Workflows

Written by `python -m engine.catalogue` from the one table that the runner, the review's impact and this page read; \
do not edit it by hand. A workflow that is not in a product's table is refused as not the product's, never as a \
failure of the key (EKM-50).

*Key* says whose key a workflow uses. One that uses **yours** fails once that is revoked. One that uses the \
**service's** does not, and neither does one that uses **none**. Every command takes `--product` too, \
and its `--help` says what else.

A source is a folder tree. A first-level folder named like an application holds one workload in each of its folders \
(`exchange_online/anna/`); any other first-level folder is the workload `files/NAME` of whichever product backs it \
up. Mails may lie as `.eml` files, as a Maildir or as mBox files; sites, teams, groups and drives are files; \
directory objects are JSON documents, one a file. Links are kept as links and never followed; devices, sockets and \
pipes are left out and told; names need not be UTF-8. `keyturn sandbox tenant FOLDER` writes an example.
"""
_KEYS = {Custody.CUSTOMER: "**yours**", Custody.SERVICE: "the service's", Custody.NONE: "none"}
_DELIVERIES = {
    Delivery.FOLDER: "the files as they were",
    Delivery.MAILBOX: "one mBox file a workload",
    Delivery.LINK: "mBox behind a link that ends with time",
}


def workflows_page() -> str:
    """The page, in Markdown."""
    return "\n".join((_INTRODUCTION, *(line for product in Product for line in _section(product)))) + "\n"


def command_line(workflow: Workflow) -> str:
    """How a workflow is run, without product, places and workloads: `keyturn run backup --trigger bulk`."""
    return f"keyturn run {workflow.kind.value}{''.join(f' {word}' for word in _options(workflow))}"


def _options(workflow: Workflow) -> Iterator[str]:
    match workflow.kind:
        case WorkflowKind.DISCOVERY | WorkflowKind.CONFIGURATION:
            yield f'--variant "{workflow.variant}"'
        case WorkflowKind.BACKUP:
            yield f"--trigger {workflow.variant}"
        case WorkflowKind.DOWNLOAD if workflow.variant == LEGAL_HOLD_DOWNLOAD:
            yield "--legal-hold"
        case WorkflowKind.DOWNLOAD:
            yield f'--kind "{workflow.variant}"'
        case WorkflowKind.RESTORE:
            kind, _, mode = workflow.variant.rpartition(", ")
            yield f'--kind "{kind}"'
            if mode == "in place":
                yield "--in-place"
        case _:
            assert_never(workflow.kind)


def _section(product: Product) -> Iterator[str]:
    yield f"## {product.title}\n"
    yield f"`--product {product.value}`, with the applications\n"
    yield from _table(
        ("Application", "Folder in a source", "Whose", "Configured with your key", "Mails"),
        (
            (
                application.title,
                f"`{application.name}/`",
                "the organisation's" if application.organisation else "a user's",
                _configured(application),
                "yes" if application.mail else "",
            )
            for application in APPLICATIONS
            if application.product is product
        ),
    )
    yield from _table(
        ("Workflow", "Key", "Started by", "Covers", "Gives", "Command", "From"),
        (_row(workflow) for workflow in WORKFLOWS if workflow.product is product),
    )


def _configured(application: Application) -> str:
    if not any(w.product is application.product and w.kind is WorkflowKind.CONFIGURATION for w in WORKFLOWS):
        return "is not configured"
    return "yes" if application.configuration_uses_key else "no"


def _row(workflow: Workflow) -> tuple[str, ...]:
    titles = {application.name: application.title for application in APPLICATIONS}
    return (
        f"{workflow.kind.value}: {workflow.variant}",
        _KEYS[workflow.custody],
        workflow.started_by.value,
        ", ".join(titles[name] for name in workflow.applications) or "all",
        "" if workflow.delivery is None else _DELIVERIES[workflow.delivery],
        f"`{command_line(workflow)}`",
        ", ".join(workflow.requirements),
    )


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
