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
from tests.engine.jobs.test_large_files import peak
from tests.engine.jobs.world import World, only, succeeded

world = World(Path(sys.argv[1]))
world.enable()
before = peak()
assert succeeded(world.back_up())
backed_up = peak()
assert succeeded(world.restore())
print(json.dumps([before, backed_up, peak()]))
"""


FAILING_JOB = """
import json, resource, sys
from pathlib import Path
from engine.jobs.verification import verify_vault
from tests.engine.jobs.test_large_files import peak
from tests.engine.jobs.world import World, succeeded

world = World(Path(sys.argv[1]))
world.enable()
assert succeeded(world.back_up())
for path in world.source.glob("onedrive/*/large"):
    path.write_bytes(bytes(4_000_000))
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
before = peak()
resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, hard))
reports = [world.back_up(), world.restore()]
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
world.revoke()
refused = [found.error for found in verify_vault(world.context, {}).workloads]
print(json.dumps([before, peak(), *(len(report.failures) for report in reports), len(refused)]))
"""


def peak() -> int:
    # Not getrusage: on Linux a process begins with the peak of the one that started it.
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_memory_stays_small_however_many_workloads_fail(tmp_path: Path) -> None:
    for number in range(40):
        path = tmp_path / "source" / "onedrive" / f"{number:02}" / "large"
        path.parent.mkdir(parents=True)
        path.write_bytes(bytes(3_000_000))
    result = subprocess.run(
        [sys.executable, "-c", FAILING_JOB, str(tmp_path)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    before, after, *failed = json.loads(result.stdout)
    assert failed == [40, 40, 40]
    assert after - before < 60 * MEGABYTE


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
