"""The JSON of a plan file as parsed, or the reason why it is no plan.

- UTF-8 or UTF-16 or UTF-32, with or without a byte order mark (PowerShell writes UTF-16).
- orjson reads what is plain UTF-8, several times faster; whatever it refuses goes to the standard library, which also
  takes the other encodings and numbers, and says where a mistake is.
- A name that stands twice in one object is refused (`engine.review.plan_names`).
- Format versions 0 and 1, or none said; another major version is refused, unknown fields are ignored.
- What is not a plan is refused with what it is instead, where that can be told: a binary plan file, a state,
  the log of `terraform plan -json`, a configuration.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from engine.errors import InputError
from engine.review.plan_names import each_once, require_each_name_once
from engine.review.values import printable

SUPPORTED_MAJOR_VERSIONS = ("0", "1")
HOW_TO_SHOW = "print the plan as JSON: `terraform plan -out=tfplan`, then `terraform show -json tfplan > plan.json`"
_ZIP = b"PK\x03\x04"


def parse_plan(name: str, data: bytes) -> dict[str, Any]:
    """Parse a plan file.

    Args:
        name: The file as the user named it, for messages.
        data: Its bytes.

    Returns:
        A JSON object that is a plan's, of a known format.

    Raises:
        InputError: It is none; the hint says what to do.
    """
    document, quickly = _parse(name, data)
    _require_plan(name, document)
    if quickly:
        require_each_name_once(name, data, document)
    return document


def _parse(name: str, data: bytes) -> tuple[dict[str, Any], bool]:
    """The document, and whether orjson read it, which does not see a name that stands twice."""
    if data.startswith(_ZIP):
        raise InputError(f"{name} is a binary plan file, not JSON", f"{HOW_TO_SHOW}; then review plan.json")
    if not data.strip(b" \t\r\n\0\xef\xbb\xbf\xff\xfe"):
        raise InputError(f"{name} is empty", HOW_TO_SHOW)
    try:
        document, quickly = orjson.loads(data), True
    except orjson.JSONDecodeError:
        document, quickly = _parse_slowly(name, data), False
    if not isinstance(document, dict):
        raise InputError(f"{name} is JSON, but not a plan: it holds {kind_of(document)}", HOW_TO_SHOW)
    return document, quickly


def _parse_slowly(name: str, data: bytes) -> Any:
    try:
        return json.loads(data, object_pairs_hook=each_once(name))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name} is not JSON text: the byte at offset {error.start} is not valid", HOW_TO_SHOW
        ) from error
    except json.JSONDecodeError as error:
        raise InputError(*_syntax(name, error)) from error
    except RecursionError as error:
        raise InputError(f"{name} is nested too deeply to be a plan", HOW_TO_SHOW) from error
    except ValueError as error:  # Python reads no integer of more than some thousands of digits
        raise InputError(f"{name} holds a number that is too long to be read", HOW_TO_SHOW) from error


def _syntax(name: str, error: json.JSONDecodeError) -> tuple[str, str]:
    text = error.doc
    if error.msg == "Extra data" and text.lstrip().startswith('{"@level"'):
        return f"{name} is the log of `terraform plan -json`, not a plan", HOW_TO_SHOW
    place = f"line {error.lineno}, column {error.colno} (offset {error.pos})"
    if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg:
        return f"{name} ends in the middle of the JSON: it was cut off at offset {len(text)}; {place}", HOW_TO_SHOW
    return f"{name} is not valid JSON: {error.msg} at {place}", HOW_TO_SHOW


def kind_of(value: Any) -> str:
    """What a JSON value is, for a message."""
    if value is None:
        return "null"
    names = {list: "a list", str: "a string", bool: "a bool", int: "a number", float: "a number", dict: "an object"}
    return names.get(type(value), "something else")


def _require_plan(name: str, document: dict[str, Any]) -> None:
    looks_like_plan = "resource_changes" in document or "planned_values" in document or "resource_drift" in document
    if not looks_like_plan:
        raise InputError(*_foreign(name, document))
    version = document.get("format_version")
    if version is None:
        return
    if not isinstance(version, str):
        raise InputError(f"{name}: format_version is {kind_of(version)}, not a string", HOW_TO_SHOW)
    if version.split(".", 1)[0] not in SUPPORTED_MAJOR_VERSIONS:
        known = " and ".join(f"{major}.x" for major in SUPPORTED_MAJOR_VERSIONS)
        raise InputError(
            f"{name} has the plan format {printable(version, 40)!r}; this version of keyturn reads {known}",
            "use a newer keyturn: what is not understood cannot be judged",
        )


def _foreign(name: str, document: dict[str, Any]) -> tuple[str, str]:
    if "lineage" in document or ("serial" in document and "resources" in document):
        return f"{name} is a Terraform state file, not a plan", HOW_TO_SHOW
    if "values" in document and "terraform_version" in document:
        return f"{name} is a state printed by `terraform show -json`, not a plan", HOW_TO_SHOW
    if "@level" in document and "@message" in document:
        return f"{name} is the log of `terraform plan -json`, not a plan", HOW_TO_SHOW
    if "provider_schemas" in document:
        return f"{name} holds provider schemas, not a plan", HOW_TO_SHOW
    if "terraform" in document and ("resource" in document or "provider" in document):
        return f"{name} is a synthesised configuration (cdk.tf.json), not a plan", HOW_TO_SHOW
    return f"{name} is JSON, but not a Terraform plan: it has no resource_changes and no planned_values", HOW_TO_SHOW
