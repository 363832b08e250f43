"""What the vendor had on a key before it was taken away, kept in a file until it is given back.

A key that is taken away a second time, after an interruption or after a deploy gave it back, adds to its entry:
a policy that still names the vendor is newer than the saved one, and a grant that is there counts as well.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from engine.access import Grant
from engine.durable import write_whole
from engine.errors import InputError, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class SavedAccess:
    """What the vendor had on a key.

    Attributes:
        key_arn: The key.
        policy: The key policy that named the vendor, JSON; or the policy as it was, where none did.
        grants: The grants to it, by it or for it to retire.
    """

    key_arn: str
    policy: str
    grants: tuple[Grant, ...]

    def with_earlier(self, earlier: SavedAccess | None, *, names_vendor: bool) -> SavedAccess:
        """What is there now, with what was saved before.

        Args:
            earlier: What was saved before, or None.
            names_vendor: Whether the policy that is there now names the vendor.
        """
        if earlier is None:
            return self
        kept = {grant.grant_id: grant for grant in (*earlier.grants, *self.grants)}
        return SavedAccess(self.key_arn, self.policy if names_vendor else earlier.policy, tuple(kept.values()))


def read_saved(path: Path) -> dict[str, SavedAccess]:
    """Read what was saved, by key ARN; empty where there is no file.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        documents = json.loads(path.read_text(encoding="utf-8"))
        return {document["key_arn"]: _decode(document) for document in documents}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"what was saved of the vendor's access cannot be read: {str(path)!r}",
            "restore the key policies and grants by a deploy, then remove the file",
        ) from error


def write_saved(path: Path, saved: Iterable[SavedAccess]) -> None:
    """Keep what is about to be taken away; the file takes the place of an earlier one in one step.

    Raises:
        MachineError: It cannot be written.
    """
    documents = [
        {**asdict(access), "grants": [{**asdict(g), "operations": sorted(g.operations)} for g in access.grants]}
        for access in saved
    ]
    data = json.dumps(documents, indent=2).encode()
    hint = "what the vendor has could not be given back; `keyturn revoke --way disable` needs no file"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{str(path.parent)!r} cannot be made: {error.strerror}", hint) from error
    write_whole(path, data, "the file", hint=hint)


def _decode(document: dict[str, Any]) -> SavedAccess:
    grants = tuple(Grant(**{**grant, "operations": frozenset(grant["operations"])}) for grant in document["grants"])
    if not isinstance(document["policy"], str):
        raise TypeError("the policy is no text")
    return SavedAccess(document["key_arn"], document["policy"], grants)
