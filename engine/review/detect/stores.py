"""What happens to the custom key stores that keys in scope live in.

A key in a CloudHSM or external key store is as reachable as its store. A store that is destroyed or forgotten, or of
which the connection changes, bears on every key in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.review.detect.context import key_event
from engine.review.events import EventKind
from engine.review.plan import Action
from engine.review.resources import Moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.detect.context import Context
    from engine.review.events import Told
    from engine.review.resources import Resource
    from engine.review.scope import Subject

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
    """The events of every touched key store that a key in scope lives in."""
    for store in context.custody.stores:
        if store.untouched:
            continue
        before = store.observed or store.recorded
        identifier = None if before is None else before.known_text("id")
        if before is None or identifier is None:
            continue
        for subject in context.subjects.values():
            if not _lives_in(context, subject, identifier):
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


def _lives_in(context: Context, subject: Subject, identifier: str) -> bool:
    for moment in (Moment.RECORDED, Moment.OBSERVED):
        attributes = subject.key.at(moment)
        if attributes is not None and attributes.known_text("custom_key_store_id") == identifier:
            return True
    declared = None if subject.number is None else context.declared.generation(subject.number)
    return declared is not None and declared.custom_key_store_id == identifier


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
