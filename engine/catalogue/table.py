"""The table itself: the applications, and the workflows of each product, page by page of the seeds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.catalogue.model import Application, Custody, Delivery, Mode, Product, Trigger, Workflow, WorkflowKind

if TYPE_CHECKING:
    from collections.abc import Iterator

_M365, _GOOGLE, _ENTRA = Product.MICROSOFT_365, Product.GOOGLE_WORKSPACE, Product.ENTRA_ID

APPLICATIONS = (
    Application(_M365, "exchange_online", "Exchange Online", mail=True),
    Application(_M365, "onedrive", "OneDrive"),
    Application(_M365, "sharepoint", "SharePoint Online", configuration_uses_key=True, organisation=True),
    Application(_M365, "teams", "Microsoft Teams", configuration_uses_key=True, organisation=True),
    Application(_M365, "groups", "Microsoft Groups", configuration_uses_key=True, organisation=True, mail=True),
    Application(_M365, "public_folder", "Public Folder", configuration_uses_key=True, organisation=True, mail=True),
    Application(_GOOGLE, "gmail", "Gmail", mail=True),
    Application(_GOOGLE, "google_drive", "Google Drive"),
    Application(_GOOGLE, "team_drive", "Team Drive", configuration_uses_key=True, organisation=True),
    Application(_ENTRA, "directory", "Entra ID directory", organisation=True),
)

LEGAL_HOLD_DOWNLOAD = "legal hold (WebDAV) download"
_RESTORES = ("restore", "MDS restore", "UserPortal restore", "UserClient restore")
_DOWNLOADS = (
    ("restore download", Delivery.FOLDER),
    ("MDS download", Delivery.FOLDER),
    ("PST and mBox download", Delivery.MAILBOX),
    ("PST URL download", Delivery.LINK),
    ("UserPortal download", Delivery.FOLDER),
    ("UserClient download", Delivery.FOLDER),
)
_DIRECTORIES = {_M365: ("AzureAD", "AzureAD sync"), _GOOGLE: ("GSuite", "Google user sync")}


def _named(product: Product, *, organisation: bool | None = None, uses_key: bool | None = None) -> tuple[str, ...]:
    """The names of a product's applications, of one kind where one is asked for."""
    return tuple(
        application.name
        for application in APPLICATIONS
        if application.product is product
        and organisation in {None, application.organisation}
        and uses_key in {None, application.configuration_uses_key}
    )


def _preparations(product: Product) -> Iterator[Workflow]:
    """Discovery and configuration of a product of page M."""
    row = partial(Workflow, product, WorkflowKind.DISCOVERY, custody=Custody.CUSTOMER)
    apps, users = _named(product, organisation=True), _named(product, organisation=False)
    for trigger in (Trigger.SCHEDULED, Trigger.MANUAL):
        variant, manual = f"{trigger.value} org apps", trigger is Trigger.MANUAL
        yield row(variant, requirements=("EKM-37",), applications=apps, trigger=trigger, default=manual)
    directory, synchronisation = _DIRECTORIES[product]
    for variant in (f"mapping configuration for {directory}", synchronisation):
        yield row(variant, requirements=("EKM-38",), applications=users)
    row = partial(Workflow, product, WorkflowKind.CONFIGURATION)
    with_key, without_key = _named(product, uses_key=True), _named(product, uses_key=False)
    yield row("workloads that use the key", Custody.CUSTOMER, ("EKM-39", "EKM-40"), with_key, default=True)
    yield row("other workloads", Custody.NONE, ("EKM-40",), without_key)


def _page_m(product: Product) -> Iterator[Workflow]:
    """The rows of the page of Microsoft 365 and Google Workspace, for one of the two."""
    yield from _preparations(product)
    row = partial(Workflow, product, WorkflowKind.BACKUP, custody=Custody.CUSTOMER, requirements=("EKM-41",))
    for trigger in Trigger:
        yield row(trigger.value, trigger=trigger, default=trigger is Trigger.MANUAL)
    row = partial(Workflow, product, WorkflowKind.DOWNLOAD)
    mails = tuple(app.name for app in APPLICATIONS if app.product is product and app.mail)
    for number, (variant, delivery) in enumerate(_DOWNLOADS):
        covered = () if delivery is Delivery.FOLDER else mails
        yield row(variant, Custody.CUSTOMER, ("EKM-42",), covered, delivery=delivery, default=number == 0)
    yield row(LEGAL_HOLD_DOWNLOAD, Custody.SERVICE, ("EKM-43",), delivery=Delivery.FOLDER)
    row = partial(Workflow, product, WorkflowKind.RESTORE, custody=Custody.CUSTOMER, requirements=("EKM-44", "EKM-45"))
    for number, name in enumerate(_RESTORES):
        for mode in Mode:
            yield row(f"{name}, {mode.value}", mode=mode, default=number == 0 and mode is Mode.COPY)


def _page_e() -> Iterator[Workflow]:
    """The rows of Entra ID's own page: scheduled and manual backup, restore in place, download."""
    row = partial(Workflow, _ENTRA, custody=Custody.CUSTOMER)
    for trigger in (Trigger.SCHEDULED, Trigger.MANUAL):
        manual = trigger is Trigger.MANUAL
        yield row(
            WorkflowKind.BACKUP, trigger.value, requirements=("EKM-47", "EKM-51"), trigger=trigger, default=manual
        )
    requirements = ("EKM-48", "EKM-51")
    yield row(WorkflowKind.RESTORE, "restore, in place", requirements=requirements, mode=Mode.IN_PLACE, default=True)
    requirements = ("EKM-49", "EKM-51")
    yield row(
        WorkflowKind.DOWNLOAD, "download to a device", requirements=requirements, delivery=Delivery.FOLDER, default=True
    )


WORKFLOWS: tuple[Workflow, ...] = (
    *_page_m(_M365),
    *_page_m(_GOOGLE),
    *_page_e(),
)
