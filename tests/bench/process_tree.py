"""Wall time and peak memory of a command, with the processes that it starts.

Memory is the largest sum seen of the proportional set sizes of all its processes: pages that they share,
such as the program text of two Node.js processes, count once. CDKTF is a Python process and two of Node.js,
so the largest of the three alone would flatter it. Where the kernel does not tell (no `/proc`), the largest
process is all that can be had.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

_INTERVAL = 0.01  # seconds between two looks
_PROCESSES = Path("/proc")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a command took, in seconds: by the clock, and of the processors for it and all its children."""

    wall: float
    processor: float


def measure_seconds(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *, exit_codes: Collection[int] = (0,)
) -> Taken:
    """Run a command to its end, undisturbed, and time it.

    Args:
        command: The program and its arguments.
        folder: Its working folder.
        environment: Its environment variables.
        exit_codes: Those that are no failure.

    Raises:
        subprocess.CalledProcessError: It failed; with what it said.
    """
    before, started = _of_children(), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=dict(environment), capture_output=True, check=False)
    taken = Taken(time.perf_counter() - started, _of_children() - before)
    if done.returncode not in exit_codes:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return taken


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_megabytes(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> float:
    """Run a command to its end and tell its peak memory, in 10^6 bytes; arguments and errors as above."""
    peak = 0
    with subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            peak = max(peak, sum(_proportional_set_size(identifier) for identifier in _tree(process.pid)))
            time.sleep(_INTERVAL)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return (peak or _largest_child()) / 1e6


def without_overrides(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment without what would change a synthesis."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("CDKTF_", "KEYTURN_", "JSII_", "AWS_"))
    }


def _tree(identifier: int) -> list[int]:
    found = [identifier]
    for parent in found:
        try:
            children = (_PROCESSES / str(parent) / "task" / str(parent) / "children").read_text().split()
        except OSError:
            continue
        found += [int(child) for child in children]
    return found


def _proportional_set_size(identifier: int) -> int:
    """A process's share of memory in bytes; 0 once it has ended."""
    try:
        lines = (_PROCESSES / str(identifier) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _largest_child() -> int:
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
