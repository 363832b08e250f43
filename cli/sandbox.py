"""`keyturn sandbox`: a strict local AWS to rehearse on, and the environment to use it with."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from cli.display import note, print_json
from cli.options import json_option
from engine.errors import TerminatedError
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from engine.sandbox import SandboxSettings

DEFAULT_PORT = 5566
_EXAMPLE_CUSTOMER, _EXAMPLE_VENDOR = "123456789012", "210987654321"


_FAULT_HELP = """\
Let calls to a running sandbox fail on demand, and list the faults that stand.

A FAULT is one line in quotes: what happens, on which operations, how often.

\b
  "throttle kms:* rate=5"              5 calls a second of an account get through
  "error kms:Decrypt count=3"          answered with 500 (status=503, code=NAME)
  "timeout s3:PutObject seconds=30"    no answer, then the connection ends
  "drop kms:ReEncrypt after count=1"   it takes effect, and the answer is lost
  "slow * seconds=0.5"                 every answer comes later
  "delay state=60s policy=60s grants=5m"   changes are used only later

Instead of count=N, or beside it: probability=P with seed=N. Without `after`, nothing takes effect.
"""


def _as_faults(_context: click.Context, _parameter: click.Parameter, lines: tuple[str, ...]) -> tuple[str, ...]:
    """Check that each fault can be read; the sandbox reads it again."""
    from engine.errors import InputError
    from engine.sandbox.faults.model import parse_fault

    try:
        return tuple(str(parse_fault(line)) for line in lines)
    except InputError as error:
        raise click.BadParameter(f"{error.message}; {error.hint}") from error


def _as_span(_context: click.Context, _parameter: click.Parameter, text: str | None) -> timedelta | None:
    """Read a span of time such as 30d."""
    from engine.errors import InputError
    from engine.sandbox.faults.model import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except InputError as error:
        raise click.BadParameter(f"{error.message}; expected {error.hint}") from error


def _port_in_use() -> int:
    """The port of the sandbox that this environment is for (`keyturn sandbox env`), or else the usual one."""
    if os.environ.get("KEYTURN_SANDBOX"):
        with suppress(ValueError):
            return urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).port or DEFAULT_PORT
    return DEFAULT_PORT


def _running_option(function: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--port",
        type=click.IntRange(1, 65535),
        default=_port_in_use,
        show_default=f"of the sandbox in the environment, else {DEFAULT_PORT}",
    )(function)


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
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep keys, objects, tables and identities in this folder over a restart.",
)
@click.option(
    "--fault",
    "faults",
    callback=_as_faults,
    multiple=True,
    metavar="FAULT",
    help="Let this go wrong from the start; `keyturn sandbox fault --help` says how it is written.",
)
@click.pass_context
def command(
    context: click.Context,
    port: int,
    declaration_path: Path | None,
    customer_account_id: str | None,
    vendor_account_id: str | None,
    region: str | None,
    state: Path | None,
    faults: tuple[str, ...],
) -> None:
    """Serve a strict local AWS on 127.0.0.1 until it is interrupted.

    Key states, key policies and grants are enforced for two accounts, the customer's and the vendor's. In
    another terminal: eval "$(keyturn sandbox env --as customer)".
    """
    if context.invoked_subcommand is not None:
        return
    from engine.sandbox import Sandbox

    settings = _settings(port, declaration_path, customer_account_id, vendor_account_id, region, state)
    try:
        with Sandbox.start(settings) as sandbox:
            sandbox.faults.add(*faults)
            click.echo(sandbox.ready_line)
            note(f"customer {settings.customer_account_id}, vendor {settings.vendor_account_id}, {settings.region}")
            for identity in ("customer", "vendor"):
                note(f'{identity}: eval "$(keyturn sandbox env --as {identity} --port {sandbox.port})"')
            note(f"{f'its state is kept in {state}' if state else 'everything is in memory'}; Ctrl-C ends it")
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


@command.command("fault", help=_FAULT_HELP)
@click.argument("lines", nargs=-1, callback=_as_faults, metavar="[FAULT]...")
@click.option("--remove", "removed", type=int, multiple=True, metavar="N", help="Take fault number N away.")
@click.option("--clear", is_flag=True, help="Take all faults and delays away first.")
@_running_option
@json_option
def fault(lines: tuple[str, ...], removed: tuple[int, ...], clear: bool, port: int, as_json: bool) -> None:
    """List the faults of a running sandbox, and change them."""
    from dataclasses import asdict

    from engine.sandbox.remote import change_faults

    standing = change_faults(port, add=lines, remove=removed, clear=clear)
    if as_json:
        print_json(asdict(standing))
        return
    for one in standing.faults:
        click.echo(f"{one.number}  {one.fault}  (struck {one.struck})")
    click.echo(standing.delays)


@command.command("clock")
@click.option("--forward", callback=_as_span, metavar="SPAN", help="Move it forward, such as 30d, 12h or 90s.")
@_running_option
@json_option
def clock(forward: timedelta | None, port: int, as_json: bool) -> None:
    """Show the clock of a running sandbox, or move it forward so that a deletion window passes."""
    from dataclasses import asdict

    from engine.sandbox.remote import move_clock

    moved = move_clock(port, forward)
    if as_json:
        print_json(asdict(moved))
        return
    click.echo(moved.now)


@command.command("tenant")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--megabytes", type=click.IntRange(3, 100_000), default=87, show_default=True, help="About how large.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another one makes another tenant.")
@json_option
def tenant(folder: Path, megabytes: int, seed: int, as_json: bool) -> None:
    """Write a made-up tenant of every product into a new FOLDER, to back up and restore."""
    from engine.jobs.sample_tenant import TenantSize, make_sample_tenant

    made = make_sample_tenant(folder, TenantSize.about(megabytes), seed)
    if as_json:
        print_json({"folder": str(folder), "files": made.files, "bytes": made.bytes})
        return
    click.echo(f"{printable(str(folder))}: {made.files} files, {made.bytes / 1_000_000:.1f} MB")


@command.command("key-store")
@click.argument("store_id", metavar="CUSTOM_KEY_STORE_ID")
@click.option("--reachable/--unreachable", required=True, help="Whether what is behind it answers.")
@_running_option
def key_store(store_id: str, reachable: bool, port: int) -> None:
    """Let what is behind a connected custom key store of a running sandbox fail, or answer again.

    Its keys stay Enabled, and every use of one is answered with KMSInvalidStateException: an outage is neither
    a disconnection nor a revocation.
    """
    from engine.sandbox.remote import set_key_store_reachable

    set_key_store_reachable(port, store_id, reachable=reachable)
    note(f"{store_id} is {'reachable' if reachable else 'not reachable'}")


def _settings(
    port: int, path: Path | None, customer: str | None, vendor: str | None, region: str | None, state: Path | None
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
        state=state,
    )
