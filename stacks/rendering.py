"""Arguments as Terraform reads them: the values of JSON, and those of CDKTF's writer of HCL.

A text is emitted literally: Terraform's template marks in it are escaped, so that nothing a person writes
into a description becomes an expression. What is to be resolved by Terraform is a `Reference`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that Terraform resolves, such as the ARN of a key yet to be made.

    Attributes:
        token: An expression, or a placeholder that CDKTF replaces by one.
    """

    token: str


class Arguments(Protocol):
    """Any frozen dataclass whose fields are the arguments of a resource or provider, or of a block in one.

    A field that holds a tuple of such dataclasses is a repeated block.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]


def attributes_of(arguments: Arguments) -> dict[str, Any]:
    """The arguments as the JSON of Terraform has them, without those that are None."""
    values = ((field.name, getattr(arguments, field.name)) for field in fields(arguments))
    return {name: _json_value(value) for name, value in values if value is not None}


def hcl_attributes_of(arguments: Arguments) -> dict[str, Any]:
    """The same with the types that CDKTF's writer of HCL asks for (`cdktf synth --hcl`)."""
    described: dict[str, Any] = {}
    for field in fields(arguments):
        value = getattr(arguments, field.name)
        if value is None:
            continue
        if isinstance(value, tuple) and value and is_dataclass(value[0]) and not isinstance(value[0], Reference):
            blocks = [hcl_attributes_of(block) for block in value]
            described[field.name] = {"value": blocks, "isBlock": True, "type": "list", "storageClassType": "list"}
        else:
            emitted = _json_value(value)
            written = emitted if isinstance(value, Reference) else _hcl_value(emitted)
            described[field.name] = {"value": written, "isBlock": False, **_hcl_type(emitted)}
    return described


def escaped(text: str) -> str:
    """The text with the marks of Terraform's templates escaped (Terraform, "Strings and Templates")."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _json_value(value: Any) -> Any:
    if isinstance(value, Reference):
        return value.token
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, Mapping):
        return {escaped(key): _json_value(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return attributes_of(value)
    return value


def _hcl_value(value: Any) -> Any:
    """A text with every mark of HCL's strings escaped, which CDKTF's writer does for a few alone.

    It takes a text with `${` for an expression, never escapes a backslash, and writes lines as a heredoc, which a line
    of the text can end.
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)[1:-1]
    if isinstance(value, list):
        return [_hcl_value(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _hcl_value(item) for key, item in value.items()}
    return value


def _hcl_type(value: Any) -> Mapping[str, str]:
    if isinstance(value, bool):
        return {"type": "simple", "storageClassType": "boolean"}
    if isinstance(value, int):
        return {"type": "simple", "storageClassType": "number"}
    if isinstance(value, list):
        return {"type": "set", "storageClassType": "stringList"}
    if isinstance(value, Mapping):
        return {"type": "map", "storageClassType": "stringMap"}
    return {"type": "simple", "storageClassType": "string"}
