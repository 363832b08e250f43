"""Key pairs: made, shown as a public key, used to sign and to verify.

RSA, the NIST curves, secp256k1 and Ed25519 are here. SM2, ML-DSA, ML-KEM and Ed25519ph are not: a key of such
a spec can be made and described, and whatever needs its key pair is refused. Private keys are kept and given
out as PKCS #8, public keys as SubjectPublicKeyInfo, both DER, as KMS gives them out. (AWS KMS API Reference,
Sign, Verify, GetPublicKey)
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from engine.sandbox.kms.errors import unsupported, validation

if TYPE_CHECKING:
    from collections.abc import Mapping

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

_PUBLIC_EXPONENT = 65537
_RSA_BITS: Mapping[str, int] = MappingProxyType({f"RSA_{bits}": bits for bits in (2048, 3072, 4096)})
_CURVES: Mapping[str, type[ec.EllipticCurve]] = MappingProxyType(
    {
        "ECC_NIST_P256": ec.SECP256R1,
        "ECC_NIST_P384": ec.SECP384R1,
        "ECC_NIST_P521": ec.SECP521R1,
        "ECC_SECG_P256K1": ec.SECP256K1,
    }
)
ED25519 = "ECC_NIST_EDWARDS25519"
_DIGESTS: Mapping[str, hashes.HashAlgorithm] = MappingProxyType(
    {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
)
_RAW, _DIGEST = "RAW", "DIGEST"


def make_private_key(spec: str) -> bytes | None:
    """A new private key of a spec, PKCS #8; None where the sandbox does not have such key pairs."""
    key: PrivateKey
    if spec in _RSA_BITS:
        key = rsa.generate_private_key(public_exponent=_PUBLIC_EXPONENT, key_size=_RSA_BITS[spec])
    elif spec in _CURVES:
        key = ec.generate_private_key(_CURVES[spec]())
    elif spec == ED25519:
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        return None
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def has_key_pairs(spec: str) -> bool:
    """Whether the sandbox has key pairs of a spec."""
    return spec in _RSA_BITS or spec in _CURVES or spec == ED25519


def is_private_key(spec: str, material: bytes) -> bool:
    """Whether this is a private key of the spec, in PKCS #8."""
    try:
        key = _load(material, ours=False)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    if isinstance(key, rsa.RSAPrivateKey):
        return key.key_size == _RSA_BITS.get(spec)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return spec in _CURVES and isinstance(key.curve, _CURVES[spec])
    return spec == ED25519


def public_key(private: bytes) -> bytes:
    """The public key of a private one, SubjectPublicKeyInfo."""
    return (
        _load(private)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def sign(private: bytes, algorithm: str, message: bytes, message_type: str) -> bytes:
    """Sign a message, or its digest where `message_type` says so.

    Raises:
        KmsError: The message type does not fit, or the sandbox does not have the algorithm.
    """
    key = _load(private)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        _check_ed25519(algorithm, message_type)
        return key.sign(message)
    digest = _digest(algorithm, message, message_type)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(digest))
    return key.sign(message, _padding(algorithm), digest)


def verifies(private: bytes, algorithm: str, message: bytes, message_type: str, signature: bytes) -> bool:
    """Whether a signature is this key's over this message. Raises as `sign` does."""
    key = _load(private).public_key()
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            _check_ed25519(algorithm, message_type)
            key.verify(signature, message)
            return True
        digest = _digest(algorithm, message, message_type)
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(digest))
        else:
            key.verify(signature, message, _padding(algorithm), digest)
    except InvalidSignature:
        return False
    return True


def _load(private: bytes, *, ours: bool = True) -> PrivateKey:
    # What was made or checked here is not checked again: of a long RSA key that takes a second.
    key = serialization.load_der_private_key(private, password=None, unsafe_skip_rsa_key_validation=ours)
    if not isinstance(key, PrivateKey):
        raise TypeError(f"a {type(key).__name__} is no key pair of the sandbox's")
    return key


def _check_ed25519(algorithm: str, message_type: str) -> None:
    wanted = _RAW if algorithm == "ED25519_SHA_512" else _DIGEST
    if message_type != wanted:
        raise validation(f"The signing algorithm {algorithm} requires MessageType:{wanted}")
    if wanted is _DIGEST:
        raise unsupported(f"The sandbox does not have the signing algorithm {algorithm}")


def _digest(algorithm: str, message: bytes, message_type: str) -> hashes.HashAlgorithm | utils.Prehashed:
    digest = _DIGESTS[algorithm.rpartition("_")[2]]
    if message_type == _RAW:
        return digest
    if message_type != _DIGEST:
        raise validation(f"MessageType {message_type} is not valid for the signing algorithm {algorithm}")
    if len(message) != digest.digest_size:
        raise validation(f"Digest is invalid length for algorithm {algorithm}.")
    return utils.Prehashed(digest)


def _padding(algorithm: str) -> padding.AsymmetricPadding:
    digest = _DIGESTS[algorithm.rpartition("_")[2]]
    if algorithm.startswith("RSASSA_PSS"):
        return padding.PSS(mgf=padding.MGF1(digest), salt_length=padding.PSS.DIGEST_LENGTH)
    return padding.PKCS1v15()
