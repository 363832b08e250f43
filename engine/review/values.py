"""Values of a plan, and what is not known of them.

- Terraform leaves a value that is known only after apply out of `after` and marks it in `after_unknown`:
  `true` for all of it, a tree of the same shape for parts.
- A value of another type than the provider's schema says is as good as unknown: it is never guessed at.
- A value that Terraform marks as sensitive stands in clear in the JSON; it may be compared, never shown.

Nothing is copied: the attributes look into the parsed JSON.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unknown(Enum):
    """The one value that stands for "not known until the plan is applied"."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN

SENSITIVE = "(sensitive value)"
_TOO_LARGE = 10**15


class Attributes:
    """The attributes of one resource at one moment.

    Args:
        values: The attributes as the plan gives them.
        unknown: `after_unknown`: a bool, or a tree of them.
        sensitive: `before_sensitive` or `after_sensitive`: a bool, or a tree of them.
    """

    __slots__ = ("_sensitive", "_unknown", "values")

    def __init__(self, values: Mapping[str, Any], unknown: Any = None, sensitive: Any = None) -> None:
        self.values = values
        self._unknown = unknown
        self._sensitive = sensitive

    def raw(self, name: str) -> Any:
        """The value as it stands, None where it is not set, `UNKNOWN` where any part of it is not known."""
        unknown = self._unknown
        if unknown and (unknown.__class__ is not dict or name in unknown):  # not the usual case, of thousands of them
            marker = unknown[name] if unknown.__class__ is dict else self.unknown_marker(name)
            if marker is True or has_true(marker):
                return UNKNOWN
        return self.values.get(name)

    @property
    def all_known(self) -> bool:
        """Whether nothing is marked as known only after apply."""
        return not self._unknown

    def unknown_marker(self, name: str) -> Any:
        """What `after_unknown` says of this attribute: a bool, a tree, or None."""
        unknown = self._unknown
        if unknown is None or unknown is False or unknown is True:
            return unknown
        return unknown.get(name) if isinstance(unknown, dict) else True

    def text(self, name: str) -> str | Unknown | None:
        """A string attribute; the empty string, which the provider writes for "not set", is None."""
        value = self.raw(name)
        if isinstance(value, str):
            return value or None
        return None if value is None else UNKNOWN

    def known_text(self, name: str) -> str | None:
        """A string attribute, None where it is not set or not known."""
        value = self.raw(name) if self._unknown else self.values.get(name)
        return value if isinstance(value, str) and value else None

    def flag(self, name: str) -> bool | Unknown | None:
        """A bool attribute."""
        value = self.raw(name)
        if value is None or isinstance(value, bool):
            return value
        return UNKNOWN

    def number(self, name: str) -> float | Unknown | None:
        """A number attribute; what is none (`NaN`), or larger than any that there is, is as good as unknown."""
        value = self.raw(name)
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if is_number and abs(value) < _TOO_LARGE else UNKNOWN

    def texts(self, name: str) -> frozenset[str] | Unknown:
        """A list or set of strings; not set is empty."""
        value = self.raw(name)
        if value is None:
            return frozenset()
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return frozenset(value)
        return UNKNOWN

    def tag(self, name: str) -> str | Unknown | None:
        """A tag, from `tags_all` or else `tags` (the former holds the provider's default tags too)."""
        if not self._unknown:
            for tags in (self.values.get("tags_all"), self.values.get("tags")):
                if isinstance(tags, dict) and name in tags:
                    value = tags[name]
                    return value if isinstance(value, str) else UNKNOWN
            return None
        found: str | Unknown | None = None
        for attribute in ("tags_all", "tags"):
            marker = self.unknown_marker(attribute)
            if marker and (marker is True or (isinstance(marker, dict) and marker.get(name) is True)):
                found = UNKNOWN
                continue
            tags = self.values.get(attribute)
            if isinstance(tags, dict) and name in tags:
                value = tags[name]
                return value if isinstance(value, str) else UNKNOWN
        return found

    def sensitive(self, name: str) -> bool:
        """Whether Terraform marks any part of the attribute as sensitive."""
        marker = self._sensitive
        if isinstance(marker, dict):
            marker = marker.get(name)
        return bool(marker) and has_true(marker)  # what is empty holds nothing true

    def shown(self, name: str) -> str:
        """A string attribute for a message: never a sensitive value."""
        value = self.text(name)
        if value is None:
            return "(none)"
        if value is UNKNOWN:
            return "(known after apply)"
        return SENSITIVE if self.sensitive(name) else str(value)


def has_true(marker: Any) -> bool:
    """Whether a tree of bools holds a true one; what is neither a bool nor a tree counts as true."""
    pending = [marker]
    while pending:
        node = pending.pop()
        if node is False or node is None:
            continue
        if isinstance(node, dict):
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
        else:
            return True
    return False


def printable(text: str, limit: int = 300) -> str:
    """Text from a plan as it may stand in a report: no control characters, of bounded length."""
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else f"\\u{ord(character):04x}" for character in text[: limit + 1]
        )
    return text if len(text) <= limit else text[: limit - 1] + "…"
