"""How imported key material is wrapped (AWS KMS Developer Guide, "Select a wrapping algorithm").

- `RSAES_OAEP_SHA_*`: the material under the wrapping key, by RSA-OAEP (RFC 8017) with that hash in both places.
- `RSA_AES_KEY_WRAP_SHA_*`: an AES key by RSA-OAEP, followed by the material under that key, by AES key wrap
  with padding (RFC 5649; PKCS #11, CKM_RSA_AES_KEY_WRAP).

The first is for all material but an RSA private key, the second for private keys alone; a P-521 key is too long
for the first under a wrapping key of 2048 bits. KMS gave up RSAES_PKCS1_V1_5 in October 2023. (AWS KMS API
Reference, GetParametersForImport)
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

from engine.sandbox.kms.errors import invalid_ciphertext
from engine.sandbox.kms.specifications import SPECIFICATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

_HASHES: Mapping[str, hashes.HashAlgorithm] = MappingProxyType(
    {"SHA_1": hashes.SHA1(), "SHA_256": hashes.SHA256()}  # noqa: S303 - OAEP's hash is the client's choice of two
)
_OAEP, _AES = "RSAES_OAEP_", "RSA_AES_KEY_WRAP_"
_WRAPPING_KEYS = frozenset({"RSA_2048", "RSA_3072", "RSA_4096"})


def can_wrap(algorithm: str, wrapping_key: str, spec: str) -> bool:
    """Whether a key of a spec takes material that is wrapped so, under a wrapping key of this kind."""
    if wrapping_key not in _WRAPPING_KEYS:
        return False
    if algorithm.startswith(_AES):
        return SPECIFICATIONS[spec].asymmetric
    too_long = (spec, wrapping_key) == ("ECC_NIST_P521", "RSA_2048")
    return algorithm.startswith(_OAEP) and not spec.startswith("RSA_") and not too_long


def unwrap(private_key: bytes, algorithm: str, wrapped: bytes) -> bytes:
    """Unwrap key material.

    Args:
        private_key: Of the wrapping key, PKCS #8.
        algorithm: One that `can_wrap` has agreed to.
        wrapped: What the client sent.

    Raises:
        KmsError: `InvalidCiphertextException` where it was not wrapped so, or under another key.
    """
    key = load_der_private_key(private_key, password=None, unsafe_skip_rsa_key_validation=True)  # made here
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
