"""The main job, end to end, on real parts: the demonstration itself, whose every expectation must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import run

ROOT = Path(__file__).resolve().parent.parent


def demo(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "demo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=560,
    )


@pytest.mark.terraform
@pytest.mark.timeout(600)
@pytest.mark.requirement("EKM-33")
def test_the_demonstration_meets_every_expectation_on_a_folder_of_the_users_own(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "directory" / "users").mkdir(parents=True)
    (source / "gmail" / "anna").mkdir(parents=True)
    (source / "kubernetes-cli").mkdir()
    (source / "empty").mkdir()
    (source / "loose.txt").write_text("loose")
    (source / "deep" / "er" / "ünïcode name.txt").write_text("x" * 3_000_000)
    (source / "deep" / "link").symlink_to("er")
    (source / "directory" / "users" / "anna.json").write_text("{}")
    (source / "gmail" / "anna" / "1.eml").write_text("Subject: hello")
    (source / "kubernetes-cli" / "kubernetes-cli").write_text("a file named like its folder")
    os.mkfifo(source / "deep" / "pipe")
    before = sorted(path.stat().st_mtime_ns for path in source.rglob("*"))
    result = demo("--input", str(source), "--keep", str(tmp_path / "kept"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "all of them met" in result.stdout
    assert sorted(path.stat().st_mtime_ns for path in source.rglob("*")) == before
    for requirement in ("EKM-02", "EKM-10", "EKM-27", "EKM-33", "EKM-35", "EKM-43", "EKM-46"):
        assert f"[{requirement}]" in result.stdout


def test_a_folder_that_is_not_there_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["demo", "--input", str(tmp_path / "nowhere")]) == 3
    assert "there is no folder" in capsys.readouterr().err
    assert run(["demo", "--keep", str(tmp_path)]) == 3
    assert "exists already" in capsys.readouterr().err
    assert run(["demo", "--input", str(tmp_path), "--keep", str(tmp_path / "inside")]) == 3
    assert "lies in the folder to back up" in capsys.readouterr().err


def test_what_is_missing_is_named_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["demo", "--keep", str(tmp_path / "kept")]) == 6
    told = capsys.readouterr()
    assert "there is no node and no terraform on PATH" in told.err
    assert "nodejs.org" in told.err
    assert not (tmp_path / "kept").exists()
