"""Whether AWS KMS takes a policy's JSON as a key policy, and what it reads where `${…}` is plain text.

- KMS takes a policy whole or not at all. So a statement that is none makes the policy none, whomever it names: nothing
  is known of what stands on the key afterwards.
- Nearly all statements are plain ones, and taken, as can be seen at once; the others `engine.access` parses.
- `${…}` stands for a value in policies of version 2012-10-17. In the older version, which counts where none is given,
  it is text (IAM User Guide, "IAM JSON policy elements: Version").
"""

from __future__ import annotations

import re
from typing import Any

from engine.errors import InputError

_WITH_VARIABLES = "2012-10-17"
_VERSIONS = (None, _WITH_VARIABLES, "2008-10-17")
_ELEMENTS = frozenset({"Version", "Id", "Statement"})
_WITH_TEMPLATES = frozenset({"Resource", "NotResource", "Condition"})
_PLAIN_ELEMENTS = frozenset({"Sid", "Effect", "Principal", "Action", "Resource"})
_PLAIN_PRINCIPAL = re.compile(
    r"[0-9]{12}|arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:(root|(role|user)/[A-Za-z0-9_+=,.@-]+)", re.ASCII
)
_PLAIN_ACTION = re.compile(r"kms:[A-Za-z*]+", re.ASCII)


def takes_head(document: dict[str, Any]) -> bool:
    """Whether KMS takes what a policy says beside its statements."""
    identifier = document.get("Id")
    return (
        document.keys() <= _ELEMENTS
        and document.get("Version") in _VERSIONS
        and (identifier is None or isinstance(identifier, str))
    )


def takes_statement(statement: dict[str, Any]) -> bool:
    """Whether KMS takes a statement."""
    if _is_plain(statement):
        return True
    from engine.access import parse_key_policy

    try:
        parse_key_policy({"Version": _WITH_VARIABLES, "Statement": [statement]})
    except InputError:
        return False
    return True


def has_variables(document: dict[str, Any]) -> bool:
    """Whether `${…}` stands for a value in a policy."""
    return document.get("Version") == _WITH_VARIABLES


def without_variables(statement: dict[str, Any]) -> dict[str, Any]:
    """A statement of the older version as one of the newer version that means the same."""
    return {name: _as_text(value) if name in _WITH_TEMPLATES else value for name, value in statement.items()}


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${", "${$}{")
    if isinstance(value, list):
        return [_as_text(inner) for inner in value]
    return {name: _as_text(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def _is_plain(statement: dict[str, Any]) -> bool:
    principal, sid = statement.get("Principal"), statement.get("Sid", "")
    return (
        statement.keys() <= _PLAIN_ELEMENTS
        and statement.get("Effect") in ("Allow", "Deny")
        and statement.get("Resource") == "*"
        and sid.__class__ is str
        and sid.isascii()
        and sid.isprintable()
        and principal.__class__ is dict
        and principal.keys() == {"AWS"}
        and _match(_PLAIN_PRINCIPAL, principal["AWS"])
        and _match(_PLAIN_ACTION, statement.get("Action"))
    )


def _match(pattern: re.Pattern[str], values: Any) -> bool:
    """Whether a text, or each of a list of some, is of a form."""
    if values.__class__ is str:
        return pattern.fullmatch(values) is not None
    if values.__class__ is not list or not values:
        return False
    return all(value.__class__ is str and pattern.fullmatch(value) is not None for value in values)
