"""Keys of every origin, and replicas, as the stacks emit them (EKM-06, EKM-34)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stacks.findings import EmittedResource
from stacks.guards import judge_generations, judge_resource
from stacks.key_policy import key_policy
from tests.stacks.declared import CUSTOMER, VENDOR, declare, emitted

if TYPE_CHECKING:
    from pathlib import Path

STORE = "cks-1234567890abcdef0"
FAMILY = {"multi_region": True, "replicas": ["eu-west-1", "eu-central-1"]}


def resources(folder: Path, *generations: dict[str, Any], **changes: Any) -> dict[str, dict[str, Any]]:
    numbered = [{"number": number, **generation} for number, generation in enumerate(generations, 1)]
    content: dict[str, dict[str, Any]] = emitted(folder, declare(generations=numbered, **changes))["resource"]
    return content


@pytest.mark.requirement("EKM-06")
@pytest.mark.parametrize(
    "generation",
    [
        {"origin": "AWS_CLOUDHSM", "custom_key_store_id": STORE},
        {"origin": "EXTERNAL_KEY_STORE", "custom_key_store_id": STORE, "xks_key_id": "bb8562717f809024"},
    ],
)
def test_a_key_in_a_custom_key_store_is_made_there(tmp_path: Path, generation: dict[str, Any]) -> None:
    key = resources(tmp_path, generation)["aws_kms_key"]["generation_1"]
    assert key["custom_key_store_id"] == STORE
    assert key.get("xks_key_id") == generation.get("xks_key_id")
    assert (key["multi_region"], key["enable_key_rotation"], key["is_enabled"]) == (False, False, True)
    assert key["lifecycle"] == {"prevent_destroy": True}


@pytest.mark.requirement("EKM-06")
def test_imported_material_stays_out_of_terraform_and_its_importer_keeps_the_say(tmp_path: Path) -> None:
    found = resources(tmp_path, {"origin": "EXTERNAL", "material_imported": True})
    assert "aws_kms_key" not in found
    key = found["aws_kms_external_key"]["generation_1"]
    assert key["enabled"] is True
    assert not {"key_material_base64", "valid_to"} & set(key)
    assert key["lifecycle"] == {"prevent_destroy": True, "ignore_changes": ["key_material_base64", "valid_to"]}
    assert json.loads(key["policy"]) == json.loads(key_policy(declare(), 1).to_json())
    assert found["aws_kms_grant"]["generation_1_vendor"]["key_id"] == "${aws_kms_external_key.generation_1.id}"
    assert found["aws_kms_alias"]["current"]["target_key_id"] == "${aws_kms_external_key.generation_1.id}"


def test_a_key_that_awaits_its_material_is_neither_enabled_nor_granted(tmp_path: Path) -> None:
    found = resources(tmp_path, {"origin": "EXTERNAL"})
    assert "enabled" not in found["aws_kms_external_key"]["generation_1"]
    assert "aws_kms_grant" not in found


@pytest.mark.requirement("EKM-34")
@pytest.mark.parametrize(
    ("origin", "primary", "replica"),
    [
        ({}, "aws_kms_key", "aws_kms_replica_key"),
        (
            {"origin": "EXTERNAL", "material_imported": True},
            "aws_kms_external_key",
            "aws_kms_replica_external_key",
        ),
    ],
)
def test_every_replica_carries_the_access_of_its_primary(
    tmp_path: Path, origin: dict[str, Any], primary: str, replica: str
) -> None:
    stack = emitted(tmp_path, declare(generations=[{"number": 1, **FAMILY, **origin}]))
    found = stack["resource"]
    key, replicas = found[primary]["generation_1"], found[replica]
    assert set(replicas) == {"generation_1_eu_west_1", "generation_1_eu_central_1"}
    for region in ("eu_west_1", "eu_central_1"):
        copy = replicas[f"generation_1_{region}"]
        assert copy["provider"] == f"aws.{region}"
        assert copy["primary_key_arn"] == f"${{{primary}.generation_1.arn}}"
        same = ("policy", "tags", "lifecycle", "deletion_window_in_days", "description")
        assert [copy[name] for name in same] == [key[name] for name in same]
        assert copy["enabled"] is True
        grant = found["aws_kms_grant"][f"generation_1_{region}_vendor"]
        assert (grant["provider"], grant["key_id"]) == (
            f"aws.{region}",
            f"${{{replica}.generation_1_{region}.key_id}}",
        )
        assert grant["grantee_principal"] == f"arn:aws:iam::{VENDOR}:root"
        assert f"generation_1_{region}_key_arn" in stack["output"]
    assert stack["provider"]["aws"] == [
        {"region": "us-east-1", "allowed_account_ids": [CUSTOMER]},
        {"region": "eu-west-1", "allowed_account_ids": [CUSTOMER], "alias": "eu_west_1"},
        {"region": "eu-central-1", "allowed_account_ids": [CUSTOMER], "alias": "eu_central_1"},
    ]


@pytest.mark.requirement("EKM-10")
def test_a_revocation_reaches_every_replica(tmp_path: Path) -> None:
    found = resources(tmp_path, FAMILY, revoked=True)
    keys = [found["aws_kms_key"]["generation_1"]["is_enabled"]]
    keys += [replica["enabled"] for replica in found["aws_kms_replica_key"].values()]
    assert keys == [False, False, False]
    assert "aws_kms_grant" not in found
    assert all(VENDOR not in replica["policy"] for replica in found["aws_kms_replica_key"].values())


def judged(folder: Path, generation: dict[str, Any], kind: str, name: str, **changes: Any) -> set[str]:
    """The guards that refuse a resource with these attributes changed."""
    declaration = declare(generations=[{"number": 1, **generation}])
    attributes = emitted(folder, declaration)["resource"][kind][name]
    assert judge_resource(declaration, EmittedResource(kind, name, attributes)) == ()
    changed = EmittedResource(kind, name, {**attributes, **changes})
    return {finding.guard for finding in judge_resource(declaration, changed)}


@pytest.mark.parametrize(
    ("kind", "name", "changes", "guard"),
    [
        ("aws_kms_replica_key", "generation_1_eu_west_1", {"lifecycle": {}}, "prevent_destroy"),
        ("aws_kms_replica_key", "generation_1_eu_west_1", {"enabled": False}, "enabled"),
        ("aws_kms_replica_key", "generation_1_eu_west_1", {"deletion_window_in_days": 7}, "deletion_window"),
        ("aws_kms_replica_key", "generation_1_eu_west_1", {"tags": {}}, "tags"),
        ("aws_kms_replica_key", "generation_1_eu_west_1", {"policy": "{}"}, "root_statement"),
        ("aws_kms_key", "generation_1", {"custom_key_store_id": STORE}, "key_kind"),
    ],
)
def test_the_guards_look_at_replicas_as_at_keys(
    tmp_path: Path, kind: str, name: str, changes: dict[str, Any], guard: str
) -> None:
    assert judged(tmp_path, FAMILY, kind, name, **changes) == {guard}


def test_the_guards_refuse_material_that_terraform_would_read(tmp_path: Path) -> None:
    imported = {"origin": "EXTERNAL", "material_imported": True}
    found = judged(tmp_path, imported, "aws_kms_external_key", "generation_1", key_material_base64="AAAA")
    assert found == {"material"}


def test_a_missing_replica_is_refused(tmp_path: Path) -> None:
    declaration = declare(generations=[{"number": 1, **FAMILY}])
    found = emitted(tmp_path, declaration)["resource"]
    seen = [
        EmittedResource(kind, name, attributes)
        for kind, named in found.items()
        for name, attributes in named.items()
        if name != "generation_1_eu_west_1"
    ]
    (finding,) = judge_generations(declaration, seen)
    assert finding.message == (
        "generation 1 has 1 replicas in the stack, by aws.eu_central_1; it must have 2: eu-west-1, eu-central-1"
    )
