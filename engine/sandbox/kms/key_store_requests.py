"""What CreateCustomKeyStore and UpdateCustomKeyStore ask for: a cluster or a proxy, complete and unique.

- A CloudHSM store needs a cluster, its trust anchor (a certificate in PEM) and the password of `kmsuser`.
- An external store needs a proxy's endpoint, path, connectivity and credential, and the name of the VPC
  endpoint service where it is reached by one.
- A name, a cluster, a proxy's address and a VPC endpoint service belong to one store each, in the account and
  Region. (AWS KMS API Reference, CreateCustomKeyStore)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cryptography import x509

from engine.sandbox.kms.custom_key_stores import (
    PUBLIC_ENDPOINT,
    VPC_ENDPOINT_SERVICE,
    CloudHsmCluster,
    CustomKeyStoreRecord,
    XksProxy,
)
from engine.sandbox.kms.errors import KmsError, validation
from engine.sandbox.kms.model import IN_CLOUDHSM

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call
    from engine.sandbox.kms.parameters import Parameters

_CLOUDHSM_MEMBERS = ("CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword")
_PROXY_MEMBERS = ("XksProxyUriEndpoint", "XksProxyUriPath", "XksProxyConnectivity", "XksProxyAuthenticationCredential")
_VPC_MEMBERS = ("XksProxyVpcEndpointServiceName", "XksProxyVpcEndpointServiceOwner")


@dataclass(frozen=True, slots=True)
class BackingChange:
    """What UpdateCustomKeyStore makes of what is behind a store, and whether the store must be disconnected."""

    backing: CloudHsmCluster | XksProxy
    needs_disconnection: bool


def read_backing(call: Call) -> CloudHsmCluster | XksProxy:
    """The cluster or the proxy that CreateCustomKeyStore names.

    Raises:
        KmsError: Something is missing, belongs to the other type, or is not what it says.
    """
    parameters = call.parameters
    if (parameters.optional_text("CustomKeyStoreType") or IN_CLOUDHSM) == IN_CLOUDHSM:
        _require(parameters, _CLOUDHSM_MEMBERS)
        _refuse(parameters, (*_PROXY_MEMBERS, *_VPC_MEMBERS))
        anchor = parameters.text("TrustAnchorCertificate")
        _check_trust_anchor(anchor)
        return CloudHsmCluster(parameters.text("CloudHsmClusterId"), anchor, parameters.text("KeyStorePassword"))
    _require(parameters, _PROXY_MEMBERS)
    _refuse(parameters, _CLOUDHSM_MEMBERS)
    credential = parameters.structure("XksProxyAuthenticationCredential")
    proxy = XksProxy(
        endpoint=parameters.text("XksProxyUriEndpoint"),
        path=parameters.text("XksProxyUriPath"),
        connectivity=parameters.text("XksProxyConnectivity"),
        access_key_id=credential.text("AccessKeyId"),
        secret_access_key=credential.text("RawSecretAccessKey"),
        vpc_endpoint_service=parameters.optional_text("XksProxyVpcEndpointServiceName"),
        vpc_endpoint_service_owner=_owner(call),
    )
    _check_proxy(proxy)
    return proxy


def changed_backing(call: Call, backing: CloudHsmCluster | XksProxy) -> BackingChange:
    """What UpdateCustomKeyStore makes of a store's cluster or proxy. Raises as `read_backing` does."""
    parameters = call.parameters
    if isinstance(backing, CloudHsmCluster):
        _refuse(parameters, (*_PROXY_MEMBERS, *_VPC_MEMBERS))
        changed = replace(
            backing,
            cluster_id=parameters.optional_text("CloudHsmClusterId") or backing.cluster_id,
            password=parameters.optional_text("KeyStorePassword") or backing.password,
        )
        return BackingChange(changed, any(name in parameters for name in _CLOUDHSM_MEMBERS))
    _refuse(parameters, _CLOUDHSM_MEMBERS)
    credential = parameters.structure("XksProxyAuthenticationCredential")
    proxy = replace(
        backing,
        endpoint=parameters.optional_text("XksProxyUriEndpoint") or backing.endpoint,
        path=parameters.optional_text("XksProxyUriPath") or backing.path,
        connectivity=parameters.optional_text("XksProxyConnectivity") or backing.connectivity,
        access_key_id=credential.optional_text("AccessKeyId") or backing.access_key_id,
        secret_access_key=credential.optional_text("RawSecretAccessKey") or backing.secret_access_key,
    )
    service = parameters.optional_text("XksProxyVpcEndpointServiceName") or backing.vpc_endpoint_service
    owner = parameters.optional_text("XksProxyVpcEndpointServiceOwner") or backing.vpc_endpoint_service_owner
    if proxy.connectivity == PUBLIC_ENDPOINT:
        service = owner = None
        _refuse(parameters, _VPC_MEMBERS)
    proxy = replace(proxy, vpc_endpoint_service=service, vpc_endpoint_service_owner=owner or _owner(call))
    _check_proxy(proxy)
    names = ("XksProxyUriEndpoint", "XksProxyConnectivity", *_VPC_MEMBERS)
    return BackingChange(proxy, any(name in parameters for name in names))


def check_unique(call: Call, store: CustomKeyStoreRecord) -> None:
    """Refuse a store that shares with another of the account and Region what it must have to itself."""
    for other in call.store.custom_key_stores(store.account_id, store.region):
        if other.store_id == store.store_id:
            continue
        if other.name == store.name:
            raise KmsError("CustomKeyStoreNameInUseException", f"The name {store.name!r} is already in use.")
        match (store.backing, other.backing):
            case (CloudHsmCluster() as one, CloudHsmCluster() as another):
                if one.cluster_id == another.cluster_id:
                    raise KmsError("CloudHsmClusterInUseException", f"{one.cluster_id} is already in use.")
            case (XksProxy() as proxy, XksProxy() as another_proxy):
                _check_proxies(proxy, another_proxy)
            case _:
                pass


def _check_proxies(proxy: XksProxy, other: XksProxy) -> None:
    if (proxy.endpoint, proxy.path) == (other.endpoint, other.path):
        raise KmsError("XksProxyUriInUseException", f"{proxy.endpoint}{proxy.path} is already in use.")
    both_public = proxy.connectivity == other.connectivity == PUBLIC_ENDPOINT
    if proxy.endpoint == other.endpoint and not both_public:
        raise KmsError("XksProxyUriEndpointInUseException", f"{proxy.endpoint} is already in use.")
    if proxy.vpc_endpoint_service is not None and proxy.vpc_endpoint_service == other.vpc_endpoint_service:
        raise KmsError("XksProxyVpcEndpointServiceInUseException", f"{proxy.vpc_endpoint_service} is already in use.")


def _check_proxy(proxy: XksProxy) -> None:
    by_service = proxy.connectivity == VPC_ENDPOINT_SERVICE
    if by_service != (proxy.vpc_endpoint_service is not None):
        needed = "must" if by_service else "must not"
        raise validation(f"XksProxyVpcEndpointServiceName {needed} be specified with {proxy.connectivity}")
    if not by_service and not proxy.resolves:
        # By a VPC endpoint service KMS connects when it is told to; a public endpoint it tries at once.
        raise KmsError("XksProxyUriUnreachableException", f"{proxy.endpoint}{proxy.path} cannot be reached.")


def _check_trust_anchor(anchor: str) -> None:
    try:
        x509.load_pem_x509_certificate(anchor.encode())
    except ValueError as error:
        raise KmsError("IncorrectTrustAnchorException", "The trust anchor is not a certificate in PEM.") from error


def _owner(call: Call) -> str | None:
    if call.parameters.optional_text("XksProxyConnectivity") == PUBLIC_ENDPOINT:
        return None
    return call.parameters.optional_text("XksProxyVpcEndpointServiceOwner") or call.account_id


def _require(parameters: Parameters, names: tuple[str, ...]) -> None:
    if missing := [name for name in names if name not in parameters]:
        raise validation(f"{', '.join(missing)} must be specified for this type of custom key store")


def _refuse(parameters: Parameters, names: tuple[str, ...]) -> None:
    if present := [name for name in names if name in parameters]:
        raise validation(f"{', '.join(present)} must not be specified for this type of custom key store")
