"""Whether a value is certainly what its JSON Schema asks for, told without the JSON Schema library.

Loading the library costs more than reading a declaration, and most declarations have no mistake. So this is asked first
(`engine.schema_check`); it knows the keywords that our schemas are mostly made of, and says yes only where the library
would. A keyword that it does not know, a value with a mistake, and whatever the two may take differently (text that is
not printable ASCII under a pattern, `1.0` as an integer, numbers in a list without doubles) is for the library.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sized

_ANNOTATIONS = frozenset({"$schema", "$id", "title", "description", "expected"})
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def certainly_valid(value: Any, schema: Any) -> bool:
    """Whether a value of parsed JSON or YAML is certainly valid; no means that the library must be asked."""
    if not isinstance(schema, dict):
        return schema is True
    for keyword, argument in schema.items():
        if keyword in _ANNOTATIONS:
            continue
        holds = _KEYWORDS.get(keyword)
        if holds is None or not holds(value, argument, schema):
            return False
    return True


def _type(value: Any, name: Any, _schema: Mapping[str, Any]) -> bool:
    return value.__class__ in _TYPES.get(name if isinstance(name, str) else "", ())


def _same(value: Any, wanted: Any) -> bool:
    """Whether two plain values are one; true is not 1, and a number is never taken for one of another type."""
    return value.__class__ is wanted.__class__ and value.__class__ in (str, int, bool) and value == wanted


def _pattern(value: Any, pattern: str, _schema: Mapping[str, Any]) -> bool:
    if value.__class__ is not str:
        return False
    return value.isascii() and value.isprintable() and re.search(pattern, value) is not None


def _each_once(value: Any, wanted: bool, _schema: Mapping[str, Any]) -> bool:
    if not wanted:
        return True
    return value.__class__ is list and all(item.__class__ is str for item in value) and len(set(value)) == len(value)


def _items(value: Any, schema: Any, _schema: Mapping[str, Any]) -> bool:
    return value.__class__ is list and all(certainly_valid(item, schema) for item in value)


def _properties(value: Any, schemas: Mapping[str, Any], _schema: Mapping[str, Any]) -> bool:
    return value.__class__ is dict and all(
        certainly_valid(value[name], schema) for name, schema in schemas.items() if name in value
    )


def _additional(value: Any, schema: Any, around: Mapping[str, Any]) -> bool:
    known = around.get("properties", {})
    return value.__class__ is dict and all(
        certainly_valid(inner, schema) for name, inner in value.items() if name not in known
    )


def _length(kind: type[Sized], limit: Callable[[int, int], bool]) -> Callable[[Any, Any, Mapping[str, Any]], bool]:
    return lambda value, argument, _schema: value.__class__ is kind and limit(len(value), argument)


_KEYWORDS: dict[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "type": _type,
    "const": lambda value, wanted, _schema: _same(value, wanted),
    "enum": lambda value, wanted, _schema: any(_same(value, each) for each in wanted),
    "pattern": _pattern,
    "minLength": _length(str, int.__ge__),
    "maxLength": _length(str, int.__le__),
    "minimum": lambda value, limit, _schema: value.__class__ is int and value >= limit,
    "maximum": lambda value, limit, _schema: value.__class__ is int and value <= limit,
    "minItems": _length(list, int.__ge__),
    "maxItems": _length(list, int.__le__),
    "uniqueItems": _each_once,
    "items": _items,
    "required": lambda value, names, _schema: value.__class__ is dict and all(name in value for name in names),
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": lambda value, schema, _schema: (
        value.__class__ is dict and all(certainly_valid(name, schema) for name in value)
    ),
    "minProperties": _length(dict, int.__ge__),
    "maxProperties": _length(dict, int.__le__),
}
