"""What a call brings to the conditions of a policy: KMS's own condition keys and the global ones.

Everything that AWS would set is here, so a key that is missing is absent, not unknown. `kms:ResourceAliases`
is for IAM policies alone; no key policy is helped by it. Times, addresses and
tags come from the sandbox; `aws:SecureTransport` is true, since KMS has no other transport. (AWS KMS
Developer Guide, "Condition keys for AWS KMS"; IAM User Guide, "AWS global condition context keys")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sandbox.caller_context import context_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox.kms.call import Call
    from engine.sandbox.kms.identifiers import Target
    from engine.sandbox.kms.model import KeyRecord

Context = dict[str, tuple[str, ...]]


def caller_context(call: Call) -> Context:
    """What every call brings, whatever it is about."""
    context: Context = context_of(call.principal, call.now, call.region, call.source_address)
    context["kms:CallerAccount"] = (call.account_id,)
    return context


def key_context(call: Call, target: Target) -> Context:
    """What a call on a key brings, beside what its own parameters add."""
    key = target.key
    context = caller_context(call)
    context["aws:ResourceAccount"] = (key.account_id,)
    context |= _key_properties(key)
    if key.tags:
        for name, value in key.tags:
            context[f"aws:ResourceTag/{name}"] = (value,)
    if target.alias is not None:
        context["kms:RequestAlias"] = (target.alias.name,)
    return context


def alias_context(call: Call, target: Target) -> Context:
    """What a call on a key brings to IAM policies and to no key policy: the key's aliases."""
    aliases = tuple(alias.name for alias in call.store.aliases_of(target.key))
    return {"kms:ResourceAliases": aliases} if aliases else {}


def bypass_context(call: Call) -> Context:
    """What `BypassPolicyLockoutSafetyCheck` brings: nothing where the call does not have it, not even its default."""
    if "BypassPolicyLockoutSafetyCheck" not in call.parameters:
        return {}
    return {"kms:BypassPolicyLockoutSafetyCheck": (_boolean(call.parameters.flag("BypassPolicyLockoutSafetyCheck")),)}


def direct_grant_context() -> Context:
    """What a call about grants brings that no AWS service makes on somebody's behalf; here none does."""
    return {"kms:GrantIsForAWSResource": ("false",)}


def encryption_context(context: Mapping[str, str]) -> Context:
    """What an encryption context brings."""
    conditions: Context = {f"kms:EncryptionContext:{name}": (value,) for name, value in context.items()}
    if context:
        conditions["kms:EncryptionContextKeys"] = tuple(context)
    return conditions


def tag_context(tags: tuple[tuple[str, str], ...]) -> Context:
    """What tags in a request bring."""
    conditions: Context = {f"aws:RequestTag/{name}": (value,) for name, value in tags}
    if tags:
        conditions["aws:TagKeys"] = tuple(name for name, _ in tags)
    return conditions


def new_key_context(*, spec: str, usage: str, origin: str, multi_region: bool) -> Context:
    """What CreateKey brings of the key that it is to make."""
    return {
        "kms:CustomerMasterKeySpec": (spec,),
        "kms:CustomerMasterKeyUsage": (usage,),
        "kms:KeyOrigin": (origin,),
        "kms:KeySpec": (spec,),
        "kms:KeyUsage": (usage,),
        "kms:MultiRegion": (_boolean(multi_region),),
        **({"kms:MultiRegionKeyType": ("PRIMARY",)} if multi_region else {}),
    }


def _key_properties(key: KeyRecord) -> Context:
    return {
        "kms:CustomerMasterKeySpec": (key.spec,),
        "kms:CustomerMasterKeyUsage": (key.usage,),
        "kms:KeyOrigin": (key.origin,),
        "kms:KeySpec": (key.spec,),
        "kms:KeyUsage": (key.usage,),
        "kms:MultiRegion": (_boolean(key.multi_region),),
        **({"kms:MultiRegionKeyType": ("REPLICA" if key.replica else "PRIMARY",)} if key.multi_region else {}),
    }


def _boolean(value: bool) -> str:
    return "true" if value else "false"
