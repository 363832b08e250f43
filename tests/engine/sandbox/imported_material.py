"""Key material as a customer wraps and imports it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

OAEP: Final = "RSAES_OAEP_SHA_256"


def wrap(public_key: bytes, algorithm: str, material: bytes) -> bytes:
    """Wrap material as AWS documents it for an algorithm of GetParametersForImport."""
    key = load_der_public_key(public_key)
    assert isinstance(key, rsa.RSAPublicKey)
    digest: hashes.HashAlgorithm = hashes.SHA1() if algorithm.endswith("SHA_1") else hashes.SHA256()  # noqa: S303
    oaep = padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)
    if algorithm.startswith("RSAES_OAEP"):
        return key.encrypt(material, oaep)
    wrapping = secrets.token_bytes(32)
    return key.encrypt(wrapping, oaep) + keywrap.aes_key_wrap_with_padding(wrapping, material)


def import_material(kms: KMSClient, key: str, material: bytes, algorithm: str = OAEP, **members: Any) -> str:
    """Import material into a key, never to expire unless `members` say so; the material's id."""
    parameters = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048")  # type: ignore[arg-type]
    expiration = {} if "ValidTo" in members else {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    answer = kms.import_key_material(
        KeyId=key,
        ImportToken=parameters["ImportToken"],
        EncryptedKeyMaterial=wrap(parameters["PublicKey"], algorithm, material),
        **{**expiration, **members},
    )
    assert answer["KeyId"].endswith(key.rpartition("/")[2])
    return answer["KeyMaterialId"]
