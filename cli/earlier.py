"""What a declaration was before: in a file or folder, or at a Git revision.

- A Git revision is looked for first. Where a file has the same name it is refused as ambiguous, so that a
  change cannot bring a file that takes the place of the revision it is to be held against.
- One declaration is held against the one of its own name. Of a folder, each is held against the one of its
  tenant, whatever its file's name; a tenant that is gone is a mistake, a new one has nothing to be held against.
- Nothing found to hold against is an error, never a pass.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from engine.declaration import Declaration, parse_declaration
from engine.errors import InputError
from engine.located_yaml import read_file

_GIT_SECONDS = 60
_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class EarlierDeclaration:
    """A declaration that stood before, and its name for messages."""

    name: str
    declaration: Declaration


def earlier_declarations(path: Path, against: str) -> tuple[EarlierDeclaration, ...]:
    """Find what a declaration, or a folder of them, is to be held against.

    Args:
        path: The declaration or the folder of today.
        against: A file or folder, or a Git revision.

    Returns:
        At least one declaration.

    Raises:
        InputError: Nothing is found, it has mistakes, or `against` is both a file and a revision.
    """
    folder = path.resolve() if path.is_dir() else path.resolve().parent
    revision = _revision(folder, against)
    file = Path(against)
    if revision is not None and file.exists():
        raise InputError(
            f"{against!r} is both a Git revision and a file: which one is meant?",
            f"write ./{against} for the file, or refs/… for the revision",
        )
    if revision is not None:
        found = _at_revision(path, folder, against, revision)
    elif file.exists():
        found = _on_disk(path, file)
    else:
        raise InputError(
            f"{against!r} is neither a Git revision nor a file",
            "name a revision such as origin/main (in a shallow clone, fetch it first), or a file",
        )
    if not found:
        raise InputError(f"there is no declaration at {against!r} to hold {str(path)!r} against")
    return tuple(EarlierDeclaration(name, parse_declaration(name, data)) for name, data in found)


def _on_disk(path: Path, against: Path) -> list[tuple[str, bytes]]:
    files = [against / path.name if against.is_dir() else against]
    if path.is_dir() and against.is_dir():
        files = sorted(file for file in against.iterdir() if file.suffix in _ENDINGS)
    return [(str(file), read_file(file, what="the earlier declaration")) for file in files]


def _at_revision(path: Path, folder: Path, against: str, revision: str) -> list[tuple[str, bytes]]:
    names = [path.name]
    if path.is_dir():
        listed = _git(folder, "ls-tree", "--name-only", "-z", revision, "./")
        entries = [] if listed is None else listed.decode(errors="surrogateescape").split("\0")
        names = sorted(name for name in entries if Path(name).suffix in _ENDINGS)
    found = []
    for name in names:
        data = _git(folder, "show", f"{revision}:./{name}")
        if data is None:
            raise InputError(
                f"the revision {against} has no {name}: there is nothing to hold {str(path)!r} against",
                "a declaration keeps its name; a new one is checked without --against",
            )
        found.append((f"{against}:{name}", data))
    return found


def _revision(folder: Path, against: str) -> str | None:
    """The commit that a revision names, or None where it names none."""
    found = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{against}^{{commit}}")
    return None if found is None else found.decode("ascii").strip()


def _git(folder: Path, *arguments: str) -> bytes | None:
    """What Git prints, or None where it fails or is not there."""
    try:
        result = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, check=False, timeout=_GIT_SECONDS
        )
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        raise InputError(f"Git does not answer within {_GIT_SECONDS} seconds") from error
    return result.stdout if result.returncode == 0 else None
