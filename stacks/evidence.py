"""The signed evidence that a synthesis is given: where it is, and what it is checked with.

- `KEYTURN_EVIDENCE` names the file that `keyturn status --evidence` wrote. For several tenants it names a
  folder that holds one file a tenant, `TENANT.json`; a tenant without one has nothing proved.
- `KEYTURN_EVIDENCE_KEY` is the public key that it is checked with: a PEM file, or the key itself. It comes
  from the pipeline, never from the change that is deployed.
- `KEYTURN_EVIDENCE_SANDBOX=1` lets what a sandbox signed count: for rehearsals alone.

What cannot be read or does not hold stops the synthesis: it is never taken for no evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError
from engine.lifecycle import FIRST_GENERATION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from engine.declaration import Declaration
    from engine.evidence import Evidence

SETTING = "KEYTURN_EVIDENCE"
KEY_SETTING = "KEYTURN_EVIDENCE_KEY"
SANDBOX_SETTING = "KEYTURN_EVIDENCE_SANDBOX"
_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EvidenceSource:
    """Where evidence may lie.

    Attributes:
        path: A file, a folder of `TENANT.json`, or None for no evidence.
        key: The public key, as the pipeline gives it, or None.
        sandbox: Whether a sandbox's word counts.
        now: The time, UTC.
    """

    path: Path | None
    key: str | None
    sandbox: bool
    now: datetime

    def of(self, declaration: Declaration) -> Evidence | None:
        """The evidence of a tenant, checked; None where none is given.

        Raises:
            InputError: It cannot be read, or no key is given to check it.
            UntrustedError: It proves nothing of this tenant, or nothing any more.
        """
        file = self._file(declaration.tenant)
        if file is None:
            return None
        if self.key is None:
            raise InputError(
                f"{SETTING} names evidence, and nothing says with which key to check it",
                f"set {KEY_SETTING} to the public key of the ledger's owner; `keyturn evidence public-key` prints it",
            )
        from engine.evidence import read_evidence, read_verification_key
        from engine.evidence.binding import expected_of
        from engine.located_yaml import read_file

        expected = expected_of(declaration, sandbox=self.sandbox)
        data = read_file(file, what="the evidence", max_bytes=_MAX_BYTES)
        return read_evidence(str(file), data, read_verification_key(self.key, Path()), expected, self.now)

    def lets_alias_move(self, declaration: Declaration) -> bool:
        """Whether a tenant's alias may be moved: its current generation is the first, or proved to be integrated.

        Where it may not, it stays where it points, and is only made where there is none. Raises as `of`.
        """
        if declaration.current == FIRST_GENERATION:
            return True
        evidence = self.of(declaration)
        entry = None if evidence is None else evidence.generation(declaration.current)
        return entry is not None and entry.integrated

    def _file(self, tenant: str) -> Path | None:
        if self.path is None or not self.path.is_dir():
            return self.path
        file = self.path / f"{tenant}.json"
        try:
            file.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"the evidence {str(file)!r} cannot be read: {error.strerror}") from error
        return file  # a link that leads nowhere is no missing file: reading it fails


def evidence_source(environment: Mapping[str, str], now: datetime) -> EvidenceSource:
    """What the environment says of evidence; an empty setting counts as none.

    Args:
        environment: The process's environment variables.
        now: The time, UTC.
    """
    path = environment.get(SETTING)
    return EvidenceSource(
        path=Path(path) if path else None,
        key=environment.get(KEY_SETTING) or None,
        sandbox=environment.get(SANDBOX_SETTING) == "1",
        now=now,
    )
