"""A key of every origin, deployed for real and read back by boto3 (EKM-06, EKM-34). Long: `make soak`."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity, Sandbox, SandboxSettings
from stacks.custody import VENDOR_GRANT_OPERATIONS
from stacks.key_policy import key_policy
from tests.engine.sandbox.imported_material import import_material
from tests.engine.sandbox.key_stores import EXTERNAL, cloudhsm, external, make_store
from tests.sandbox_fixtures import Account
from tests.stacks.declared import CUSTOMER, VENDOR, declare
from tests.stacks.real_terraform import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.terraform, pytest.mark.soak, pytest.mark.timeout(900)]
REPLICA = "eu-west-1"


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    with Sandbox.start(SandboxSettings(customer_account_id=CUSTOMER, vendor_account_id=VENDOR)) as started:
        yield started


@pytest.fixture(scope="module")
def owner(own: Sandbox) -> Account:
    return Account(own, Identity.CUSTOMER, CUSTOMER)


@pytest.fixture(scope="module")
def vendor(own: Sandbox) -> Account:
    return Account(own, Identity.VENDOR, VENDOR)


def seen(kms: Any, arn: str) -> dict[str, Any]:
    """What stands in KMS of a key."""
    metadata = kms.describe_key(KeyId=arn)["KeyMetadata"]
    grants: list[dict[str, Any]] = kms.list_grants(KeyId=arn)["Grants"]
    (grant,) = grants or [{}]
    return {
        "origin": metadata["Origin"],
        "state": metadata["KeyState"],
        "multi_region": metadata["MultiRegion"],
        "store": metadata.get("CustomKeyStoreId"),
        "outside": metadata.get("XksKeyConfiguration", {}).get("Id"),
        "policy": json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]),
        "grant": (grant.get("GranteePrincipal"), grant.get("Name"), frozenset(grant.get("Operations", ()))),
        "tags": {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=arn)["Tags"]},
    }


def expected(number: int, origin: str, *, grant: str = "vendor", **more: Any) -> dict[str, Any]:
    given = (f"arn:aws:iam::{VENDOR}:root", f"keyturn-northwind-{number}-{grant}", frozenset(VENDOR_GRANT_OPERATIONS))
    return {
        "origin": origin,
        "state": "Enabled",
        "multi_region": False,
        "store": None,
        "outside": None,
        "policy": json.loads(key_policy(declare(), 1).to_json()),
        "grant": given,
        "tags": {"keyturn:tenant": "northwind", "keyturn:generation": str(number)},
        **more,
    }


def works_for(vendor: Account, arn: str, region: str | None = None) -> bool:
    """Whether the vendor wraps and unwraps a data key with a key."""
    kms = vendor.kms if region is None else vendor.client("kms", region)
    wrapped = kms.encrypt(KeyId=arn, Plaintext=b"a data key", EncryptionContext={"tenant": "northwind"})
    opened = kms.decrypt(CiphertextBlob=wrapped["CiphertextBlob"], EncryptionContext={"tenant": "northwind"})
    return bool(opened["Plaintext"] == b"a data key")


@pytest.mark.requirement("EKM-06")
@pytest.mark.requirement("EKM-34")
def test_a_key_of_every_origin_is_deployed_as_it_is_declared(
    own: Sandbox, owner: Account, vendor: Account, tmp_path_factory: pytest.TempPathFactory
) -> None:
    hsm, outside = make_store(owner.kms, cloudhsm()), make_store(owner.kms, external())
    imported: dict[str, Any] = {"number": 2, "origin": "EXTERNAL"}
    others: list[dict[str, Any]] = [
        {"number": 1, "multi_region": True, "replicas": [REPLICA]},
        {"number": 3, "origin": "AWS_CLOUDHSM", "custom_key_store_id": hsm},
        {"number": 4, "origin": EXTERNAL, "custom_key_store_id": outside, "xks_key_id": "bb8562717f809024"},
    ]
    workspace = Workspace(tmp_path_factory.mktemp("customer"), own)

    def declared(**changes: Any) -> None:
        workspace.declare(generations=sorted([*others, {**imported, **changes}], key=lambda one: one["number"]))

    # All keys at once; the one that awaits its material has no grant yet.
    declared()
    assert set(map(tuple, workspace.plan().values())) == {("create",)}
    workspace.apply()
    outputs = json.loads(workspace.terraform("output", "-json"))
    arns = {number: outputs[f"generation_{number}_key_arn"]["value"] for number in range(1, 5)}
    replica = outputs["generation_1_eu_west_1_key_arn"]["value"]
    assert seen(owner.kms, arns[1]) == expected(1, "AWS_KMS", multi_region=True)
    assert seen(owner.client("kms", REPLICA), replica) == expected(
        1, "AWS_KMS", multi_region=True, grant=f"{REPLICA}-vendor"
    )
    assert seen(owner.kms, arns[3]) == expected(3, "AWS_CLOUDHSM", store=hsm)
    assert seen(owner.kms, arns[4]) == expected(4, EXTERNAL, store=outside, outside="bb8562717f809024")
    assert seen(owner.kms, arns[2]) == expected(2, "EXTERNAL", state="PendingImport", grant="") | {
        "grant": (None, None, frozenset())
    }
    assert owner.kms.describe_key(KeyId="alias/northwind-ekm")["KeyMetadata"]["Arn"] == arns[1]

    # The material is imported by its administrator, past Terraform; then the grant follows, and nothing else.
    material = secrets.token_bytes(32)
    import_material(owner.kms, arns[2], material)
    declared(material_imported=True)
    plan = workspace.plan()
    assert {address: actions for address, actions in plan.items() if actions != ["no-op"]} == {
        "aws_kms_grant.generation_2_vendor": ["create"],
    }
    workspace.apply()
    assert seen(owner.kms, arns[2]) == expected(2, "EXTERNAL")
    assert material not in (workspace.folder / "plan.json").read_bytes()
    for arn in arns.values():
        assert works_for(vendor, arn)
    assert works_for(vendor, replica, REPLICA)
    assert set(map(tuple, workspace.plan().values())) == {("no-op",)}

    # A revocation reaches all of them, by one deploy.
    workspace.declare(
        revoked=True,
        generations=sorted([*others, {**imported, "material_imported": True}], key=lambda one: one["number"]),
    )
    workspace.plan()
    workspace.apply()
    for arn in arns.values():
        assert owner.kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Disabled"
        assert owner.kms.list_grants(KeyId=arn)["Grants"] == []
    metadata = owner.client("kms", REPLICA).describe_key(KeyId=replica)["KeyMetadata"]
    assert metadata["KeyState"] == "Disabled"
