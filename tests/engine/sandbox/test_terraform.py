"""The real AWS provider of Terraform against the sandbox: made, stable, changed, taken away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity, scrubbed_environment
from stacks.terraform_mirror import terraform_environment
from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, policy, root
from tests.sandbox_fixtures import Account, refused

if TYPE_CHECKING:
    from pathlib import Path

    from engine.sandbox import Sandbox

NO_DIFFERENCE = 0


def stack(*, with_vendor: bool) -> dict[str, Any]:
    statements = (OWNER, VENDOR_STATEMENT) if with_vendor else (OWNER,)
    grant = {
        "key_id": "${aws_kms_key.one.key_id}",
        "grantee_principal": root(VENDOR),
        "operations": ["Encrypt", "Decrypt", "DescribeKey"],
    }
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
        "provider": {"aws": {}},
        "data": {"aws_caller_identity": {"me": {}}},
        "resource": {
            "aws_kms_key": {"one": {"description": "one", "policy": policy(*statements), "tags": {"a": "b"}}},
            "aws_kms_alias": {"one": {"name": "alias/terraform", "target_key_id": "${aws_kms_key.one.key_id}"}},
            **({"aws_kms_grant": {"vendor": grant}} if with_vendor else {}),
        },
        "output": {
            "arn": {"value": "${aws_kms_key.one.arn}"},
            "account": {"value": "${data.aws_caller_identity.me.account_id}"},
        },
    }


@pytest.mark.terraform
def test_terraform_makes_changes_and_takes_away_a_key(
    sandbox: Sandbox, customer: Account, vendor: Account, tmp_path: Path
) -> None:
    assert shutil.which("terraform"), "Terraform is not on PATH; see the prerequisites in README.md"
    environment = scrubbed_environment(os.environ) | sandbox.environment(Identity.CUSTOMER)
    environment |= terraform_environment(tmp_path, environment)

    def terraform(*arguments: str, expected: int = 0) -> str:
        finished = subprocess.run(
            ["terraform", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert finished.returncode == expected, finished.stdout + finished.stderr
        return finished.stdout

    file = tmp_path / "main.tf.json"
    file.write_text(json.dumps(stack(with_vendor=True)))
    terraform("init", "-no-color")
    terraform("apply", "-auto-approve", "-no-color")
    outputs = json.loads(terraform("output", "-json"))
    arn = outputs["arn"]["value"]
    assert outputs["account"]["value"] == CUSTOMER
    assert vendor.kms.describe_key(KeyId=arn)["KeyMetadata"].get("KeyState") == "Enabled"
    terraform("plan", "-detailed-exitcode", "-no-color", expected=NO_DIFFERENCE)

    file.write_text(json.dumps(stack(with_vendor=False)))
    terraform("apply", "-auto-approve", "-no-color")
    with refused("AccessDeniedException"):
        vendor.kms.encrypt(KeyId=arn, Plaintext=b"data")
    assert customer.kms.list_grants(KeyId=arn)["Grants"] == []

    terraform("destroy", "-auto-approve", "-no-color")
    assert customer.kms.describe_key(KeyId=arn)["KeyMetadata"].get("KeyState") == "PendingDeletion"
    with refused("NotFoundException"):
        customer.kms.describe_key(KeyId="alias/terraform")
