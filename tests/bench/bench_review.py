"""The plan review as a whole process, beside reading the same file as JSON, and beside Checkov.

Each side is a new process on the same file. The sides run in turn (A B A B …), and the ratio is taken pair by pair: its
median does not move with a machine whose speed drifts, or that has other things to do. Every ratio is told twice, by
the clock on the wall and in processor time, and each goal must hold in both. Our own code is compiled first, as
installing it does. Checkov runs with its KMS checks alone, which flatters it; it is installed on demand, into
`.bench/`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from engine.errors import MachineError
from tests.bench.plans import DECLARATION, write_changed_keys, write_dangerous, write_keys, write_others
from tests.bench.process_tree import Taken, measure_megabytes, measure_seconds, without_overrides
from tests.bench.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RUNS = 9  # pairs; of what takes many seconds a side, fewer
KEYS = 5_000
BIG_KEYS = 75_000  # some 200 MB
SMALL_SECONDS = 0.25
MEGABYTES = 200.0
MOST_GROWTH = 1.25  # of the time a byte, from 5,000 keys to 75,000

_REPOSITORY = Path(__file__).parents[2]
_PEER_ENVIRONMENT = _REPOSITORY / ".bench" / "checkov"
_PEER_PACKAGES = ("checkov==3.3.30",)
_PEER_CHECKS = "CKV_AWS_7,CKV_AWS_33,CKV_AWS_227,CKV2_AWS_64"
_EXIT_CODES = (0, 1)  # both sides exit with 1 on a plan that they find fault with
_CLOCKS: tuple[tuple[str, Callable[[Taken], float]], ...] = (
    ("wall", lambda taken: taken.wall),
    ("processor", lambda taken: taken.processor),
)
_Pairs = list[tuple[Taken, Taken]]


def run() -> list[Result]:
    """Measure all sides.

    Returns:
        Two rows each (wall, processor) for a small plan, for many keys in scope (beside JSON and beside Checkov), for
        as many whose policies change, for a plan of that size without a key, and for 200 MB and how time grows up to
        it; one for memory.

    Raises:
        MachineError: Checkov cannot be installed.
    """
    checkov = str(_checkov())
    subprocess.run([sys.executable, "-m", "compileall", "-q", "cli", "engine", "policies"], cwd=_REPOSITORY, check=True)
    with tempfile.TemporaryDirectory(prefix="keyturn-bench-") as name:
        folder = Path(name)
        (folder / "ekm.yaml").write_text(json.dumps(DECLARATION), encoding="utf-8")
        small, keys, changed, others, big = (
            folder / f"{what}.json" for what in ("small", "keys", "changed", "others", "big")
        )
        write_dangerous(small)
        write_keys(keys, KEYS)
        write_changed_keys(changed, KEYS)
        write_others(others, keys.stat().st_size)
        write_keys(big, BIG_KEYS)

        def ours(plan: Path) -> list[str]:
            command = Path(sys.executable).with_name("keyturn")
            return [str(command), "review", str(plan), "--declaration", str(folder / "ekm.yaml")]

        many = f"review of {KEYS} keys in scope ({_megabytes(keys)})"
        results = _within_seconds("review of a small plan", _in_turn(ours(small), _json(small)), SMALL_SECONDS)
        results += _times_faster(
            "review of a small plan, peer Checkov", _in_turn(ours(small), _peer(checkov, small), runs=2), 1
        )
        results += _at_most_times(f"{many}, peer json.load", _in_turn(ours(keys), _json(keys)), 5)
        results += _times_faster(
            f"{many}, peer Checkov", _in_turn(ours(keys), _peer(checkov, keys), runs=1, warm=False), 30
        )
        results.append(_memory(f"{many}, peak memory", measure_megabytes(ours(keys), folder, without_overrides())))
        what = f"review of {KEYS} keys whose policies change ({_megabytes(changed)}), peer json.load"
        results += _at_most_times(what, _in_turn(ours(changed), _json(changed)), 10)
        what = f"review of {_megabytes(others)} without a key in scope, peer json.load"
        results += _at_most_times(what, _in_turn(ours(others), _json(others)), 2)
        what = f"review of {BIG_KEYS} keys in scope ({_megabytes(big)})"
        results += _at_most_times(f"{what}, peer json.load", _in_turn(ours(big), _json(big), runs=3, warm=False), 5)
        results += _growth(f"{what}, time a byte, peer {KEYS} keys", ours(big), ours(keys), big, keys)
    return results


def _megabytes(plan: Path) -> str:
    return f"{plan.stat().st_size / 1e6:.0f} MB"


def _json(plan: Path) -> list[str]:
    return [sys.executable, "-c", "import json, sys; json.load(open(sys.argv[1]))", str(plan)]


def _in_turn(ours: Sequence[str], peer: Sequence[str], runs: int = RUNS, *, warm: bool = True) -> _Pairs:
    """What each side took, in runs that take turns; a first one of each, to warm the caches, does not count."""
    if warm:
        _taken(ours), _taken(peer)
    return [(_taken(ours), _taken(peer)) for _ in range(runs)]


def _taken(command: Sequence[str]) -> Taken:
    return measure_seconds(command, Path(), without_overrides(), exit_codes=_EXIT_CODES)


def _within_seconds(name: str, pairs: _Pairs, most: float) -> list[Result]:
    """Rows for a limit in seconds; the peer is an interpreter that reads the file, and sets no limit."""
    goal = f"at most {most:g} s; so many times json.load"
    return [_row(name, pairs, clock, goal=goal, holds=lambda ours, _ratio: ours <= most) for clock in _CLOCKS]


def _at_most_times(name: str, pairs: _Pairs, most: float) -> list[Result]:
    return [
        _row(name, pairs, clock, goal=f"at most {most:g} times", holds=lambda _ours, ratio: ratio <= most)
        for clock in _CLOCKS
    ]


def _times_faster(name: str, pairs: _Pairs, least: float) -> list[Result]:
    goal = "faster" if least == 1 else f"{least:g} times faster"
    return [_row(name, pairs, clock, goal=goal, holds=lambda _ours, ratio: ratio * least <= 1) for clock in _CLOCKS]


def _row(
    name: str,
    pairs: _Pairs,
    clock: tuple[str, Callable[[Taken], float]],
    *,
    goal: str,
    holds: Callable[[float, float], bool],
) -> Result:
    """One row: the median of each side, and the median of the pairs' ratios, ours over the peer's."""
    which, seconds = clock
    ours, peer = (median(seconds(pair[side]) for pair in pairs) for side in (0, 1))
    ratio = median(seconds(pair[0]) / seconds(pair[1]) for pair in pairs)
    return Result(
        name=f"{name}: {which}",
        ours=ours,
        peer=peer,
        ratio=1 / ratio,
        goal=f"{goal} (is {ratio:.2f})" if ratio >= 1 else f"{goal} (is {1 / ratio:.0f})",
        met=holds(ours, ratio),
        unit="s",
    )


def _memory(name: str, megabytes: float) -> Result:
    met = megabytes <= MEGABYTES
    return Result(
        name=name, ours=megabytes, peer=None, ratio=None, goal=f"at most {MEGABYTES:g} MB", met=met, unit="MB"
    )


def _growth(name: str, ours_big: list[str], ours_small: list[str], big: Path, small: Path) -> list[Result]:
    """How the time a byte grows with the plan; the two plans take turns."""
    pairs = _in_turn(ours_big, ours_small, runs=3)
    size = small.stat().st_size / big.stat().st_size
    found: list[Result] = []
    for which, seconds in _CLOCKS:
        growth = median(seconds(large) / seconds(little) for large, little in pairs) * size
        goal, met = f"linear: at most {MOST_GROWTH:g} times", growth <= MOST_GROWTH
        found.append(Result(f"{name}: {which}", growth, 1.0, 1 / growth, goal, met, unit="times"))
    return found


def _peer(checkov: str, plan: Path) -> list[str]:
    return [
        *(checkov, "--file", str(plan), "--framework", "terraform_plan", "--check", _PEER_CHECKS),
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
