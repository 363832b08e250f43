"""The stacks deployed for real: `cdktf`, Terraform and the AWS provider, against the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from engine.sandbox import Identity, Sandbox, SandboxSettings, scrubbed_environment
from stacks.key_policy import key_policy
from stacks.terraform_mirror import terraform_environment
from tests.stacks.declared import CUSTOMER, VENDOR, declaration_text, declare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_kms import KMSClient

pytestmark = pytest.mark.terraform

REPOSITORY = Path(__file__).parents[2]
CDKTF = REPOSITORY / "node_modules" / ".bin" / "cdktf"


@dataclass(frozen=True, slots=True)
class Project:
    """A customer's repository whose `cdktf.json` names our application, and both accounts' access to KMS."""

    folder: Path
    environment: dict[str, str]
    kms: KMSClient
    vendor_kms: KMSClient

    def declare(self, **changes: Any) -> None:
        (self.folder / "ekm.yaml").write_text(declaration_text(**changes))

    def cdktf(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [CDKTF, command, *options],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(SandboxSettings(customer_account_id=CUSTOMER, vendor_account_id=VENDOR)) as started:
        yield started


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[Project]:
    assert CDKTF.exists(), "the command line of CDKTF is not installed; run `make setup`"
    folder = tmp_path_factory.mktemp("customer")
    configuration = {
        "language": "python",
        "app": f"{sys.executable} -P -m stacks",
        "projectId": "customer",
        "sendCrashReports": "false",
    }
    (folder / "cdktf.json").write_text(json.dumps(configuration))
    environment = {
        **scrubbed_environment(os.environ),
        **terraform_environment(folder / "terraform", os.environ),
        **sandbox.environment(Identity.CUSTOMER),
        "CI": "1",
    }
    with closing(client(sandbox, Identity.CUSTOMER)) as customer, closing(client(sandbox, Identity.VENDOR)) as vendor:
        yield Project(folder, environment, customer, vendor)


def client(sandbox: Sandbox, identity: Identity) -> KMSClient:
    credentials = sandbox.credentials(identity)
    return boto3.client(
        "kms",
        sandbox.settings.region,
        endpoint_url=sandbox.endpoint_url,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
    )


@pytest.fixture(scope="module")
def deployed(project: Project) -> Project:
    """The project after the deployment of its first generation."""
    project.declare()
    finished = project.cdktf("deploy", "northwind", "--auto-approve", "--skip-provider-lock")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "Resources: 3 added, 0 changed, 0 destroyed." in finished.stdout
    return project


@pytest.mark.requirement("EKM-05")
@pytest.mark.requirement("EKM-14")
@pytest.mark.requirement("EKM-15")
@pytest.mark.requirement("EKM-20")
@pytest.mark.requirement("EKM-22")
def test_what_was_declared_is_what_stands_in_kms(deployed: Project) -> None:
    kms = deployed.kms
    key = kms.describe_key(KeyId="alias/northwind-ekm")["KeyMetadata"]
    assert (key["AWSAccountId"], key["KeyManager"], key["KeyState"]) == (CUSTOMER, "CUSTOMER", "Enabled")
    assert (key["KeySpec"], key["KeyUsage"], key["Origin"]) == ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
    assert key["Description"] == "first key"
    policy = kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"]
    assert json.loads(policy) == json.loads(key_policy(declare(), 1).to_json())
    (grant,) = kms.list_grants(KeyId=key["KeyId"])["Grants"]
    assert grant["GranteePrincipal"] == f"arn:aws:iam::{VENDOR}:root"
    assert grant["Name"] == "keyturn-northwind-1-vendor"
    tags = {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]}
    assert tags == {"keyturn:tenant": "northwind", "keyturn:generation": "1"}
    state = json.loads((deployed.folder / "terraform.northwind.tfstate").read_text())
    assert state["outputs"]["generation_1_key_arn"]["value"] == key["Arn"]


@pytest.mark.requirement("EKM-18")
def test_the_vendor_can_do_what_backups_and_restores_need_and_cannot_manage_the_key(deployed: Project) -> None:
    arn = deployed.kms.describe_key(KeyId="alias/northwind-ekm")["KeyMetadata"]["Arn"]
    vendor = deployed.vendor_kms
    wrapped = vendor.encrypt(KeyId=arn, Plaintext=b"a data key", EncryptionContext={"tenant": "northwind"})
    restored = vendor.decrypt(CiphertextBlob=wrapped["CiphertextBlob"], EncryptionContext={"tenant": "northwind"})
    assert restored["Plaintext"] == b"a data key"
    with pytest.raises(ClientError, match="AccessDenied"):
        vendor.put_key_policy(KeyId=arn, Policy="{}", PolicyName="default")


@pytest.mark.requirement("EKM-17")
def test_nobody_can_schedule_the_deletion_of_a_key_that_is_not_released(deployed: Project) -> None:
    arn = deployed.kms.describe_key(KeyId="alias/northwind-ekm")["KeyMetadata"]["Arn"]
    with pytest.raises(ClientError, match="AccessDenied"):
        deployed.kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=30)
    assert deployed.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Enabled"


@pytest.mark.requirement("EKM-33")
def test_destroying_is_refused_and_nothing_is_destroyed(deployed: Project) -> None:
    before = (deployed.folder / "terraform.northwind.tfstate").read_bytes()
    finished = deployed.cdktf("destroy", "northwind", "--auto-approve", "--skip-provider-lock")
    assert finished.returncode == 1
    # CDKTF's command line may end before it has shown all of Terraform's reason, so that is asked for itself.
    stack = deployed.folder / "cdktf.out" / "stacks" / "northwind"
    planned = subprocess.run(
        ["terraform", "plan", "-destroy", "-no-color"],
        cwd=stack,
        env=deployed.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert planned.returncode == 1
    assert "aws_kms_key.generation_1" in planned.stderr
    assert "prevent_destroy" in planned.stderr
    assert (deployed.folder / "terraform.northwind.tfstate").read_bytes() == before
    key = deployed.kms.describe_key(KeyId="alias/northwind-ekm")["KeyMetadata"]
    assert key["KeyState"] == "Enabled"
    assert len(deployed.kms.list_grants(KeyId=key["KeyId"])["Grants"]) == 1


@pytest.mark.requirement("EKM-32")
def test_a_second_generation_is_planned_as_additions_alone(deployed: Project) -> None:
    deployed.declare(generations=[{"number": 1, "description": "first key"}, {"number": 2}])
    finished = deployed.cdktf("diff", "northwind", "--skip-provider-lock")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "2 to add, 0 to change, 0 to destroy." in finished.stdout
    assert "aws_kms_key.generation_2" in finished.stdout


def test_a_mistake_reaches_the_person_at_the_terminal(project: Project) -> None:
    project.declare(current=7)
    finished = project.cdktf("synth")
    assert finished.returncode == 1
    shown = finished.stdout + finished.stderr
    assert "error: ekm.yaml:22:14: current is 7; expected the number of a declared generation (1)" in shown
    assert "Traceback" not in shown
    assert "end-of-life" not in shown
