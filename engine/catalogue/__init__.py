"""Products and workflows of the seeds, as one table (EKM-04, EKM-37…50).

The runner, the drill, the review's impact and the documentation all read this table; nothing else says
which workflow belongs to which product, or whether it uses the customer's key.

- Microsoft 365 and Google Workspace share one page of the seeds (M); Entra ID has its own (E).
- Every workflow uses the key, and so fails when it is revoked, but two: the configuration of workloads
  that EKM-40 does not name, and legal hold (WebDAV) downloads, which stand outside Enterprise Key
  Management (EKM-43).
- A product that is not in the table is not supported; a workflow that is not the product's is refused as
  such, never as a key failure (EKM-50).
"""

from __future__ import annotations

from engine.catalogue.model import (
    Application,
    Custody,
    Delivery,
    Mode,
    Product,
    StartedBy,
    Trigger,
    Workflow,
    WorkflowKind,
)
from engine.catalogue.table import APPLICATIONS, LEGAL_HOLD_DOWNLOAD, WORKFLOWS
from engine.errors import InputError

__all__ = [
    "APPLICATIONS",
    "LEGAL_HOLD_DOWNLOAD",
    "WORKFLOWS",
    "Application",
    "Custody",
    "Delivery",
    "Mode",
    "Product",
    "StartedBy",
    "Trigger",
    "Workflow",
    "WorkflowKind",
    "find_application",
    "find_workflow",
    "workflows_of",
]


def workflows_of(products: tuple[Product, ...]) -> tuple[Workflow, ...]:
    """The rows of these products, in the order of the table."""
    return tuple(workflow for workflow in WORKFLOWS if workflow.product in products)


def find_workflow(product: Product, kind: WorkflowKind, variant: str | None = None) -> Workflow:
    """Find a row.

    Args:
        product: The product that the job is for.
        kind: What the job does.
        variant: Which of its kind; compared without regard to case. None for the product's default one.

    Raises:
        InputError: It is not a workflow of this product; the message lists those that are (EKM-50).
    """
    of_product = [w for w in WORKFLOWS if w.product is product]
    of_kind = [w for w in of_product if w.kind is kind]
    for workflow in of_kind:
        if workflow.default if variant is None else workflow.variant.casefold() == variant.casefold():
            return workflow
    what = f"{kind.value} ({variant})" if of_kind else kind.value
    known = of_kind or of_product
    choices = "; ".join(w.variant for w in known) if of_kind else ", ".join(sorted({w.kind.value for w in known}))
    raise InputError(f"{what} is not a workflow of {product.title} [EKM-50]", hint=f"{product.title} has: {choices}")


def find_application(name: str) -> Application | None:
    """The application of this name, or None."""
    return next((application for application in APPLICATIONS if application.name == name), None)
