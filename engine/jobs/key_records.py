"""Wrapped-key records: what the vault keeps of a data key, so that a lost ledger loses no backup.

A record is one small JSON object per data key and generation. It holds all that unwrapping needs: the key's
ARN, the wrapped data key, what it was wrapped for (tenant, workload, purpose: the KMS encryption context),
and the commitment to the data key. It holds nothing secret, and needs no signature of its own: KMS refuses a
wrapped key under another context, and the commitment tells another key.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import rfc8785

from engine.errors import DamagedError
from engine.ledger.data_key_document import data_key_document, read_data_key_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.ledger.interface import DataKey

FORMAT = 1


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A wrapped data key as the vault keeps it: the ledger's record, and whose it is."""

    tenant: str
    data_key: DataKey


def encode_key_record(record: KeyRecord) -> bytes:
    """The record in canonical JSON (RFC 8785)."""
    return rfc8785.dumps(_document(record))


def decode_key_record(data: bytes, name: str) -> KeyRecord:
    """Read a stored record; `name` is what to call it.

    Raises:
        DamagedError: It is not one, or of a format that this version does not know.
    """
    with _reading(name):
        return _record(json.loads(data), name)


def encode_key_records(records: Sequence[KeyRecord]) -> bytes:
    """Several records as one object, as a move keeps those of a page: JSON, but not in canonical form, for speed."""
    document = {"format": FORMAT, "records": [_document(record) for record in records]}
    return json.dumps(document, separators=(",", ":")).encode()


def decode_key_records(data: bytes, name: str) -> tuple[KeyRecord, ...]:
    """Read an object of several records. Raises as `decode_key_record`."""
    with _reading(name):
        document: dict[str, Any] = json.loads(data)
        _require_format(document, name)
        return tuple(_record(record, name) for record in document["records"])


def _document(record: KeyRecord) -> dict[str, Any]:
    return {"format": FORMAT, "tenant": record.tenant, **data_key_document(record.data_key)}


def _record(document: dict[str, Any], name: str) -> KeyRecord:
    _require_format(document, name)
    return KeyRecord(document["tenant"], read_data_key_document(document))


def _require_format(document: dict[str, Any], name: str) -> None:
    if document["format"] != FORMAT:
        raise DamagedError(
            f"{name} has format {document['format']!r}; this version of Keyturn reads {FORMAT}",
            "use the version of Keyturn that wrote it, or a newer one",
        )


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{name} is damaged: it cannot be read ({error})") from error
