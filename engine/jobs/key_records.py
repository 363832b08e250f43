"""Wrapped-key records: what the vault keeps of a data key, so that a lost ledger loses no backup.

A record is one small JSON object per data key and generation. It holds all that unwrapping needs: the key's
ARN, the wrapped data key, what it was wrapped for (tenant, workload, purpose: the KMS encryption context),
and the commitment to the data key. It holds nothing secret, and needs no signature of its own: KMS refuses a
wrapped key under another context, and the commitment tells another key.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import rfc8785

from engine.catalogue import Custody
from engine.errors import DamagedError
from engine.ledger.interface import DataKey
from engine.times import format_time, parse_time

FORMAT = 1


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A wrapped data key as the vault keeps it: the ledger's record, and whose it is."""

    tenant: str
    data_key: DataKey


def encode_key_record(record: KeyRecord) -> bytes:
    """The record in canonical JSON (RFC 8785)."""
    key = record.data_key
    return rfc8785.dumps(
        {
            "format": FORMAT,
            "tenant": record.tenant,
            "data_key_id": key.data_key_id,
            "workload": key.workload,
            "purpose": key.purpose,
            "custody": key.custody.value,
            "generation": key.generation,
            "key_arn": key.key_arn,
            "ciphertext": base64.b64encode(key.ciphertext).decode("ascii"),
            "commitment": base64.b64encode(key.commitment).decode("ascii"),
            "key_material_id": key.key_material_id,
            "epoch": key.epoch,
            "verified": key.verified,
            "created_at": format_time(key.created_at),
        }
    )


def decode_key_record(data: bytes, name: str) -> KeyRecord:
    """Read a stored record; `name` is what to call it.

    Raises:
        DamagedError: It is not one, or of a format that this version does not know.
    """
    try:
        document: dict[str, Any] = json.loads(data)
        if document["format"] != FORMAT:
            raise DamagedError(
                f"{name} has format {document['format']!r}; this version of Keyturn reads {FORMAT}",
                "use the version of Keyturn that wrote it, or a newer one",
            )
        key = DataKey(
            data_key_id=document["data_key_id"],
            workload=document["workload"],
            purpose=document["purpose"],
            custody=Custody(document["custody"]),
            generation=document["generation"],
            key_arn=document["key_arn"],
            ciphertext=base64.b64decode(document["ciphertext"], validate=True),
            commitment=base64.b64decode(document["commitment"], validate=True),
            key_material_id=document["key_material_id"],
            epoch=document["epoch"],
            verified=document["verified"],
            set_aside=None,
            created_at=parse_time(document["created_at"]),
        )
        return KeyRecord(document["tenant"], key)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedError(f"{name} is damaged: it cannot be read ({error})") from error
