"""Changes that are not met at once: KMS is eventually consistent.

A change of a key's state, policy or grants is written at once, and what manages or describes keys sees it.
Calls that use a key meet it when its delay has passed; until then they meet what was there before. A grant
that was just made is met at once by whoever brings its token. (AWS KMS Developer Guide, "Eventual
consistency"; API Reference, CreateGrant)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.sandbox.kms.store import KeyStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from engine.sandbox.faults.model import PropagationDelays
    from engine.sandbox.kms.model import GrantRecord, KeyRecord

# Members of a key's record that a delay holds back.
_FACETS = {"state": ("state",), "policy": ("policy", "policy_text"), "grants": ("grants",)}
_MANAGES = ("Describe", "Get", "List")  # and whatever changes something
_USES = frozenset({"GetPublicKey", "GetParametersForImport"})


@dataclass(frozen=True, slots=True)
class _Held:
    """A change that is not met yet: the facet, when it will be, and the key's record before it."""

    facet: str
    until: datetime
    before: KeyRecord


class Propagation:
    """Which changes are still on their way. Safe to use from several threads where the store's lock is held to note.

    Args:
        now: The sandbox's time.
        delays: The delays as they are now.
    """

    def __init__(self, now: Callable[[], datetime], delays: Callable[[], PropagationDelays]) -> None:
        self._now = now
        self._delays = delays
        self._held: dict[str, tuple[_Held, ...]] = {}

    def note(self, before: KeyRecord, after: KeyRecord) -> None:
        """A key's record takes the place of another."""
        delays, now = self._delays(), self._now()
        held = [one for one in self._held.get(before.arn, ()) if one.until > now]
        for facet, members in _FACETS.items():
            delay = getattr(delays, facet)
            if delay and any(getattr(before, name) != getattr(after, name) for name in members):
                held.append(_Held(facet, now + delay, before))
        if held:
            self._held[before.arn] = tuple(held)
        else:
            self._held.pop(before.arn, None)

    def store_for(self, store: KeyStore, operation: str, *, changes: bool, tokens: Sequence[str]) -> KeyStore:
        """The store as an operation sees it.

        Args:
            store: The store.
            operation: The operation's name.
            changes: Whether the operation changes something.
            tokens: The grant tokens that came with the call.
        """
        if not self._held or changes or (operation.startswith(_MANAGES) and operation not in _USES):
            return store
        return _LaggingStore(store, self, frozenset(tokens))

    def as_used(self, key: KeyRecord, tokens: frozenset[str]) -> KeyRecord:
        """A key as calls that use it meet it now."""
        now = self._now()
        met: set[str] = set()
        used = key
        for one in self._held.get(key.arn, ()):
            if one.facet in met or one.until <= now:
                continue
            met.add(one.facet)
            if one.facet == "grants":
                used = replace(used, grants=_grants(one.before, key, tokens))
            else:
                used = replace(used, **{name: getattr(one.before, name) for name in _FACETS[one.facet]})
        return used


class _LaggingStore(KeyStore):
    """A store whose keys are as calls that use them meet them; it shares everything with the store itself."""

    def __init__(self, store: KeyStore, propagation: Propagation, tokens: frozenset[str]) -> None:
        self.__dict__.update(store.__dict__)
        self._lag = propagation
        self._tokens = tokens

    def key(self, account_id: str, region: str, key_id: str) -> KeyRecord | None:
        """The key as calls that use it meet it, or None."""
        found = super().key(account_id, region, key_id)
        return None if found is None else self._lag.as_used(found, self._tokens)


def _grants(before: KeyRecord, now: KeyRecord, tokens: frozenset[str]) -> tuple[GrantRecord, ...]:
    old = {record.grant.grant_id for record in before.grants}
    brought = [one for one in now.grants if one.grant.grant_id not in old and tokens & set(one.tokens)]
    return (*before.grants, *brought)
