"""The demonstration's infrastructure: the customer's repository, CDKTF and Terraform."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import MachineError
from stacks.terraform_mirror import terraform_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.demonstration.stage import Finished, Stage

TENANT = "northwind"
CUSTOMER, VENDOR, REGION = "123456789012", "210987654321", "us-east-1"
_STACK = Path("cdktf.out", "stacks", TENANT)
TERMS = (
    "These stand for the legal terms that the Druva console shows.\n"
    "Once Enterprise Key Management is enabled there is no way back to Cloud Key Management.\n"
)

_DECLARATION = """\
version: 1
tenant: {tenant}
druva: {{account_id: "{vendor}", activated: true}}
products: [microsoft365, google_workspace, entra_id]
aws: {{account_id: "{customer}", region: {region}}}
key_administrators: ["arn:aws:iam::{customer}:role/KeyAdmin"]
allow_key_deletion: true
break_glass: []
vendor_access: both
alias: alias/{tenant}-ekm
current: {current}
revoked: false
generations:
{generations}"""


def find_cdktf() -> Path:
    """The pinned command line of CDKTF.

    Raises:
        MachineError: It is not installed.
    """
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[2]):
        candidate = folder / "node_modules" / ".bin" / "cdktf"
        if candidate.is_file():
            return candidate
    found = shutil.which("cdktf")
    if found is None:
        raise MachineError("the command line of CDKTF is not installed", "`make setup`, or `npm install cdktf-cli`")
    return Path(found)


def require_tools() -> None:
    """See that what a deployment runs is there, before anything starts.

    Raises:
        MachineError: Node.js or Terraform is not on PATH.
    """
    tools = {"node": "Node.js 20+ from nodejs.org", "terraform": "Terraform 1.10+ from developer.hashicorp.com"}
    missing = [name for name in tools if shutil.which(name) is None]
    if missing:
        raise MachineError(
            f"there is no {' and no '.join(missing)} on PATH, and the demonstration deploys for real",
            f"install {' and '.join(tools[name] for name in missing)}",
        )


def write_repository(folder: Path) -> None:
    """Make the customer's repository: the declaration's companions."""
    folder.mkdir(parents=True, exist_ok=True)
    app = {
        "language": "python",
        "app": f'"{sys.executable}" -m stacks',
        "projectId": TENANT,
        "sendCrashReports": "false",
    }
    (folder / "cdktf.json").write_text(json.dumps(app, indent=2), encoding="utf-8")
    (folder / "terms.txt").write_text(TERMS, encoding="utf-8")


def declare(folder: Path, generations: Mapping[int, str], current: int, name: str = "ekm.yaml") -> None:
    """Write the declaration: each generation's number and state."""
    entries = "".join(f"  - {{number: {number}, state: {state}}}\n" for number, state in generations.items())
    text = _DECLARATION.format(
        tenant=TENANT, vendor=VENDOR, customer=CUSTOMER, region=REGION, current=current, generations=entries
    )
    (folder / name).write_text(text, encoding="utf-8")


def add_terraform(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment with what Terraform and CDKTF need to run unattended here."""
    without_ci = {name: value for name, value in environment.items() if name != "CI"}
    return {**without_ci, **terraform_environment(folder, environment)}


def deploy(stage: Stage, cdktf: Path) -> dict[str, str]:
    """Deploy the declared stacks for real; returns the stack's outputs."""
    arguments = ("deploy", TENANT, "--auto-approve", "--skip-provider-lock", "--outputs-file", "outputs.json")
    stage.run((str(cdktf), *arguments), ("npx", "cdktf", *arguments[:3]))
    outputs = json.loads((stage.folder / "outputs.json").read_text(encoding="utf-8"))
    return {str(name): str(value) for name, value in outputs[TENANT].items()}


def synthesise(stage: Stage, cdktf: Path, expect: int = 0) -> Finished:
    """Write the declared stacks, or see that refused."""
    return stage.run((str(cdktf), "synth"), ("npx", "cdktf", "synth"), expect)


def take_out(folder: Path, generation: int) -> None:
    """Take a generation's key, with all that refers to it, out of the synthesised stack, past every guard."""
    path = folder / _STACK / "cdk.tf.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["resource"]["aws_kms_key"][f"generation_{generation}"]
    del content["resource"]["aws_kms_grant"][f"generation_{generation}_vendor"]
    del content["output"][f"generation_{generation}_key_arn"]
    content["resource"]["aws_kms_alias"]["current"]["target_key_id"] = (
        f"${{aws_kms_key.generation_{generation + 1}.id}}"
    )
    path.write_text(json.dumps(content), encoding="utf-8")


def plan(stage: Stage, name: str) -> Path:
    """Plan what was synthesised; returns the plan as `terraform show -json` prints it."""
    terraform = ("terraform", f"-chdir={_STACK}")
    stage.run((*terraform, "init", "-input=false", "-no-color"), ("terraform", "init"))
    planfile = f"{name}.tfplan"
    stage.run(
        (*terraform, "plan", "-input=false", "-no-color", "-lock=false", f"-out={planfile}"),
        ("terraform", "plan", f"-out={planfile}"),
    )
    shown = stage.run((*terraform, "show", "-json", planfile), ("terraform", "show", "-json", planfile))
    path = stage.folder / f"{name}.json"
    path.write_text(shown.stdout, encoding="utf-8")
    return path
