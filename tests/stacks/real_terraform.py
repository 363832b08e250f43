"""A declaration synthesised, planned, reviewed and applied by the real Terraform, in a sandbox."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.sandbox import Identity, scrubbed_environment
from stacks.synthesis import Synthesis
from stacks.terraform_mirror import terraform_environment
from tests.stacks.declared import declaration_text, declare

if TYPE_CHECKING:
    from pathlib import Path

    from engine.sandbox import Sandbox


@dataclass(frozen=True)
class Workspace:
    """A customer's folder whose stack of the tenant `northwind` is deployed by hand."""

    folder: Path
    sandbox: Sandbox

    @property
    def stack(self) -> Path:
        return self.folder / "cdktf.out" / "stacks" / "northwind"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **scrubbed_environment(os.environ),
            **terraform_environment(self.folder / "terraform", os.environ),
            **self.sandbox.environment(Identity.CUSTOMER),
            "NO_PROXY": "127.0.0.1",
        }

    def declare(self, **changes: Any) -> None:
        """Write the declaration and synthesise its stack."""
        (self.folder / "ekm.yaml").write_text(declaration_text(**changes), encoding="utf-8")
        Synthesis((declare(**changes),), self.folder / "cdktf.out").write()
        content = json.loads((self.stack / "cdk.tf.json").read_text(encoding="utf-8"))
        del content["terraform"]["backend"]  # so that the state belongs to this folder
        (self.stack / "cdk.tf.json").write_text(json.dumps(content), encoding="utf-8")

    def terraform(self, *arguments: str) -> str:
        done = subprocess.run(
            ["terraform", f"-chdir={self.stack}", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def plan(self) -> dict[str, list[str]]:
        """Plan; what it would do to which address, no-ops included. The plan is kept as `plan.json`."""
        if not (self.stack / ".terraform").exists():
            self.terraform("init", "-input=false", "-no-color")
        self.terraform("plan", "-input=false", "-no-color", "-out=step.tfplan")
        text = self.terraform("show", "-json", "step.tfplan")
        (self.folder / "plan.json").write_text(text, encoding="utf-8")
        return {entry["address"]: entry["change"]["actions"] for entry in json.loads(text)["resource_changes"]}

    def apply(self) -> None:
        """Apply what was planned."""
        self.terraform("apply", "-input=false", "-no-color", "step.tfplan")
