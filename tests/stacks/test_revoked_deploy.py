"""A revocation and the stacks together: the next deploy keeps it, and after reinstating gives everything back."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stacks.key_policy import RETENTION_SID
from tests.sandbox_fixtures import refused
from tests.stacks.declared import VENDOR
from tests.stacks.test_deploy import project, sandbox  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from tests.stacks.test_deploy import Project

TERMS = "There is no way back.\n"


def keyturn(project: Project, *arguments: str) -> str:  # noqa: F811 - the fixture's value
    """Run a command that must succeed; what it said."""
    finished = subprocess.run(
        [sys.executable, "-P", "-m", "cli", *arguments],
        cwd=project.folder,
        env={name: value for name, value in project.environment.items() if name != "CI"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout + finished.stderr


def deploy(project: Project) -> None:  # noqa: F811 - the fixture's value
    finished = project.cdktf("deploy", "northwind", "--auto-approve", "--skip-provider-lock")
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.soak
@pytest.mark.requirement("EKM-10")
def test_the_next_deploy_keeps_a_revocation_and_the_one_after_reinstating_gives_it_back(project: Project) -> None:  # noqa: F811
    project.declare()
    deploy(project)
    arn = project.kms.describe_key(KeyId="alias/northwind-ekm")["KeyMetadata"]["Arn"]
    (project.folder / "terms.txt").write_text(TERMS)
    digest = hashlib.sha256(TERMS.encode()).hexdigest()
    agreement = ("--terms", "terms.txt", "--agree-terms", digest, "--agreed-by", "Ada")
    keyturn(project, "enable", "--key-arn", arn, *agreement)
    keyturn(project, "confirm", "1", "--key-arn", arn, "--by", "Ada")
    keyturn(project, "revoke", "--yes")
    deploy(project)
    policy = project.kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]
    assert project.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"
    assert VENDOR not in policy
    assert RETENTION_SID in {statement["Sid"] for statement in json.loads(policy)["Statement"]}
    assert project.kms.list_grants(KeyId=arn)["Grants"] == []
    assert "agree" in keyturn(project, "doctor")
    told = keyturn(project, "reinstate", "--yes")
    assert "the vendor still lacks" in told
    with refused("AccessDeniedException"):
        project.vendor_kms.encrypt(KeyId=arn, Plaintext=b"x")
    deploy(project)
    project.vendor_kms.encrypt(KeyId=arn, Plaintext=b"x")
    assert "agree" in keyturn(project, "doctor")
