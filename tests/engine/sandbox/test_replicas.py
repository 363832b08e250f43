"""Multi-Region keys: one material, one id, and in each Region a state and a policy of its own."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.sandbox.imported_material import import_material
from tests.engine.sandbox.keys import OWNER, VENDOR_STATEMENT, allow, make_key, policy, root
from tests.sandbox_fixtures import Account, refused

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

EUROPE, TOKYO = "eu-west-1", "ap-northeast-1"


def in_region(key: str, region: str) -> str:
    return key.replace("us-east-1", region)


def replicate(account: Account, key: str, region: str = EUROPE, **members: Any) -> KMSClient:
    """Make a replica; a client of its Region."""
    account.kms.replicate_key(KeyId=key, ReplicaRegion=region, **members)
    client: KMSClient = account.client("kms", region)
    return client


def describe(kms: KMSClient, key: str) -> dict[str, Any]:
    return dict(kms.describe_key(KeyId=key)["KeyMetadata"])


def test_a_replica_is_made_and_told_of(customer: Account) -> None:
    key = make_key(customer.kms, MultiRegion=True, Description="primary")
    answer = customer.kms.replicate_key(
        KeyId=key, ReplicaRegion=EUROPE, Description="replica", Tags=[{"TagKey": "a", "TagValue": "b"}]
    )
    made = answer["ReplicaKeyMetadata"]
    assert (made.get("KeyState"), made.get("Arn"), answer["ReplicaTags"]) == (
        "Creating",
        in_region(key, EUROPE),
        [{"TagKey": "a", "TagValue": "b"}],
    )
    europe: KMSClient = customer.client("kms", EUROPE)
    replica = describe(europe, in_region(key, EUROPE))
    assert (replica["KeyState"], replica["Description"], replica["KeyId"]) == ("Enabled", "replica", key[-36:])
    assert replica["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "REPLICA",
        "PrimaryKey": {"Arn": key, "Region": "us-east-1"},
        "ReplicaKeys": [{"Arn": in_region(key, EUROPE), "Region": EUROPE}],
    }
    primary = describe(customer.kms, key)
    assert primary["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
    assert primary["MultiRegionConfiguration"]["ReplicaKeys"] == replica["MultiRegionConfiguration"]["ReplicaKeys"]
    assert primary["CurrentKeyMaterialId"] == replica["CurrentKeyMaterialId"]
    assert europe.get_key_policy(KeyId=key[-36:])["Policy"] == answer["ReplicaPolicy"]
    assert europe.list_resource_tags(KeyId=key[-36:])["Tags"] == [{"TagKey": "a", "TagValue": "b"}]


def test_what_one_region_wraps_every_other_opens(customer: Account) -> None:
    key = make_key(customer.kms, MultiRegion=True)
    europe, tokyo = replicate(customer, key), replicate(customer, key, TOKYO)
    for wrapping in (customer.kms, europe, tokyo):
        blob = wrapping.encrypt(KeyId=key[-36:], Plaintext=b"data", EncryptionContext={"a": "b"})["CiphertextBlob"]
        for region, opening in (("us-east-1", customer.kms), (EUROPE, europe), (TOKYO, tokyo)):
            opened = opening.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})
            assert (opened["Plaintext"], opened["KeyId"]) == (b"data", in_region(key, region))


def test_a_region_without_a_replica_opens_nothing(customer: Account) -> None:
    key = make_key(customer.kms, MultiRegion=True)
    blob = customer.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("AccessDeniedException"):
        customer.client("kms", EUROPE).decrypt(CiphertextBlob=blob)
    single = customer.kms.encrypt(KeyId=make_key(customer.kms), Plaintext=b"data")["CiphertextBlob"]
    replicate(customer, key)
    with refused("AccessDeniedException"):
        customer.client("kms", EUROPE).decrypt(CiphertextBlob=single)


def test_state_and_policy_do_not_follow(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, OWNER, VENDOR_STATEMENT, MultiRegion=True)
    europe = replicate(customer, key, Policy=policy(OWNER))
    replica = in_region(key, EUROPE)
    blob = vendor.kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("AccessDeniedException"):
        vendor.client("kms", EUROPE).decrypt(CiphertextBlob=blob, KeyId=replica)
    europe.create_grant(KeyId=replica, GranteePrincipal=vendor.root, Operations=["Decrypt"])
    assert customer.kms.list_grants(KeyId=key)["Grants"] == []
    # The way around a revocation that looks at one Region only.
    customer.kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        vendor.kms.decrypt(CiphertextBlob=blob)
    assert vendor.client("kms", EUROPE).decrypt(CiphertextBlob=blob, KeyId=replica)["Plaintext"] == b"data"
    assert describe(europe, replica)["KeyState"] == "Enabled"
    assert europe.get_key_last_usage(KeyId=replica)["KeyLastUsage"].get("Operation") == "Decrypt"
    assert customer.kms.get_key_last_usage(KeyId=key)["KeyLastUsage"].get("Operation") == "Encrypt"


@pytest.mark.parametrize(
    ("region", "code"),
    [("us-east-1", "ValidationException"), ("cn-north-1", "ValidationException"), ("Mars", "ValidationException")],
)
def test_a_replica_is_in_another_region_of_the_partition(customer: Account, region: str, code: str) -> None:
    key = make_key(customer.kms, MultiRegion=True)
    with refused(code):
        customer.kms.replicate_key(KeyId=key, ReplicaRegion=region)
    assert describe(customer.kms, key)["MultiRegionConfiguration"]["ReplicaKeys"] == []


def test_only_a_primary_in_use_is_replicated_once_a_region(customer: Account) -> None:
    single = make_key(customer.kms)
    with refused("UnsupportedOperationException"):
        customer.kms.replicate_key(KeyId=single, ReplicaRegion=EUROPE)
    key = make_key(customer.kms, MultiRegion=True)
    europe = replicate(customer, key)
    with refused("AlreadyExistsException"):
        customer.kms.replicate_key(KeyId=key, ReplicaRegion=EUROPE)
    with refused("UnsupportedOperationException"):
        europe.replicate_key(KeyId=key[-36:], ReplicaRegion=TOKYO)
    customer.kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        customer.kms.replicate_key(KeyId=key, ReplicaRegion=TOKYO)
    with refused("NotFoundException"):
        customer.client("kms", TOKYO).describe_key(KeyId=key[-36:])


def test_a_replicas_policy_must_leave_its_writer_in(customer: Account, vendor: Account) -> None:
    key = make_key(customer.kms, MultiRegion=True)
    with refused("MalformedPolicyDocumentException"):
        replicate(customer, key, Policy=policy(allow(root(vendor.account_id), "kms:*")))
    with refused("NotFoundException"):
        customer.client("kms", EUROPE).describe_key(KeyId=key[-36:])


def test_the_primary_can_move(customer: Account) -> None:
    key = make_key(customer.kms, MultiRegion=True)
    europe = replicate(customer, key)
    with refused("NotFoundException"):
        customer.kms.update_primary_region(KeyId=key, PrimaryRegion=TOKYO)
    with refused("UnsupportedOperationException"):
        europe.update_primary_region(KeyId=key[-36:], PrimaryRegion="us-east-1")
    customer.kms.update_primary_region(KeyId=key, PrimaryRegion=EUROPE)
    assert describe(customer.kms, key)["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "REPLICA",
        "PrimaryKey": {"Arn": in_region(key, EUROPE), "Region": EUROPE},
        "ReplicaKeys": [{"Arn": key, "Region": "us-east-1"}],
    }
    europe.replicate_key(KeyId=key[-36:], ReplicaRegion=TOKYO)
    with refused("UnsupportedOperationException"):
        customer.kms.enable_key_rotation(KeyId=key)


def test_the_permission_to_move_the_primary_is_needed_on_both_keys(customer: Account) -> None:
    key = make_key(customer.kms, MultiRegion=True)
    closed = policy(allow(root(customer.account_id), "kms:PutKeyPolicy", "kms:DescribeKey"))
    europe = replicate(customer, key, Policy=closed)
    with refused("AccessDeniedException"):
        customer.kms.update_primary_region(KeyId=key, PrimaryRegion=EUROPE)
    assert describe(europe, key[-36:])["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"


def test_rotation_is_the_primarys_and_happens_everywhere(own: Account) -> None:
    key = make_key(own.kms, MultiRegion=True)
    europe, replica = replicate(own, key), in_region(key, EUROPE)
    with refused("UnsupportedOperationException"):
        europe.rotate_key_on_demand(KeyId=replica)
    own.kms.rotate_key_on_demand(KeyId=key)
    assert describe(own.kms, key)["CurrentKeyMaterialId"] == describe(europe, replica)["CurrentKeyMaterialId"]
    own.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    assert europe.get_key_rotation_status(KeyId=replica)["KeyRotationEnabled"] is True
    own.sandbox.clock.advance(timedelta(days=91))
    # Whichever is looked at first.
    assert len(europe.list_key_rotations(KeyId=replica)["Rotations"]) == 2
    blob = europe.encrypt(KeyId=replica, Plaintext=b"data")["CiphertextBlob"]
    assert own.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"


def test_a_primary_waits_for_its_replicas_to_be_deleted(own: Account) -> None:
    kms, clock = own.kms, own.sandbox.clock
    key = make_key(kms, MultiRegion=True)
    europe, tokyo = replicate(own, key), replicate(own, key, TOKYO)
    scheduled: Any = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert (scheduled["KeyState"], scheduled["PendingWindowInDays"]) == ("PendingReplicaDeletion", 7)
    assert "DeletionDate" not in scheduled
    assert describe(kms, key)["PendingDeletionWindowInDays"] == 7
    with refused("KMSInvalidStateException"):
        kms.encrypt(KeyId=key, Plaintext=b"data")
    clock.advance(timedelta(days=60))
    assert describe(kms, key)["KeyState"] == "PendingReplicaDeletion"
    europe.schedule_key_deletion(KeyId=key[-36:], PendingWindowInDays=8)
    last = tokyo.schedule_key_deletion(KeyId=key[-36:], PendingWindowInDays=10)["DeletionDate"]
    clock.advance(timedelta(days=12))
    primary = describe(kms, key)
    assert (primary["KeyState"], primary["DeletionDate"]) == ("PendingDeletion", last + timedelta(days=7))
    with refused("NotFoundException"):
        tokyo.describe_key(KeyId=key[-36:])
    clock.advance(timedelta(days=6))
    with refused("NotFoundException"):
        kms.describe_key(KeyId=key)


def test_a_replica_that_is_gone_can_be_made_again(own: Account) -> None:
    key = make_key(own.kms, MultiRegion=True)
    europe = replicate(own, key)
    blob = europe.encrypt(KeyId=key[-36:], Plaintext=b"data")["CiphertextBlob"]
    europe.schedule_key_deletion(KeyId=key[-36:], PendingWindowInDays=7)
    with refused("AlreadyExistsException"):
        own.kms.replicate_key(KeyId=key, ReplicaRegion=EUROPE)
    own.sandbox.clock.advance(timedelta(days=8))
    assert own.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"
    replicate(own, key)
    assert europe.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"


def test_a_cancelled_deletion_of_a_primary_leaves_it_disabled(customer: Account) -> None:
    key = make_key(customer.kms, MultiRegion=True)
    replicate(customer, key)
    customer.kms.schedule_key_deletion(KeyId=key)
    customer.kms.cancel_key_deletion(KeyId=key)
    metadata = describe(customer.kms, key)
    assert (metadata["KeyState"], "PendingDeletionWindowInDays" in metadata) == ("Disabled", False)


def test_imported_material_is_imported_into_every_region(customer: Account) -> None:
    kms, first, second = customer.kms, secrets.token_bytes(32), secrets.token_bytes(32)
    key = make_key(kms, MultiRegion=True, Origin="EXTERNAL")
    material_id = import_material(kms, key, first)
    europe, replica = replicate(customer, key), in_region(key, EUROPE)
    assert describe(europe, replica)["KeyState"] == "PendingImport"
    with refused("IncorrectKeyMaterialException"):
        import_material(europe, replica, second)
    with refused("UnsupportedOperationException"):
        import_material(europe, replica, second, ImportType="NEW_KEY_MATERIAL")
    assert import_material(europe, replica, first) == material_id
    blob = europe.encrypt(KeyId=replica, Plaintext=b"data")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"data"

    def waiting() -> str | None:
        listed = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
        return listed[-1].get("KeyMaterialState")

    import_material(kms, key, second, ImportType="NEW_KEY_MATERIAL")
    assert waiting() == "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    with refused("KMSInvalidStateException"):
        kms.rotate_key_on_demand(KeyId=key)
    import_material(europe, replica, second, ImportType="EXISTING_KEY_MATERIAL")
    assert waiting() == "PENDING_ROTATION"
    kms.rotate_key_on_demand(KeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"new")["CiphertextBlob"]
    assert europe.decrypt(CiphertextBlob=blob)["Plaintext"] == b"new"
