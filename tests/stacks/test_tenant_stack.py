from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InputError
from stacks.key_policy import key_policy
from stacks.synthesis import Synthesis
from tests.stacks.declared import ADMINISTRATOR, CUSTOMER, EXISTING_KEY, declare, emitted

OPERATIONS = [
    "Decrypt",
    "DescribeKey",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
]


def without_metadata(resources: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The resources without CDKTF's notes on where they came from."""
    return {
        terraform_type: {
            name: {key: value for key, value in attributes.items() if key != "//"} for name, attributes in named.items()
        }
        for terraform_type, named in resources.items()
    }


def resources(folder: Path, **changes: Any) -> dict[str, dict[str, dict[str, Any]]]:
    return without_metadata(emitted(folder, declare(**changes))["resource"])


@pytest.mark.requirement("EKM-05")
@pytest.mark.requirement("EKM-14")
@pytest.mark.requirement("EKM-15")
@pytest.mark.requirement("EKM-18")
@pytest.mark.requirement("EKM-22")
def test_one_generation_is_a_key_an_alias_a_grant_and_three_outputs(tmp_path: Path) -> None:
    declaration = declare()
    stack = emitted(tmp_path, declaration)
    assert stack["provider"] == {"aws": [{"region": "us-east-1", "allowed_account_ids": [CUSTOMER]}]}
    assert stack["terraform"]["required_providers"] == {
        "aws": {"source": "hashicorp/aws", "version": ">= 5.100, < 7"},
    }
    assert stack["terraform"]["backend"] == {"local": {"path": str(Path.cwd() / "terraform.northwind.tfstate")}}
    assert without_metadata(stack["resource"]) == {
        "aws_kms_key": {
            "generation_1": {
                "description": "first key",
                "key_usage": "ENCRYPT_DECRYPT",
                "customer_master_key_spec": "SYMMETRIC_DEFAULT",
                "multi_region": False,
                "is_enabled": True,
                "enable_key_rotation": False,
                "deletion_window_in_days": 30,
                "bypass_policy_lockout_safety_check": False,
                "policy": key_policy(declaration, 1).to_json(),
                "tags": {"keyturn:tenant": "northwind", "keyturn:generation": "1"},
                "lifecycle": {"prevent_destroy": True},
            },
        },
        "aws_kms_alias": {
            "current": {"name": "alias/northwind-ekm", "target_key_id": "${aws_kms_key.generation_1.key_id}"},
        },
        "aws_kms_grant": {
            "generation_1_vendor": {
                "name": "keyturn-northwind-1-vendor",
                "key_id": "${aws_kms_key.generation_1.key_id}",
                "grantee_principal": "arn:aws:iam::021098765432:root",
                "operations": OPERATIONS,
                "lifecycle": {"create_before_destroy": True},
            },
        },
    }
    assert {name: output["value"] for name, output in stack["output"].items()} == {
        "generation_1_key_arn": "${aws_kms_key.generation_1.arn}",
        "alias_name": "alias/northwind-ekm",
        "alias_arn": "${aws_kms_alias.current.arn}",
    }


@pytest.mark.requirement("EKM-29")
def test_a_second_generation_only_adds(tmp_path: Path) -> None:
    first = resources(tmp_path)
    second = resources(tmp_path, generations=[{"number": 1, "description": "first key"}, {"number": 2}])
    added = {
        f"{terraform_type}.{name}"
        for terraform_type, named in second.items()
        for name, attributes in named.items()
        if first.get(terraform_type, {}).get(name) != attributes
    }
    assert added == {"aws_kms_key.generation_2", "aws_kms_grant.generation_2_vendor"}
    assert all(set(first[terraform_type]) <= set(second[terraform_type]) for terraform_type in first)
    old, new = second["aws_kms_key"]["generation_1"], second["aws_kms_key"]["generation_2"]
    differing = {name for name in new if new[name] != old[name]}
    assert differing == {"description", "tags"}


def test_the_alias_moves_to_the_current_generation_and_changes_nothing_else(tmp_path: Path) -> None:
    generations = [{"number": 1}, {"number": 2}]
    before = resources(tmp_path, generations=generations)
    after = resources(tmp_path, generations=generations, current=2)
    assert after["aws_kms_alias"]["current"]["target_key_id"] == "${aws_kms_key.generation_2.key_id}"
    assert {**after, "aws_kms_alias": {}} == {**before, "aws_kms_alias": {}}


def test_a_generation_may_have_an_alias_of_its_own(tmp_path: Path) -> None:
    generations = [{"number": 1, "alias": "alias/northwind-1"}, {"number": 2}]
    assert resources(tmp_path, generations=generations, current=2)["aws_kms_alias"] == {
        "current": {
            "name": "alias/northwind-ekm",
            "target_key_id": "${aws_kms_key.generation_2.key_id}",
            "lifecycle": {"ignore_changes": ["target_key_id"]},  # without evidence it stays where it points
        },
        "generation_1": {"name": "alias/northwind-1", "target_key_id": "${aws_kms_key.generation_1.key_id}"},
    }


@pytest.mark.requirement("EKM-17")
def test_a_key_is_protected_until_it_is_released_and_gone_when_it_is_deleted(tmp_path: Path) -> None:
    for state, enabled, protected in (("active", True, True), ("retired", False, True), ("released", False, False)):
        found = resources(tmp_path, current=2, generations=[{"number": 1, "state": state}, {"number": 2}])
        key = found["aws_kms_key"]["generation_1"]
        assert key["is_enabled"] is enabled
        assert key.get("lifecycle", {}).get("prevent_destroy", False) is protected
        assert ("generation_1_vendor" in found["aws_kms_grant"]) is (state == "active")
    gone = {"number": 1, "state": "deleted", "alias": "alias/northwind-1"}
    stack = emitted(tmp_path, declare(current=2, generations=[gone, {"number": 2}]))
    assert "generation_1" not in json.dumps(stack)


@pytest.mark.requirement("EKM-10")
def test_a_revoked_tenant_has_disabled_keys_and_nothing_for_the_vendor(tmp_path: Path) -> None:
    stack = emitted(tmp_path, declare(revoked=True, generations=[{"number": 1}, {"number": 2}]))
    keys = stack["resource"]["aws_kms_key"].values()
    assert [key["is_enabled"] for key in keys] == [False, False]
    assert [key["lifecycle"] for key in keys] == [{"prevent_destroy": True}] * 2
    assert "aws_kms_grant" not in stack["resource"]
    assert "021098765432" not in json.dumps(stack)


def test_without_a_grant_declared_none_is_emitted(tmp_path: Path) -> None:
    assert "aws_kms_grant" not in resources(tmp_path, vendor_access="key_policy")


def test_the_declared_window_rotation_and_regionality_are_emitted(tmp_path: Path) -> None:
    generation = {
        "number": 1,
        "multi_region": True,
        "rotation_period_in_days": 365,
        "deletion_window_in_days": 14,
    }
    key = resources(tmp_path, generations=[generation])["aws_kms_key"]["generation_1"]
    assert key["multi_region"] is True
    assert key["enable_key_rotation"] is True
    assert key["rotation_period_in_days"] == 365
    assert key["deletion_window_in_days"] == 14


def test_a_key_that_exists_is_pointed_to_and_not_touched(tmp_path: Path) -> None:
    stack = emitted(tmp_path, declare(generations=[{"number": 1, "key_arn": EXISTING_KEY}]))
    assert without_metadata(stack["resource"]) == {
        "aws_kms_alias": {"current": {"name": "alias/northwind-ekm", "target_key_id": EXISTING_KEY}},
    }
    assert stack["output"]["generation_1_key_arn"]["value"] == EXISTING_KEY


def test_an_alias_without_a_known_target_is_refused(tmp_path: Path) -> None:
    declaration = declare(generations=[{"number": 1, "address": "aws_kms_key.ekm"}])
    with pytest.raises(InputError, match="no alias can point to generation 1"):
        Synthesis((declaration,), tmp_path)


def test_what_a_person_writes_never_becomes_an_expression(tmp_path: Path) -> None:
    written = 'cost ${var.secret} %{ if true } "quoted" \\ ü'
    key = resources(tmp_path, generations=[{"number": 1, "description": written}])["aws_kms_key"]["generation_1"]
    assert key["description"] == 'cost $${var.secret} %%{ if true } "quoted" \\ ü'


def test_the_same_declaration_gives_the_same_bytes(tmp_path: Path) -> None:
    declaration = declare(
        key_administrators=[ADMINISTRATOR, f"arn:aws:iam::{CUSTOMER}:role/Second"],
        generations=[{"number": 1}, {"number": 2, "alias": "alias/northwind-2"}],
    )
    written = []
    for name in ("one", "two"):
        emitted(tmp_path / name, declaration)
        written.append((tmp_path / name / "stacks" / "northwind" / "cdk.tf.json").read_bytes())
    assert written[0] == written[1]


def test_each_tenant_has_a_stack_of_its_own(tmp_path: Path) -> None:
    tenants = (declare(), declare(tenant="contoso", alias="alias/contoso-ekm"))
    Synthesis(tenants, tmp_path).write()
    assert sorted(folder.name for folder in (tmp_path / "stacks").iterdir()) == ["contoso", "northwind"]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert {name: stack["dependencies"] for name, stack in manifest["stacks"].items()} == {
        "contoso": [],
        "northwind": [],
    }
