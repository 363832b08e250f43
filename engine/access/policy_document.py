"""The JSON of a key policy, read without a second thought for what it means, and how messages show it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import NoReturn

from engine.errors import InputError

# What PutKeyPolicy takes at the most, in characters (KMS service model, PolicyType).
MAX_CHARACTERS = 131_072

_SHOWN = 80


def load_document(text: str) -> object:
    """Read JSON, with every way in which it can be wrong as an `InputError`.

    Args:
        text: The policy as KMS or a plan holds it.

    Raises:
        InputError: It is too long, not JSON, or has a key twice in one object.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"the key policy has {len(text)} characters; AWS KMS takes {MAX_CHARACTERS} at the most")
    try:
        return json.loads(text, object_pairs_hook=_without_repetition, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InputError(
            f"the key policy is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError("the key policy is not JSON that AWS takes: too deep, or a number too long") from error


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise InputError(f"the key policy has {shown(twice)} twice in one JSON object")
    return document


def _no_constant(name: str) -> NoReturn:
    raise InputError(f"the key policy is not JSON: {name} is no JSON value")


def kind_of(value: object) -> str:
    """The JSON type of a value, in words."""
    names = {dict: "a JSON object", str: "text", bool: "true or false", int: "a number", float: "a number"}
    if value is None:
        return "missing or null"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, Mapping):
        return "a JSON object" if value else "an empty JSON object"
    return names.get(type(value), type(value).__name__)


def shown(value: object) -> str:
    """A value as a message shows it: on one line, shortened."""
    text = repr(value) if isinstance(value, str) else kind_of(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
