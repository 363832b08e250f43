"""Frozen records as JSON and back: KMS's keys, grants, aliases and custom key stores.

Every record names its class, from the fixed table below; times, bytes and sets say what they are. A member
with its default may be missing, so a state outlives a member that is added. A key policy is written as the
text that it was read from.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from engine.access import parse_key_policy
from engine.access.model import Grant, KeyState
from engine.errors import DamagedError, InputError
from engine.sandbox.kms import custom_key_stores, model, store

_CLASSES: dict[str, type[Any]] = {
    found.__name__: found
    for module in (model, store, custom_key_stores)
    for found in vars(module).values()
    if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum))
} | {found.__name__: found for found in (Grant, KeyState)}
_POLICY = "policy"  # of a `KeyRecord`, which `policy_text` tells


def encode_record(record: object) -> bytes:
    """A record as JSON. Raises `TypeError` for what is not a record of the table."""
    return json.dumps(_encode(record), separators=(",", ":")).encode()


def decode_record(data: bytes) -> Any:
    """The record of `encode_record`. Raises `DamagedError` where it is none."""
    try:
        return _decode(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, InputError, binascii.Error) as error:
        raise DamagedError(f"a record of the sandbox's state cannot be read: {type(error).__name__}") from error


def _encode(value: Any) -> Any:
    if value is None or (isinstance(value, str | bool | int | float) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum) and type(value).__name__ in _CLASSES:
        return {"$enum": type(value).__name__, "value": value.value}
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if isinstance(value, frozenset):
        return {"$set": sorted(value)}
    if isinstance(value, tuple | list):
        return [_encode(item) for item in value]
    if isinstance(value, Mapping):
        return {"$map": [[_encode(key), _encode(item)] for key, item in value.items()]}
    if is_dataclass(value) and type(value).__name__ in _CLASSES:
        left_out = _POLICY if isinstance(value, model.KeyRecord) else None
        members = {one.name: _encode(getattr(value, one.name)) for one in fields(value) if one.name != left_out}
        return {"$record": type(value).__name__, **members}
    raise TypeError(f"{type(value).__name__} cannot be written into a state")


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "$record" in value:
        members = {name: _decode(item) for name, item in value.items() if name != "$record"}
        if value["$record"] == model.KeyRecord.__name__:
            members[_POLICY] = parse_key_policy(members["policy_text"])
        return _CLASSES[value["$record"]](**members)
    if "$enum" in value:
        return _CLASSES[value["$enum"]](value["value"])
    if "$time" in value:
        return datetime.fromisoformat(value["$time"])
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"], validate=True)
    if "$set" in value:
        return frozenset(value["$set"])
    return {_decode(key): _decode(item) for key, item in value["$map"]}
