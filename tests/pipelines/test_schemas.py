"""The pipelines held against GitHub's and GitLab's own schemas, as `check-jsonschema` carries them.

It lives in an environment of its own under `.cache/`, made once, so that its many dependencies are nobody else's.
Where it cannot be had, the test is skipped and says why.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

VERSION = "0.39.0"
ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / f"check-jsonschema-{VERSION}"
PIPELINES = ROOT / "pipelines"


@pytest.fixture(scope="module")
def checker() -> str:
    """The path of the command, installed where it is not yet."""
    command = CACHE / "bin" / "check-jsonschema"
    if not (CACHE / ".complete").exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        venv.create(CACHE, with_pip=False, symlinks=True)
        install = [sys.executable, "-m", "pip", "--python", str(CACHE / "bin" / "python"), "install", "--quiet"]
        made = subprocess.run(
            [*install, "--disable-pip-version-check", f"check-jsonschema=={VERSION}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            pytest.skip(f"check-jsonschema {VERSION} cannot be installed: {made.stderr.strip()[-200:]}")
        (CACHE / ".complete").touch()
    return str(command)


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", sorted((PIPELINES / "github").glob("*.yml"))),
        ("vendor.github-actions", [ROOT / "action.yml"]),
        ("vendor.gitlab-ci", sorted((PIPELINES / "gitlab").glob("*.yml"))),
    ],
    ids=["GitHub workflows", "GitHub action", "GitLab"],
)
def test_a_pipeline_is_what_its_forge_takes(checker: str, schema: str, files: list[Path], tmp_path: Path) -> None:
    assert files
    of_gitlab = ["--data-transform", "gitlab-ci"] if "gitlab" in schema else []
    command = [checker, "--builtin-schema", schema, *of_gitlab]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "wrong.yml"
    wrong.write_text("jobs: [1]\nruns: nothing\nstages: 5\n", encoding="utf-8")
    assert subprocess.run([*command, wrong], capture_output=True, check=False).returncode == 1
