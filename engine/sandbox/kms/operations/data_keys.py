"""GenerateDataKey, GenerateDataKeyPair, both without the plaintext too, and GenerateRandom.

Data keys and data key pairs are wrapped under a symmetric encryption key; pairs not under one in a custom key
store. Random bytes come from a connected CloudHSM key store on request, never from an external one.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from engine.sandbox.kms.authorization import authorize_identity, target_of
from engine.sandbox.kms.call import Operation
from engine.sandbox.kms.ciphertext import seal
from engine.sandbox.kms.custom_key_stores import XksProxy
from engine.sandbox.kms.dry_run import end_dry_run
from engine.sandbox.kms.errors import invalid_store_state, unsupported, validation
from engine.sandbox.kms.key_pairs import make_private_key, public_key
from engine.sandbox.kms.operations.custom_key_stores import store_named
from engine.sandbox.kms.use import (
    current_material,
    let_use_symmetric,
    material_members,
    refuse_recipient,
    remember_use,
    to_base64,
)

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply

_DATA_KEY_BYTES = {"AES_128": 16, "AES_256": 32}


def generate_data_key(call: Call) -> Reply:
    """GenerateDataKey: a new data key, in clear and wrapped."""
    return _data_key(call, with_plaintext=True)


def generate_data_key_without_plaintext(call: Call) -> Reply:
    """GenerateDataKeyWithoutPlaintext: a new data key, wrapped."""
    return _data_key(call, with_plaintext=False)


def generate_data_key_pair(call: Call) -> Reply:
    """GenerateDataKeyPair: a public key, and its private key in clear and wrapped."""
    return _data_key_pair(call, with_plaintext=True)


def generate_data_key_pair_without_plaintext(call: Call) -> Reply:
    """GenerateDataKeyPairWithoutPlaintext: a public key, and its private key wrapped."""
    return _data_key_pair(call, with_plaintext=False)


def generate_random(call: Call) -> Reply:
    """GenerateRandom: a matter of the caller's IAM alone."""
    refuse_recipient(call)
    authorize_identity(call)
    if "CustomKeyStoreId" in call.parameters:
        store = store_named(call, call.parameters.text("CustomKeyStoreId"))
        if isinstance(store.backing, XksProxy):
            raise unsupported("GenerateRandom is not supported in an external key store.")
        if not store.connected:
            raise invalid_store_state(store)
    if (number := call.parameters.integer("NumberOfBytes")) is None:
        raise validation("NumberOfBytes must be specified: there is no default.")
    return {"Plaintext": to_base64(secrets.token_bytes(number))}


def _data_key(call: Call, *, with_plaintext: bool) -> Reply:
    spec, asked = call.parameters.optional_text("KeySpec"), call.parameters.integer("NumberOfBytes")
    if (spec is None) == (asked is None):
        raise validation("Please specify either number of bytes or key spec.")
    refuse_recipient(call)
    context = call.parameters.pairs("EncryptionContext")
    key = let_use_symmetric(call, target_of(call, call.parameters.text("KeyId"), aliases=True), context)
    end_dry_run(call)
    data_key = secrets.token_bytes(_DATA_KEY_BYTES[spec] if spec is not None else asked or 0)
    material = current_material(key)
    remember_use(call, key)
    return {
        "CiphertextBlob": to_base64(seal(material, data_key, context)),
        **({"Plaintext": to_base64(data_key)} if with_plaintext else {}),
        "KeyId": key.arn,
        **material_members(key, material),
    }


def _data_key_pair(call: Call, *, with_plaintext: bool) -> Reply:
    refuse_recipient(call)
    spec, context = call.parameters.text("KeyPairSpec"), call.parameters.pairs("EncryptionContext")
    target = target_of(call, call.parameters.text("KeyId"), aliases=True)
    key = let_use_symmetric(call, target, context, conditions={"kms:DataKeyPairSpec": (spec,)})
    if key.custom_key_store_id is not None:
        raise unsupported(f"{key.arn} is in a custom key store, which is not valid for this operation.")
    end_dry_run(call)
    private = make_private_key(spec)
    if private is None:
        raise unsupported(f"The sandbox has no key pairs of spec {spec}")
    material = current_material(key)
    remember_use(call, key)
    return {
        "PrivateKeyCiphertextBlob": to_base64(seal(material, private, context)),
        **({"PrivateKeyPlaintext": to_base64(private)} if with_plaintext else {}),
        "PublicKey": to_base64(public_key(private)),
        "KeyId": key.arn,
        "KeyPairSpec": spec,
        **material_members(key, material),
    }


OPERATIONS = (
    Operation("GenerateDataKey", generate_data_key),
    Operation("GenerateDataKeyWithoutPlaintext", generate_data_key_without_plaintext),
    Operation("GenerateDataKeyPair", generate_data_key_pair),
    Operation("GenerateDataKeyPairWithoutPlaintext", generate_data_key_pair_without_plaintext),
    Operation("GenerateRandom", generate_random),
)
