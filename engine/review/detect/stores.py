"""What happens to the custom key stores that keys in scope live in.

A key in a CloudHSM or external key store is as reachable as its store. A store that is destroyed or forgotten, or of
which the connection changes, bears on every key in it. So does the end of the CloudHSM cluster behind the store; where
the plan does not show the store, the cluster may be the one. The keys themselves may be managed elsewhere: then the
declaration tells which of them live in a store.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.declaration import DeclaredState
from engine.review.detect.context import key_event, nobody
from engine.review.events import EventKind
from engine.review.plan import HSM_CLUSTER_TYPE, Action
from engine.review.resources import Moment
from engine.review.values import SENSITIVE, UNKNOWN, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Fact, Told
    from engine.review.plan import ResourceChange
    from engine.review.resources import Resource
    from engine.review.scope import Subject
    from engine.review.values import Attributes

_CONNECTION = (
    "cloud_hsm_cluster_id",
    "custom_key_store_type",
    "xks_proxy_connectivity",
    "xks_proxy_uri_endpoint",
    "xks_proxy_uri_path",
    "xks_proxy_vpc_endpoint_service_name",
    "xks_proxy_authentication_credential",
)


def detect_stores(context: Context) -> Iterator[Told]:
    """The events of every touched key store that a key in scope lives in, and of the cluster behind it."""
    for store in context.custody.stores:
        if store.untouched:
            continue
        before = store.observed or store.recorded
        identifier = None if before is None else before.known_text("id")
        if before is None or identifier is None:
            continue
        for subject in _subjects(context, store.address):
            if identifier not in _stores_of(context, subject):
                continue
            change = _change(store)
            if change == "none":
                yield EventKind.KEY_STORE
            else:
                yield key_event(
                    subject,
                    EventKind.KEY_STORE,
                    {"change": change},
                    address=store.address,
                    store=before.shown("id"),
                )
    for cluster in context.plan.foundations:
        if cluster.type == HSM_CLUSTER_TYPE and cluster.action.destroys and cluster.before is not None:
            yield from _without_cluster(context, cluster, cluster.before)


def _without_cluster(context: Context, cluster: ResourceChange, before: Attributes) -> Iterator[Told]:
    of_cluster: dict[str, bool] = {}
    sensitive: set[str] = set()
    for store in context.custody.stores:
        attributes = store.observed or store.recorded
        identifier = None if attributes is None else attributes.known_text("id")
        if attributes is not None and identifier is not None:
            of_cluster[identifier] = attributes.known_text("cloud_hsm_cluster_id") == before.known_text("id")
            if store.marked_sensitive("id"):
                sensitive.add(identifier)
    change = "replaced" if cluster.action.replaces else "deleted"
    for subject in _subjects(context, cluster.address):
        resource = subject.key.resource
        in_key = resource is not None and resource.marked_sensitive("custom_key_store_id")
        for identifier in sorted(_stores_of(context, subject)):
            if of_cluster.get(identifier, True):
                facts: dict[str, Fact] = {"change": change if identifier in of_cluster else UNKNOWN}
                shown = SENSITIVE if in_key or identifier in sensitive else printable(identifier)
                yield key_event(subject, EventKind.KEY_STORE, facts, address=cluster.address, store=shown)


def _subjects(context: Context, address: str) -> Iterator[Subject]:
    """The keys in scope, and a stand-in for each declared generation that the plan has no key of."""
    yield from context.subjects.values()
    told = {subject.number for subject in context.subjects.values()}
    for number in sorted({g.number for declaration in context.declared.both for g in declaration.generations} - told):
        declared = context.declared.generation(number)
        if declared is not None and declared.state is not DeclaredState.DELETED:
            proof = None if context.declared.proof is None else context.declared.proof.of_number(number)
            yield replace(nobody(address), number=number, role=context.declared.role(number), proof=proof)


def _stores_of(context: Context, subject: Subject) -> set[str]:
    """The ids of the stores that a key lives in: as it was, and as it is declared."""
    found = [
        attributes.known_text("custom_key_store_id")
        for moment in (Moment.RECORDED, Moment.OBSERVED)
        if (attributes := subject.key.at(moment)) is not None
    ]
    declared = None if subject.number is None else context.declared.generation(subject.number)
    found.append(None if declared is None else declared.custom_key_store_id)
    return {identifier for identifier in found if identifier is not None}


def _change(store: Resource) -> str:
    if store.observed is None:
        return "lost"
    if store.action.replaces:
        return "replaced"
    if store.action is Action.FORGET:
        return "forgotten"
    if store.planned is None:
        return "deleted"
    # Changed outside and left so counts too: once it is applied, no later plan would tell.
    earlier = (store.observed, *(() if store.recorded is None else (store.recorded,)))
    changed = any(was.raw(name) != store.planned.raw(name) for was in earlier for name in _CONNECTION)
    return "changed" if changed else "none"
