"""ReplicateKey, UpdatePrimaryRegion: multi-Region keys.

- The keys of a multi-Region key share id, material, spec, usage, origin and automatic rotation. Policy, tags,
  description, grants, aliases and state are each key's own, and never follow.
- Only the primary is replicated, once into each other Region of its partition. A replica of a key with
  imported material waits for the import of the same material.
- Being created and being updated take no time here: only the answer of ReplicateKey says Creating.

(AWS KMS Developer Guide, "Multi-Region keys in AWS KMS")
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.arn import partition_of
from engine.sandbox.kms.authorization import admitted, authorize, authorize_identity, refuse_state
from engine.sandbox.kms.call import Operation
from engine.sandbox.kms.conditions import bypass_context, caller_context, new_key_context, tag_context
from engine.sandbox.kms.errors import KmsError, not_found, unsupported, validation
from engine.sandbox.kms.identifiers import Target
from engine.sandbox.kms.key_metadata import metadata
from engine.sandbox.kms.key_policies import check_lockout, read_policy
from engine.sandbox.kms.model import IMPORTED, default_policy
from engine.sandbox.kms.operations.tags import checked_tags

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox.kms.call import Call, Reply
    from engine.sandbox.kms.model import KeyRecord

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}", re.ASCII)


def replicate_key(call: Call) -> Reply:
    """ReplicateKey: `kms:ReplicateKey` on the primary, `kms:CreateKey` in the replica's Region."""
    parameters = call.parameters
    region = parameters.text("ReplicaRegion")
    tags = checked_tags(parameters.tags("Tags"))
    key = _primary(call, {"kms:ReplicaRegion": (region,), **tag_context(tags)})
    properties = new_key_context(spec=key.spec, usage=key.usage, origin=key.origin, multi_region=True) | {
        "kms:MultiRegionKeyType": ("REPLICA",),
        "aws:RequestedRegion": (region,),
        **tag_context(tags),
    }
    authorize_identity(call, "kms:CreateKey", context=properties | bypass_context(call))
    if tags:
        authorize_identity(call, "kms:TagResource", context=properties)
    if not _REGION.fullmatch(region) or partition_of(region) != key.partition or region == key.region:
        raise validation(f"{region} is not another Region of the partition {key.partition}")
    if call.store.key(key.account_id, region, key.key_id) is not None:
        raise KmsError("AlreadyExistsException", f"{key.arn} already has a replica in {region}.")
    text = parameters.optional_text("Policy") or default_policy(call.partition, call.account_id)
    replica = replace(
        key,
        region=region,
        state=KeyState.ENABLED,
        description=parameters.optional_text("Description") or "",
        created=call.now,
        policy_text=text,
        policy=read_policy(text),
        tags=tags,
        grants=(),
    )
    if key.origin == IMPORTED:
        replica = _without_secrets(replica)
    bypass = parameters.flag("BypassPolicyLockoutSafetyCheck")
    if not bypass:
        check_lockout(call, replica.policy, replica.arn, caller_context(call) | properties)
    call.store.put_key(replica)
    shown = replace(replica, state=KeyState.CREATING)
    return {
        "ReplicaKeyMetadata": metadata(call.store, shown),
        "ReplicaPolicy": text,
        "ReplicaTags": [{"TagKey": name, "TagValue": value} for name, value in tags],
    }


def update_primary_region(call: Call) -> Reply:
    """UpdatePrimaryRegion: the permission is needed on both keys."""
    region = call.parameters.text("PrimaryRegion")
    condition = {"kms:PrimaryRegion": (region,)}
    key = _primary(call, condition)
    other = call.store.key(key.account_id, region, key.key_id)
    if other is None:
        raise not_found(f"{key.arn} has no replica in {region}")
    if other is key:
        raise validation(f"{key.arn} is the primary already")
    authorize(call, Target(other), context=condition)
    refuse_state(call.operation, other)
    for member in call.store.family(key):
        call.store.put_key(replace(member, primary_region=region))
    return {}


def _primary(call: Call, context: Mapping[str, tuple[str, ...]]) -> KeyRecord:
    key = admitted(call, context).key
    if not key.multi_region:
        raise unsupported(f"{key.arn} is not a multi-Region key.")
    if key.replica:
        raise unsupported(f"{call.operation} is for the primary key of a multi-Region key; {key.arn} is a replica.")
    return key


def _without_secrets(key: KeyRecord) -> KeyRecord:
    """A replica's record before the material that its primary has is imported into it."""
    pending = key.pending_material
    return replace(
        key,
        state=KeyState.PENDING_IMPORT,
        materials=tuple(replace(material, secret=None, valid_to=None) for material in key.materials),
        pending_material=None if pending is None else replace(pending, secret=None, valid_to=None),
    )


OPERATIONS = (
    Operation("ReplicateKey", replicate_key, changes=True),
    Operation("UpdatePrimaryRegion", update_primary_region, changes=True),
)
