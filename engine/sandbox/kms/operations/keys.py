"""CreateKey, DescribeKey, ListKeys, UpdateKeyDescription.

A key is Enabled as soon as it is made, but for one whose material is yet to be imported. One in a custom key
store needs the store connected. Keys of every spec can be made and described, also those that the sandbox has
no operations for.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.authorization import admitted, authorize, authorize_identity, target_of
from engine.sandbox.kms.call import Operation
from engine.sandbox.kms.conditions import bypass_context, caller_context, new_key_context, tag_context
from engine.sandbox.kms.custom_key_stores import XksProxy
from engine.sandbox.kms.errors import KmsError, invalid_store_state, unsupported, validation
from engine.sandbox.kms.key_metadata import metadata
from engine.sandbox.kms.key_pairs import has_key_pairs, make_private_key
from engine.sandbox.kms.key_policies import check_lockout, read_policy
from engine.sandbox.kms.managed_keys import make_managed_key
from engine.sandbox.kms.model import (
    IMPORTED,
    IN_CLOUDHSM,
    IN_EXTERNAL_KEY_STORE,
    MADE_BY_KMS,
    SYMMETRIC,
    KeyMaterial,
    KeyRecord,
    default_policy,
)
from engine.sandbox.kms.operations.custom_key_stores import store_named
from engine.sandbox.kms.operations.tags import checked_tags
from engine.sandbox.kms.paging import page
from engine.sandbox.kms.specifications import CHINA_ONLY, SPECIFICATIONS

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply

_KEY_STORES = frozenset({IN_CLOUDHSM, IN_EXTERNAL_KEY_STORE})
_CHINA = "aws-cn"


def create_key(call: Call) -> Reply:
    """CreateKey: the caller's IAM decides; the key policy must leave its writer in."""
    parameters = call.parameters
    spec = _spec(call)
    usage = _usage(spec, parameters.optional_text("KeyUsage"))
    origin = _origin(call, spec)
    multi_region, bypass = parameters.flag("MultiRegion"), parameters.flag("BypassPolicyLockoutSafetyCheck")
    tags = checked_tags(parameters.tags("Tags"))
    properties = new_key_context(spec=spec, usage=usage, origin=origin, multi_region=multi_region) | tag_context(tags)
    authorize_identity(call, context=properties | bypass_context(call))
    if tags:
        authorize_identity(call, "kms:TagResource", context=properties)
    store_id, xks_key_id = _place_in_key_store(call, origin)
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
        state=KeyState.PENDING_IMPORT if origin == IMPORTED else KeyState.ENABLED,
        description=parameters.optional_text("Description") or "",
        created=call.now,
        policy_text=text,
        policy=policy,
        tags=tags,
        materials=() if origin == IMPORTED else (_new_material(spec),),
        primary_region=call.region if multi_region else None,
        custom_key_store_id=store_id,
        xks_key_id=xks_key_id,
    )
    if not bypass:
        check_lockout(call, policy, key.arn, caller_context(call) | properties)
    call.store.put_key(key)
    return {"KeyMetadata": metadata(call.store, key)}


def describe_key(call: Call) -> Reply:
    """DescribeKey: in every state, across accounts; makes the AWS managed key of a predefined alias."""
    identifier = call.parameters.text("KeyId")
    make_managed_key(call, identifier)
    target = target_of(call, identifier, aliases=True)
    authorize(call, target)
    return {"KeyMetadata": metadata(call.store, target.key)}


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


def _spec(call: Call) -> str:
    spec = call.parameters.optional_text("KeySpec")
    older = call.parameters.optional_text("CustomerMasterKeySpec")
    if spec and older:
        raise validation("You cannot specify KeySpec and CustomerMasterKeySpec in the same request.")
    chosen = spec or older or SYMMETRIC
    if chosen in CHINA_ONLY and call.partition != _CHINA:
        raise unsupported(f"The KeySpec {chosen} is available in China Regions only.")
    return chosen


def _usage(spec: str, asked: str | None) -> str:
    usages = SPECIFICATIONS[spec].usages
    if asked is None:
        if len(usages) > 1:
            raise validation(f"You must specify a KeyUsage value for the KeySpec {spec}.")
        return usages[0]
    if asked not in usages:
        raise validation(f"The operation failed because the KeyUsage value is not valid for the KeySpec {spec}.")
    return asked


def _origin(call: Call, spec: str) -> str:
    parameters = call.parameters
    origin = parameters.optional_text("Origin") or MADE_BY_KMS
    if origin in _KEY_STORES:
        if "CustomKeyStoreId" not in parameters:
            raise validation(f"You must specify a CustomKeyStoreId when Origin is {origin}.")
        if (origin == IN_EXTERNAL_KEY_STORE) != ("XksKeyId" in parameters):
            needed = "must" if origin == IN_EXTERNAL_KEY_STORE else "must not"
            raise validation(f"You {needed} specify an XksKeyId when Origin is {origin}.")
        if spec != SYMMETRIC or parameters.flag("MultiRegion"):
            raise unsupported("A custom key store holds symmetric encryption keys of a single Region only.")
        return origin
    if "CustomKeyStoreId" in parameters or "XksKeyId" in parameters:
        raise validation(f"CustomKeyStoreId and XksKeyId are not valid when Origin is {origin}.")
    if origin == IMPORTED and SPECIFICATIONS[spec].asymmetric and not has_key_pairs(spec):
        raise unsupported(f"The sandbox has no key of spec {spec} with imported material")
    return origin


def _place_in_key_store(call: Call, origin: str) -> tuple[str | None, str | None]:
    """The custom key store and the external key of a new key, both None elsewhere."""
    if origin not in _KEY_STORES:
        return None, None
    store = store_named(call, call.parameters.text("CustomKeyStoreId"))
    if isinstance(store.backing, XksProxy) != (origin == IN_EXTERNAL_KEY_STORE):
        raise validation(f"The custom key store {store.store_id} is of another type than the Origin {origin}.")
    if not store.connected:
        raise invalid_store_state(store)
    xks_key_id = call.parameters.optional_text("XksKeyId")
    for key in call.store.keys(store.account_id, store.region) if xks_key_id is not None else ():
        if (key.custom_key_store_id, key.xks_key_id) == (store.store_id, xks_key_id):
            raise KmsError("XksKeyAlreadyInUseException", f"The external key {xks_key_id} is already in use.")
    return store.store_id, xks_key_id


def _new_material(spec: str) -> KeyMaterial:
    specification = SPECIFICATIONS[spec]
    if specification.asymmetric:
        return KeyMaterial.generate(make_private_key(spec) or b"")
    return KeyMaterial.generate(secrets.token_bytes(specification.secret_bytes))


OPERATIONS = (
    Operation("CreateKey", create_key, changes=True),
    Operation("DescribeKey", describe_key),
    Operation("ListKeys", list_keys),
    Operation("UpdateKeyDescription", update_key_description, changes=True),
)
