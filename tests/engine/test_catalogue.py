"""The table of workflows, held against the seeds' own lists (EKM-37…51)."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalogue import (
    APPLICATIONS,
    LEGAL_HOLD_DOWNLOAD,
    WORKFLOWS,
    Custody,
    Product,
    WorkflowKind,
    find_workflow,
    workflows_of,
)
from engine.catalogue.page import workflows_page
from engine.errors import InputError

M365, GOOGLE, ENTRA = Product.MICROSOFT_365, Product.GOOGLE_WORKSPACE, Product.ENTRA_ID


def variants(product: Product, kind: WorkflowKind) -> list[str]:
    return [w.variant for w in WORKFLOWS if w.product is product and w.kind is kind]


@pytest.mark.requirement("EKM-04")
def test_every_product_of_the_seeds_is_in_the_table() -> None:
    assert {w.product for w in WORKFLOWS} == set(Product)
    assert [product.title for product in Product] == ["Microsoft 365", "Google Workspace", "Microsoft Entra ID"]


@pytest.mark.requirement("EKM-40")
def test_configuring_uses_the_key_for_exactly_the_workloads_that_the_seeds_name() -> None:
    with_key = {application.title for application in APPLICATIONS if application.configuration_uses_key}
    assert with_key == {"Microsoft Teams", "Microsoft Groups", "SharePoint Online", "Team Drive", "Public Folder"}


@pytest.mark.parametrize("product", [M365, GOOGLE])
def test_page_m_lists_the_backups_downloads_and_restores(product: Product) -> None:
    assert variants(product, WorkflowKind.BACKUP) == ["scheduled", "manual", "bulk"]
    assert variants(product, WorkflowKind.DOWNLOAD) == [
        "restore download",
        "MDS download",
        "PST and mBox download",
        "PST URL download",
        "UserPortal download",
        "UserClient download",
        LEGAL_HOLD_DOWNLOAD,
    ]
    assert len(variants(product, WorkflowKind.RESTORE)) == 4 * 2


def test_page_e_lists_what_entra_id_has_and_nothing_else() -> None:
    assert [(w.kind.value, w.variant) for w in workflows_of((ENTRA,))] == [
        ("backup", "scheduled"),
        ("backup", "manual"),
        ("restore", "restore, in place"),
        ("download", "download to a device"),
    ]


@pytest.mark.requirement("EKM-50")
@pytest.mark.parametrize(
    ("kind", "variant"),
    [
        (WorkflowKind.BACKUP, "bulk"),
        (WorkflowKind.RESTORE, "restore, as a copy"),
        (WorkflowKind.DISCOVERY, "manual org apps"),
        (WorkflowKind.DOWNLOAD, LEGAL_HOLD_DOWNLOAD),
    ],
)
def test_another_workflow_of_entra_id_is_refused_as_not_its_own(kind: WorkflowKind, variant: str) -> None:
    with pytest.raises(InputError) as caught:
        find_workflow(ENTRA, kind, variant)
    assert "is not a workflow of Microsoft Entra ID" in caught.value.message


def test_legal_hold_and_keyless_configuration_alone_do_not_use_the_customers_key() -> None:
    without = {(w.product, w.variant, w.custody) for w in WORKFLOWS if not w.uses_customer_key}
    assert without == {
        (product, variant, custody)
        for product in (M365, GOOGLE)
        for variant, custody in ((LEGAL_HOLD_DOWNLOAD, Custody.SERVICE), ("other workloads", Custody.NONE))
    }


@pytest.mark.requirement("EKM-37")
@pytest.mark.requirement("EKM-38")
def test_page_m_lists_the_discoveries_and_what_each_of_them_looks_at() -> None:
    listed = {
        (w.product, w.variant): w.applications
        for w in WORKFLOWS
        if w.kind is WorkflowKind.DISCOVERY and w.uses_customer_key
    }
    org_apps, users = ("sharepoint", "teams", "groups", "public_folder"), ("exchange_online", "onedrive")
    google_users = ("gmail", "google_drive")
    assert listed == {
        (M365, "scheduled org apps"): org_apps,
        (M365, "manual org apps"): org_apps,
        (M365, "mapping configuration for AzureAD"): users,
        (M365, "AzureAD sync"): users,
        (GOOGLE, "scheduled org apps"): ("team_drive",),
        (GOOGLE, "manual org apps"): ("team_drive",),
        (GOOGLE, "mapping configuration for GSuite"): google_users,
        (GOOGLE, "Google user sync"): google_users,
    }


def test_each_kind_of_workflow_has_one_that_is_meant_where_none_is_named() -> None:
    for product in Product:
        for kind in {w.kind for w in workflows_of((product,))}:
            assert len([w for w in workflows_of((product,)) if w.kind is kind and w.default]) == 1, (product, kind)


def test_the_page_of_workflows_is_the_tables() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "workflows.md"
    assert page.read_text(encoding="utf-8") == workflows_page(), "write it anew: python -m engine.catalogue"
