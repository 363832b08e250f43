"""Key specs: which usages each serves, and with which algorithms (AWS KMS Developer Guide, "Key spec reference").

SM2 is there in the China Regions alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.sandbox.kms.model import ENCRYPT_DECRYPT, SYMMETRIC

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGN_VERIFY = "SIGN_VERIFY"
MESSAGE_CODES = "GENERATE_VERIFY_MAC"
KEY_AGREEMENT = "KEY_AGREEMENT"
ENCAPSULATION = "ENCAPSULATE_DECAPSULATE"
CHINA_ONLY = frozenset({"SM2"})
# The member of DescribeKey and GetPublicKey that lists what a usage offers.
ALGORITHM_MEMBERS: Mapping[str, str] = MappingProxyType(
    {
        ENCRYPT_DECRYPT: "EncryptionAlgorithms",
        SIGN_VERIFY: "SigningAlgorithms",
        MESSAGE_CODES: "MacAlgorithms",
        KEY_AGREEMENT: "KeyAgreementAlgorithms",
        ENCAPSULATION: "EncapsulationAlgorithms",
    }
)


@dataclass(frozen=True, slots=True)
class Specification:
    """What keys of a spec can do.

    Attributes:
        algorithms: The algorithms of each usage, in the order of KMS's answers; the first usage is the default
            where there is one only.
        asymmetric: Whether there is a public key.
        secret_bytes: The length of a symmetric secret; 0 for a key pair.
    """

    algorithms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asymmetric: bool = False
    secret_bytes: int = 0

    @property
    def usages(self) -> tuple[str, ...]:
        """What a key of this spec can be made for."""
        return tuple(self.algorithms)


def _pair(**algorithms: tuple[str, ...]) -> Specification:
    return Specification(MappingProxyType(algorithms), asymmetric=True)


def _secret(usage: str, algorithm: str, size: int) -> Specification:
    return Specification(MappingProxyType({usage: (algorithm,)}), secret_bytes=size)


_RSA = _pair(
    ENCRYPT_DECRYPT=("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"),
    SIGN_VERIFY=tuple(
        f"{scheme}_SHA_{bits}" for scheme in ("RSASSA_PKCS1_V1_5", "RSASSA_PSS") for bits in (256, 384, 512)
    ),
)
_LATTICE_SIGNATURE = _pair(SIGN_VERIFY=("ML_DSA_SHAKE_256",))
_LATTICE_ENCAPSULATION = _pair(ENCAPSULATE_DECAPSULATE=("ML_KEM",))

SPECIFICATIONS: Mapping[str, Specification] = MappingProxyType(
    {
        SYMMETRIC: _secret(ENCRYPT_DECRYPT, SYMMETRIC, 32),
        **{f"RSA_{bits}": _RSA for bits in (2048, 3072, 4096)},
        **{
            f"ECC_NIST_P{bits}": _pair(SIGN_VERIFY=(f"ECDSA_SHA_{digest}",), KEY_AGREEMENT=("ECDH",))
            for bits, digest in ((256, 256), (384, 384), (521, 512))
        },
        "ECC_SECG_P256K1": _pair(SIGN_VERIFY=("ECDSA_SHA_256",)),
        "ECC_NIST_EDWARDS25519": _pair(SIGN_VERIFY=("ED25519_SHA_512", "ED25519_PH_SHA_512")),
        "SM2": _pair(ENCRYPT_DECRYPT=("SM2PKE",), SIGN_VERIFY=("SM2DSA",), KEY_AGREEMENT=("ECDH",)),
        **{f"HMAC_{bits}": _secret(MESSAGE_CODES, f"HMAC_SHA_{bits}", bits // 8) for bits in (224, 256, 384, 512)},
        **{f"ML_DSA_{level}": _LATTICE_SIGNATURE for level in (44, 65, 87)},
        **{f"ML_KEM_{level}": _LATTICE_ENCAPSULATION for level in (512, 768, 1024)},
    }
)
