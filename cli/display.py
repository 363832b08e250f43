"""How results and errors look: `error:` and `hint:` on stderr, data on stdout, one JSON document with --json."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.errors import KeyturnError


def show_error(error: KeyturnError) -> None:
    """Show an error: every diagnostic, then the hint."""
    show_errors([error])


def show_errors(errors: Sequence[KeyturnError]) -> None:
    """Show several errors: every diagnostic, then each hint once."""
    for line in dict.fromkeys(line for error in errors for line in error.diagnostics()):
        click.echo(f"{click.style('error:', fg='red', bold=True)} {line}", err=True)
    for hint in dict.fromkeys(error.hint for error in errors if error.hint):
        click.echo(f"{click.style('hint:', fg='cyan', bold=True)} {hint}", err=True)


def show_usage_error(error: click.ClickException) -> None:
    """Show a mistake in the command line itself, and where to read how it is meant."""
    context = getattr(error, "ctx", None)
    path = context.command_path if isinstance(context, click.Context) else "keyturn"
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error.format_message()}", err=True)
    click.echo(f"{click.style('hint:', fg='cyan', bold=True)} `{path} --help` shows how it is used", err=True)


def note(message: str) -> None:
    """Say on stderr what is going on."""
    _say(message)


def warn(message: str) -> None:
    """Say on stderr what one should know."""
    _say(f"{click.style('warning:', fg='yellow', bold=True)} {message}")


def _say(text: str) -> None:
    # Named, not `err=True`: while a bar of progress is shown, sys.stderr puts lines above it.
    click.echo(text, file=sys.stderr)


def print_json(document: Any) -> None:
    """Print one JSON document on stdout: UTF-8, whatever the names in it are made of."""
    # A name that is not UTF-8 holds lone surrogates; backslashreplace makes JSON's own escapes of them.
    text = json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")
    click.echo(text.decode("utf-8"))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table for people: columns by their widest cell, two spaces between."""
    lines = [list(headings), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for number, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        click.echo(click.style(text, bold=True) if number == 0 else text)
