"""Checks of single values, compiled from the shapes of a service model.

A check takes a value, the path to it, and a list to which it adds every breach in AWS's words; it answers
the value as the operations take it (a blob as bytes). A value of another JSON type is no breach but a
request that cannot be read.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from engine.sandbox.kms.errors import serialization

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[Any, str, list[str]], Any]
    Shape = Mapping[str, Any]

_SHOWN = 200
_FAILED = "failed to satisfy constraint"


class ShapeChecks:
    """The checks of a service model's shapes, each compiled when it is first asked for.

    Args:
        shapes: The model's shapes by name.
    """

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._shapes = shapes
        self._compiled: dict[str, Check] = {}

    def check_of(self, name: str) -> Check:
        """The check of a shape of the model."""
        if name not in self._compiled:
            shape = self._shapes[name]
            make = {
                "structure": self._structure,
                "list": self._list,
                "map": self._map,
                "string": _string,
                "blob": _blob,
                "integer": _number,
                "boolean": _boolean,
                "timestamp": _timestamp,
            }[shape["type"]]
            self._compiled[name] = make(shape)
        return self._compiled[name]

    def _structure(self, shape: Shape) -> Check:
        members = {name: self.check_of(member["shape"]) for name, member in shape.get("members", {}).items()}
        required = shape.get("required", ())

        def check(value: Any, path: str, breaches: list[str]) -> Any:
            if not isinstance(value, dict):
                raise serialization(f"{path} is not a structure")
            prefix = f"{path}." if path else ""
            breaches.extend(
                f"Value null at '{prefix}{_lower(name)}' {_FAILED}: Member must not be null"
                for name in required
                if value.get(name) is None
            )
            return {
                name: members[name](member, f"{prefix}{_lower(name)}", breaches)
                for name, member in value.items()
                if member is not None and name in members
            }

        return check

    def _list(self, shape: Shape) -> Check:
        member = self.check_of(shape["member"]["shape"])

        def check(value: Any, path: str, breaches: list[str]) -> Any:
            if not isinstance(value, list):
                raise serialization(f"{path} is not a list")
            _length(shape, len(value), path, value, breaches)
            return [member(item, f"{path}.{at}.member", breaches) for at, item in enumerate(value, start=1)]

        return check

    def _map(self, shape: Shape) -> Check:
        member = self.check_of(shape["value"]["shape"])

        def check(value: Any, path: str, breaches: list[str]) -> Any:
            if not isinstance(value, dict):
                raise serialization(f"{path} is not a map")
            return {key: member(item, f"{path}.{key}", breaches) for key, item in value.items()}

        return check


def _string(shape: Shape) -> Check:
    pattern = re.compile(shape["pattern"]) if "pattern" in shape else None
    allowed = shape.get("enum")

    def check(value: Any, path: str, breaches: list[str]) -> Any:
        if not isinstance(value, str):
            raise serialization(f"{path} is not a string")
        _length(shape, len(value), path, value, breaches)
        if allowed is not None and value not in allowed:
            breaches.append(
                f"{_value(shape, value)} at '{path}' {_FAILED}: Member must satisfy enum value set: "
                f"[{', '.join(allowed)}]"
            )
        if pattern is not None and not pattern.fullmatch(value):
            breaches.append(
                f"{_value(shape, value)} at '{path}' {_FAILED}: Member must satisfy regular expression pattern: "
                f"{pattern.pattern}"
            )
        return value

    return check


def _blob(shape: Shape) -> Check:
    def check(value: Any, path: str, breaches: list[str]) -> Any:
        if not isinstance(value, str):
            raise serialization(f"{path} is not a base64 string")
        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise serialization(f"{path} is not base64") from error
        _length(shape, len(data), path, None, breaches)
        return data

    return check


def _number(shape: Shape) -> Check:
    def check(value: Any, path: str, breaches: list[str]) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            raise serialization(f"{path} is not a whole number")
        for limit, breached, words in (
            ("min", value < shape.get("min", value), "greater than or equal to"),
            ("max", value > shape.get("max", value), "less than or equal to"),
        ):
            if breached:
                breaches.append(f"Value '{value}' at '{path}' {_FAILED}: Member must have value {words} {shape[limit]}")
        return value

    return check


def _boolean(_: Shape) -> Check:
    def check(value: Any, path: str, _: list[str]) -> Any:
        if not isinstance(value, bool):
            raise serialization(f"{path} is not a boolean")
        return value

    return check


def _timestamp(_: Shape) -> Check:
    def check(value: Any, path: str, _: list[str]) -> Any:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise serialization(f"{path} is not a number of seconds")
        return float(value)

    return check


def _length(shape: Shape, length: int, path: str, value: Any, breaches: list[str]) -> None:
    for limit, breached, words in (
        ("min", length < shape.get("min", length), "greater than or equal to"),
        ("max", length > shape.get("max", length), "less than or equal to"),
    ):
        if breached:
            shown = _value(shape, value)
            breaches.append(f"{shown} at '{path}' {_FAILED}: Member must have length {words} {shape[limit]}")


def _value(shape: Shape, value: Any) -> str:
    if value is None or shape.get("sensitive"):
        return "Value"
    text = str(value)
    return f"Value '{text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}'"


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]
