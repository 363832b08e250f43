"""YAML read with the place of every value, so that a mistake can be shown where it stands.

The rules:

- UTF-8, with or without a byte order mark; anything else is refused with the place of the bad byte.
- Plain scalars follow the core schema of YAML 1.2: `null`, `true`/`false`, decimal integers and floats;
  everything else is a string. `yes`, `0o7` or a date is text, so nothing changes its meaning unseen.
- One document. A key twice in one mapping, an anchor, an alias, a merge key or an explicit tag is refused:
  a file that decides about custody says each thing once and in clear.
- Nesting and size are bounded, so that no input can exhaust this machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from engine.errors import InputError, Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from yaml._yaml import Mark

    _Mark = yaml.error.Mark | Mark

PathOfKeys = tuple[str | int, ...]  # from the root of a document to one of its values

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 40

_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_MAX_INTEGER_DIGITS = 30
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class LocatedDocument:
    """A YAML document: plain values, and where each of them stands.

    Attributes:
        file: The file as the user named it.
        value: `dict`, `list`, `str`, `int`, `float`, `bool` or `None`.
        positions: Where each value begins, by its path from the root, such as `("generations", 0, "number")`.
        key_positions: Where each mapping key begins, by the path of its value.
    """

    file: str
    value: Any
    positions: Mapping[PathOfKeys, Position]
    key_positions: Mapping[PathOfKeys, Position]

    def mistake(self, path: PathOfKeys, message: str, expected: str | None = None, *, at_key: bool = False) -> Mistake:
        """A mistake at the value (or its key) of this path, or of the nearest one above that is there."""
        places = self.key_positions if at_key else self.positions
        for length in range(len(path), -1, -1):
            place = places.get(path[:length]) or self.positions.get(path[:length])
            if place is not None:
                return Mistake(self.file, place.line, place.column, message, expected)
        return Mistake(self.file, None, None, message, expected)


def read_file(path: Path, *, what: str, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a whole input file.

    Args:
        path: The file.
        what: What it is, for the message: `the declaration`.
        max_bytes: The size beyond which it is refused unread.

    Raises:
        InputError: It is missing, a folder, unreadable or too large.
    """
    try:
        if path.is_dir():
            raise InputError(f"{what} {str(path)!r} is a folder, not a file")
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise InputError(f"{what} {str(path)!r} does not exist") from error
    except OSError as error:
        raise InputError(f"{what} {str(path)!r} cannot be read: {error.strerror}") from error
    if len(data) > max_bytes:
        raise InputError(f"{what} {str(path)!r} is larger than {max_bytes // 1024} KiB")
    return data


def parse_yaml(file: str, data: bytes) -> LocatedDocument:
    """Parse one YAML document.

    Args:
        file: The name to show in mistakes.
        data: The file's bytes.

    Raises:
        InputError: It is no document that the rules above allow; with the place.
    """
    text = _decode(file, data)
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be parsed"
        raise _syntax_error(file, mark, f"not valid YAML: {problem}") from error
    except yaml.reader.ReaderError as error:
        raise _at_offset(file, text, error.position, f"the character {error.character!r} is not allowed") from error
    except yaml.YAMLError as error:
        raise InputError(f"{file} is not valid YAML: {error}") from error
    return builder.document()


class _Builder:
    """Builds the document from parser events without recursion, so that depth cannot overflow a stack."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._positions: dict[PathOfKeys, Position] = {}
        self._key_positions: dict[PathOfKeys, Position] = {}
        self._containers: list[tuple[dict[str, Any] | list[Any], PathOfKeys]] = []
        self._pending_key: list[tuple[str, Position] | None] = []
        self._documents = 0
        self._root: Any = None

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _syntax_error(self._file, event.start_mark, "anchors and aliases are not allowed here")
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _syntax_error(self._file, event.start_mark, "a second document; the file holds one")
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._containers.pop()
            self._pending_key.pop()

    def document(self) -> LocatedDocument:
        return LocatedDocument(self._file, self._root, self._positions, self._key_positions)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if event.tag is not None and event.tag != "!":
            raise _syntax_error(self._file, event.start_mark, f"the tag {event.tag!r} is not allowed here")
        if self._containers and isinstance(self._containers[-1][0], dict) and self._pending_key[-1] is None:
            self._pending_key[-1] = self._key(event)
            return
        plain = event.implicit[0]
        try:
            value = _resolve(event.value) if plain else event.value
        except ValueError as error:
            raise _syntax_error(self._file, event.start_mark, str(error)) from error
        self._place(value, event)

    def _key(self, event: yaml.ScalarEvent) -> tuple[str, Position]:
        container, path = self._containers[-1]
        key = str(event.value)
        if key == "<<" and event.implicit[0]:
            raise _syntax_error(self._file, event.start_mark, "merge keys are not allowed here")
        if key in container:
            first = self._key_positions[(*path, key)]
            message = f"the key {key!r} stands twice in this mapping, first in line {first.line}"
            raise _syntax_error(self._file, event.start_mark, message)
        return key, _position(event.start_mark)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        if event.tag is not None and event.tag != "!":
            raise _syntax_error(self._file, event.start_mark, f"the tag {event.tag!r} is not allowed here")
        if self._containers and isinstance(self._containers[-1][0], dict) and self._pending_key[-1] is None:
            raise _syntax_error(self._file, event.start_mark, "a mapping's key must be text")
        if len(self._containers) >= MAX_DEPTH:
            raise _syntax_error(self._file, event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        container: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        path = self._place(container, event)
        self._containers.append((container, path))
        self._pending_key.append(None)

    def _place(self, value: Any, event: yaml.Event) -> PathOfKeys:
        place = _position(event.start_mark)
        if not self._containers:
            self._root = value
            self._positions[()] = place
            return ()
        container, above = self._containers[-1]
        if isinstance(container, list):
            path: PathOfKeys = (*above, len(container))
            container.append(value)
        else:
            pending = self._pending_key[-1]
            if pending is None:
                raise _syntax_error(self._file, event.start_mark, "a value without a key")
            key, key_place = pending
            path = (*above, key)
            container[key] = value
            self._key_positions[path] = key_place
            self._pending_key[-1] = None
        self._positions[path] = place
        return path


def _resolve(text: str) -> Any:
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in {"true", "True", "TRUE"}:
        return True
    if text in {"false", "False", "FALSE"}:
        return False
    if _INTEGER.fullmatch(text):
        if len(text) > _MAX_INTEGER_DIGITS:
            raise ValueError(f"the number {text[:12]}… is too long")
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _decode(file: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        mistake = Mistake(file, line, column, f"the byte 0x{data[error.start]:02x} is not UTF-8", "a UTF-8 text file")
        raise InputError(f"{file} is not a text file", mistakes=(mistake,)) from error


def _position(mark: _Mark | None) -> Position:
    return Position(1, 1) if mark is None else Position(mark.line + 1, mark.column + 1)


def _syntax_error(file: str, mark: _Mark | None, message: str) -> InputError:
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
    return InputError(f"{file} cannot be read", mistakes=(Mistake(file, line, column, message),))


def _at_offset(file: str, text: str, offset: int, message: str) -> InputError:
    before = text[:offset]
    line = before.count("\n") + 1
    column = offset - (before.rfind("\n") + 1) + 1
    return InputError(f"{file} cannot be read", mistakes=(Mistake(file, line, column, message),))
