"""`keyturn check`: the declaration alone, or against what stood before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from cli.display import print_json
from cli.options import declaration_option, json_option
from engine.declaration import Declaration, read_declaration, typed_declaration
from engine.errors import ExitCode, InputError, Mistake
from engine.located_yaml import LocatedDocument, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from cli.earlier import EarlierDeclaration


@dataclass(frozen=True, slots=True)
class _Checked:
    """A declaration that has no mistake of its own."""

    path: Path
    document: LocatedDocument
    declaration: Declaration


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
    they are, and `current` never goes down. A folder of declarations is checked as a whole.
    """
    try:
        checked = _check_all(declaration_path)
        if against is not None:
            _hold_against(declaration_path, checked, against)
    except InputError as error:
        if not as_json:
            raise
        mistakes = error.mistakes or (Mistake(str(declaration_path), None, None, error.message),)
        print_json({"valid": False, "mistakes": [_document(mistake) for mistake in mistakes]})
        return ExitCode.INPUT
    if as_json:
        print_json({"valid": True, "tenants": [_tenant(one.declaration) for one in checked]})
        return ExitCode.DONE
    for one in checked:
        count = len(one.declaration.generations)
        click.echo(
            f"{one.path}: valid; tenant {one.declaration.tenant}, {count} generation{'s' if count > 1 else ''},"
            f" current {one.declaration.current}"
        )
    return ExitCode.DONE


def _check_all(path: Path) -> list[_Checked]:
    """Check a declaration, or every one of a folder; the mistakes of all of them in one error."""
    checked: list[_Checked] = []
    errors: list[InputError] = []
    for file in _files(path):
        try:
            document = read_declaration(str(file), read_file(file, what="the declaration"))
        except InputError as error:
            errors.append(error)
        else:
            checked.append(_Checked(file, document, typed_declaration(document)))
    seen: dict[str, Path] = {}
    for one in checked:
        if one.declaration.tenant in seen:
            first = seen[one.declaration.tenant]
            mistake = one.document.mistake(("tenant",), f"{first} declares tenant {one.declaration.tenant!r} too")
            errors.append(InputError("a tenant is declared twice", mistakes=(mistake,)))
        seen.setdefault(one.declaration.tenant, one.path)
    if len(errors) == 1:
        hint = errors[0].hint or "`keyturn init` writes one; `--declaration FILE` names another"
        raise InputError(errors[0].message, None if errors[0].mistakes else hint, errors[0].mistakes) from errors[0]
    if errors:
        found = [error.mistakes or (Mistake(str(path), None, None, error.message),) for error in errors]
        raise InputError(f"{len(errors)} declarations have mistakes", mistakes=tuple(m for some in found for m in some))
    return checked


def _files(path: Path) -> list[Path]:
    """The declarations that a path names: a file, or the YAML files of a folder."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"} and file.is_file())
    if not files:
        raise InputError(f"the folder {str(path)!r} holds no declaration", "declarations end in .yaml")
    return files


def _hold_against(path: Path, checked: list[_Checked], against: str) -> None:
    """Hold each declaration against what it was.

    Raises:
        InputError: Something is taken back, a tenant is gone, or there is nothing to hold against.
    """
    from cli.earlier import earlier_declarations
    from engine.declaration_history import check_against

    earlier = earlier_declarations(path, against)
    mistakes: list[Mistake] = []
    for one in checked:
        former = earlier[0] if not path.is_dir() else _of_tenant(earlier, one.declaration.tenant)
        if former is not None:
            mistakes.extend(check_against(one.document, one.declaration, former.declaration))
    if path.is_dir():
        today = {one.declaration.tenant for one in checked}
        mistakes.extend(
            Mistake(str(path), None, None, f"tenant {former.declaration.tenant!r} of {former.name} is gone", "its file")
            for former in earlier
            if former.declaration.tenant not in today
        )
    if mistakes:
        raise InputError(f"{path} takes back what {against} declared", mistakes=tuple(mistakes))


def _of_tenant(earlier: tuple[EarlierDeclaration, ...], tenant: str) -> EarlierDeclaration | None:
    return next((former for former in earlier if former.declaration.tenant == tenant), None)


def _tenant(declaration: Declaration) -> dict[str, object]:
    numbers = [generation.number for generation in declaration.generations]
    return {"tenant": declaration.tenant, "generations": numbers, "current": declaration.current}


def _document(mistake: Mistake) -> dict[str, str | int | None]:
    return {
        "file": mistake.file,
        "line": mistake.line,
        "column": mistake.column,
        "message": mistake.message,
        "expected": mistake.expected,
    }
