"""Ciphertexts of a symmetric KMS key.

A ciphertext names the material it was made with, and is bound to its encryption context:

    version (1 byte, 1) | material id (32) | nonce (12) | AES-256-GCM ciphertext and tag

The additional data is the first 33 bytes and the encryption context in canonical form: pairs in the order
of their keys' UTF-8 bytes, every key and value preceded by its length. So `{"a": "bc"}` and `{"ab": "c"}`
differ, the order in which a client sends them does not matter, and no context equals an empty one (AWS KMS
Developer Guide, "Encryption context"). AWS documents no layout of its own; clients must not look inside.
"""

from __future__ import annotations

import secrets
import struct
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.sandbox.kms.errors import invalid_ciphertext, invalid_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.sandbox.kms.model import KeyMaterial

_VERSION = b"\x01"
_HEADER = 33
_NONCE = 12
_TAG = 16


def canonical_context(context: Mapping[str, str]) -> bytes:
    """An encryption context as bytes that no other context has."""
    parts = [struct.pack(">I", len(context))]
    for key, value in sorted((key.encode(), value.encode()) for key, value in context.items()):
        parts += (struct.pack(">I", len(key)), key, struct.pack(">I", len(value)), value)
    return b"".join(parts)


def seal(material: KeyMaterial, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """Encrypt under a material, bound to an encryption context."""
    header = _VERSION + bytes.fromhex(material.material_id)
    nonce = secrets.token_bytes(_NONCE)
    return header + nonce + AESGCM(_secret(material)).encrypt(nonce, plaintext, header + canonical_context(context))


def material_of(ciphertext: bytes) -> str:
    """The id of the material that a ciphertext was made with.

    Raises:
        KmsError: `InvalidCiphertextException` where it is no ciphertext at all.
    """
    if len(ciphertext) < _HEADER + _NONCE + _TAG or ciphertext[:1] != _VERSION:
        raise invalid_ciphertext()
    return ciphertext[1:_HEADER].hex()


def unseal(material: KeyMaterial, ciphertext: bytes, context: Mapping[str, str]) -> bytes:
    """Decrypt what `seal` made.

    Raises:
        KmsError: `InvalidCiphertextException` where the ciphertext or its context was changed,
            `KMSInvalidStateException` where the material is to be imported again.
    """
    header, nonce, sealed = ciphertext[:_HEADER], ciphertext[_HEADER : _HEADER + _NONCE], ciphertext[_HEADER + _NONCE :]
    try:
        return AESGCM(_secret(material)).decrypt(nonce, sealed, header + canonical_context(context))
    except InvalidTag as error:
        raise invalid_ciphertext() from error


def _secret(material: KeyMaterial) -> bytes:
    if material.secret is None:
        # The key's state says so as well, but a delay of state changes may hold that back.
        raise invalid_state(f"The key material {material.material_id} is pending import.")
    return material.secret
