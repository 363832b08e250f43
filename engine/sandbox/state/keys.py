"""KMS's keys in a state folder: after every change, what differs from what was written last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sandbox.state.records import decode_record, encode_record

if TYPE_CHECKING:
    from engine.sandbox.kms.store import KeyStore
    from engine.sandbox.state.folder import StateFolder

_PREFIX = "kms/"


class StoredKeys:
    """The rows of a key store. Its caller holds the store's lock.

    Args:
        folder: Where they are.
        store: The keys; what the folder holds is put into it.

    Raises:
        DamagedError: A record cannot be read.
    """

    def __init__(self, folder: StateFolder, store: KeyStore) -> None:
        self._folder = folder
        self._store = store
        self._written: dict[str, object] = {}
        for name, value in folder.read(_PREFIX):
            record = decode_record(value)
            store.restore(tuple(name.removeprefix(_PREFIX).split("|")), record)
            self._written[name] = record

    def save(self) -> None:
        """Write what has changed. Raises `MachineError` where the disk does not take it."""
        now = {_PREFIX + "|".join(name): record for name, record in self._store.records()}
        changes: dict[str, bytes | None] = {
            name: encode_record(record)
            for name, record in now.items()
            if (written := self._written.get(name)) is not record and written != record
        }
        changes |= dict.fromkeys(self._written.keys() - now.keys())
        self._folder.write(changes)
        self._written = now
