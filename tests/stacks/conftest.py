"""A synthesised stack in a folder where the real Terraform has the real provider at hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from stacks.terraform_mirror import terraform_environment
from tests.stacks.declared import EXISTING_KEY, declare, emitted

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class InitialisedStack:
    """A folder after `terraform init`, with what was synthesised into it."""

    folder: Path
    environment: dict[str, str]
    content: dict[str, Any]

    def terraform(self, *arguments: str) -> dict[str, Any]:
        """Run a command of Terraform that answers in JSON."""
        finished = subprocess.run(
            ["terraform", *arguments], cwd=self.folder, env=self.environment, capture_output=True, check=False
        )
        answer: dict[str, Any] = json.loads(finished.stdout)
        return answer

    def beside(self, stack: str, folder: Path) -> InitialisedStack:
        """Another stack of the same synthesis, in a folder that uses the same provider."""
        content = json.loads((self.folder.parent / stack / "cdk.tf.json").read_text())
        content["terraform"].pop("backend", None)
        (folder / "cdk.tf.json").write_text(json.dumps(content))
        (folder / ".terraform").symlink_to(self.folder / ".terraform")
        shutil.copy(self.folder / ".terraform.lock.hcl", folder)
        return InitialisedStack(folder, self.environment, content)


@pytest.fixture(scope="session")
def everything_declared(tmp_path_factory: pytest.TempPathFactory) -> InitialisedStack:
    """The stack of a declaration that uses whatever the stacks can emit."""
    assert shutil.which("terraform"), "Terraform is not on PATH; see the prerequisites in README.md"
    folder = tmp_path_factory.mktemp("terraform")
    declaration = declare(
        current=2,
        break_glass=["arn:aws:iam::123456789012:role/BreakGlass"],
        ledger="dynamodb://keyturn-ledger",
        vault="s3://northwind-vault/backups",
        alerts={"emails": ["keys@example.com"]},
        vendor_narrowing={"encryption_context": {"keyturn:tenant": "northwind"}},
        generations=[
            {"number": 1, "state": "released", "description": "with ${marks} and %{more}"},
            {"number": 2, "multi_region": True, "rotation_period_in_days": 365, "alias": "alias/northwind-2"},
            {"number": 3, "deletion_window_in_days": 7},
            {"number": 4, "key_arn": EXISTING_KEY, "alias": "alias/northwind-4"},
            {"number": 5, "origin": "EXTERNAL", "material_imported": True},
            {"number": 6, "origin": "EXTERNAL", "multi_region": True, "replicas": ["eu-west-1"]},
            {"number": 7, "origin": "AWS_CLOUDHSM", "custom_key_store_id": "cks-1234567890abcdef0"},
            {
                "number": 8,
                "origin": "EXTERNAL_KEY_STORE",
                "custom_key_store_id": "cks-1234567890abcdef1",
                "xks_key_id": "bb8562717f809024",
            },
            {"number": 9, "multi_region": True, "replicas": ["eu-west-1", "eu-central-1"]},
        ],
    )
    content = emitted(folder, declaration)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = inherited | terraform_environment(folder, os.environ)
    working_folder = folder / "stacks" / declaration.tenant
    del content["terraform"]["backend"]  # so that the state belongs to this folder
    (working_folder / "cdk.tf.json").write_text(json.dumps(content))
    initialised = subprocess.run(
        ["terraform", "init", "-no-color"],
        cwd=working_folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert initialised.returncode == 0, initialised.stderr
    return InitialisedStack(working_folder, environment, content)
