"""Custom key stores as frozen records: backed by a CloudHSM cluster, or by an external key store proxy.

There is no cluster and no proxy behind the sandbox: every cluster counts as active and every proxy as
reachable, but one whose host is under `.invalid`, which never resolves (RFC 6761, 6.4), or one that a test
makes unreachable. Keys behind it are then answered with `KMSInvalidStateException`, while DescribeKey goes
on to say Enabled: an outage is not a disconnection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_NOWHERE = ".invalid"
PUBLIC_ENDPOINT, VPC_ENDPOINT_SERVICE = "PUBLIC_ENDPOINT", "VPC_ENDPOINT_SERVICE"


class ConnectionState(Enum):
    """Whether KMS is connected to what is behind a store; the value is KMS's name of it.

    Connecting and disconnecting take no time here, so their states are not seen.
    """

    CONNECTED = "CONNECTED"
    DISCONNECTED = "DISCONNECTED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class CloudHsmCluster:
    """What KMS is told of a CloudHSM cluster."""

    cluster_id: str
    trust_anchor: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class XksProxy:
    """What KMS is told of an external key store proxy (AWS KMS API Reference, XksProxyConfigurationType)."""

    endpoint: str
    path: str
    connectivity: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    vpc_endpoint_service: str | None = None
    vpc_endpoint_service_owner: str | None = None

    @property
    def resolves(self) -> bool:
        """Whether the endpoint's host could exist at all."""
        return not self.endpoint.lower().rstrip(".").endswith(_NOWHERE)


@dataclass(frozen=True, slots=True)
class CustomKeyStoreRecord:
    """A custom key store at one moment.

    Attributes:
        account_id: Its owner.
        region: Its Region.
        store_id: `cks-` and 17 hexadecimal digits.
        name: Its name, unique in the account and Region.
        backing: The cluster or the proxy behind it.
        created: When it was made.
        connection: Whether it is connected.
        error: Why connecting failed, in `FAILED` alone.
        reachable: Whether what is behind it answers.
    """

    account_id: str
    region: str
    store_id: str
    name: str
    backing: CloudHsmCluster | XksProxy
    created: datetime
    connection: ConnectionState = ConnectionState.DISCONNECTED
    error: str | None = None
    reachable: bool = True

    @property
    def connected(self) -> bool:
        """Whether its keys can be made and used."""
        return self.connection is ConnectionState.CONNECTED
