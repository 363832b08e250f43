"""The plan review as a whole process, beside reading the same file as JSON, and beside Checkov.

Each side is a new process on the same file, runs alternate, and the best of each side counts, as the processor's time:
what else the machine does only ever makes a run longer. Checkov runs with its KMS checks alone, which flatters it, and
on the plan with many keys once. It is installed on demand, into `.bench/`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import MachineError
from tests.bench.plans import DECLARATION, write_dangerous, write_keys, write_others
from tests.bench.process_tree import measure_megabytes, measure_processor_seconds, without_overrides
from tests.bench.result import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS = 5
KEYS = 5_000
BIG_KEYS = 75_000  # some 200 MB
SMALL_SECONDS = 0.25
MEGABYTES = 200.0

_REPOSITORY = Path(__file__).parents[2]
_PEER_ENVIRONMENT = _REPOSITORY / ".bench" / "checkov"
_PEER_PACKAGES = ("checkov==3.3.30",)
_PEER_CHECKS = "CKV_AWS_7,CKV_AWS_33,CKV_AWS_227,CKV2_AWS_64"
_REFUSED = 1  # both sides exit so on a plan that they find fault with


def run() -> list[Result]:
    """Measure all sides.

    Returns:
        A row each for a small plan, for many keys in scope (beside JSON, in memory, beside Checkov), for a plan of that
        size without any, and for how time and memory grow up to 200 MB.

    Raises:
        MachineError: Checkov cannot be installed.
    """
    checkov = _checkov()
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-") as name:
        folder = Path(name)
        (folder / "ekm.yaml").write_text(json.dumps(DECLARATION), encoding="utf-8")
        small, keys, others, big = (folder / f"{what}.json" for what in ("small", "keys", "others", "big"))
        write_dangerous(small)
        write_keys(keys, KEYS)
        write_others(others, keys.stat().st_size)
        write_keys(big, BIG_KEYS)
        ours_small, theirs_small = _best(_ours(folder, small), [str(checkov), *_checkov_arguments(small)], runs=2)
        ours_keys, json_keys = _best(_ours(folder, keys), _json(keys))
        ours_others, json_others = _best(_ours(folder, others), _json(others))
        theirs_keys = _seconds([str(checkov), *_checkov_arguments(keys)])
        ours_big, json_big = _best(_ours(folder, big), _json(big), runs=1, warm=False)
        megabytes = measure_megabytes(_ours(folder, keys), folder, without_overrides())
        growth = (ours_big / big.stat().st_size) / (ours_keys / keys.stat().st_size)
        size = f"{keys.stat().st_size / 1e6:.0f} MB"
    return [
        _result("review of a small plan, peer Checkov", ours_small, theirs_small, f"at most {SMALL_SECONDS} s"),
        _result(f"review of {KEYS} keys in scope ({size}), peer json.load", ours_keys, json_keys, "at most 5 times"),
        _result(f"review of {KEYS} keys in scope ({size}), peer Checkov", ours_keys, theirs_keys, "30 times faster"),
        Result(
            name=f"review of {KEYS} keys in scope ({size}), peak memory",
            ours=megabytes,
            peer=None,
            ratio=None,
            goal=f"at most {MEGABYTES:g} MB",
            met=megabytes <= MEGABYTES,
            unit="MB",
        ),
        _result(f"review of {size} without a key, peer json.load", ours_others, json_others, "at most 2 times"),
        _result("review of 200 MB, peer json.load", ours_big, json_big, "at most 5 times"),
        Result(
            name=f"review of 200 MB, time a byte over that of {size}",
            ours=growth,
            peer=1.0,
            ratio=1 / growth,
            goal="linear: at most 1.25",
            met=growth <= 1.25,
            unit="",
        ),
    ]


def _result(name: str, ours: float, peer: float, goal: str) -> Result:
    met = {
        f"at most {SMALL_SECONDS} s": ours <= SMALL_SECONDS,
        "at most 5 times": ours <= 5 * peer,
        "at most 2 times": ours <= 2 * peer,
        "30 times faster": ours * 30 <= peer,
    }[goal]
    return Result(name=name, ours=ours, peer=peer, ratio=peer / ours, goal=goal, met=met, unit="s")


def _ours(folder: Path, plan: Path) -> list[str]:
    command = Path(sys.executable).with_name("keyturn")
    return [str(command), "review", str(plan), "--declaration", str(folder / "ekm.yaml")]


def _json(plan: Path) -> list[str]:
    return [sys.executable, "-c", "import json, sys; json.load(open(sys.argv[1]))", str(plan)]


def _best(ours: Sequence[str], peer: Sequence[str], runs: int = RUNS, *, warm: bool = True) -> tuple[float, float]:
    """The best time of each side, of runs that alternate; a first one of each, to warm the caches, does not count."""
    if warm:
        _seconds(ours), _seconds(peer)
    pairs = [(_seconds(ours), _seconds(peer)) for _ in range(runs)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def _seconds(command: Sequence[str]) -> float:
    seconds, exit_code = measure_processor_seconds(command, without_overrides())
    if exit_code not in (0, _REFUSED):
        raise MachineError(f"{' '.join(command[:2])} ended with exit code {exit_code}")
    return seconds


def _checkov_arguments(plan: Path) -> list[str]:
    return [
        *("--file", str(plan), "--framework", "terraform_plan", "--check", _PEER_CHECKS),
        *("--compact", "--quiet", "--output", "json", "--skip-download"),
    ]


def _checkov() -> Path:
    """The peer's command; its environment is made when it is missing."""
    command = _PEER_ENVIRONMENT / "bin" / "checkov"
    stamp = _PEER_ENVIRONMENT / "installed"
    if stamp.is_file() and stamp.read_text() == "\n".join(_PEER_PACKAGES):
        return command
    shutil.rmtree(_PEER_ENVIRONMENT, ignore_errors=True)
    python = _PEER_ENVIRONMENT / "bin" / "python"
    try:
        subprocess.run([sys.executable, "-m", "venv", _PEER_ENVIRONMENT], check=True, capture_output=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *_PEER_PACKAGES], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        raise MachineError(
            f"Checkov cannot be installed: {error.stderr.decode(errors='replace').strip()[-300:]}",
            "it comes from the package registry that pip is configured for",
        ) from error
    stamp.write_text("\n".join(_PEER_PACKAGES))
    return command
