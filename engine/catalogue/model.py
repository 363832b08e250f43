"""What the table of products and workflows is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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


class Trigger(Enum):
    """What sets a backup or a discovery off; the value is its name on the command line."""

    SCHEDULED = "scheduled"
    MANUAL = "manual"
    BULK = "bulk"  # many workloads at once, side by side


class Mode(Enum):
    """Where a restore goes (EKM-44)."""

    IN_PLACE = "in place"
    COPY = "as a copy"


class Delivery(Enum):
    """What a download hands out."""

    FOLDER = "folder"  # the files as they were backed up
    MAILBOX = "mailbox"  # the mails of each workload as one mailbox file
    LINK = "link"  # such a mailbox file, behind a link that ends with time


@dataclass(frozen=True, slots=True)
class Workflow:
    """One row of the table.

    Attributes:
        product: Whose workflow it is.
        kind: What it does.
        variant: Which of its kind, in words of the seeds, such as `scheduled` or `PST download`.
        custody: Whose key it uses.
        requirements: The ids of `requirements.md` that it comes from.
        applications: The applications of the product that it covers; empty means all of them.
        trigger: What sets it off, where the seeds tell triggers apart.
        mode: Where a restore goes; None for everything else.
        delivery: What a download hands out; None for everything else.
        default: Whether it is the one of its kind that is meant where none is named.
    """

    product: Product
    kind: WorkflowKind
    variant: str
    custody: Custody
    requirements: tuple[str, ...]
    applications: tuple[str, ...] = ()
    trigger: Trigger | None = None
    mode: Mode | None = None
    delivery: Delivery | None = None
    default: bool = False

    @property
    def started_by(self) -> StartedBy:
        """Who starts it; the seeds name the schedule and the user's portal and client in a row's own words."""
        if self.trigger is Trigger.SCHEDULED:
            return StartedBy.SCHEDULE
        return StartedBy.USER if self.variant.startswith("User") else StartedBy.ADMINISTRATOR

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
    """A kind of workload of a product.

    Attributes:
        product: The product that it belongs to.
        name: Its name in a source's layout and on the command line.
        title: Its name for people.
        configuration_uses_key: Whether configuring it for backup uses the key (EKM-40).
        organisation: Whether it is an organisation's (sites, teams…) rather than a user's (mail, drive).
        mail: Whether it holds mails, which a mailbox file can carry.
    """

    product: Product
    name: str
    title: str
    configuration_uses_key: bool = False
    organisation: bool = False
    mail: bool = False
