"""Synthesis as a whole process, beside the same stack with CDKTF's prebuilt AWS provider: one tenant, and many.

Both sides run as a pipeline would: a new process that ends with the JSON written. Each run has a tenant of
its own, the runs of both sides alternate, and the first of each, which fills CDKTF's cache of unpacked
packages, does not count. The prebuilt provider is installed on demand, into `.bench/`.

Many tenants are held against a limit, against half as many (linear: twice the time), and against what the
prebuilt provider takes for a single tenant.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.errors import MachineError
from tests.bench.process_tree import measure_megabytes, measure_seconds, without_overrides
from tests.bench.result import Result

RUNS = 5
RUNS_OF_PEER = 2
GOAL_SECONDS = 1.0
GOAL_MEGABYTES = 120.0
MANY_TENANTS, MANY_GENERATIONS = 200, 5
GOAL_SECONDS_OF_MANY = 5.0
GOAL_GROWTH = 2.2  # from half of them to all

_REPOSITORY = Path(__file__).parents[2]
_PEER_ENVIRONMENT = _REPOSITORY / ".bench" / "prebuilt-provider"
_PEER_PACKAGES = ("cdktf-cdktf-provider-aws==21.22.1", "cdktf==0.21.0", "constructs==10.8.1")
_PEER_APP = Path(__file__).with_name("prebuilt_provider_app.py")


def run() -> list[Result]:
    """Measure both sides.

    Returns:
        A row for the wall time, the median of the runs, one for the memory, of a run more, and two for many tenants.

    Raises:
        MachineError: The prebuilt provider cannot be installed.
    """
    peer_python = _peer_python()
    our_seconds: list[float] = []
    peer_seconds: list[float] = []
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-") as name:
        folder = Path(name)
        for number in range(RUNS + 1):
            side = _ours(folder, f"northwind-{number}")
            our_seconds.append(measure_seconds(*side.process))
            if number <= RUNS_OF_PEER:
                peer = _peer(folder, f"northwind-{number}", peer_python, side.stack)
                peer_seconds.append(measure_seconds(*peer.process))
                _same_resources(side.stack, peer.stack)
        _seconds_of_many(folder, MANY_TENANTS // 2)  # fills caches; does not count
        half = min(_seconds_of_many(folder, MANY_TENANTS // 2) for _ in range(RUNS_OF_PEER))
        whole = min(_seconds_of_many(folder, MANY_TENANTS) for _ in range(RUNS_OF_PEER))
        weighed = _ours(folder, "fabrikam")
        our_megabytes = measure_megabytes(*weighed.process)
        peer_megabytes = measure_megabytes(*_peer(folder, "fabrikam", peer_python, weighed.stack).process)
    return [
        _result(
            "synthesis of one tenant, wall time",
            "s",
            GOAL_SECONDS,
            statistics.median(our_seconds[1:]),
            statistics.median(peer_seconds[1:]),
        ),
        _result(
            "synthesis of one tenant, peak memory of all its processes",
            "MB",
            GOAL_MEGABYTES,
            our_megabytes,
            peer_megabytes,
        ),
        _result(
            f"synthesis of {MANY_TENANTS} tenants with {MANY_GENERATIONS} generations (peer: of one tenant), wall time",
            "s",
            GOAL_SECONDS_OF_MANY,
            whole,
            statistics.median(peer_seconds[1:]),
        ),
        Result(
            name=f"synthesis, growth from {MANY_TENANTS // 2} to {MANY_TENANTS} tenants",
            ours=whole / half,
            peer=None,
            ratio=None,
            goal=f"at most {GOAL_GROWTH:g}",
            met=whole / half <= GOAL_GROWTH,
            unit="times the time",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Side:
    """A synthesis to be run: its command, folder and environment, and the stack that it will write."""

    process: tuple[list[str], Path, dict[str, str]]
    stack: Path


def _result(name: str, unit: str, goal: float, ours: float, peer: float) -> Result:
    return Result(
        name=name,
        ours=ours,
        peer=peer,
        ratio=peer / ours,
        goal=f"at most {goal:g} {unit}",
        met=ours <= goal,
        unit=unit,
    )


def _ours(folder: Path, tenant: str) -> _Side:
    file = folder / f"{tenant}.yaml"
    file.write_text(json.dumps(_declaration(tenant)))
    output = folder / f"{tenant}-ours"
    return _Side(_our_process(folder, file, output), output / "stacks" / tenant / "cdk.tf.json")


def _our_process(folder: Path, declared: Path, output: Path) -> tuple[list[str], Path, dict[str, str]]:
    environment = without_overrides() | {"KEYTURN_DECLARATION": str(declared), "CDKTF_OUTDIR": str(output)}
    return [sys.executable, "-P", "-m", "stacks"], folder, environment


def _seconds_of_many(folder: Path, count: int) -> float:
    """The wall time of a new process that writes the stacks of so many tenants."""
    declared, output = folder / f"tenants-{count}", folder / f"tenants-{count}-ours"
    declared.mkdir(exist_ok=True)
    shutil.rmtree(output, ignore_errors=True)
    generations = [{"number": number} for number in range(1, MANY_GENERATIONS + 1)]
    for number in range(count):
        tenant = f"tenant-{number}"
        file = declared / f"{tenant}.yaml"
        file.write_text(json.dumps(_declaration(tenant) | {"generations": generations, "current": 1}))
    seconds = measure_seconds(*_our_process(folder, declared, output))
    stacks = [path for path in (output / "stacks").iterdir() if (path / "cdk.tf.json").is_file()]
    keys = json.loads((stacks[-1] / "cdk.tf.json").read_text())["resource"]["aws_kms_key"]
    if (len(stacks), len(keys)) != (count, MANY_GENERATIONS):
        raise MachineError(f"{len(stacks)} stacks were written, the last with {len(keys)} keys")
    return seconds


def _declaration(tenant: str) -> dict[str, object]:
    return {
        "version": 1,
        "tenant": tenant,
        "druva": {"account_id": "210987654321", "activated": True},
        "products": ["microsoft365", "google_workspace", "entra_id"],
        "aws": {"account_id": "123456789012", "region": "us-east-1"},
        "key_administrators": ["arn:aws:iam::123456789012:role/KeyAdmin"],
        "allow_key_deletion": True,
        "break_glass": [],
        "vendor_access": "both",
        "alias": f"alias/{tenant}-ekm",
        "current": 2,
        "revoked": False,
        "generations": [{"number": 1, "description": "first key"}, {"number": 2, "rotation_period_in_days": 365}],
    }


def _peer(folder: Path, tenant: str, python: Path, stack: Path) -> _Side:
    output = folder / f"{tenant}-peer"
    command = [str(python), str(_PEER_APP), str(stack), str(output), tenant]
    return _Side((command, folder, without_overrides()), output / "stacks" / tenant / "cdk.tf.json")


def _same_resources(ours: Path, peer: Path) -> None:
    """A faster side that emits something else would prove nothing."""
    counts = [
        {
            terraform_type: len(resources)
            for terraform_type, resources in json.loads(file.read_text())["resource"].items()
        }
        for file in (ours, peer)
    ]
    if counts[0] != counts[1]:
        raise MachineError(f"the two sides emit different resources: {counts[0]} and {counts[1]}")


def _peer_python() -> Path:
    """The Python of the peer's environment, which is made when it is missing."""
    python = _PEER_ENVIRONMENT / "bin" / "python"
    stamp = _PEER_ENVIRONMENT / "installed"
    if stamp.is_file() and stamp.read_text() == "\n".join(_PEER_PACKAGES):
        return python
    shutil.rmtree(_PEER_ENVIRONMENT, ignore_errors=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", _PEER_ENVIRONMENT], check=True, capture_output=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *_PEER_PACKAGES], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        raise MachineError(
            f"the prebuilt provider cannot be installed: {error.stderr.decode(errors='replace').strip()[-300:]}",
            "it comes from the package registry that pip is configured for",
        ) from error
    stamp.write_text("\n".join(_PEER_PACKAGES))
    return python
