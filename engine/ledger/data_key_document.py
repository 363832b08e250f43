"""A wrapped data key's record as JSON values, and back; the same in a backup of the ledger and in the vault."""

from __future__ import annotations

import base64
from typing import Any

from engine.catalogue import Custody
from engine.ledger.interface import DataKey
from engine.times import format_time, parse_time


def data_key_document(data_key: DataKey) -> dict[str, Any]:
    """The record as JSON values, but for why it was set aside; it holds nothing secret."""
    return {
        "data_key_id": data_key.data_key_id,
        "workload": data_key.workload,
        "purpose": data_key.purpose,
        "custody": data_key.custody.value,
        "generation": data_key.generation,
        "key_arn": data_key.key_arn,
        "ciphertext": base64.b64encode(data_key.ciphertext).decode("ascii"),
        "commitment": base64.b64encode(data_key.commitment).decode("ascii"),
        "key_material_id": data_key.key_material_id,
        "epoch": data_key.epoch,
        "verified": data_key.verified,
        "created_at": format_time(data_key.created_at),
    }


def read_data_key_document(document: dict[str, Any]) -> DataKey:
    """The inverse; ValueError, KeyError or TypeError where it is none."""
    return DataKey(
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
        set_aside=document.get("set_aside"),
        created_at=parse_time(document["created_at"]),
    )
