"""Unwrapping imported key material (AWS KMS Developer Guide, "Encrypt the key material").

- `RSAES_OAEP_SHA_*`: the material under the wrapping key, by RSA-OAEP (RFC 8017) with that hash in both places.
- `RSA_AES_KEY_WRAP_SHA_*`: an AES key by RSA-OAEP, followed by the material under that key, by AES key wrap
  with padding (RFC 5649; PKCS #11, CKM_RSA_AES_KEY_WRAP).

KMS gave up RSAES_PKCS1_V1_5 in October 2023.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from engine.sandbox.kms.errors import invalid_ciphertext

if TYPE_CHECKING:
    from collections.abc import Mapping

_HASHES: Mapping[str, hashes.HashAlgorithm] = MappingProxyType(
    {"SHA_1": hashes.SHA1(), "SHA_256": hashes.SHA256()}  # noqa: S303 - OAEP's hash is the client's choice of two
)
_OAEP, _AES = "RSAES_OAEP_", "RSA_AES_KEY_WRAP_"
WRAPPING_ALGORITHMS = frozenset(f"{scheme}{name}" for scheme in (_OAEP, _AES) for name in _HASHES)


def unwrap(private_key: bytes, algorithm: str, wrapped: bytes) -> bytes:
    """Unwrap key material.

    Args:
        private_key: Of the wrapping key, PKCS #8.
        algorithm: One of `WRAPPING_ALGORITHMS`.
        wrapped: What the client sent.

    Raises:
        KmsError: `InvalidCiphertextException` where it was not wrapped so, or under another key.
    """
    key = load_der_private_key(private_key, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("a wrapping key is an RSA key")
    oaep = _oaep(_HASHES[algorithm.removeprefix(_OAEP).removeprefix(_AES)])
    try:
        if algorithm.startswith(_OAEP):
            return key.decrypt(wrapped, oaep)
        size = key.key_size // 8
        return keywrap.aes_key_unwrap_with_padding(key.decrypt(wrapped[:size], oaep), wrapped[size:])
    except (ValueError, keywrap.InvalidUnwrap) as error:
        raise invalid_ciphertext() from error


def _oaep(digest: hashes.HashAlgorithm) -> padding.OAEP:
    return padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
