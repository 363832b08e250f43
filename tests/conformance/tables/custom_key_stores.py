"""Custom key stores, as far as they can be asked for without a CloudHSM cluster or an external key store proxy.

What a store's keys answer while it is connected, disconnected or out of reach costs a cluster or a proxy; the
sandbox's own tests show it there.
"""

from __future__ import annotations

from tests.conformance.things import MARK
from tests.conformance.words import MODEL, PREFIX, Row, Table, api, gives, refused, text

_NONE = "cks-00000000000000000"
_NAME = text(PREFIX + "{mark}", mark=MARK)
_PROXY = {
    "CustomKeyStoreName": _NAME,
    "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
    "XksProxyUriEndpoint": "https://keyturn-conformance.invalid",
    "XksProxyUriPath": "/kms/xks/v1",
    "XksProxyConnectivity": "PUBLIC_ENDPOINT",
    "XksProxyAuthenticationCredential": {
        "AccessKeyId": "KEYTURNCONFORMANCE234",
        "RawSecretAccessKey": "keyturn/conformance/not/a/secret/of/anyone/12345",
    },
}


def _without(name: str) -> dict[str, object]:
    return {member: value for member, value in _PROXY.items() if member != name}


def _of_none(operation: str, **more: object) -> Table:
    return Table(
        operation,
        api(operation),
        (
            Row("one that is not there", {"CustomKeyStoreId": _NONE, **more}, refused("CustomKeyStoreNotFound")),
            Row("no id", {}, refused("Validation"), MODEL),
        ),
    )


CREATE_CUSTOM_KEY_STORE = Table(
    "CreateCustomKeyStore",
    api("CreateCustomKeyStore"),
    (
        Row("a proxy that cannot be reached", _PROXY, refused("XksProxyUriUnreachable")),
        Row(
            "no proxy",
            _without("XksProxyUriEndpoint"),
            refused("Validation"),
            judgement="the page says that it is required then, not by which error its lack is refused",
        ),
        Row(
            "no credential",
            _without("XksProxyAuthenticationCredential"),
            refused("Validation"),
            judgement="the page says that it is required then, not by which error its lack is refused",
        ),
        Row("no name", _without("CustomKeyStoreName"), refused("Validation"), MODEL),
        Row(
            "an endpoint without https",
            {**_PROXY, "XksProxyUriEndpoint": "http://keyturn-conformance.invalid"},
            refused("Validation"),
            MODEL,
        ),
        Row("a type that there is not", {**_PROXY, "CustomKeyStoreType": "AZURE"}, refused("Validation"), MODEL),
    ),
)
DESCRIBE_CUSTOM_KEY_STORES = Table(
    "DescribeCustomKeyStores",
    api("DescribeCustomKeyStores"),
    (
        Row("all of them", {}, gives({"Truncated": False})),
        Row("one that is not there", {"CustomKeyStoreId": _NONE}, refused("CustomKeyStoreNotFound")),
        Row("a name that is not there", {"CustomKeyStoreName": _NAME}, refused("CustomKeyStoreNotFound")),
    ),
)

TABLES = (
    CREATE_CUSTOM_KEY_STORE,
    DESCRIBE_CUSTOM_KEY_STORES,
    _of_none("ConnectCustomKeyStore"),
    _of_none("DisconnectCustomKeyStore"),
    _of_none("DeleteCustomKeyStore"),
    _of_none("UpdateCustomKeyStore", NewCustomKeyStoreName=_NAME),
)
