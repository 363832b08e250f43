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

from dataclasses import dataclass
from enum import Enum

from engine.errors import InputError


class Product(Enum):
    """A product whose backups Enterprise Key Management covers; the value is its name in `ekm.yaml`."""

    MICROSOFT_365 = "microsoft365"
    GOOGLE_WORKSPACE = "google_workspace"
    ENTRA_ID = "entra_id"

    @property
    def title(self) -> str:
        """The product's name as its vendor writes it."""
        return _TITLES[self]


_TITLES = {
    Product.MICROSOFT_365: "Microsoft 365",
    Product.GOOGLE_WORKSPACE: "Google Workspace",
    Product.ENTRA_ID: "Microsoft Entra ID",
}


class WorkflowKind(Enum):
    """What a workflow does; the value is its name on the command line."""

    DISCOVERY = "discovery"
    CONFIGURATION = "configuration"
    BACKUP = "backup"
    DOWNLOAD = "download"
    RESTORE = "restore"


class Custody(Enum):
    """Whose key wraps the data key of a workflow's data."""

    CUSTOMER = "customer"  # the customer's key: counted in the census, stopped by a revocation
    SERVICE = "service"  # the service's own key: legal hold, and everything in cloud mode
    NONE = "none"  # the workflow touches no payload


class StartedBy(Enum):
    """Who starts a workflow."""

    SCHEDULE = "schedule"
    ADMINISTRATOR = "administrator"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Workflow:
    """One row of the table.

    Attributes:
        product: Whose workflow it is.
        kind: What it does.
        variant: Which of its kind, in words of the seeds, such as `scheduled` or `PST download`.
        started_by: Who starts it.
        custody: Whose key it uses.
        requirements: The ids of `requirements.md` that it comes from.
        applications: The applications of the product that it covers; empty means all of them.
    """

    product: Product
    kind: WorkflowKind
    variant: str
    started_by: StartedBy
    custody: Custody
    requirements: tuple[str, ...]
    applications: tuple[str, ...] = ()

    @property
    def uses_customer_key(self) -> bool:
        """Whether the workflow fails when the customer's key is revoked."""
        return self.custody is Custody.CUSTOMER

    @property
    def title(self) -> str:
        """The row in words: `Microsoft 365 backup (scheduled)`."""
        return f"{self.product.title} {self.kind.value} ({self.variant})"


@dataclass(frozen=True, slots=True)
class Application:
    """A kind of workload of a product, and whether configuring it for backup uses the key (EKM-40)."""

    product: Product
    name: str
    title: str
    configuration_uses_key: bool
    organisation: bool  # an organisation's app (sites, teams…) rather than a user's (mail, drive)


def _applications() -> tuple[Application, ...]:
    m365, google, entra = Product.MICROSOFT_365, Product.GOOGLE_WORKSPACE, Product.ENTRA_ID
    return (
        Application(m365, "exchange_online", "Exchange Online", False, False),
        Application(m365, "onedrive", "OneDrive", False, False),
        Application(m365, "sharepoint", "SharePoint Online", True, True),
        Application(m365, "teams", "Microsoft Teams", True, True),
        Application(m365, "groups", "Microsoft Groups", True, True),
        Application(m365, "public_folder", "Public Folder", True, True),
        Application(google, "gmail", "Gmail", False, False),
        Application(google, "google_drive", "Google Drive", False, False),
        Application(google, "team_drive", "Team Drive", True, True),
        Application(entra, "directory", "Entra ID directory", False, True),
    )


APPLICATIONS = _applications()

_RESTORE_KINDS = ("restore", "MDS restore", "UserPortal restore", "UserClient restore")
_DOWNLOADS = (
    "restore download",
    "MDS download",
    "PST and mBox download",
    "PST URL download",
    "UserPortal download",
    "UserClient download",
)
LEGAL_HOLD_DOWNLOAD = "legal hold (WebDAV) download"


def _starter(variant: str) -> StartedBy:
    if variant.startswith("scheduled"):
        return StartedBy.SCHEDULE
    return StartedBy.USER if variant.startswith("User") else StartedBy.ADMINISTRATOR


def _page_m(product: Product) -> tuple[Workflow, ...]:
    """The rows of the page of Microsoft 365 and Google Workspace, for one of the two."""
    rows: list[Workflow] = []

    def row(
        kind: WorkflowKind,
        variant: str,
        requirements: tuple[str, ...],
        custody: Custody = Custody.CUSTOMER,
        applications: tuple[str, ...] = (),
    ) -> None:
        rows.append(Workflow(product, kind, variant, _starter(variant), custody, requirements, applications))

    mine = [application for application in APPLICATIONS if application.product is product]
    organisation = tuple(application.name for application in mine if application.organisation)
    users = tuple(application.name for application in mine if not application.organisation)
    with_key = tuple(application.name for application in mine if application.configuration_uses_key)
    without_key = tuple(application.name for application in mine if not application.configuration_uses_key)
    directory = "AzureAD" if product is Product.MICROSOFT_365 else "GSuite"
    synchronisation = "AzureAD sync" if product is Product.MICROSOFT_365 else "Google user sync"
    for variant in ("scheduled org apps", "manual org apps"):
        row(WorkflowKind.DISCOVERY, variant, ("EKM-37",), applications=organisation)
    for variant in (f"mapping configuration for {directory}", synchronisation):
        row(WorkflowKind.DISCOVERY, variant, ("EKM-38",), applications=users)
    row(WorkflowKind.CONFIGURATION, "workloads that use the key", ("EKM-40",), applications=with_key)
    row(WorkflowKind.CONFIGURATION, "other workloads", ("EKM-40",), Custody.NONE, without_key)
    for variant in ("scheduled", "manual", "bulk"):
        row(WorkflowKind.BACKUP, variant, ("EKM-41",))
    for variant in _DOWNLOADS:
        row(WorkflowKind.DOWNLOAD, variant, ("EKM-42",))
    row(WorkflowKind.DOWNLOAD, LEGAL_HOLD_DOWNLOAD, ("EKM-43",), Custody.SERVICE)
    for variant in _RESTORE_KINDS:
        for mode in ("in place", "as a copy"):
            row(WorkflowKind.RESTORE, f"{variant}, {mode}", ("EKM-44", "EKM-45"))
    return tuple(rows)


def _page_e() -> tuple[Workflow, ...]:
    """The rows of Entra ID's own page: scheduled and manual backup, restore in place, download."""
    entra = Product.ENTRA_ID

    def row(kind: WorkflowKind, variant: str, requirement: str) -> Workflow:
        return Workflow(entra, kind, variant, _starter(variant), Custody.CUSTOMER, (requirement, "EKM-51"))

    return (
        row(WorkflowKind.BACKUP, "scheduled", "EKM-47"),
        row(WorkflowKind.BACKUP, "manual", "EKM-47"),
        row(WorkflowKind.RESTORE, "restore, in place", "EKM-48"),
        row(WorkflowKind.DOWNLOAD, "download to a device", "EKM-49"),
    )


WORKFLOWS: tuple[Workflow, ...] = (
    *_page_m(Product.MICROSOFT_365),
    *_page_m(Product.GOOGLE_WORKSPACE),
    *_page_e(),
)


def workflows_of(products: tuple[Product, ...]) -> tuple[Workflow, ...]:
    """The rows of these products, in the order of the table."""
    return tuple(workflow for workflow in WORKFLOWS if workflow.product in products)


def find_workflow(product: Product, kind: WorkflowKind, variant: str) -> Workflow:
    """Find a row.

    Args:
        product: The product that the job is for.
        kind: What the job does.
        variant: Which of its kind; compared without regard to case.

    Raises:
        InputError: It is not a workflow of this product; the message lists those that are (EKM-50).
    """
    of_product = [w for w in WORKFLOWS if w.product is product]
    of_kind = [w for w in of_product if w.kind is kind]
    for workflow in of_kind:
        if workflow.variant.casefold() == variant.casefold():
            return workflow
    what = f"{kind.value} ({variant})" if of_kind else kind.value
    known = of_kind or of_product
    choices = "; ".join(w.variant for w in known) if of_kind else ", ".join(sorted({w.kind.value for w in known}))
    raise InputError(f"{what} is not a workflow of {product.title} [EKM-50]", hint=f"{product.title} has: {choices}")


def find_application(name: str) -> Application | None:
    """The application of this name, or None."""
    return next((application for application in APPLICATIONS if application.name == name), None)
