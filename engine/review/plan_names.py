"""Names that stand twice in one object of a plan's JSON: which of the two counts, nobody can tell (RFC 8259, 4).

Readers take the last one without a word, others the first. Terraform writes no such thing, so a file that holds one was
changed by hand or damaged, and may hide a change behind another. Where both say the same, nothing is hidden.

- orjson tells nothing of it. What it parsed is written again, as text: the same text as the file's (Terraform's
  compact form, in which `<`, `>` and `&` are escaped) holds each name once. That is nearly always so, at little cost.
- Any other text is held against the written one by the number of its names; of each a quote and a colon tell, without
  those within strings, where the quote is escaped. A text that begins with a colon counts like a name on both sides,
  unless its colon is escaped: that leaves a doubt.
- Only where that leaves a doubt is the file read again, slowly, with an eye on every object.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

from engine.errors import InputError

_ESCAPED = ((rb"\u003c", b"<"), (rb"\u003e", b">"), (rb"\u0026", b"&"))
_SPACED_NAME = re.compile(rb'(?<!\\)"[ \t\r\n]+:')
_BEGINNING_WITH_A_COLON = re.compile(rb'"\\u003[aA]')  # which is written again as a colon, and then counted
_ENDING_IN_A_BACKSLASH = re.compile(rb'\\\\"[ \t\r\n]*:')  # not told from an escaped quote by counting
_DOUBTFUL = (_SPACED_NAME, _ENDING_IN_A_BACKSLASH, _BEGINNING_WITH_A_COLON)
# Names that a plan's format gives; others may come from the values of a customer, and are not shown.
_SHOWN = frozenset(
    {
        *("format_version", "terraform_version", "resource_changes", "resource_drift", "deferred_changes", "errored"),
        *("complete", "planned_values", "prior_state", "configuration", "timestamp", "resource_change", "change"),
        *("address", "previous_address", "module_address", "mode", "type", "name", "index", "deposed", "actions"),
        *("before", "after", "after_unknown", "before_sensitive", "after_sensitive", "importing", "action_reason"),
        *("policy", "is_enabled", "enabled", "deletion_window_in_days", "tags", "tags_all", "key_id", "target_key_id"),
    }
)
_HINT = "print the plan anew, and let nothing change the file: `terraform show -json tfplan > plan.json`"


class NamedTwiceError(InputError):
    """A name stands twice in one object, with two values."""


def each_once(name: str) -> Any:
    """An `object_pairs_hook` that refuses two values of one name; `name` is the file as the user named it."""

    def read(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(pairs)
        if len(document) == len(pairs):
            return document
        for key, value in pairs:
            if json.dumps(value, sort_keys=True) != json.dumps(document[key], sort_keys=True):
                shown = f'"{key}"' if key in _SHOWN else "a name"
                raise NamedTwiceError(
                    f"{name} says two things of {shown} in one object: which counts is not told", _HINT
                )
        return document

    return read


def require_each_name_once(name: str, data: bytes, document: Any) -> None:
    """Refuse a plan that gives a name two values in one object.

    Args:
        name: The file as the user named it.
        data: Its bytes, as orjson took them.
        document: What orjson made of them.

    Raises:
        InputError: It does.
    """
    try:
        written = orjson.dumps(document)
    except orjson.JSONEncodeError:  # nested more deeply than orjson writes
        written = b""
    if not written or not (_same(data, written) or _as_many_names(data, written)):
        json.loads(data, object_pairs_hook=each_once(name))


def _same(data: bytes, written: bytes) -> bool:
    if data.startswith(written):  # what orjson took goes on with nothing but spaces
        return True
    for escaped, plain in _ESCAPED:
        data = data.replace(escaped, plain)
    return data.startswith(written)


def _as_many_names(data: bytes, written: bytes) -> bool:
    doubtful = any(form.search(data) is not None for form in _DOUBTFUL)
    return not doubtful and _names(data) == _names(written)


def _names(data: bytes) -> int:
    return data.count(b'":') - data.count(rb"\":")
