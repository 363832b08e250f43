"""A large file goes through in a few buffers: memory does not grow with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MEGABYTE = 1_000_000

# The peak that the process had before the job is part of its peak behind it: what the job added is the difference.
JOB = """
import json, sys
from pathlib import Path
from tests.engine.jobs.world import World, only, succeeded

def peak():
    # Not getrusage: on Linux a process begins with the peak of the one that started it.
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024

world = World(Path(sys.argv[1]))
world.enable()
before = peak()
assert succeeded(world.back_up())
backed_up = peak()
assert succeeded(world.restore())
print(json.dumps([before, backed_up, peak()]))
"""


def test_memory_stays_small_whatever_the_size_of_a_file(tmp_path: Path) -> None:
    source = tmp_path / "source" / "onedrive" / "bob" / "large"
    source.parent.mkdir(parents=True)
    with source.open("wb") as file:
        file.write(b"begin")
        file.seek(300 * MEGABYTE)
        file.write(b"end")
    result = subprocess.run(
        [sys.executable, "-c", JOB, str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    before, backed_up, restored = json.loads(result.stdout)
    assert backed_up - before < 40 * MEGABYTE
    assert restored - before < 50 * MEGABYTE
    assert restored < 150 * MEGABYTE
    copy = tmp_path / "restored" / "onedrive" / "bob" / "large"
    with copy.open("rb") as file:
        assert file.read(5) == b"begin"
        file.seek(300 * MEGABYTE)
        assert file.read() == b"end"
