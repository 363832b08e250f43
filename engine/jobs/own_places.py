"""What Keyturn keeps on this disk for itself, and no restore may write over or into: vault, ledger, declaration.

A source may hold them, such as a repository that is backed up with its `.keyturn/`. Restored in place, an older
copy of the ledger would take the place of today's, with data keys and journal entries forgotten; an older
declaration would undo a revocation, or name an earlier generation as current; and a file that is restored into
the vault would lie there in plaintext (EKM-02). Each may be reached through symbolic links: the links stay as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import RefusedError
from engine.jobs.workloads import folder_identity, identity_of
from engine.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_BESIDE_SQLITE = ("", "-wal", "-shm", "-journal")  # https://www.sqlite.org/tempfiles.html
_LINKS = 40  # Linux follows no more


@dataclass(frozen=True, slots=True)
class OwnPlaces:
    """Folders by identity, and files by their folder's identity and their name.

    Attributes:
        folders: Nothing is written into these.
        files: Nothing takes these names, whether they are there or not. Names are compared without case, as some
            file systems do.
    """

    folders: frozenset[tuple[int, int]] = frozenset()
    files: frozenset[tuple[tuple[int, int], str]] = frozenset()

    def has_folder(self, descriptor: int) -> bool:
        """Whether an open folder is one of them."""
        return identity_of(os.fstat(descriptor)) in self.folders

    def has_file(self, folder: int, name: str) -> bool:
        """Whether a name in an open folder is one of theirs."""
        return bool(self.files) and (identity_of(os.fstat(folder)), name.casefold()) in self.files


def own_places(vault: Path | None, files: Iterable[Path]) -> OwnPlaces:
    """What is there now.

    Args:
        vault: The vault's folder; None where it is in a bucket.
        files: The ledger, the events, the declaration and so on.
    """
    of_vault = folder_identity(vault) if vault is not None else None
    names = [name for file in files for name in (file, *_links_and_target(file))]
    names += () if vault is None else _links_and_target(vault)
    places = ((folder_identity(name.parent), name.name.casefold()) for name in names)
    return OwnPlaces(
        frozenset() if of_vault is None else frozenset({of_vault}),
        frozenset((folder, name) for folder, name in places if folder is not None),
    )


def sqlite_files(ledger: Path) -> tuple[Path, ...]:
    """A SQLite ledger's file, and those that SQLite keeps beside it: beside the file itself where it is a link."""
    files = dict.fromkeys((ledger, ledger.resolve()))
    return tuple(file.with_name(file.name + ending) for file in files for ending in _BESIDE_SQLITE)


def _links_and_target(path: Path) -> Iterator[Path]:
    """Every symbolic link on the way to a path, and what they lead to."""
    for _ in range(_LINKS):
        path = path.absolute()
        link = next((one for one in (*reversed(path.parents), path) if one.is_symlink()), None)
        if link is None:
            break
        yield link
        path = link.parent / link.readlink() / path.relative_to(link)
    yield path


def refuse_inside(vault: Path | None, destination: Path) -> None:
    """Refuse a folder to restore into that is the vault or lies in it; nothing is made.

    Raises:
        RefusedError: It is.
    """
    if vault is None:
        return
    real = os.path.realpath(vault)
    if os.path.commonpath([real, os.path.realpath(destination)]) == real:
        raise RefusedError(
            "vault",
            f"{printable(str(destination))!r} lies in the vault, where nothing may lie in plaintext",
            ("EKM-02",),
            "name a folder of its own",
        )
