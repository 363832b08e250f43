"""Letting a key be used: by access, then by its state, then by what it is for, then by what stands behind it.

A use that succeeded is remembered for GetKeyLastUsage; a dry run is none.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from engine.sandbox.kms.authorization import authorize, refuse_state
from engine.sandbox.kms.conditions import encryption_context
from engine.sandbox.kms.errors import KmsError, invalid_state, unsupported
from engine.sandbox.kms.grant_tokens import check_grant_tokens
from engine.sandbox.kms.model import ENCRYPT_DECRYPT, SYMMETRIC
from engine.sandbox.kms.store import KeyUse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox.kms.call import Call
    from engine.sandbox.kms.identifiers import Target
    from engine.sandbox.kms.model import KeyMaterial, KeyRecord

_UNREACHABLE = (
    "The request was rejected because the external key store proxy or the CloudHSM cluster behind the key did not "
    "respond in time. Retry the request."
)


def let_use(
    call: Call,
    target: Target,
    usage: str,
    brought: Mapping[str, tuple[str, ...]],
    action: str | None = None,
) -> KeyRecord:
    """Let the caller use a key.

    Args:
        call: The call.
        target: The key.
        usage: The key usage that the operation needs, such as `SIGN_VERIFY`.
        brought: The condition keys that the call's parameters bring.
        action: The permission; the operation's own by default.

    Raises:
        KmsError: What AWS answers to the first thing that is not so.
    """
    check_grant_tokens(call)
    authorize(call, target, action, brought)
    key = target.key
    refuse_state(call.operation, key)
    if key.usage != usage:
        raise KmsError(
            "InvalidKeyUsageException",
            f"{key.arn} key usage is {key.usage} which is not valid for {call.operation}.",
        )
    store = call.store.custom_key_store_of(key)
    if store is not None and not store.reachable:
        raise invalid_state(_UNREACHABLE)
    return key


def remember_use(call: Call, *keys: KeyRecord) -> None:
    """Remember that a call has used keys."""
    for key in keys:
        call.store.record_use(key, KeyUse(call.operation, call.now))


def current_material(key: KeyRecord) -> KeyMaterial:
    """The material that a key encrypts with. Raises `KMSInvalidStateException` where it is yet to come."""
    if key.material is None or key.material.secret is None:
        raise invalid_state(f"{key.arn} is pending import.")
    return key.material


def current_secret(key: KeyRecord) -> bytes:
    """The secret of the current material, for a key that has but one.

    Raises:
        KmsError: `UnsupportedOperationException` where the sandbox makes no key pairs of this spec.
    """
    secret = current_material(key).secret
    if not secret:
        raise unsupported(f"The sandbox has no key pairs of spec {key.spec}")
    return secret


def to_base64(data: bytes) -> str:
    """Bytes as the JSON protocol writes them."""
    return base64.b64encode(data).decode("ascii")


def let_use_symmetric(
    call: Call,
    target: Target,
    context: Mapping[str, str],
    action: str | None = None,
    conditions: Mapping[str, tuple[str, ...]] | None = None,
) -> KeyRecord:
    """Let the caller use a symmetric encryption key with an encryption context; otherwise as `let_use`."""
    brought = {"kms:EncryptionAlgorithm": (SYMMETRIC,), **encryption_context(context), **(conditions or {})}
    key = let_use(call, target, ENCRYPT_DECRYPT, brought, action)
    if key.spec != SYMMETRIC:
        raise unsupported(f"The sandbox does not encrypt under keys of spec {key.spec}")
    return key


def material_members(key: KeyRecord, material: KeyMaterial, member: str = "KeyMaterialId") -> dict[str, str]:
    """The member of an answer that names the material; keys in custom key stores have no such names."""
    return {} if key.custom_key_store_id is not None else {member: material.material_id}


def refuse_recipient(call: Call) -> None:
    """Refuse a call that wants its answer encrypted for an attested enclave: the sandbox has none."""
    if "Recipient" in call.parameters:
        raise unsupported("The sandbox has no attested recipients")
