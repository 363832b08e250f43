"""`keyturn run`: the encrypted workflows of the seeds, on a folder tree."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import declaration_option, json_option, vendor_profile_option
from cli.snapshots import command as snapshots

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.catalogue import Workflow, WorkflowKind
    from engine.declaration import Declaration
    from engine.jobs.links import OfferedLink
    from engine.jobs.operation import JobContext
    from engine.jobs.report import JobReport

PRODUCTS = ("microsoft365", "google_workspace", "entra_id")


@click.group("run")
def command() -> None:
    """Run an encrypted workflow on a folder tree; list the snapshots there are.

    A first-level folder named like an application (exchange_online, onedrive, sharepoint, teams, groups,
    public_folder, gmail, google_drive, team_drive, directory) holds one workload in each of its folders. Any
    other folder is a workload of its own.
    """


command.add_command(snapshots)


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
    "--to", "destination", type=click.Path(path_type=Path), metavar="FOLDER", help="Where files go."
)
_snapshot = click.option(
    "--snapshot", default="latest", show_default=True, metavar="ID", help="The id or number of a snapshot."
)
_paths = click.option("--path", "paths", multiple=True, metavar="PATH", help="Of one workload; repeatable.")
_overwrite = click.option("--overwrite", is_flag=True, help="Replace files that are there with other content.")


@command.command("discovery")
@_source
@click.option("--variant", metavar="NAME", help="Which discovery of the catalogue; 'manual org apps' by default.")
@click.option(
    "--application", "applications", multiple=True, metavar="NAME", help="Look at these alone, such as teams."
)
@_shared
def discovery(source: Path, variant: str | None, applications: tuple[str, ...], **shared: Any) -> int:
    """Find workloads, and keep the list encrypted."""
    from engine.catalogue import WorkflowKind
    from engine.jobs.preparation import discover

    if shared["workloads"]:
        raise click.UsageError("A discovery finds workloads: there is no --workload to name yet.")
    chosen = applications or None
    return _run(WorkflowKind.DISCOVERY, variant, shared, lambda job, flow: discover(job, flow, source, chosen))


@command.command("configuration")
@_source
@click.option("--variant", metavar="NAME", help="Which of the catalogue; 'workloads that use the key' by default.")
@_shared
def configuration(source: Path, variant: str | None, **shared: Any) -> int:
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
    destination: Path | None,
    in_place: bool,
    kind: str,
    snapshot: str,
    paths: tuple[str, ...],
    overwrite: bool,
    **shared: Any,
) -> int:
    """Restore workloads, as a copy or in place, never overwriting silently.

    In place without --to means the folder that the snapshot was taken of.
    """
    from engine.catalogue import WorkflowKind
    from engine.jobs.restore import RestoreRequest
    from engine.jobs.restore import restore as bring_back

    def check(_flow: Workflow) -> None:
        if destination is None and not in_place:
            raise click.UsageError("Missing option '--to': a copy needs a folder to go to.")

    variant = f"{kind}, {'in place' if in_place else 'as a copy'}"
    request = RestoreRequest(destination, shared["workloads"] or None, snapshot, paths, overwrite)
    return _run(WorkflowKind.RESTORE, variant, shared, lambda job, flow: bring_back(job, flow, request), check)


@command.command("download")
@_destination
@click.option("--kind", metavar="NAME", help="Which download of the catalogue; the product's plain one by default.")
@click.option("--legal-hold", is_flag=True, help="The legal hold (WebDAV) download; works with the key revoked.")
@click.option(
    "--valid-for",
    "seconds",
    type=click.IntRange(1, 86_400),
    default=900,
    show_default=True,
    metavar="SECONDS",
    help="How long a link is good for.",
)
@_snapshot
@_paths
@_overwrite
@_shared
def download(
    destination: Path | None,
    kind: str | None,
    legal_hold: bool,
    seconds: int,
    snapshot: str,
    paths: tuple[str, ...],
    overwrite: bool,
    **shared: Any,
) -> int:
    """Download files, or mailboxes made of them, to this device.

    A download by link takes no --to: it prints links to this machine, each good for one download, and ends when
    they are used or their time is over.
    """
    from engine.catalogue import LEGAL_HOLD_DOWNLOAD, Delivery, WorkflowKind
    from engine.jobs.links import LinkRequest, download_links
    from engine.jobs.restore import RestoreRequest
    from engine.jobs.restore import download as bring_down

    if legal_hold and kind is not None:
        raise click.UsageError("--legal-hold is a download of its own: it takes no --kind.")
    chosen = shared["workloads"] or None

    def work(job: JobContext, flow: Workflow) -> JobReport:
        if flow.delivery is Delivery.LINK:
            tell = partial(_give_out, to_stderr=shared["as_json"])
            return download_links(job, flow, LinkRequest(chosen, snapshot, paths, seconds), tell)
        return bring_down(job, flow, RestoreRequest(destination, chosen, snapshot, paths, overwrite))

    def check(flow: Workflow) -> None:
        if (destination is None) is not (flow.delivery is Delivery.LINK):
            raise click.UsageError(
                "A download by link writes into no folder: leave --to out."
                if destination is not None
                else "Missing option '--to': the download needs a folder to go to."
            )

    return _run(WorkflowKind.DOWNLOAD, LEGAL_HOLD_DOWNLOAD if legal_hold else kind, shared, work, check)


def _give_out(link: OfferedLink, *, to_stderr: bool) -> None:
    click.echo(f"{link.workload}: {link.url} until {link.until:%H:%M:%S} UTC, for one download", err=to_stderr)


def _run(
    kind: WorkflowKind,
    variant: str | None,
    shared: dict[str, Any],
    work: Callable[[JobContext, Workflow], JobReport],
    check: Callable[[Workflow], None] = lambda _: None,
) -> int:
    """Run one job: the workflow is found and checked before any key is touched, and every result is shown."""
    from cli.job_report import print_job, tell_job
    from cli.workspace import job_context, load_workspace
    from engine.catalogue import WorkflowKind, find_workflow

    workspace = load_workspace(shared["declaration_path"])
    product = _product(workspace.declaration, shared["product"])
    workflow = find_workflow(product, kind, variant)
    check(workflow)
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
