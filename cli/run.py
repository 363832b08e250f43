"""`keyturn run`: the encrypted workflows of the seeds, on a folder tree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import declaration_option, json_option, vendor_profile_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.catalogue import Workflow, WorkflowKind
    from engine.declaration import Declaration
    from engine.jobs.operation import JobContext
    from engine.jobs.report import JobReport

PRODUCTS = ("microsoft365", "google_workspace", "entra_id")


@click.group("run")
def command() -> None:
    """Run an encrypted workflow on a folder tree.

    A first-level folder named like an application (exchange_online, onedrive, sharepoint, teams, groups,
    public_folder, gmail, google_drive, team_drive, directory) holds one workload in each of its folders. Any
    other folder is a workload of its own.
    """


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every workflow."""
    for option in (
        json_option,
        vendor_profile_option,
        declaration_option,
        click.option(
            "--product", type=click.Choice(PRODUCTS), help="Whose workflow; the first declared product by default."
        ),
        click.option(
            "--workload", "workloads", multiple=True, metavar="NAME", help="Such as exchange_online/anna; repeatable."
        ),
    ):
        function = option(function)
    return function


_source = click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    metavar="FOLDER",
    help="The tenant's data.",
)
_destination = click.option(
    "--to", "destination", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Where files go."
)
_snapshot = click.option(
    "--snapshot", default="latest", show_default=True, metavar="ID", help="The id or number of a snapshot."
)
_paths = click.option("--path", "paths", multiple=True, metavar="PATH", help="Of one workload; repeatable.")
_overwrite = click.option("--overwrite", is_flag=True, help="Replace files that are there with other content.")


@command.command("discovery")
@_source
@click.option("--variant", default="manual org apps", show_default=True, help="Which discovery of the catalogue.")
@_shared
def discovery(source: Path, variant: str, **shared: Any) -> int:
    """Find workloads, and keep the list encrypted."""
    from engine.catalogue import WorkflowKind
    from engine.jobs.preparation import discover

    return _run(WorkflowKind.DISCOVERY, variant, shared, lambda job, flow: discover(job, flow, source))


@command.command("configuration")
@_source
@click.option("--variant", default="workloads that use the key", show_default=True, help="Which of the catalogue.")
@_shared
def configuration(source: Path, variant: str, **shared: Any) -> int:
    """Make workloads ready for backup."""
    from engine.catalogue import WorkflowKind
    from engine.jobs.preparation import configure

    chosen = shared["workloads"] or None
    return _run(WorkflowKind.CONFIGURATION, variant, shared, lambda job, flow: configure(job, flow, source, chosen))


@command.command("backup")
@_source
@click.option(
    "--trigger",
    type=click.Choice(["scheduled", "manual", "bulk"]),
    default="manual",
    show_default=True,
    help="How the backup is started.",
)
@click.option(
    "--legal-hold",
    "legal_hold",
    multiple=True,
    metavar="NAME",
    help="A workload that comes on legal hold: a separate copy under the service's own key; repeatable.",
)
@_shared
def backup(source: Path, trigger: str, legal_hold: tuple[str, ...], **shared: Any) -> int:
    """Back a source up: each workload whole or not at all, unchanged files not stored again."""
    from engine.catalogue import WorkflowKind
    from engine.jobs.backup import backup as back_up

    chosen = shared["workloads"] or None
    return _run(WorkflowKind.BACKUP, trigger, shared, lambda job, flow: back_up(job, flow, source, chosen, legal_hold))


@command.command("restore")
@_destination
@click.option("--in-place", is_flag=True, help="Into the source itself, rather than as a copy.")
@click.option("--kind", default="restore", show_default=True, help="Which restore of the catalogue.")
@_snapshot
@_paths
@_overwrite
@_shared
def restore(
    destination: Path,
    in_place: bool,
    kind: str,
    snapshot: str,
    paths: tuple[str, ...],
    overwrite: bool,
    **shared: Any,
) -> int:
    """Restore workloads, as a copy or in place, never overwriting silently."""
    from engine.catalogue import WorkflowKind
    from engine.jobs.restore import RestoreRequest
    from engine.jobs.restore import restore as bring_back

    variant = f"{kind}, {'in place' if in_place else 'as a copy'}"
    request = RestoreRequest(destination, shared["workloads"] or None, snapshot, paths, overwrite)
    return _run(WorkflowKind.RESTORE, variant, shared, lambda job, flow: bring_back(job, flow, request))


@command.command("download")
@_destination
@click.option("--kind", help="Which download of the catalogue; the product's plain one by default.")
@click.option("--legal-hold", is_flag=True, help="The legal hold (WebDAV) download; works with the key revoked.")
@_snapshot
@_paths
@_overwrite
@_shared
def download(
    destination: Path,
    kind: str | None,
    legal_hold: bool,
    snapshot: str,
    paths: tuple[str, ...],
    overwrite: bool,
    **shared: Any,
) -> int:
    """Download files to this device."""
    from engine.catalogue import LEGAL_HOLD_DOWNLOAD, Product, WorkflowKind
    from engine.jobs.restore import RestoreRequest
    from engine.jobs.restore import download as bring_down

    def variant(product: Product) -> str:
        if legal_hold:
            return LEGAL_HOLD_DOWNLOAD
        plain = "download to a device" if product is Product.ENTRA_ID else "restore download"
        return kind or plain

    request = RestoreRequest(destination, shared["workloads"] or None, snapshot, paths, overwrite)
    return _run(WorkflowKind.DOWNLOAD, variant, shared, lambda job, flow: bring_down(job, flow, request))


def _run(
    kind: WorkflowKind,
    variant: str | Callable[[Any], str],
    shared: dict[str, Any],
    work: Callable[[JobContext, Workflow], JobReport],
) -> int:
    """Run one job: the workflow is found before any key is touched, and every result is shown."""
    from cli.job_report import print_job, tell_job
    from cli.workspace import job_context, load_workspace
    from engine.catalogue import WorkflowKind, find_workflow

    workspace = load_workspace(shared["declaration_path"])
    product = _product(workspace.declaration, shared["product"])
    workflow = find_workflow(product, kind, variant if isinstance(variant, str) else variant(product))
    writes = kind not in {WorkflowKind.RESTORE, WorkflowKind.DOWNLOAD}
    with job_context(workspace, f"run {kind.value}", shared["vendor_profile"], writes=writes) as context:
        report = work(context, workflow)
    if shared["as_json"]:
        print_job(report)
    else:
        tell_job(report)
    return report.exit_code


def _product(declaration: Declaration, name: str | None) -> Any:
    from engine.catalogue import Product
    from engine.errors import InputError

    product = Product(name) if name is not None else declaration.products[0]
    if product not in declaration.products:
        declared = ", ".join(p.value for p in declaration.products)
        raise InputError(f"{product.title} is not a product of tenant {declaration.tenant!r}", f"declared: {declared}")
    return product
