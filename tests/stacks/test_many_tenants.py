"""Many tenants among several processes: the same stacks as from one, or none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import ExitCode, InputError
from stacks import many_tenants
from stacks.findings import GuardError
from stacks.many_tenants import write_stacks
from stacks.synthesis import Synthesis
from tests.stacks.declared import declare

if TYPE_CHECKING:
    from pathlib import Path

    from engine.declaration import Declaration


def tenants(count: int) -> list[Declaration]:
    """Tenants in an order that is not the alphabet's, who share a table; one has alerts, one a bucket."""
    more: list[dict[str, Any]] = [{} for _ in range(count)]
    more[1] = {"alerts": {"emails": ["keys@example.com"]}}
    more[2] = {"vault": "s3://shared-vault/backups"}
    return [
        declare(
            tenant=f"tenant-{count - number}", alias=f"alias/tenant-{number}", ledger="dynamodb://keyturn-ledger", **one
        )
        for number, one in enumerate(more)
    ]


def written(folder: Path) -> dict[str, Any]:
    return {
        str(path.relative_to(folder)): json.loads(path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.json")
        if path.is_file()
    }


def test_several_processes_write_what_one_writes(tmp_path: Path) -> None:
    declared = tenants(5)
    moves = frozenset({"tenant-3"})
    Synthesis(declared, tmp_path / "one", moves).write()
    stale = tmp_path / "two" / "stacks" / "tenant-5" / ".terraform" / "kept"
    stale.parent.mkdir(parents=True)
    stale.write_text("what `terraform init` left")
    write_stacks(declared, tmp_path / "two", moves, processes=2)
    one, two = written(tmp_path / "one"), written(tmp_path / "two")
    assert two == one
    assert {"ledger-keyturn-ledger", "vault-shared-vault", "tenant-4-alerts"} <= set(two["manifest.json"]["stacks"])
    assert stale.exists()
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["manifest.json", "stacks"]


def test_a_few_are_written_by_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_tenants, "_carry_out", None)
    write_stacks(tenants(3), tmp_path)
    assert len(written(tmp_path)["manifest.json"]["stacks"]) == 6


def test_what_a_guard_refuses_in_any_process_reaches_the_user_and_nothing_is_written(tmp_path: Path) -> None:
    declared = tenants(4)
    (tmp_path / "manifest.json").write_text("{}")
    # A declaration past its own schema stands for stacks that were changed: no window is shorter than seven days.
    generation = replace(declared[3].generations[0], deletion_window_in_days=3)
    broken = [*declared[:3], replace(declared[3], generations=(generation,))]
    with pytest.raises(GuardError) as refusal:
        write_stacks(broken, tmp_path, processes=2)
    assert [(finding.guard, finding.address) for finding in refusal.value.findings] == [
        ("deletion_window", "aws_kms_key.generation_1")
    ]
    assert written(tmp_path) == {"manifest.json": {}}
    assert list(tmp_path.iterdir()) == [tmp_path / "manifest.json"]


def test_a_declaration_that_cannot_be_made_is_told_as_one_process_tells_it(tmp_path: Path) -> None:
    declared = tenants(4)
    # Past `stacks.limits`, which finds it before: an alias cannot point to a key whose ARN nobody declared.
    unknown = replace(declared[3].generations[0], address="aws_kms_key.ekm")
    wrong = [*declared[:3], replace(declared[3], generations=(unknown,))]
    told = []
    for processes in (1, 2):
        with pytest.raises(InputError) as caught:
            write_stacks(wrong, tmp_path / str(processes), processes=processes)
        told.append((caught.value.exit_code, caught.value.diagnostics(), caught.value.hint))
    assert told[0] == told[1]
    assert told[0][0] is ExitCode.INPUT
    assert not written(tmp_path)
