"""`keyturn init`: a declaration that passes, and what a new repository needs beside it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click

from cli.display import note, print_json
from cli.options import as_name, json_option
from engine.arn import partition_of

# The account ids that AWS's documentation uses as examples: no real account has them, and AWS refuses a key
# policy that names them, so a declaration in which they were forgotten gives nobody access.
EXAMPLE_CUSTOMER = "111122223333"
EXAMPLE_VENDOR = "444455556666"
PRODUCTS = ("microsoft365", "google_workspace", "entra_id")

_DECLARATION = """\
# The declared key state of one tenant of Druva Enterprise Key Management: the single source for the stacks,
# the engine and the plan review. `keyturn check` checks it.
version: 1
tenant: {tenant}
druva:
  account_id: "{vendor}"  # Druva's AWS account, from the console: Settings, Enterprise Key Management
  activated: false  # true once Druva Support has activated the account
products: [{products}]
aws:
  account_id: "{customer}"  # your own AWS account, in which the keys live
  region: {region}
key_administrators:  # who can rotate and revoke the keys
{administrators}
allow_key_deletion: true  # whether they may delete a key that has been released
break_glass: []  # principals exempt from the retention deny
vendor_access: both  # key_policy | grant | both
alias: alias/{name}-ekm  # follows the current generation
current: 1
revoked: false
generations:  # append-only; numbers are never reused
  - number: 1
    description: Druva Enterprise Key Management, first key
ledger: sqlite:///.keyturn/ledger.db  # or dynamodb://table
vault: .keyturn/vault  # or s3://bucket/prefix
retention_days: 30
max_operation_seconds: 300
"""

_CDKTF = {"language": "python", "app": "python -P -m stacks", "projectId": "{tenant}", "sendCrashReports": "false"}
_PACKAGE = {
    "name": "{tenant}-keys",
    "version": "1.0.0",
    "private": True,
    "engines": {"node": ">=20"},
    "devDependencies": {"cdktf-cli": "0.21.0"},
}
_GITIGNORE = "node_modules/\ncdktf.out/\n.keyturn/\nterraform.*.tfstate*\n.terraform/\n*.tfplan\n"


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--tenant", callback=as_name, metavar="NAME", help="The Druva customer account; else the folder's name.")
@click.option("--druva-account-id", metavar="ID", help="Druva's AWS account id, 12 digits, from the Druva console.")
@click.option("--account-id", metavar="ID", help="Your own AWS account id, 12 digits.")
@click.option("--region", default="us-east-1", show_default=True, metavar="REGION", help="The Region of the keys.")
@click.option(
    "--product", "products", multiple=True, type=click.Choice(PRODUCTS), help="May be repeated; all by default."
)
@click.option(
    "--administrator", "administrators", multiple=True, metavar="ARN", help="A key administrator; may be repeated."
)
@json_option
def command(
    folder: Path,
    tenant: str | None,
    druva_account_id: str | None,
    account_id: str | None,
    region: str,
    products: tuple[str, ...],
    administrators: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write ekm.yaml in FOLDER, and cdktf.json, package.json and .gitignore where they are not there yet.

    On a terminal it asks for what is not given. Elsewhere it writes AWS's own example account ids, which
    belong to nobody, and says what to replace. Nothing that exists is overwritten.
    """
    from engine.declaration import parse_declaration
    from engine.errors import InputError

    path = folder / "ekm.yaml"
    if path.exists():
        raise InputError(f"there is a declaration already at {str(path)!r}", "edit it, or name another folder")
    name = _asked("Tenant", tenant, _slug(folder))
    vendor = _asked("Druva's AWS account id (12 digits, from the Druva console)", druva_account_id, EXAMPLE_VENDOR)
    customer = _asked("Your own AWS account id (12 digits)", account_id, EXAMPLE_CUSTOMER)
    people = administrators or (
        _asked("Key administrator (ARN of an IAM role)", None, _administrator(customer, region)),
    )
    text = _DECLARATION.format(
        tenant=json.dumps(name),  # in quotes: a folder may be named `true`
        name=name,
        vendor=vendor,
        customer=customer,
        region=region,
        products=", ".join(products or PRODUCTS),
        administrators="\n".join(f"  - {person}" for person in people),
    )
    parse_declaration(str(path), text.encode())
    written = _write(folder, name, text)
    replace = _to_replace(vendor, customer, people)
    if as_json:
        print_json({"written": [str(file) for file in written], "replace": replace})
        return
    for file in written:
        click.echo(f"wrote {file}")
    for item in replace:
        note(f"replace in {path}: {item}")
    note("next: `keyturn check`, `npm install`, then `npx cdktf deploy`; rehearse it on `keyturn sandbox` first")


def _asked(question: str, given: str | None, default: str) -> str:
    if given is not None:
        return given
    if sys.stdin.isatty() and sys.stderr.isatty():
        return str(click.prompt(question, default=default, err=True)).strip()
    return default


def _slug(folder: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    name = re.sub(r"^[^a-z]+", "", name)[:48].rstrip("-")
    return name or "example"


def _administrator(account_id: str, region: str) -> str:
    return f"arn:{partition_of(region)}:iam::{account_id}:role/KeyAdmin"


def _to_replace(vendor: str, customer: str, administrators: tuple[str, ...]) -> list[str]:
    replace = []
    if vendor == EXAMPLE_VENDOR:
        replace.append(f"druva.account_id, an example ({vendor})")
    if customer == EXAMPLE_CUSTOMER:
        replace.append(f"aws.account_id, an example ({customer})")
    replace.extend(f"key_administrators, an example ({arn})" for arn in administrators if EXAMPLE_CUSTOMER in arn)
    return replace


def _write(folder: Path, tenant: str, declaration: str) -> list[Path]:
    """Write the files that are not there yet; nothing is overwritten."""

    def filled(document: dict[str, object]) -> str:
        return json.dumps(document, indent=2).replace("{tenant}", tenant) + "\n"

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in (
        ("ekm.yaml", declaration),
        ("cdktf.json", filled(dict(_CDKTF))),
        ("package.json", filled(dict(_PACKAGE))),
        (".gitignore", _GITIGNORE),
    ):
        path = folder / name
        try:
            with path.open("x", encoding="utf-8") as stream:
                stream.write(content)
        except FileExistsError:
            if name == ".gitignore" and ".keyturn" not in path.read_text(encoding="utf-8", errors="replace"):
                note(f"add .keyturn/ to {path}: ledger and vault are kept there, and belong into no commit")
            continue
        written.append(path)
    return written
