"""`keyturn export-hcl`: the stacks as plain Terraform, for teams that do not run CDKTF.

What is written is what CDKTF's own writer of HCL makes of the same stacks, after the same guards, one folder
a stack. CDKTF's local backend, a path of this machine, is left out, so that each folder keeps its own state; a
declared `terraform_state` stays. What such a state holds is not let go: as with CDKTF, that stops the synthesis.
Addresses are the same, so the same review judges the plans.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from cli.display import note, print_json
from cli.options import declaration_option, json_option
from engine.errors import ExitCode, InputError, MachineError

_LOCAL_BACKEND = re.compile(r'^backend "local" \{\n.*?^\}\n', re.MULTILINE | re.DOTALL)
_LOCAL_STATE = re.compile(r'^path = ".*/terraform\.([a-z0-9-]+)\.tfstate"$', re.MULTILINE)
# What CDKTF's writer puts in quotes, and Terraform wants without.
_QUOTED_PROVIDER = re.compile(r'^(\s*provider\s*=\s*)"(aws\.\w+)"$', re.MULTILINE)
_IGNORED = re.compile(r"^\s*ignore_changes\s*=\s*\[[^\]]*\]", re.MULTILINE)
_MARK = "# Written by `keyturn export-hcl` from the declaration: change that, and export again.\n"


@click.command("export-hcl")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("terraform"),
    show_default=True,
    metavar="DIR",
    help="Where to; one folder a stack.",
)
@declaration_option
@json_option
def command(output: Path, declaration_path: Path, as_json: bool) -> int:
    """Write the stacks as plain Terraform, one folder a stack with a `main.tf`.

    For teams that do not run CDKTF. An earlier export of the same stacks is replaced; a file that is not one is
    left alone and refused. `KEYTURN_EVIDENCE` and its key count as in a synthesis.
    """
    with tempfile.TemporaryDirectory(prefix="keyturn-hcl-") as folder:
        _synthesise(declaration_path, Path(folder), output)
        stacks = sorted(path for path in (Path(folder) / "stacks").iterdir() if (path / "cdk.tf").exists())
        targets = [output / stack.name / "main.tf" for stack in stacks]
        for target in targets:
            _require_ours(target)
        for stack, target in zip(stacks, targets, strict=True):
            _write(target, _MARK + _formatted((stack / "cdk.tf").read_text(encoding="utf-8")))
    for older in sorted(set(output.glob("*/main.tf")) - set(targets)):
        if older.is_file() and _is_ours(older):
            note(f"left {older}: an earlier export of a stack that is not declared here")
    if as_json:
        print_json({"files": [str(target) for target in targets]})
    else:
        for target in targets:
            note(f"wrote {target}")
        click.echo(f"next: `terraform -chdir={targets[0].parent} init`, plan, and `keyturn review` on the plan")
    return ExitCode.DONE


def _synthesise(declaration_path: Path, folder: Path, output: Path) -> None:
    environment = {
        **os.environ,
        "KEYTURN_DECLARATION": str(declaration_path),
        "CDKTF_OUTDIR": str(folder),
        "SYNTH_HCL_OUTPUT": "true",
        "KEYTURN_EXPORT": str(output),
    }
    finished = subprocess.run(
        [sys.executable, "-P", "-m", "stacks"], env=environment, stdout=subprocess.DEVNULL, check=False
    )
    if finished.returncode != ExitCode.DONE:
        # The stacks have said what is wrong, in our words.
        raise click.exceptions.Exit(finished.returncode)


def _formatted(text: str) -> str:
    text = _LOCAL_BACKEND.sub("", text)
    text = _LOCAL_STATE.sub(r'path = "${path.module}/../\1/terraform.tfstate"', text)
    text = _QUOTED_PROVIDER.sub(r"\1\2", text)
    text = _IGNORED.sub(lambda found: found[0].replace('"', ""), text)
    if shutil.which("terraform") is None:
        return text
    finished = subprocess.run(
        ["terraform", "fmt", "-no-color", "-"], input=text, capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        raise MachineError(f"`terraform fmt` does not take what was written: {finished.stderr.strip()}")
    return finished.stdout


def _require_ours(target: Path) -> None:
    try:
        if target.exists() and not _is_ours(target):
            raise InputError(
                f"{str(target)!r} exists and is not an export of Keyturn's", "name another folder with --output"
            )
    except OSError as error:
        raise InputError(f"{str(target)!r} exists and cannot be read: {error}") from error


def _is_ours(target: Path) -> bool:
    with target.open("rb") as file:
        return file.read(len(_MARK)) == _MARK.encode()


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".tf.partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise MachineError(f"{str(target)!r} cannot be written: {error.strerror}") from error
