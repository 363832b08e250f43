"""The real AWS provider of Terraform against the sandbox: made, stable, changed, taken away."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity, scrubbed_environment
from stacks.terraform_mirror import terraform_environment
from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.key_stores import cloudhsm, external
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, policy, root
from tests.sandbox_fixtures import Account, refused

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_kms import KMSClient

    from engine.sandbox import Sandbox

NO_DIFFERENCE = 0
EUROPE = "eu-west-1"
MATERIAL = base64.b64encode(secrets.token_bytes(32)).decode()
VALID_TO = (datetime.now(UTC) + timedelta(days=200)).strftime("%Y-%m-%dT00:00:00Z")
CLUSTER, PROXY = cloudhsm(), external()
# What Terraform keeps of resources that it made; every one of them is looked at.
MADE = {
    "aws_kms_alias.one",
    "aws_kms_custom_key_store.cluster",
    "aws_kms_custom_key_store.proxy",
    "aws_kms_external_key.imported",
    "aws_kms_grant.vendor",
    "aws_kms_key.one",
    "aws_kms_key.family",
    "aws_kms_key_policy.family",
    "aws_kms_replica_key.europe",
}


def resources() -> dict[str, Any]:
    """Every KMS resource of the provider, one each, and two custom key stores."""
    return {
        "aws_kms_key": {
            "one": {
                "description": "one",
                "policy": policy(OWNER, VENDOR_STATEMENT),
                "tags": {"a": "b"},
                "enable_key_rotation": True,
                "rotation_period_in_days": 180,
            },
            "family": {"multi_region": True, "deletion_window_in_days": 7},
        },
        "aws_kms_key_policy": {
            "family": {"key_id": "${aws_kms_key.family.key_id}", "policy": policy(OWNER, VENDOR_STATEMENT)}
        },
        "aws_kms_replica_key": {
            "europe": {
                "provider": "aws.europe",
                "primary_key_arn": "${aws_kms_key.family.arn}",
                "deletion_window_in_days": 7,
                "policy": policy(OWNER),
            }
        },
        "aws_kms_alias": {"one": {"name": "alias/terraform", "target_key_id": "${aws_kms_key.one.key_id}"}},
        "aws_kms_grant": {
            "vendor": {
                "key_id": "${aws_kms_key.one.key_id}",
                "grantee_principal": root(VENDOR),
                "operations": ["Encrypt", "Decrypt", "DescribeKey"],
                "constraints": {"encryption_context_subset": {"tenant": "northwind"}},
            }
        },
        "aws_kms_external_key": {"imported": {"key_material_base64": MATERIAL, "valid_to": VALID_TO, "enabled": True}},
        "aws_kms_custom_key_store": {
            "cluster": {
                "custom_key_store_name": CLUSTER["CustomKeyStoreName"],
                "cloud_hsm_cluster_id": CLUSTER["CloudHsmClusterId"],
                "key_store_password": CLUSTER["KeyStorePassword"],
                "trust_anchor_certificate": CLUSTER["TrustAnchorCertificate"],
            },
            "proxy": {
                "custom_key_store_name": PROXY["CustomKeyStoreName"],
                "custom_key_store_type": "EXTERNAL_KEY_STORE",
                "xks_proxy_authentication_credential": {
                    "access_key_id": PROXY["XksProxyAuthenticationCredential"]["AccessKeyId"],
                    "raw_secret_access_key": PROXY["XksProxyAuthenticationCredential"]["RawSecretAccessKey"],
                },
                "xks_proxy_connectivity": PROXY["XksProxyConnectivity"],
                "xks_proxy_uri_endpoint": PROXY["XksProxyUriEndpoint"],
                "xks_proxy_uri_path": PROXY["XksProxyUriPath"],
            },
        },
    }


def stack(resource: dict[str, Any]) -> dict[str, Any]:
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
        "provider": {"aws": [{}, {"alias": "europe", "region": EUROPE}]},
        "data": {"aws_caller_identity": {"me": {}}},
        "resource": resource,
        "output": {
            "arn": {"value": "${aws_kms_key.one.arn}"},
            "family": {"value": "${aws_kms_key.family.arn}"},
            "replica": {"value": "${aws_kms_replica_key.europe.arn}"},
            "imported": {"value": "${aws_kms_external_key.imported.arn}"},
            "account": {"value": "${data.aws_caller_identity.me.account_id}"},
        },
    }


def state_of(kms: KMSClient, key: str) -> str | None:
    return kms.describe_key(KeyId=key)["KeyMetadata"].get("KeyState")


@pytest.mark.terraform
def test_terraform_makes_changes_and_takes_away_every_kms_resource(
    sandbox: Sandbox, customer: Account, vendor: Account, tmp_path: Path
) -> None:
    assert shutil.which("terraform"), "Terraform is not on PATH; see the prerequisites in README.md"
    environment = scrubbed_environment(os.environ) | sandbox.environment(Identity.CUSTOMER)
    environment |= terraform_environment(tmp_path, environment)
    kms, europe = customer.kms, customer.client("kms", EUROPE)

    def terraform(*arguments: str, expected: int = 0) -> str:
        finished = subprocess.run(
            ["terraform", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert finished.returncode == expected, finished.stdout + finished.stderr
        return finished.stdout

    file = tmp_path / "main.tf.json"
    file.write_text(json.dumps(stack(resources())))
    terraform("init", "-no-color")
    terraform("apply", "-auto-approve", "-no-color")
    assert set(terraform("state", "list").split()) == MADE | {"data.aws_caller_identity.me"}
    outputs = {name: one["value"] for name, one in json.loads(terraform("output", "-json")).items()}
    arn, family, replica, imported = (outputs[name] for name in ("arn", "family", "replica", "imported"))
    assert outputs["account"] == CUSTOMER
    assert state_of(vendor.kms, arn) == "Enabled"
    assert [state_of(kms, family), state_of(europe, replica), state_of(kms, imported)] == ["Enabled"] * 3
    blob = vendor.kms.encrypt(KeyId=family, Plaintext=b"data")["CiphertextBlob"]
    assert europe.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"
    stores = {store["CustomKeyStoreName"] for store in kms.describe_custom_key_stores()["CustomKeyStores"]}
    assert stores >= {CLUSTER["CustomKeyStoreName"], PROXY["CustomKeyStoreName"]}
    terraform("plan", "-detailed-exitcode", "-no-color", expected=NO_DIFFERENCE)

    changed = resources()
    changed["aws_kms_key"]["one"]["policy"] = policy(OWNER)
    del changed["aws_kms_grant"], changed["aws_kms_key_policy"]
    file.write_text(json.dumps(stack(changed)))
    terraform("apply", "-auto-approve", "-no-color", "-refresh=false")
    for key in (arn, family):
        with refused("AccessDeniedException"):
            vendor.kms.encrypt(KeyId=key, Plaintext=b"data", EncryptionContext={"tenant": "northwind"})
    assert kms.list_grants(KeyId=arn)["Grants"] == []

    terraform("destroy", "-auto-approve", "-no-color", "-refresh=false")
    assert [state_of(kms, arn), state_of(kms, imported), state_of(europe, replica)] == ["PendingDeletion"] * 3
    assert state_of(kms, family) == "PendingReplicaDeletion"
    with refused("NotFoundException"):
        kms.describe_key(KeyId="alias/terraform")
    stores = {store["CustomKeyStoreName"] for store in kms.describe_custom_key_stores()["CustomKeyStores"]}
    assert not stores & {CLUSTER["CustomKeyStoreName"], PROXY["CustomKeyStoreName"]}
