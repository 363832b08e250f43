"""What people write, held against its JSON Schema (2020-12), with every mistake in the reader's words.

A schema says in the annotation `expected` what would be right, next to the keyword that refuses; the
nearest one above the failing keyword is shown. Mistakes come back in the order of the file. The JSON Schema library is
loaded where there may be one.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.plain_schema import certainly_valid

if TYPE_CHECKING:
    from pathlib import Path

    import jsonschema_rs

    from engine.errors import Mistake
    from engine.located_yaml import LocatedDocument, PathOfKeys

_SHOWN = 80


@cache
def _load_schema(path: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


@cache
def _compile(path: Path) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(_load_schema(path))


def check_schema(document: LocatedDocument, schema_path: Path) -> tuple[Mistake, ...]:
    """Hold a document against a schema.

    Args:
        document: What was read.
        schema_path: A JSON Schema file of this project.

    Returns:
        Every mistake, in the order of the file; empty where the document is valid.
    """
    schema = _load_schema(schema_path)
    if certainly_valid(document.value, schema):
        return ()
    mistakes: list[Mistake] = []
    for error in _compile(schema_path).iter_errors(document.value):
        mistakes.extend(_mistakes(document, schema, error))
    return tuple(sorted(set(mistakes), key=lambda m: (m.line or 0, m.column or 0, m.message)))


def shown(value: Any) -> str:
    """A value as it may stand in a message: JSON, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _mistakes(document: LocatedDocument, schema: dict[str, Any], error: jsonschema_rs.ValidationError) -> list[Mistake]:
    import jsonschema_rs

    path: PathOfKeys = tuple(error.instance_path)
    kind = error.kind
    name = _name(path)
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        missing = kind.property
        expected = _expected(schema, [*error.schema_path[:-1], "properties", missing, "type"])
        return [document.mistake(path, f"{_within(path)}{missing!r} is missing", expected)]
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        known = _properties(schema, error.schema_path)
        return [_unknown_key(document, (*path, key), known) for key in kind.unexpected]
    value = shown(error.instance)
    expected = _expected(schema, list(error.schema_path)) or error.message
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.FalseSchema) and path:
        return [document.mistake(path, f"{name} is not allowed here", expected, at_key=True)]
    return [document.mistake(path, f"{name} is {value}", expected)]


def _unknown_key(document: LocatedDocument, path: PathOfKeys, known: list[str]) -> Mistake:
    import difflib

    key = str(path[-1])
    near = difflib.get_close_matches(key, known, n=1)
    expected = f"{near[0]!r}" if near else f"one of {', '.join(known)}"
    return document.mistake(path, f"{_within(path[:-1])}{key!r} is not a known key", expected, at_key=True)


def _name(path: PathOfKeys) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".") or "the file"


def _within(path: PathOfKeys) -> str:
    return f"in {_name(path)}: " if path else ""


def _expected(schema: dict[str, Any], schema_path: list[str | int]) -> str | None:
    """The annotation `expected` nearest above the failing keyword."""
    found: str | None = None
    node: Any = schema
    for step in schema_path:
        if isinstance(node, dict) and isinstance(node.get("expected"), str):
            found = node["expected"]
        if isinstance(node, dict) and "$ref" in node and step == "$ref":
            node = _resolve_reference(schema, node["$ref"])
            continue
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return found
    return found


def _properties(schema: dict[str, Any], schema_path: list[str | int]) -> list[str]:
    node: Any = schema
    for step in schema_path[:-1]:
        node = _resolve_reference(schema, node["$ref"]) if step == "$ref" else node[step]
    return sorted(node.get("properties", {}))


def _resolve_reference(schema: dict[str, Any], reference: str) -> Any:
    node: Any = schema
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node
