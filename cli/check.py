"""`keyturn check`: the declaration alone, or against what stood before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import click

from cli.display import print_json
from cli.options import declaration_option, json_option
from engine.declaration import Declaration, parse_declaration, read_declaration, typed_declaration
from engine.errors import ExitCode, InputError, KeyturnError
from engine.located_yaml import LocatedDocument, read_file


@click.command("check")
@declaration_option
@click.option(
    "--against",
    metavar="FILE|GITREF",
    help="An earlier declaration: a file, or a Git revision such as origin/main.",
)
@json_option
def command(declaration_path: Path, against: str | None, as_json: bool) -> int:
    """Check the declaration, and report every mistake at once with its place.

    With --against it is also held against an earlier one: generations are append-only, their keys stay what
    they are, and `current` never goes down.
    """
    paths = _files(declaration_path)
    try:
        declarations = [_check(path, against) for path in paths]
        _no_tenant_twice(paths, declarations)
    except InputError as error:
        if not as_json:
            raise
        print_json({"valid": False, "mistakes": _mistakes(error)})
        return ExitCode.INPUT
    if as_json:
        print_json(
            {
                "valid": True,
                "tenants": [
                    {"tenant": d.tenant, "generations": [g.number for g in d.generations], "current": d.current}
                    for d in declarations
                ],
            }
        )
        return ExitCode.DONE
    for path, declaration in zip(paths, declarations, strict=True):
        count = len(declaration.generations)
        click.echo(
            f"{path}: valid; tenant {declaration.tenant}, {count} generation{'s' if count > 1 else ''},"
            f" current {declaration.current}"
        )
    return ExitCode.DONE


def _files(path: Path) -> list[Path]:
    """The declarations that a path names: a file, or the YAML files of a folder."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"} and file.is_file())
    if not files:
        raise InputError(f"the folder {str(path)!r} holds no declaration", "declarations end in .yaml")
    return files


def _check(path: Path, against: str | None) -> Declaration:
    document = read_declaration(str(path), _read(path))
    declaration = typed_declaration(document)
    if against is not None:
        _hold_against(document, declaration, path, against)
    return declaration


def _read(path: Path) -> bytes:
    try:
        return read_file(path, what="the declaration")
    except InputError as error:
        hint = "`keyturn init` writes one; `--declaration FILE` names another"
        raise InputError(error.message, hint, error.mistakes) from error


def _hold_against(document: LocatedDocument, declaration: Declaration, path: Path, against: str) -> None:
    from engine.declaration_history import check_against

    name, data = _earlier(path, against)
    mistakes = check_against(document, declaration, parse_declaration(name, data))
    if mistakes:
        raise InputError(f"{path} takes back what {name} declared", mistakes=mistakes)


def _earlier(path: Path, against: str) -> tuple[str, bytes]:
    """The earlier declaration's name and bytes: a file where there is one of that name, else a Git revision."""
    file = Path(against)
    if file.is_dir():
        file /= path.name
    if file.is_file():
        return str(file), read_file(file, what="the earlier declaration")
    folder = path.resolve().parent
    revision = f"{against}:./{path.name}"
    try:
        shown = subprocess.run(
            ["git", "-C", str(folder), "show", revision], capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{against!r} is no file, and Git cannot be asked for a revision: {error}") from error
    if shown.returncode != 0:
        reason = shown.stderr.decode(errors="replace").strip().splitlines()
        raise InputError(
            f"{against!r} is neither a file nor a Git revision that has {path.name}: {reason[0] if reason else ''}",
            "name a file, or a revision such as origin/main; fetch it first in a shallow clone",
        )
    return revision, shown.stdout


def _no_tenant_twice(paths: list[Path], declarations: list[Declaration]) -> None:
    seen: dict[str, Path] = {}
    for path, declaration in zip(paths, declarations, strict=True):
        if declaration.tenant in seen:
            raise InputError(f"{path} and {seen[declaration.tenant]} both declare tenant {declaration.tenant!r}")
        seen[declaration.tenant] = path


def _mistakes(error: KeyturnError) -> list[dict[str, str | int | None]]:
    if isinstance(error, InputError) and error.mistakes:
        return [
            {"file": m.file, "line": m.line, "column": m.column, "message": m.message, "expected": m.expected}
            for m in error.mistakes
        ]
    return [{"file": None, "line": None, "column": None, "message": error.message, "expected": None}]
