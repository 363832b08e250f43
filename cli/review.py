"""`keyturn review`: can this Terraform plan cost the company its backups?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cli.options import declaration_option, json_option
from engine.collection import without_collection
from engine.errors import ExitCode, InputError, MachineError

_MAX_PLAN_BYTES = 1024 * 1024 * 1024
_FORMATS = ("text", "json", "markdown", "sarif", "junit", "github", "gitlab")  # a test holds them against ReportFormat
_FILE = click.Path(path_type=Path)


@click.command("review")
@click.argument("plan", metavar="PLAN.json")
@declaration_option
@click.option(
    "--base-declaration",
    "base_path",
    type=_FILE,
    metavar="FILE",
    help="The target branch's declaration: a pull request must not bring its own judge.",
)
@click.option(
    "--evidence",
    "evidence_path",
    type=_FILE,
    envvar="KEYTURN_EVIDENCE",
    metavar="FILE",
    help="Signed evidence of the rotation's state; without it nothing is proved.",
)
@click.option(
    "--evidence-key",
    envvar="KEYTURN_EVIDENCE_KEY",
    metavar="KEY",
    help="The public key that the evidence is checked with: a PEM file, or the key itself.",
)
@click.option("--waivers", "waivers_path", type=_FILE, metavar="FILE", help="Waivers, from the target branch.")
@click.option("--policies", "policies_path", type=_FILE, metavar="DIR", help="Rules of your own, from there too.")
@click.option("--sandbox", is_flag=True, help="A rehearsal: let what a sandbox signed count as evidence.")
@click.option("--format", "output_format", type=click.Choice(_FORMATS), default="text", show_default=True)
@json_option
@click.option("--output", type=_FILE, metavar="FILE", help="Write the report there instead.")
@without_collection()
def command(  # noqa: PLR0913 - one parameter an option
    *,
    plan: str,
    declaration_path: Path,
    base_path: Path | None,
    evidence_path: Path | None,
    evidence_key: str | None,
    waivers_path: Path | None,
    policies_path: Path | None,
    sandbox: bool,
    output_format: str,
    as_json: bool,
    output: Path | None,
) -> int:
    """Judge a Terraform plan, as `terraform show -json PLANFILE` prints it; `-` reads it from stdin.

    Exit code 0 lets the plan pass, 1 blocks it, 3 says that it, or what it is judged by, cannot be read or trusted.
    """
    from cli.review_judges import read_judges
    from engine.review.formats import ReportFormat, render
    from engine.review.report import ReviewVerdict
    from engine.review.review import review_plan

    key_path = Path(evidence_key) if evidence_key is not None else None
    read = (Path(plan), declaration_path, base_path, evidence_path, key_path, waivers_path)
    _require_no_input(output, [path for path in read if path is not None])
    judges = read_judges(
        declaration_path, base_path, evidence_path, evidence_key, waivers_path, policies_path, sandbox=sandbox
    )
    name, data = _read_plan(plan)
    report = review_plan(
        name,
        data,
        judges.declaration,
        base=judges.base,
        proof=judges.proof,
        rules=judges.rules,
        now=judges.now,
    )
    form = ReportFormat("json" if as_json else output_format)
    _write(render(report, form, colour=output is None and sys.stdout.isatty()), output)
    return ExitCode.REFUSED if report.verdict is ReviewVerdict.BLOCK else ExitCode.DONE


def _read_plan(plan: str) -> tuple[str, bytes]:
    from engine.located_yaml import read_file

    if plan == "-":
        return "stdin", sys.stdin.buffer.read(_MAX_PLAN_BYTES)
    try:
        return plan, read_file(Path(plan), what="the plan", max_bytes=_MAX_PLAN_BYTES)
    except InputError as error:
        hint = "make it with `terraform plan -out=FILE` and `terraform show -json FILE > PLAN.json`"
        raise InputError(error.message, hint) from error


def _require_no_input(output: Path | None, read: list[Path]) -> None:
    """What a plan is judged by, and the plan, are never written over."""
    if output is not None and os.path.realpath(output) in map(os.path.realpath, read):
        raise click.UsageError(f"--output {str(output)!r} is a file that the review reads: name another.")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MachineError(f"the report {str(output)!r} cannot be written: {error.strerror}") from error
