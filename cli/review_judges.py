"""What `keyturn review` judges a plan by, read and checked: declarations, evidence, waivers, rules.

- A pull request must not bring its own judge. Where the target branch's declaration is given, waivers, rules and the
  evidence's key may lie with it, or apart from the change; a file that lies in the working tree of the change and not
  in that of the target branch is the change's own, and refused. Where both are one tree, the folders count.
- A base declaration that is the change's own file is none.
- Evidence counts only with a key to check it. It is held against the target branch's declaration.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.declaration import load_declaration
from engine.errors import UntrustedError
from engine.review.review import RuleSet, builtin_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.declaration import Declaration
    from engine.review.proof import RotationProof

_MAX_EVIDENCE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Judges:
    """All that a plan is judged by.

    Attributes:
        declaration: The change's.
        base: The target branch's, or None where it was not given.
        proof: What the evidence proves, or None without evidence.
        rules: Keyturn's own, the customer's and the waivers.
        now: The time of the judgement.
    """

    declaration: Declaration
    base: Declaration | None
    proof: RotationProof | None
    rules: RuleSet
    now: datetime


def read_judges(
    declaration_path: Path,
    base_path: Path | None,
    evidence_path: Path | None,
    evidence_key: str | None,
    waivers_path: Path | None,
    policies_path: Path | None,
    *,
    sandbox: bool,
) -> Judges:
    """Read all that a plan is judged by.

    Args:
        declaration_path: The change's declaration.
        base_path: The target branch's, or None.
        evidence_path: The evidence, or None.
        evidence_key: The public key that it is checked with: a file or the key itself.
        waivers_path: The waivers, or None.
        policies_path: The folder of the customer's own rules, or None.
        sandbox: Whether what a sandbox signed counts.

    Raises:
        UsageError: There is evidence and no key.
        InputError: Something is missing, unreadable or has mistakes.
        UntrustedError: The change brings its own judge, or the evidence proves nothing here.
    """
    now = datetime.now(UTC)
    declaration = load_declaration(declaration_path)
    base = None
    if base_path is not None and base_path.resolve() != declaration_path.resolve():
        base = load_declaration(base_path)
        key_path = Path(evidence_key) if evidence_key is not None and _is_file(evidence_key) else None
        for what, path in (
            ("the file of waivers", waivers_path),
            ("the folder of rules", policies_path),
            ("the evidence key", key_path),
        ):
            if path is not None:
                _require_not_of_the_change(what, path, declaration_path, base_path)
    proof = None
    if evidence_path is not None:
        if evidence_key is None:
            raise click.UsageError(
                "--evidence is checked with a public key: give it with --evidence-key or KEYTURN_EVIDENCE_KEY."
            )
        proof = _read_proof(evidence_path, evidence_key, base or declaration, now, sandbox=sandbox)
    return Judges(declaration, base, proof, _read_rules(policies_path, waivers_path, now), now)


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # a key itself may be no name that a file can have
        return False


def _require_not_of_the_change(what: str, path: Path, declaration_path: Path, base_path: Path) -> None:
    change, base = _working_tree(declaration_path), _working_tree(base_path)
    if change == base:
        change, base = declaration_path.resolve().parent, base_path.resolve().parent
    for place in _places(path):
        if place.is_relative_to(change) and not (place.is_relative_to(base) and base.is_relative_to(change)):
            raise UntrustedError(
                f"{what} {str(path)!r} is the change's own, not the target branch's: a change must not bring its judge",
                f"take it from the target branch, beside {str(base_path)!r}",
            )


def _places(path: Path) -> Iterator[Path]:
    """Where a file lies, and every link on the way to it: a link in the change is the change's word too."""
    here = Path(path.absolute().anchor)
    for part in path.absolute().parts[1:]:
        here = here.parent if part == ".." else here / part
        if here.is_symlink():
            yield here
            here = here.resolve()
    yield here


def _working_tree(declaration_path: Path) -> Path:
    """The root of the Git working tree that a declaration lies in, or its folder."""
    folder = declaration_path.resolve().parent
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)


def _read_proof(path: Path, key: str, trusted: Declaration, now: datetime, *, sandbox: bool) -> RotationProof:
    from engine.evidence import read_evidence, read_verification_key
    from engine.evidence.binding import expected_of
    from engine.located_yaml import read_file
    from engine.review.proof import proof_of

    expected = replace(expected_of(trusted, sandbox=sandbox), current=trusted.current)
    data = read_file(path, what="the evidence", max_bytes=_MAX_EVIDENCE_BYTES)
    return proof_of(read_evidence(str(path), data, read_verification_key(key, Path()), expected, now))


def _read_rules(policies_path: Path | None, waivers_path: Path | None, now: datetime) -> RuleSet:
    rules = RuleSet(builtin_rules())
    if policies_path is not None:
        from engine.review.custom_rules import read_custom_rules

        rules = RuleSet(rules.builtin, read_custom_rules(policies_path, frozenset(rules.waivable)))
    if waivers_path is not None:
        from engine.located_yaml import read_file
        from engine.review.waivers import read_waivers

        data = read_file(waivers_path, what="the file of waivers")
        waivers = read_waivers(str(waivers_path), data, rules.waivable, now.date())
        rules = RuleSet(rules.builtin, rules.custom, waivers)
    return rules
