"""Progress: a bar with rate and time left on a terminal, plain lines at intervals elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from cli.progress import progress

ROOT = Path(__file__).resolve().parents[2]

ON_A_TERMINAL = """
import time
from cli.display import warn
from cli.progress import progress
with progress("moving data keys") as advance:
    for done in range(1, 9):
        advance(done, 40)
        time.sleep(0.15)
    warn("one is set aside")
    advance(20, 40)
    time.sleep(0.3)
"""


class Time:
    """Stands for the module `time`, whose clock only the test moves."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr("cli.progress.time", clock)
    return clock


def test_elsewhere_than_on_a_terminal_a_plain_line_comes_every_five_seconds(
    time: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("moving data keys") as advance:
        for done in range(1, 13):
            time.now += 1
            advance(done * 100, 100_000)
    assert capsys.readouterr().err.splitlines() == [
        "moving data keys: 500 of 100000, 100/s, 0:16:35 left",
        "moving data keys: 1000 of 100000, 100/s, 0:16:30 left",
    ]


def test_without_a_total_or_anything_done_there_is_no_time_left_to_tell(
    time: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("backup", bytes_counted=True) as advance:
        time.now += 10
        advance(0, 5_000_000)
        time.now += 10
        advance(2_000_000, None)
    assert capsys.readouterr().err.splitlines() == ["backup: 0.0 MB of 5.0 MB, 0.0 MB/s", "backup: 2.0 MB, 0.1 MB/s"]


def test_on_a_terminal_it_is_a_bar_with_rate_and_time_left() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120", "NO_COLOR": "1"}
    process = subprocess.Popen([sys.executable, "-c", ON_A_TERMINAL], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        pass  # how a terminal tells that nobody writes to it any more
    finally:
        os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "moving data keys" in text
    assert "8/40" in text
    assert "/s" in text
    assert "0:00:0" in text, "the time left"
    (warning,) = (line for line in text.splitlines() if "one is set aside" in line)
    assert "moving" not in warning.rpartition("\r")[2], "a line of its own, above the bar"
