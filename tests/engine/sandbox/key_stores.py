"""Custom key stores as a customer makes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

NUMBERS = count(1)
EXTERNAL = "EXTERNAL_KEY_STORE"
CREDENTIAL = {"AccessKeyId": "ABCDEFGHIJKLEXAMPLE2", "RawSecretAccessKey": "x" * 43}


def trust_anchor() -> str:
    """A certificate of an authority as a CloudHSM cluster has one."""
    key, name = Ed25519PrivateKey.generate(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    start = datetime(2026, 1, 1, tzinfo=UTC)
    signed = builder.not_valid_before(start).not_valid_after(start + timedelta(days=3650)).sign(key, None)
    return signed.public_bytes(Encoding.PEM).decode()


def external(**members: Any) -> dict[str, Any]:
    """What CreateCustomKeyStore needs for an external store."""
    number = next(NUMBERS)
    return {
        "CustomKeyStoreName": f"external-{number}",
        "CustomKeyStoreType": EXTERNAL,
        "XksProxyUriEndpoint": f"https://proxy-{number}.example.com",
        "XksProxyUriPath": "/kms/xks/v1",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyAuthenticationCredential": CREDENTIAL,
        **members,
    }


def cloudhsm(**members: Any) -> dict[str, Any]:
    """What CreateCustomKeyStore needs for a CloudHSM store."""
    number = next(NUMBERS)
    return {
        "CustomKeyStoreName": f"cloudhsm-{number}",
        "CloudHsmClusterId": f"cluster-{'a' * 10}{chr(ord('a') + number % 26)}{'b' * (number // 26)}",
        "TrustAnchorCertificate": trust_anchor(),
        "KeyStorePassword": "kmsuser-password",
        **members,
    }


def make_store(kms: KMSClient, members: dict[str, Any], *, connect: bool = True) -> str:
    store = kms.create_custom_key_store(**members)["CustomKeyStoreId"]
    if connect:
        kms.connect_custom_key_store(CustomKeyStoreId=store)
    return store
