"""The attributes of `after` that a JSON Schema over a resource's change speaks of.

What is known only after apply stands in `after_unknown` alone, and a schema sees a resource without it. So the answer
of a schema is not to be trusted where it asks for such an attribute: by its name, among `properties` or `required`; or
without a name, by a reference, a pattern, a count, or by comparing `after` as a whole, or where `after` is not named
itself. Then any attribute may decide.
"""

from __future__ import annotations

import re
from typing import Any

# What in a schema of `after` decides over attributes that are not named beside it.
_WITHOUT_NAMES = frozenset(
    {
        *("$ref", "$dynamicRef", "additionalProperties", "dependentRequired", "dependentSchemas", "maxProperties"),
        *("minProperties", "patternProperties", "propertyNames", "unevaluatedProperties"),
    }
)
# What a schema of the whole change may refer to; what is meant for another part of it might come to mean `after`.
_DEFINITION = re.compile(r"#/\$defs/[^/]+")
# Where a schema of `after` holds others of it.
_IN_PLACE = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")


def attributes_of(schema: Any) -> frozenset[str] | None:
    """The attributes that a schema speaks of.

    Args:
        schema: A JSON Schema (2020-12) of a resource's change, as parsed.

    Returns:
        Their names, wherever in the schema `after` is described; None where any attribute may decide.
    """
    found: set[str] = set()
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        if not isinstance(node, dict):
            continue
        if _may_mean_after(node):
            return None
        properties = node.get("properties")
        if isinstance(properties, dict) and "after" in properties:
            names = _names(properties["after"])
            if names is None:
                return None
            found |= names
        pending.extend(inner for keyword, inner in node.items() if keyword != "properties")
    return frozenset(found)


def _may_mean_after(node: dict[str, Any]) -> bool:
    """Whether a schema of the change may say something of `after` without its name, or by a schema that is not read."""
    if "$dynamicRef" in node or ("$ref" in node and _DEFINITION.fullmatch(str(node["$ref"])) is None):
        return True
    patterns = node.get("patternProperties")
    schemas = [node.get("additionalProperties"), node.get("unevaluatedProperties")]
    schemas += patterns.values() if isinstance(patterns, dict) else ()
    return any(isinstance(schema, dict) and schema for schema in schemas)


def _names(schema: Any) -> set[str] | None:
    """The attributes that a schema of `after` speaks of; None where it does not name them."""
    found: set[str] = set()
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending.extend(node)
        if not isinstance(node, dict):
            continue
        if not _WITHOUT_NAMES.isdisjoint(node) or _compares_whole(node):
            return None
        for names in (node.get("properties"), node.get("required")):
            if isinstance(names, dict | list):
                found.update(name for name in names if isinstance(name, str))
        pending.extend(node[keyword] for keyword in _IN_PLACE if keyword in node)
    return found


def _compares_whole(node: dict[str, Any]) -> bool:
    """Whether an object is compared as a whole."""
    values = node.get("enum")
    return any(isinstance(whole, dict) for whole in (node.get("const"), *(values if isinstance(values, list) else ())))
