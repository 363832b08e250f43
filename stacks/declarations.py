"""The declarations that a synthesis is made from.

`KEYTURN_DECLARATION` names a file, or a folder of which every `*.yaml` and `*.yml` file is one tenant's
declaration; without it the file is `ekm.yaml`. Files whose name begins with a dot, and folders within the
folder, are not read. Every mistake in every file is reported at once. What a declaration asks for beyond
what is proved (`stacks.proved`) is a mistake like any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.declaration import read_declaration, typed_declaration
from engine.errors import InputError, Mistake
from engine.located_yaml import read_file
from stacks.limits import find_collisions, find_limits
from stacks.proved import find_unproved, keys_in_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.declaration import Declaration
    from stacks.evidence import EvidenceSource
    from stacks.limits import Located

SETTING = "KEYTURN_DECLARATION"
DEFAULT_DECLARATION = "ekm.yaml"
_SUFFIXES = {".yaml", ".yml"}


def declared_path(environment: Mapping[str, str]) -> Path:
    """The file or folder that the environment names; an empty setting counts as none."""
    return Path(environment.get(SETTING) or DEFAULT_DECLARATION)


def load_declarations(
    path: Path, evidence: EvidenceSource | None = None, *state_folders: Path
) -> tuple[Declaration, ...]:
    """Read the declarations of a file or folder, and check that the stacks can and may make what they ask for.

    Args:
        path: A declaration, or a folder of them.
        evidence: Where the evidence of the tenants lies; None for none: nothing is proved.
        state_folders: Folders of local Terraform states (`stacks.proved.keys_in_state`).

    Returns:
        The declarations, ordered by file name; at least one.

    Raises:
        InputError: Something is missing, unreadable, wrong, beyond the stacks or not proved; with every mistake.
        UntrustedError: The evidence does not hold.
    """
    located: list[Located] = []
    mistakes: list[Mistake] = []
    for file in _files(path):
        try:
            document = read_declaration(str(file), read_file(file, what="the declaration"))
        except InputError as error:
            mistakes += error.mistakes or (Mistake(str(file), None, None, error.message),)
            continue
        declaration = typed_declaration(document)
        mistakes += find_limits(document, declaration)
        proved = None if evidence is None else evidence.of(declaration)
        mistakes += find_unproved(document, declaration, proved, keys_in_state(state_folders, declaration.tenant))
        located.append((document, declaration))
    mistakes += find_collisions(located)
    if mistakes:
        raise InputError(
            f"{path} cannot be synthesised",
            "correct the declaration; `keyturn check` shows the same mistakes",
            tuple(mistakes),
        )
    return tuple(declaration for _, declaration in located)


def _files(path: Path) -> list[Path]:
    try:
        if not path.exists():
            raise InputError(
                f"the declaration {str(path)!r} does not exist",
                f"`keyturn init` writes one; {SETTING} names another file, or a folder of them",
            )
        if not path.is_dir():
            return [path]
        entries = sorted(path.iterdir())
    except OSError as error:
        raise InputError(f"the declaration {str(path)!r} cannot be read: {error.strerror}") from error
    files = [entry for entry in entries if entry.suffix in _SUFFIXES and not entry.name.startswith(".")]
    if not files:
        raise InputError(f"the folder {str(path)!r} holds no declaration", "put one *.yaml file a tenant into it")
    return files
