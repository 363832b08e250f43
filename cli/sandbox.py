"""`keyturn sandbox`: a strict local AWS to rehearse on, and the environment to use it with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.display import note, print_json
from cli.main import TerminatedError
from cli.options import json_option

if TYPE_CHECKING:
    from engine.sandbox import SandboxSettings

DEFAULT_PORT = 5566
_EXAMPLE_CUSTOMER, _EXAMPLE_VENDOR = "123456789012", "210987654321"


@click.group("sandbox", invoke_without_command=True)
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: a free one.")
@click.option(
    "--declaration",
    "declaration_path",
    type=click.Path(path_type=Path),
    envvar="KEYTURN_DECLARATION",
    metavar="FILE",
    help="Take the accounts and the Region from this declaration; ekm.yaml where it is there.",
)
@click.option("--customer-account-id", metavar="ID", help="The customer's account, 12 digits.")
@click.option("--vendor-account-id", metavar="ID", help="The vendor's account, 12 digits.")
@click.option("--region", metavar="REGION", help="The Region of the keys.")
@click.pass_context
def command(
    context: click.Context,
    port: int,
    declaration_path: Path | None,
    customer_account_id: str | None,
    vendor_account_id: str | None,
    region: str | None,
) -> None:
    """Serve a strict local AWS on 127.0.0.1 until it is interrupted.

    Key states, key policies and grants are enforced for two accounts, the customer's and the vendor's. In
    another terminal: eval "$(keyturn sandbox env --as customer)".
    """
    if context.invoked_subcommand is not None:
        return
    from engine.sandbox import Sandbox

    settings = _settings(port, declaration_path, customer_account_id, vendor_account_id, region)
    try:
        with Sandbox.start(settings) as sandbox:
            click.echo(sandbox.ready_line)
            note(f"customer {settings.customer_account_id}, vendor {settings.vendor_account_id}, {settings.region}")
            for identity in ("customer", "vendor"):
                note(f'{identity}: eval "$(keyturn sandbox env --as {identity} --port {sandbox.port})"')
            note("everything is in memory; Ctrl-C ends it")
            sandbox.serve_forever()
    except (KeyboardInterrupt, TerminatedError):
        note("sandbox stopped")


@command.command("env")
@click.option("--as", "identity", type=click.Choice(["customer", "vendor"]), required=True, help="Which account.")
@click.option("--port", type=click.IntRange(1, 65535), default=DEFAULT_PORT, show_default=True)
@json_option
def env(identity: str, port: int, as_json: bool) -> None:
    """Print the environment for one of the two accounts of a running sandbox, to be evaluated by a shell."""
    from engine.sandbox import Identity, fetch_environment

    environment = fetch_environment(port, Identity(identity))
    if as_json:
        print_json(environment)
        return
    # What would win over the credentials below, or send what is meant for this machine through a proxy.
    click.echo("unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN")
    click.echo('export NO_PROXY="${NO_PROXY:+$NO_PROXY,}127.0.0.1"')
    for name, value in environment.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _settings(
    port: int, path: Path | None, customer: str | None, vendor: str | None, region: str | None
) -> SandboxSettings:
    from engine.declaration import load_declaration
    from engine.sandbox import SandboxSettings

    if path is None and Path("ekm.yaml").is_file():
        path = Path("ekm.yaml")
    declaration = load_declaration(path) if path is not None and path.is_file() else None
    if declaration is not None:
        customer = customer or declaration.account.account_id
        vendor = vendor or declaration.vendor.account_id
        region = region or declaration.account.region
    return SandboxSettings(
        port=port,
        customer_account_id=customer or _EXAMPLE_CUSTOMER,
        vendor_account_id=vendor or _EXAMPLE_VENDOR,
        region=region or "us-east-1",
    )
