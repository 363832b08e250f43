"""Keys that exist already: taken into the state as they are, or left where they are made (EKM-05, EKM-22)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import run
from engine.sandbox import Identity, Sandbox, SandboxSettings
from stacks.key_policy import key_policy
from tests.sandbox_fixtures import Account
from tests.stacks.declared import CUSTOMER, VENDOR, declare
from tests.stacks.real_terraform import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.terraform, pytest.mark.timeout(600)]
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "existing-keys.md"
DOCUMENTED_KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


def documented_imports(key_id: str) -> str:
    """The import blocks as the document has them, for this key."""
    (text,) = re.findall(r"^```hcl\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert text.count(DOCUMENTED_KEY) == 1
    return str(text.replace(DOCUMENTED_KEY, key_id))


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    with Sandbox.start(SandboxSettings(customer_account_id=CUSTOMER, vendor_account_id=VENDOR)) as started:
        yield started


@pytest.fixture(scope="module")
def workspace(own: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("customer"), own)


@pytest.fixture(scope="module")
def owner(own: Sandbox) -> Account:
    return Account(own, Identity.CUSTOMER, CUSTOMER)


@pytest.fixture(scope="module")
def vendor(own: Sandbox) -> Account:
    return Account(own, Identity.VENDOR, VENDOR)


def console_policy() -> str:
    """What the console's "Add another AWS account" writes: its own names, and no retention deny."""
    document = json.loads(key_policy(declare(), 1).to_json())
    document["Statement"] = [
        {**statement, "Sid": statement["Sid"].replace("Key for Druva inSync", "key")}
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
    ]
    return json.dumps(document)


@pytest.fixture(scope="module")
def existing(owner: Account) -> str:
    """A key that somebody made in the console, with its alias; the ARN."""
    made = owner.kms.create_key(Description="made by hand", Policy=console_policy())
    arn: str = made["KeyMetadata"]["Arn"]
    owner.kms.create_alias(AliasName="alias/northwind-ekm", TargetKeyId=arn)
    return arn


def reviewed(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    declaration = str(workspace.folder / "ekm.yaml")
    capsys.readouterr()
    run(
        [
            "review",
            str(workspace.folder / "plan.json"),
            "--declaration",
            declaration,
            "--base-declaration",
            declaration,
            "--json",
        ]
    )
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_a_key_that_is_only_named_is_never_touched(workspace: Workspace, existing: str) -> None:
    for named in ({"key_arn": existing}, {"key_arn": existing, "address": "module.keys.aws_kms_key.backup"}):
        workspace.declare(generations=[{"number": 1, **named}])
        content = json.loads((workspace.stack / "cdk.tf.json").read_text(encoding="utf-8"))
        assert set(content["resource"]) == {"aws_kms_alias"}
        assert content["resource"]["aws_kms_alias"]["current"]["target_key_id"] == existing
        assert content["output"]["generation_1_key_arn"]["value"] == existing


@pytest.mark.requirement("EKM-05")
def test_a_key_made_in_the_console_is_taken_in_without_being_made_anew(
    workspace: Workspace, owner: Account, vendor: Account, existing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrapped = vendor.kms.encrypt(KeyId=existing, Plaintext=b"a data key")["CiphertextBlob"]
    workspace.declare()
    (workspace.stack / "imports.tf").write_text(documented_imports(existing.rpartition("/")[2]), encoding="utf-8")
    assert workspace.plan() == {
        "aws_kms_key.generation_1": ["update"],
        "aws_kms_alias.current": ["no-op"],
        "aws_kms_grant.generation_1_vendor": ["create"],
    }
    plan = json.loads((workspace.folder / "plan.json").read_text(encoding="utf-8"))
    importing = {entry["address"] for entry in plan["resource_changes"] if entry["change"].get("importing")}
    assert importing == {"aws_kms_key.generation_1", "aws_kms_alias.current"}
    report = reviewed(workspace, capsys)
    assert report["verdict"] == "pass", json.dumps(report["findings"], indent=1)

    workspace.apply()
    assert owner.kms.describe_key(KeyId="alias/northwind-ekm")["KeyMetadata"]["Arn"] == existing
    policy = owner.kms.get_key_policy(KeyId=existing, PolicyName="default")["Policy"]
    assert json.loads(policy) == json.loads(key_policy(declare(), 1).to_json())
    tags = {tag["TagKey"]: tag["TagValue"] for tag in owner.kms.list_resource_tags(KeyId=existing)["Tags"]}
    assert tags == {"keyturn:tenant": "northwind", "keyturn:generation": "1"}
    assert vendor.kms.decrypt(CiphertextBlob=wrapped)["Plaintext"] == b"a data key"
    assert set(map(tuple, workspace.plan().values())) == {("no-op",)}
