"""Synthesis as a whole process, beside the same stacks with CDKTF's prebuilt AWS provider: one tenant, and many.

Both sides run as a pipeline would: a new process that ends with the JSON written. Each run of one tenant has a tenant
of its own, the runs of both sides alternate, and the first of each, which fills CDKTF's cache of unpacked packages,
does not count. The prebuilt provider is installed on demand, into `.bench/`. Every figure is the median of its runs.

Many tenants are made in three numbers, which take turns. They are held against a limit, and twice as many may take
little more than twice the time, by the clock and of the processors, which other work on the machine touches least.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import MachineError
from tests.bench.process_tree import Taken, measure_megabytes, measure_seconds, without_overrides
from tests.bench.result import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS = 7
RUNS_OF_PEER = 2
RUNS_OF_MANY = 5
GOAL_SECONDS = 1.0
GOAL_MEGABYTES = 120.0
TENANTS = (50, 100, 200)
GENERATIONS = 5
GOAL_SECONDS_OF_MANY = 5.0
GOAL_GROWTH = 2.2  # from one number of tenants to twice as many

_REPOSITORY = Path(__file__).parents[2]
_PEER_ENVIRONMENT = _REPOSITORY / ".bench" / "prebuilt-provider"
_PEER_PACKAGES = ("cdktf-cdktf-provider-aws==21.22.1", "cdktf==0.21.0", "constructs==10.8.1")
_PEER_APP = Path(__file__).with_name("prebuilt_provider_app.py")


def run() -> list[Result]:
    """Measure both sides.

    Returns:
        Rows for one tenant: the time by the clock and of the processors, the memory; then the times of many, and how
        they grow with their number.

    Raises:
        MachineError: The prebuilt provider cannot be installed, or the two sides emit different resources.
    """
    peer_python = _peer_python()
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-") as name:
        folder = Path(name)
        return [*_one_tenant(folder, peer_python), *_many_tenants(folder, peer_python)]


def _one_tenant(folder: Path, peer_python: Path) -> list[Result]:
    ours: list[Taken] = []
    peers: list[Taken] = []
    for number in range(RUNS + 1):
        side = _ours(folder, f"northwind-{number}")
        ours.append(measure_seconds(*side.process))
        if number <= RUNS_OF_PEER:
            peer = _peer(folder, side, peer_python)
            peers.append(measure_seconds(*peer.process))
            _same_resources(side, peer)
    weighed = _ours(folder, "fabrikam")
    our_megabytes = measure_megabytes(*weighed.process)
    peer_megabytes = measure_megabytes(*_peer(folder, weighed, peer_python).process)
    what = "synthesis of one tenant"
    return [
        _result(f"{what}, wall time", "s", GOAL_SECONDS, _wall(ours[1:]), _wall(peers[1:])),
        _result(f"{what}, processor time", "s", GOAL_SECONDS, _processor(ours[1:]), _processor(peers[1:])),
        _result(f"{what}, peak memory of all its processes", "MB", GOAL_MEGABYTES, our_megabytes, peer_megabytes),
    ]


def _many_tenants(folder: Path, peer_python: Path) -> list[Result]:
    sides = {count: _ours_of_many(folder, count) for count in TENANTS}
    taken: dict[int, list[Taken]] = {count: [] for count in TENANTS}
    for _ in range(RUNS_OF_MANY):
        for count, side in sides.items():
            shutil.rmtree(side.output, ignore_errors=True)
            taken[count].append(measure_seconds(*side.process))
            _all_written(side, count)
    most = TENANTS[-1]
    peer = _peer(folder, sides[most], peer_python)
    peers = [measure_seconds(*peer.process)]
    _same_resources(sides[most], peer)
    what = f"synthesis of {most} tenants with {GENERATIONS} generations"
    seconds = GOAL_SECONDS_OF_MANY
    return [
        _result(f"{what}, wall time", "s", seconds, _wall(taken[most]), _wall(peers)),
        _result(f"{what}, processor time", "s", 2 * seconds, _processor(taken[most]), _processor(peers)),
        *(
            _growth(f"synthesis, growth of the {what} from {few} to {more} tenants", of(taken[more]) / of(taken[few]))
            for what, of in (("wall time", _wall), ("processor time", _processor))
            for few, more in pairwise(TENANTS)
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Side:
    """A synthesis to be run: its command, folder and environment, and where it will write to."""

    process: tuple[list[str], Path, dict[str, str]]
    output: Path


def _wall(runs: Sequence[Taken]) -> float:
    return statistics.median(taken.wall for taken in runs)


def _processor(runs: Sequence[Taken]) -> float:
    return statistics.median(taken.processor for taken in runs)


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


def _growth(name: str, times: float) -> Result:
    met = times <= GOAL_GROWTH
    return Result(
        name=name, ours=times, peer=None, ratio=None, goal=f"linear: at most {GOAL_GROWTH:g}", met=met, unit="times"
    )


def _ours(folder: Path, tenant: str) -> _Side:
    file = folder / f"{tenant}.yaml"
    file.write_text(json.dumps(_declaration(tenant)))
    return _our_side(folder, file, folder / f"{tenant}-ours")


def _ours_of_many(folder: Path, count: int) -> _Side:
    declared = folder / f"tenants-{count}"
    declared.mkdir()
    generations = [{"number": number} for number in range(1, GENERATIONS + 1)]
    for number in range(count):
        tenant = f"tenant-{number}"
        content = _declaration(tenant) | {"generations": generations, "current": 1}
        (declared / f"{tenant}.yaml").write_text(json.dumps(content))
    return _our_side(folder, declared, folder / f"tenants-{count}-ours")


def _our_side(folder: Path, declared: Path, output: Path) -> _Side:
    environment = without_overrides() | {"KEYTURN_DECLARATION": str(declared), "CDKTF_OUTDIR": str(output)}
    return _Side(([sys.executable, "-P", "-m", "stacks"], folder, environment), output)


def _all_written(side: _Side, count: int) -> None:
    """Fewer stacks, or less in them, would be faster and prove nothing."""
    resources = _resources(side)
    keys = {found["aws_kms_key"] for found in resources.values()}
    if (len(resources), keys) != (count, {GENERATIONS}):
        raise MachineError(f"{len(resources)} stacks were written, with {keys} keys each")


def _resources(side: _Side) -> dict[str, dict[str, int]]:
    """How many resources of which type each stack holds."""
    return {
        file.parent.name: {
            terraform_type: len(resources)
            for terraform_type, resources in json.loads(file.read_text())["resource"].items()
        }
        for file in sorted((side.output / "stacks").glob("*/cdk.tf.json"))
    }


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


def _peer(folder: Path, ours: _Side, python: Path) -> _Side:
    output = folder / f"{ours.output.name}-peer"
    command = [str(python), str(_PEER_APP), str(ours.output), str(output)]
    return _Side((command, folder, without_overrides()), output)


def _same_resources(ours: _Side, peer: _Side) -> None:
    """A faster side that emits something else would prove nothing."""
    counts = [_resources(ours), _resources(peer)]
    if not counts[0] or counts[0] != counts[1]:
        raise MachineError("the two sides emit different resources")


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
