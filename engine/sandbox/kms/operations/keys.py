"""CreateKey, DescribeKey, ListKeys, UpdateKeyDescription.

A key is Enabled as soon as it is made, but for one whose material is yet to be imported. Keys for
signatures, MACs and key agreement can be made and described; there are no operations here that use them.
"""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.authorization import admitted, authorize, authorize_identity, target_of
from engine.sandbox.kms.call import Operation, epoch_seconds
from engine.sandbox.kms.conditions import caller_context, new_key_context, tag_context
from engine.sandbox.kms.errors import KmsError, validation
from engine.sandbox.kms.key_policies import check_lockout, read_policy
from engine.sandbox.kms.model import ENCRYPT_DECRYPT, SYMMETRIC, KeyMaterial, KeyRecord, default_policy
from engine.sandbox.kms.operations.tags import checked_tags
from engine.sandbox.kms.paging import page

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply

_EXTERNAL = "EXTERNAL"
_KEY_STORES = frozenset({"AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"})

# AWS KMS Developer Guide, "Key spec reference": which specs serve which usages, the default first.
_USAGES = (
    (re.compile(SYMMETRIC), (ENCRYPT_DECRYPT,)),
    (re.compile(r"RSA_\d+"), (ENCRYPT_DECRYPT, "SIGN_VERIFY")),
    (re.compile(r"ECC_NIST_P\d+"), ("SIGN_VERIFY", "KEY_AGREEMENT")),
    (re.compile(r"ECC_SECG_P256K1|ECC_NIST_EDWARDS25519|ML_DSA_\d+"), ("SIGN_VERIFY",)),
    (re.compile(r"SM2"), (ENCRYPT_DECRYPT, "SIGN_VERIFY", "KEY_AGREEMENT")),
    (re.compile(r"HMAC_\d+"), ("GENERATE_VERIFY_MAC",)),
    (re.compile(r"ML_KEM_\d+"), ("ENCAPSULATE_DECAPSULATE",)),
)


def create_key(call: Call) -> Reply:
    """CreateKey: the caller's IAM decides; the key policy must leave its writer in."""
    parameters = call.parameters
    spec = _spec(call)
    usage = _usage(spec, parameters.optional_text("KeyUsage"))
    origin = _origin(call, spec)
    multi_region, bypass = parameters.flag("MultiRegion"), parameters.flag("BypassPolicyLockoutSafetyCheck")
    tags = checked_tags(parameters.tags("Tags"))
    authorize_identity(call)
    if tags:
        authorize_identity(call, "kms:TagResource")
    text = parameters.optional_text("Policy") or default_policy(call.partition, call.account_id)
    policy = read_policy(text)
    key = KeyRecord(
        partition=call.partition,
        region=call.region,
        account_id=call.account_id,
        key_id=f"mrk-{secrets.token_hex(16)}" if multi_region else str(uuid.uuid4()),
        spec=spec,
        usage=usage,
        origin=origin,
        multi_region=multi_region,
        state=KeyState.PENDING_IMPORT if origin == _EXTERNAL else KeyState.ENABLED,
        description=parameters.optional_text("Description") or "",
        created=call.now,
        policy_text=text,
        policy=policy,
        tags=tags,
        materials=() if origin == _EXTERNAL else (KeyMaterial.generate(),),
    )
    if not bypass:
        properties = new_key_context(spec=spec, usage=usage, origin=origin, multi_region=multi_region, bypass=bypass)
        check_lockout(call, policy, key.arn, caller_context(call) | properties | tag_context(tags))
    call.store.put_key(key)
    return {"KeyMetadata": metadata(key)}


def describe_key(call: Call) -> Reply:
    """DescribeKey: in every state, across accounts."""
    target = target_of(call, call.parameters.text("KeyId"), aliases=True)
    authorize(call, target)
    return {"KeyMetadata": metadata(target.key)}


def list_keys(call: Call) -> Reply:
    """ListKeys: the keys of the caller's account in the Region."""
    authorize_identity(call)
    return page(
        call,
        call.store.keys(call.account_id, call.region),
        member="Keys",
        identity=lambda key: key.key_id,
        show=lambda key: {"KeyId": key.key_id, "KeyArn": key.arn},
    )


def update_key_description(call: Call) -> Reply:
    """UpdateKeyDescription."""
    key = admitted(call).key
    call.store.put_key(replace(key, description=call.parameters.text("Description")))
    return {}


def metadata(key: KeyRecord) -> Reply:
    """A key as DescribeKey shows it."""
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
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "MultiRegion": key.multi_region,
    }
    if key.symmetric_encryption:
        reply["EncryptionAlgorithms"] = [SYMMETRIC]
        if key.material is not None:
            reply["CurrentKeyMaterialId"] = key.material.material_id
    if key.deletion_date is not None:
        reply["DeletionDate"] = epoch_seconds(key.deletion_date)
    if key.multi_region:
        primary = {"Arn": key.arn, "Region": key.region}
        reply["MultiRegionConfiguration"] = {
            "MultiRegionKeyType": "PRIMARY",
            "PrimaryKey": primary,
            "ReplicaKeys": [],
        }
    return reply


def _spec(call: Call) -> str:
    spec = call.parameters.optional_text("KeySpec")
    older = call.parameters.optional_text("CustomerMasterKeySpec")
    if spec and older:
        raise validation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request.")
    return spec or older or SYMMETRIC


def _usage(spec: str, asked: str | None) -> str:
    usages = next(usages for pattern, usages in _USAGES if pattern.fullmatch(spec))
    if asked is None:
        if len(usages) > 1:
            raise validation(f"You must specify a KeyUsage value for the KeySpec {spec}.")
        return usages[0]
    if asked not in usages:
        raise validation(f"The operation failed because the KeyUsage value is not valid for the KeySpec {spec}.")
    return asked


def _origin(call: Call, spec: str) -> str:
    origin = call.parameters.optional_text("Origin") or "AWS_KMS"
    if origin in _KEY_STORES:
        if (store := call.parameters.optional_text("CustomKeyStoreId")) is None:
            raise validation(f"You must specify a CustomKeyStoreId when Origin is {origin}.")
        raise KmsError("CustomKeyStoreNotFoundException", f"Custom key store with ID '{store}' not found.")
    if "CustomKeyStoreId" in call.parameters or "XksKeyId" in call.parameters:
        raise validation(f"CustomKeyStoreId and XksKeyId are not valid when Origin is {origin}.")
    if origin == _EXTERNAL and spec != SYMMETRIC:
        raise KmsError("UnsupportedOperationException", f"The sandbox has no key of spec {spec} with imported material")
    return origin


OPERATIONS = (
    Operation("CreateKey", create_key, changes=True),
    Operation("DescribeKey", describe_key),
    Operation("ListKeys", list_keys),
    Operation("UpdateKeyDescription", update_key_description, changes=True),
)
