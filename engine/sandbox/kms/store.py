"""All keys and aliases of a sandbox, of every account and Region.

- Records are frozen; a reader takes one and needs no lock.
- A writer holds `lock` from its first look to its last write, so what it checked still holds when it writes.
- A key whose deletion date has passed is gone, with its grants, its aliases and its material.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING

from engine.access.model import KeyState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from engine.sandbox.kms.model import AliasRecord, KeyRecord


@dataclass(slots=True)
class _Place:
    """What one account has in one Region."""

    keys: dict[str, KeyRecord] = field(default_factory=dict)
    aliases: dict[str, AliasRecord] = field(default_factory=dict)


class KeyStore:
    """The sandbox's keys, in memory.

    Args:
        now: The sandbox's time.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lock = RLock()
        self._now = now
        self._places: defaultdict[tuple[str, str], _Place] = defaultdict(_Place)
        self._owners: dict[str, tuple[str, str]] = {}  # material id → account and key id

    def put_key(self, key: KeyRecord) -> KeyRecord:
        """Add a key, or put a changed record in the place of the old one. The caller holds `lock`."""
        for material in key.materials:
            self._owners[material.material_id] = (key.account_id, key.key_id)
        self._places[key.account_id, key.region].keys[key.key_id] = key
        return key

    def key(self, account_id: str, region: str, key_id: str) -> KeyRecord | None:
        """The key as it is now, or None."""
        place = self._places.get((account_id, region))
        key = place.keys.get(key_id) if place else None
        if key is not None and self._expired(key):
            self._delete(key)
            return None
        return key

    def keys(self, account_id: str, region: str) -> tuple[KeyRecord, ...]:
        """All keys of an account in a Region, in the order of their ids."""
        place = self._places.get((account_id, region))
        found = (self.key(account_id, region, key_id) for key_id in sorted(place.keys if place else ()))
        return tuple(key for key in found if key is not None)

    def keys_everywhere(self, region: str) -> tuple[KeyRecord, ...]:
        """All keys of all accounts in a Region."""
        accounts = sorted(account for account, of_region in tuple(self._places) if of_region == region)
        return tuple(key for account in accounts for key in self.keys(account, region))

    def key_of_material(self, material_id: str, region: str) -> KeyRecord | None:
        """The key of a Region that was given this material; None where it is not there."""
        owner = self._owners.get(material_id)
        return self.key(owner[0], region, owner[1]) if owner else None

    def knows_material(self, material_id: str) -> bool:
        """Whether there is, or ever was, a key of any account and Region with this material."""
        return material_id in self._owners

    def put_alias(self, alias: AliasRecord) -> None:
        """Add an alias or repoint it. The caller holds `lock`."""
        self._places[alias.account_id, alias.region].aliases[alias.name] = alias

    def remove_alias(self, alias: AliasRecord) -> None:
        """Take an alias away. The caller holds `lock`."""
        self._places[alias.account_id, alias.region].aliases.pop(alias.name, None)

    def alias(self, account_id: str, region: str, name: str) -> AliasRecord | None:
        """The alias of this name, or None; an alias of a deleted key went with it."""
        place = self._places.get((account_id, region))
        alias = place.aliases.get(name) if place else None
        if alias is None or self.key(account_id, region, alias.key_id) is None:
            return None
        return alias

    def aliases(self, account_id: str, region: str) -> tuple[AliasRecord, ...]:
        """All aliases of an account in a Region, in the order of their names."""
        place = self._places.get((account_id, region))
        found = (self.alias(account_id, region, name) for name in sorted(place.aliases if place else ()))
        return tuple(alias for alias in found if alias is not None)

    def aliases_of(self, key: KeyRecord) -> tuple[AliasRecord, ...]:
        """The aliases of one key, in the order in which they were made."""
        place = self._places.get((key.account_id, key.region))
        return tuple(alias for alias in tuple(place.aliases.values() if place else ()) if alias.key_id == key.key_id)

    def _expired(self, key: KeyRecord) -> bool:
        return (
            key.state is KeyState.PENDING_DELETION
            and key.deletion_date is not None
            and key.deletion_date <= self._now()
        )

    def _delete(self, key: KeyRecord) -> None:
        with self.lock:
            place = self._places[key.account_id, key.region]
            place.keys.pop(key.key_id, None)
            for name in [name for name, alias in place.aliases.items() if alias.key_id == key.key_id]:
                del place.aliases[name]
