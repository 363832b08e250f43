"""CDK Terrain's command line, on Node.js 22, runs the same project unchanged.

It needs a newer Node.js than the project does, so both are installed from a lock of their own, into `.cache/`,
once. Where they cannot be had, the test is skipped and says why.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.sandbox import Identity, Sandbox, SandboxSettings, scrubbed_environment
from stacks.terraform_mirror import terraform_environment
from tests.stacks.declared import CUSTOMER, VENDOR, declaration_text

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = Path(__file__).parent / "cdk_terrain"
CACHE = Path(__file__).parents[2] / ".cache" / "cdk-terrain"


@pytest.fixture(scope="module")
def commands() -> Path:
    """The folder with `cdktn` and the `node` that it runs on."""
    if not (CACHE / ".complete").exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        shutil.copytree(LOCK, CACHE)
        # The package `node` fetches its binary, another package of the registry, with an install script.
        made = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=CACHE,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            pytest.skip(f"CDK Terrain's command line cannot be installed: {made.stderr.strip()[-200:]}")
        (CACHE / ".complete").touch()
    return CACHE / "node_modules" / ".bin"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(SandboxSettings(customer_account_id=CUSTOMER, vendor_account_id=VENDOR)) as started:
        yield started


@pytest.mark.terraform
def test_the_project_deploys_unchanged(commands: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "ekm.yaml").write_text(declaration_text())
    configuration = {
        "language": "python",
        "app": f"{sys.executable} -P -m stacks",
        "projectId": "customer",
        "sendCrashReports": "false",
    }
    (tmp_path / "cdktf.json").write_text(json.dumps(configuration))
    environment = {
        **scrubbed_environment(os.environ),
        **terraform_environment(tmp_path / "terraform", os.environ),
        **sandbox.environment(Identity.CUSTOMER),
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "CI": "1",
    }
    node = subprocess.run(["node", "--version"], env=environment, capture_output=True, text=True, check=True)
    assert node.stdout.startswith("v22.")
    deployed = subprocess.run(
        [commands / "cdktn", "deploy", "northwind", "--auto-approve", "--skip-provider-lock"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert "Resources: 3 added, 0 changed, 0 destroyed." in deployed.stdout
