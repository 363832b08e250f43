"""Many tenants among several processes: the same stacks as from one, or none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import ExitCode, InputError
from stacks import many_tenants
from stacks.findings import GuardError
from stacks.many_tenants import write_stacks
from stacks.synthesis import Synthesis
from tests.stacks.declared import declaration_text, declare

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
    assert list(two["manifest.json"]["stacks"]) == list(one["manifest.json"]["stacks"])
    for name in one.keys() - {"manifest.json"}:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    assert {"ledger-keyturn-ledger", "vault-shared-vault", "tenant-4-alerts"} <= set(two["manifest.json"]["stacks"])
    assert stale.exists()
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["manifest.json", "stacks"]


def test_a_few_are_written_by_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_tenants, "_carry_out", None)
    write_stacks(tenants(3), tmp_path)
    assert len(written(tmp_path)["manifest.json"]["stacks"]) == 6


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_guard_refuses_in_any_process_reaches_the_user_and_nothing_is_written(
    tmp_path: Path, processes: int
) -> None:
    declared = tenants(4)
    (tmp_path / "manifest.json").write_text("{}")
    # A declaration past its own schema stands for stacks that were changed: no window is shorter than seven days.
    generation = replace(declared[3].generations[0], deletion_window_in_days=3)
    broken = [*declared[:3], replace(declared[3], generations=(generation,))]
    with pytest.raises(GuardError) as refusal:
        write_stacks(broken, tmp_path, processes=processes)
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


# Two processes, whatever machine this is.
AMONG_TWO = """
import os, sys
from stacks.app import main
os.cpu_count = lambda: 2
sys.exit(main(os.environ))
"""


@pytest.mark.parametrize(
    ("how", "exit_code"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_no_process_outlives_the_one_that_was_ended(tmp_path: Path, how: signal.Signals, exit_code: int) -> None:
    declared = tmp_path / "declared"
    declared.mkdir()
    for number in range(2 * many_tenants.FEWEST):
        text = declaration_text(tenant=f"tenant-{number}", alias=f"alias/tenant-{number}")
        (declared / f"{number}.yaml").write_text(text, encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("CDKTF_", "KEYTURN_"))}
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", AMONG_TWO],
        cwd=tmp_path,
        env=inherited | {"KEYTURN_DECLARATION": str(declared), "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not list(tmp_path.glob("cdktf.out/.keyturn-*/*/stacks")):
        time.sleep(0.01)
    if how is signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        process.send_signal(how)
    # Every process of ours has this standard error: it ends with the last of them.
    _, told = process.communicate(timeout=60)
    assert process.returncode == exit_code
    assert not written(tmp_path / "cdktf.out" / "stacks")
    assert "Traceback" not in told
    if how is not signal.SIGKILL:
        assert told == ""
        assert not list((tmp_path / "cdktf.out").iterdir())
    # CDKTF's own processes have another: each takes away what it put there once its starter has ended.
    deadline = time.monotonic() + 120
    while list(temporary.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(temporary.iterdir())
