"""`cdktf synth --hcl`: the same stack for teams that use plain Terraform."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from stacks.terraform_mirror import terraform_environment
from tests.stacks.declared import declaration_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.terraform
def test_the_stack_in_hcl_is_valid_and_complete(tmp_path: Path) -> None:
    descriptions = [
        'two\nlines, "quotes", \\ and ${marks}',
        'no "marks" and a \\',
        '\\n is no line \\"',
        'x\nEOF\n}\nresource "aws_kms_key_policy" "any" {',
    ]
    generations: list[dict[str, Any]] = [{"number": n, "description": d} for n, d in enumerate(descriptions, 1)]
    generations[1] |= {"multi_region": True, "rotation_period_in_days": 365, "alias": "alias/northwind-2"}
    (tmp_path / "ekm.yaml").write_text(declaration_text(generations=generations))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDKTF_"))}
    environment |= terraform_environment(tmp_path, os.environ)
    subprocess.run(
        [sys.executable, "-P", "-m", "stacks"],
        cwd=tmp_path,
        env=environment | {"SYNTH_HCL_OUTPUT": "true"},
        check=True,
    )
    stack = tmp_path / "cdktf.out" / "stacks" / "northwind"
    hcl = (stack / "cdk.tf").read_text()
    assert "prevent_destroy = true" in hcl
    assert "Allow use of the Key for Druva inSync" in hcl
    assert 'resource "aws_kms_grant" "generation_2_vendor"' in hcl
    for description in descriptions:
        assert f"description = {json.dumps(description.replace('${', '$${'))}\n" in hcl
    subprocess.run(["terraform", "init"], cwd=stack, env=environment, check=True, capture_output=True)
    validated = subprocess.run(
        ["terraform", "validate", "-json"], cwd=stack, env=environment, check=False, capture_output=True
    )
    assert json.loads(validated.stdout)["diagnostics"] == []
