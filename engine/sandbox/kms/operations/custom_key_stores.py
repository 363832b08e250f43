"""CreateCustomKeyStore, DescribeCustomKeyStores, Update-, Connect-, Disconnect-, DeleteCustomKeyStore.

- A store is made disconnected. Its keys are made and used while it is connected; otherwise they are
  Unavailable, and in their own state again once it is connected.
- A store that has keys cannot be deleted, nor one that is not disconnected.
- Most properties change in a disconnected store alone: what may change in a connected one is its name, and
  an external store's path and credential.
- What is behind a store is never asked (`engine.sandbox.kms.custom_key_stores`); connecting takes no time.

All of them are a matter of the caller's IAM alone. (AWS KMS Developer Guide, "Key stores")
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.access.model import KeyState
from engine.sandbox.kms.authorization import authorize_identity
from engine.sandbox.kms.call import Operation, epoch_seconds
from engine.sandbox.kms.custom_key_stores import ConnectionState, CustomKeyStoreRecord, XksProxy
from engine.sandbox.kms.errors import KmsError, invalid_store_state, validation
from engine.sandbox.kms.key_store_requests import changed_backing, check_unique, read_backing
from engine.sandbox.kms.paging import page

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply

_NOT_REACHABLE = "XKS_PROXY_NOT_REACHABLE"


def create_custom_key_store(call: Call) -> Reply:
    """CreateCustomKeyStore."""
    authorize_identity(call)
    backing = read_backing(call)
    store = CustomKeyStoreRecord(
        account_id=call.account_id,
        region=call.region,
        store_id=f"cks-{secrets.token_hex(9)[:17]}",
        name=call.parameters.text("CustomKeyStoreName"),
        backing=backing,
        created=call.now,
    )
    check_unique(call, store)
    call.store.put_custom_key_store(store)
    return {"CustomKeyStoreId": store.store_id}


def describe_custom_key_stores(call: Call) -> Reply:
    """DescribeCustomKeyStores: all, or one by its id or its name. No password and no secret is told."""
    authorize_identity(call)
    store_id, name = (call.parameters.optional_text(f"CustomKeyStore{which}") for which in ("Id", "Name"))
    if store_id is not None and name is not None:
        raise validation("Specify either CustomKeyStoreId or CustomKeyStoreName, not both")
    stores = call.store.custom_key_stores(call.account_id, call.region)
    if store_id is not None:
        stores = (store_named(call, store_id),)
    elif name is not None:
        stores = tuple(store for store in stores if store.name == name)
        if not stores:
            raise _not_found(name)
    return page(call, stores, member="CustomKeyStores", identity=lambda store: store.store_id, show=_show)


def update_custom_key_store(call: Call) -> Reply:
    """UpdateCustomKeyStore."""
    authorize_identity(call)
    store = store_named(call, call.parameters.text("CustomKeyStoreId"))
    change = changed_backing(call, store.backing)
    if change.needs_disconnection and store.connection is not ConnectionState.DISCONNECTED:
        raise invalid_store_state(store)
    changed = replace(
        store, name=call.parameters.optional_text("NewCustomKeyStoreName") or store.name, backing=change.backing
    )
    check_unique(call, changed)
    call.store.put_custom_key_store(changed)
    return {}


def connect_custom_key_store(call: Call) -> Reply:
    """ConnectCustomKeyStore: whether it worked is for DescribeCustomKeyStores to tell."""
    authorize_identity(call)
    store = store_named(call, call.parameters.text("CustomKeyStoreId"))
    if store.connection is ConnectionState.FAILED:
        raise invalid_store_state(store)
    if isinstance(store.backing, XksProxy) and not store.backing.resolves:
        _connect(call, replace(store, connection=ConnectionState.FAILED, error=_NOT_REACHABLE))
    else:
        _connect(call, replace(store, connection=ConnectionState.CONNECTED))
    return {}


def disconnect_custom_key_store(call: Call) -> Reply:
    """DisconnectCustomKeyStore: its keys are Unavailable from now on."""
    authorize_identity(call)
    store = store_named(call, call.parameters.text("CustomKeyStoreId"))
    if store.connection is ConnectionState.DISCONNECTED:
        raise invalid_store_state(store)
    _connect(call, replace(store, connection=ConnectionState.DISCONNECTED, error=None))
    return {}


def delete_custom_key_store(call: Call) -> Reply:
    """DeleteCustomKeyStore: an empty one."""
    authorize_identity(call)
    store = store_named(call, call.parameters.text("CustomKeyStoreId"))
    if any(key.custom_key_store_id == store.store_id for key in call.store.keys(store.account_id, store.region)):
        raise KmsError("CustomKeyStoreHasCMKsException", f"The custom key store {store.store_id} contains KMS keys.")
    if store.connection is not ConnectionState.DISCONNECTED:
        raise invalid_store_state(store)
    call.store.remove_custom_key_store(store)
    return {}


def store_named(call: Call, store_id: str) -> CustomKeyStoreRecord:
    """The caller's custom key store of this id. Raises `CustomKeyStoreNotFoundException`."""
    for store in call.store.custom_key_stores(call.account_id, call.region):
        if store.store_id == store_id:
            return store
    raise _not_found(store_id)


def _connect(call: Call, store: CustomKeyStoreRecord) -> None:
    """Write down a store's new connection, and what it makes of its keys."""
    call.store.put_custom_key_store(store)
    for key in call.store.keys(store.account_id, store.region):
        if key.custom_key_store_id != store.store_id:
            continue
        if store.connected and key.state is KeyState.UNAVAILABLE:
            state = key.state_once_connected or KeyState.ENABLED
            call.store.put_key(replace(key, state=state, state_once_connected=None))
        elif not store.connected and key.state in (KeyState.ENABLED, KeyState.DISABLED):
            call.store.put_key(replace(key, state=KeyState.UNAVAILABLE, state_once_connected=key.state))


def _not_found(store: str) -> KmsError:
    return KmsError("CustomKeyStoreNotFoundException", f"Custom key store '{store}' not found.")


def _show(store: CustomKeyStoreRecord) -> Reply:
    reply: Reply = {
        "CustomKeyStoreId": store.store_id,
        "CustomKeyStoreName": store.name,
        "ConnectionState": store.connection.value,
        "CreationDate": epoch_seconds(store.created),
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE" if isinstance(store.backing, XksProxy) else "AWS_CLOUDHSM",
    }
    if store.error is not None:
        reply["ConnectionErrorCode"] = store.error
    if isinstance(store.backing, XksProxy):
        proxy = store.backing
        reply["XksProxyConfiguration"] = {
            "Connectivity": proxy.connectivity,
            "AccessKeyId": proxy.access_key_id,
            "UriEndpoint": proxy.endpoint,
            "UriPath": proxy.path,
            **({"VpcEndpointServiceName": proxy.vpc_endpoint_service} if proxy.vpc_endpoint_service else {}),
            **({"VpcEndpointServiceOwner": proxy.vpc_endpoint_service_owner} if proxy.vpc_endpoint_service else {}),
        }
    else:
        reply["CloudHsmClusterId"] = store.backing.cluster_id
        reply["TrustAnchorCertificate"] = store.backing.trust_anchor
    return reply


OPERATIONS = (
    Operation("CreateCustomKeyStore", create_custom_key_store, changes=True),
    Operation("DescribeCustomKeyStores", describe_custom_key_stores),
    Operation("UpdateCustomKeyStore", update_custom_key_store, changes=True),
    Operation("ConnectCustomKeyStore", connect_custom_key_store, changes=True),
    Operation("DisconnectCustomKeyStore", disconnect_custom_key_store, changes=True),
    Operation("DeleteCustomKeyStore", delete_custom_key_store, changes=True),
)
