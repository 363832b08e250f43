"""`make bench`: runs every benchmark, prints a table and writes `.bench/results.json`.

A benchmark is a module `bench_*.py` with `run() -> list[Result]`; names behind the command pick some of them.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.bench.result import Result


FOLDER = Path(__file__).parent
RESULTS = FOLDER.parent.parent / ".bench" / "results.json"


def main(picked: list[str]) -> int:
    """Run the benchmarks; 1 where a goal is missed."""
    modules = sorted(path.stem for path in FOLDER.glob("bench_*.py"))
    if picked:
        modules = [name for name in modules if name.removeprefix("bench_") in picked or name in picked]
    if not modules:
        print(f"error: no benchmark of these names: {' '.join(picked)}", file=sys.stderr)
        return 2
    results: list[Result] = []
    for name in modules:
        print(f"{name} …", file=sys.stderr, flush=True)
        results.extend(importlib.import_module(f"tests.bench.{name}").run())
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n", encoding="utf-8")
    print_table(results)
    return 0 if all(result.met for result in results) else 1


def print_table(results: list[Result]) -> None:
    """Print the results for people."""
    rows = [("benchmark", "ours", "peer", "ratio", "goal", "met")]
    for result in results:
        peer = "-" if result.peer is None else f"{result.peer:.2f} {result.unit}"
        ratio = "-" if result.ratio is None else f"{result.ratio:.2f}x"
        if result.spread is not None:
            ratio += " ({:.2f} to {:.2f})".format(*result.spread)
        met = "yes" if result.met else "NO"
        rows.append((result.name, f"{result.ours:.2f} {result.unit}", peer, ratio, result.goal, met))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
