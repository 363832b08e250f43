"""A revocation or its undoing that dies between any two steps is safe, and the same command ends it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.client
import pytest

from engine.ledger.sqlite import SqliteLedger
from tests.cli.test_revoke import declared, grants, is_revoked, rotated, state_of, statements

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Repository

STEPS = (
    (botocore.client.BaseClient, "_make_api_call"),
    (Path, "replace"),
    (Path, "unlink"),
    (SqliteLedger, "commit"),
)


class Interruptions:
    """Ends the process, as far as it can see, before its n-th step: that is after the one before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.left: int | None = None
        for owner, name in STEPS:
            self._wrap(owner, name, getattr(owner, name))

    def _wrap(self, owner: type, name: str, original: Callable[..., Any]) -> None:
        def step(*arguments: Any, **named: Any) -> Any:
            if self._ends(arguments):
                raise KeyboardInterrupt
            return original(*arguments, **named)

        self._patch.setattr(owner, name, step)

    def _ends(self, arguments: tuple[Any, ...]) -> bool:
        if self.left is None or (len(arguments) > 1 and str(arguments[1]).startswith(("Describe", "List", "Get"))):
            return False  # a look changes nothing: ending before the next change is the same
        self.left -= 1
        return self.left == 0


def interrupted(repository: Repository, interruptions: Interruptions, step: int, *arguments: str) -> bool:
    """Run a command that is ended at a step; whether it came so far as to be ended."""
    interruptions.left = step
    ended = repository.keyturn(*arguments)
    reached = interruptions.left <= 0
    interruptions.left = None
    assert ended.exit_code == (130 if reached else 0), ended.err
    return reached


def everything(repository: Repository, *arns: str) -> list[Any]:
    """Everything that a revocation touches."""
    held = [
        [sorted([grant["GranteePrincipal"], *grant["Operations"]]) for grant in grants(repository, arn)] for arn in arns
    ]
    return [[state_of(repository, arn) for arn in arns], [statements(repository, arn) for arn in arns], held]


def assert_revoked(repository: Repository, way: str, *arns: str) -> None:
    assert "revoked: true" in declared(repository)
    assert is_revoked(repository)
    for arn in arns:
        if way == "disable":
            assert state_of(repository, arn) == "Disabled"
        else:
            assert "210987654321" not in json.dumps(statements(repository, arn))
            assert grants(repository, arn) == []


@pytest.mark.requirement("EKM-10")
@pytest.mark.parametrize("way", ["disable", "access"])
def test_whatever_step_it_dies_at_the_same_command_ends_it_and_all_comes_back(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, way: str, tell: Callable[[str], None]
) -> None:
    arns = rotated(repository)
    before, text = everything(repository, *arns), declared(repository)
    interruptions = Interruptions(monkeypatch)
    died = 0
    for step in itertools.count(1):
        reached = interrupted(repository, interruptions, step, "revoke", "--yes", "--way", way)
        assert repository.keyturn("revoke", "--yes", "--way", way).exit_code == 0
        assert_revoked(repository, way, *arns)
        undone = interrupted(repository, interruptions, step, "reinstate", "--yes")
        if undone:
            # What it had not given back may still be missing; running it again is allowed, or it is all there.
            assert repository.keyturn("reinstate", "--yes").exit_code in {0, 1}
        assert everything(repository, *arns) == before
        assert declared(repository) == text
        assert not is_revoked(repository)
        assert not (repository.folder / ".keyturn" / "revoked-access.json").exists()
        died += reached + undone
        if not reached and not undone:
            break
    assert died >= 8
    tell(f"revocation by way of {way}: ended before each of {died} steps, and run again each time")
