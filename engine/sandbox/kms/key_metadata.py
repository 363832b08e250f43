"""A key as DescribeKey, CreateKey and ReplicateKey show it (AWS KMS API Reference, KeyMetadata)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.call import epoch_seconds
from engine.sandbox.kms.custom_key_stores import CloudHsmCluster
from engine.sandbox.kms.model import IMPORTED, MADE_BY_KMS
from engine.sandbox.kms.specifications import ALGORITHM_MEMBERS, SPECIFICATIONS

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Reply
    from engine.sandbox.kms.model import KeyRecord
    from engine.sandbox.kms.store import KeyStore

EXPIRES, DOES_NOT_EXPIRE = "KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE"


def metadata(store: KeyStore, key: KeyRecord) -> Reply:
    """The whole `KeyMetadata`; members that do not apply to the key are absent, as in KMS."""
    reply: Reply = {
        "AWSAccountId": key.account_id,
        "KeyId": key.key_id,
        "Arn": key.arn,
        "CreationDate": epoch_seconds(key.created),
        "Enabled": key.state is KeyState.ENABLED,
        "Description": key.description,
        "KeyUsage": key.usage,
        "KeyState": key.state.value,
        "Origin": key.origin,
        "KeyManager": key.manager,
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": key.multi_region,
        ALGORITHM_MEMBERS[key.usage]: list(SPECIFICATIONS[key.spec].algorithms[key.usage]),
    }
    if key.symmetric_encryption and key.origin in (MADE_BY_KMS, IMPORTED) and key.material is not None:
        reply["CurrentKeyMaterialId"] = key.material.material_id
    if key.deletion_date is not None:
        reply["DeletionDate"] = epoch_seconds(key.deletion_date)
    if key.deletion_window is not None:
        reply["PendingDeletionWindowInDays"] = key.deletion_window
    return reply | _expiration(key) | _backing(store, key) | _family(store, key)


def _expiration(key: KeyRecord) -> Reply:
    there = [material for material in key.materials if material.secret is not None]
    if key.origin != IMPORTED or not there:
        return {}
    moments = [material.valid_to for material in there if material.valid_to is not None]
    if not moments:
        return {"ExpirationModel": DOES_NOT_EXPIRE}
    return {"ExpirationModel": EXPIRES, "ValidTo": epoch_seconds(min(moments))}


def _backing(store: KeyStore, key: KeyRecord) -> Reply:
    custom = store.custom_key_store_of(key)
    if custom is None:
        return {}
    reply: Reply = {"CustomKeyStoreId": custom.store_id}
    if isinstance(custom.backing, CloudHsmCluster):
        reply["CloudHsmClusterId"] = custom.backing.cluster_id
    if key.xks_key_id is not None:
        reply["XksKeyConfiguration"] = {"Id": key.xks_key_id}
    return reply


def _family(store: KeyStore, key: KeyRecord) -> Reply:
    if not key.multi_region:
        return {}
    members = {member.region: member for member in store.family(key)} | {key.region: key}
    return {
        "MultiRegionConfiguration": {
            "MultiRegionKeyType": "REPLICA" if key.replica else "PRIMARY",
            "PrimaryKey": _place(next(member for member in members.values() if not member.replica)),
            "ReplicaKeys": [_place(members[region]) for region in sorted(members) if members[region].replica],
        }
    }


def _place(key: KeyRecord) -> Reply:
    return {"Arn": key.arn, "Region": key.region}
