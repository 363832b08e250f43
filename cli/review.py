"""`keyturn review`: can this Terraform plan cost the company its backups?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cli.options import declaration_option, json_option
from engine.errors import ExitCode, InputError, MachineError

_MAX_PLAN_BYTES = 1024 * 1024 * 1024


@click.command("review")
@click.argument("plan", metavar="PLAN.json")
@declaration_option
@click.option(
    "--base-declaration",
    "base_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The target branch's declaration: a pull request must not bring its own judge.",
)
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@json_option
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the report there instead.")
def command(
    plan: str,
    declaration_path: Path,
    base_path: Path | None,
    output_format: str,
    as_json: bool,
    output: Path | None,
) -> int:
    """Judge a Terraform plan, as `terraform show -json PLANFILE` prints it; `-` reads it from stdin.

    Exit code 0 lets the plan pass, 1 blocks it, 3 says that it, or the declaration, cannot be read.
    """
    from engine.declaration import load_declaration
    from engine.review.json_report import render_json
    from engine.review.report import ReviewVerdict
    from engine.review.review import review_plan
    from engine.review.text_report import render_text

    declaration = load_declaration(declaration_path)
    base = load_declaration(base_path) if base_path is not None else None
    name, data = _read_plan(plan)
    report = review_plan(name, data, declaration, base=base)
    if as_json or output_format == "json":
        text = render_json(report)
    else:
        text = render_text(report, colour=output is None and sys.stdout.isatty())
    _write(text, output)
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


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MachineError(f"the report {str(output)!r} cannot be written: {error.strerror}") from error
