"""All keys, aliases and custom key stores of a sandbox, of every account and Region.

- Records are frozen; a reader takes one and needs no lock.
- A writer holds `lock` from its first look to its last write, so what it checked still holds when it writes.
- What time has done to a key (`passing_time`) is done before anyone sees it. A key whose deletion date has
  passed is gone, with its grants, its aliases and its material.
- The keys of one multi-Region key have one id, in one account, each in a Region of its own. A primary whose
  deletion waits for its replicas begins to wait for itself when the last of them is gone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import RLock
from typing import TYPE_CHECKING, Any

from engine.access.model import KeyState
from engine.sandbox.kms.model import KeyMaterial, RotationType
from engine.sandbox.kms.passing_time import deleted, next_event, next_rotation, rotate, without_expired_material

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from engine.sandbox.kms.custom_key_stores import CustomKeyStoreRecord
    from engine.sandbox.kms.model import AliasRecord, KeyRecord


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The last successful use of a key, as GetKeyLastUsage tells it."""

    operation: str
    moment: datetime


@dataclass(frozen=True, slots=True)
class ImportParameters:
    """What GetParametersForImport handed out: for which key, until when, and how the material will be wrapped."""

    key_arn: str
    algorithm: str
    valid_to: datetime
    private_key: bytes = field(repr=False)  # PKCS #8, DER


@dataclass(slots=True)
class _Place:
    """What one account has in one Region."""

    keys: dict[str, KeyRecord] = field(default_factory=dict)
    aliases: dict[str, AliasRecord] = field(default_factory=dict)
    custom_key_stores: dict[str, CustomKeyStoreRecord] = field(default_factory=dict)
    uses: dict[str, KeyUse] = field(default_factory=dict)  # by key id


_KINDS = ("keys", "aliases", "custom_key_stores", "uses")  # of a place


class KeyStore:
    """The sandbox's keys, in memory.

    Args:
        now: The sandbox's time.
        changed: Told of every record that takes another's place, with the one before.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        changed: Callable[[KeyRecord, KeyRecord], None] = lambda _before, _after: None,
    ) -> None:
        self.lock = RLock()
        self._now = now
        self._changed = changed
        self._places: defaultdict[tuple[str, str], _Place] = defaultdict(_Place)
        self._owners: dict[str, tuple[str, str]] = {}  # material id → account and key id
        self._imports: dict[bytes, ImportParameters] = {}  # by import token

    def put_key(self, key: KeyRecord) -> KeyRecord:
        """Add a key, or put a changed record in the place of the old one. The caller holds `lock`."""
        for material in key.materials:
            self._owners[material.material_id] = (key.account_id, key.key_id)
        keys = self._places[key.account_id, key.region].keys
        if (before := keys.get(key.key_id)) is not None:
            self._changed(before, key)
        keys[key.key_id] = key
        return key

    def key(self, account_id: str, region: str, key_id: str) -> KeyRecord | None:
        """The key as it is now, or None."""
        place = self._places.get((account_id, region))
        key = place.keys.get(key_id) if place else None
        if key is None:
            return None
        if not self._due(key, self._now()):
            return key
        with self.lock:
            self._pass_time(key)
        return self._places[account_id, region].keys.get(key_id)

    def family(self, key: KeyRecord) -> tuple[KeyRecord, ...]:
        """All keys of a multi-Region key in the order of their Regions; a key of a single Region is alone."""
        if not key.multi_region:
            return (key,)
        regions = sorted(region for account, region in tuple(self._places) if account == key.account_id)
        members = (self.key(key.account_id, region, key.key_id) for region in regions)
        return tuple(member for member in members if member is not None)

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

    def put_custom_key_store(self, store: CustomKeyStoreRecord) -> None:
        """Add a custom key store, or put a changed record in its place. The caller holds `lock`."""
        self._places[store.account_id, store.region].custom_key_stores[store.store_id] = store

    def remove_custom_key_store(self, store: CustomKeyStoreRecord) -> None:
        """Take a custom key store away. The caller holds `lock`."""
        self._places[store.account_id, store.region].custom_key_stores.pop(store.store_id, None)

    def custom_key_stores(self, account_id: str, region: str) -> tuple[CustomKeyStoreRecord, ...]:
        """All custom key stores of an account in a Region, in the order in which they were made."""
        place = self._places.get((account_id, region))
        return tuple(place.custom_key_stores.values()) if place else ()

    def custom_key_store(self, store_id: str) -> CustomKeyStoreRecord:
        """The custom key store of this id, of any account and Region. Raises `KeyError` where there is none."""
        for place in tuple(self._places.values()):
            if store_id in place.custom_key_stores:
                return place.custom_key_stores[store_id]
        raise KeyError(store_id)

    def custom_key_store_of(self, key: KeyRecord) -> CustomKeyStoreRecord | None:
        """The custom key store that a key is in, or None."""
        if key.custom_key_store_id is None:
            return None
        return self._places[key.account_id, key.region].custom_key_stores.get(key.custom_key_store_id)

    def record_use(self, key: KeyRecord, use: KeyUse) -> None:
        """Remember the last use of a key; each key of a multi-Region key has its own."""
        self._places[key.account_id, key.region].uses[key.key_id] = use

    def last_use(self, key: KeyRecord) -> KeyUse | None:
        """The last successful use of a key; None where it was never used."""
        return self._places[key.account_id, key.region].uses.get(key.key_id)

    def put_import(self, token: bytes, parameters: ImportParameters) -> None:
        """Remember what an import token stands for."""
        self._imports[token] = parameters

    def import_parameters(self, token: bytes) -> ImportParameters | None:
        """What an import token stands for, however old it is; None where it is none."""
        return self._imports.get(token)

    def records(self) -> Iterator[tuple[tuple[str, ...], object]]:
        """Everything that the store holds: a name of its own for each record. The caller holds `lock`."""
        for (account_id, region), place in tuple(self._places.items()):
            for kind in _KINDS:
                for name, record in tuple(getattr(place, kind).items()):
                    yield (kind, account_id, region, name), record
        for token, parameters in tuple(self._imports.items()):
            yield ("imports", token.hex()), parameters
        for material_id, owner in tuple(self._owners.items()):
            yield ("owners", material_id), owner

    def restore(self, name: tuple[str, ...], record: Any) -> None:
        """Put a record of `records` back, before anyone uses the store. Raises `KeyError` for another's name."""
        kind, *place = name
        if kind == "imports":
            self._imports[bytes.fromhex(place[0])] = record
        elif kind == "owners":
            self._owners[place[0]] = record
        elif kind in _KINDS:
            getattr(self._places[place[0], place[1]], kind)[place[2]] = record
        else:
            raise KeyError(kind)

    def _due(self, key: KeyRecord, now: datetime) -> bool:
        members = (key,) if key.primary_region is None else self._members(key)
        return any((event := next_event(member)) is not None and event <= now for member in members)

    def _pass_time(self, key: KeyRecord) -> None:
        """Do what is due to a key and, since one hangs on the other, to the keys of its family."""
        now = self._now()
        gone = [member for member in self._members(key) if member.replica and deleted(member, now)]
        for member in sorted(gone, key=lambda one: one.deletion_date or now):
            self._delete(member)
        for member in self._members(key):
            if deleted(member, now):
                self._delete(member)
            elif (event := next_event(member)) is not None and event <= now:
                self._change(member, now)

    def _change(self, key: KeyRecord, now: datetime) -> None:
        key = self.put_key(without_expired_material(key, now))
        while (moment := next_rotation(key)) is not None and moment <= now:
            material = KeyMaterial.generate()
            for member in self._members(key):
                self.put_key(rotate(member, material, moment, RotationType.AUTOMATIC))
            key = self._places[key.account_id, key.region].keys[key.key_id]

    def _members(self, key: KeyRecord) -> tuple[KeyRecord, ...]:
        """A key, or the keys of its family, as they were left."""
        if not key.multi_region:
            places = [self._places[key.account_id, key.region]]
        else:
            places = [place for (account, _), place in tuple(self._places.items()) if account == key.account_id]
        found = (place.keys.get(key.key_id) for place in places)
        return tuple(member for member in found if member is not None)

    def _delete(self, key: KeyRecord) -> None:
        place = self._places[key.account_id, key.region]
        place.keys.pop(key.key_id, None)
        place.uses.pop(key.key_id, None)
        for name in [name for name, alias in place.aliases.items() if alias.key_id == key.key_id]:
            del place.aliases[name]
        left = self._members(key) if key.multi_region else ()
        if len(left) == 1 and left[0].state is KeyState.PENDING_REPLICA_DELETION and key.deletion_date is not None:
            self.put_key(
                replace(
                    left[0],
                    state=KeyState.PENDING_DELETION,
                    deletion_date=key.deletion_date + timedelta(days=left[0].deletion_window or 0),
                    deletion_window=None,
                )
            )
