"""Reads rule files: one YAML file a rule, checked by JSON Schema and against the vocabulary of events.

A broken rule file stops the run, naming line and column: a rule that is skipped is a rule that passes everything.

- The file's name is the rule's id.
- A condition names a particular of the event's kind and values that it can take; a message names words that the kind
  has; an operand names a parameter of the rule.
- A rule that does not block on unknown says why.

The rules that come with Keyturn are compiled into one JSON file, without their examples, so that a review does not
parse YAML: `python -m engine.review.rule_files` writes it, and a test holds it against the files.
"""

from __future__ import annotations

import json
import string
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError, Mistake
from engine.located_yaml import parse_yaml, read_file
from engine.review.events import VOCABULARY, EventKind, words_of
from engine.schema_check import check_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.located_yaml import LocatedDocument, PathOfKeys

POLICIES = Path(__file__).parents[2] / "policies"
SCHEMA = POLICIES / "rule.schema.json"
COMPILED = POLICIES / "compiled.json"
_NUMERIC = ("less_than", "more_than")


def read_rule_file(path: Path) -> Mapping[str, Any]:
    """Read and check one rule file.

    Args:
        path: The file.

    Returns:
        The checked document.

    Raises:
        InputError: With every mistake, each with line and column.
    """
    document = parse_yaml(str(path), read_file(path, what="the rule file"))
    mistakes = list(check_schema(document, SCHEMA))
    if not mistakes:
        mistakes = list(_check(document, path.stem))
    if mistakes:
        raise InputError(f"the rule file {path} has mistakes", mistakes=tuple(mistakes))
    value: Mapping[str, Any] = document.value
    return value


def read_rule_folder(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """Read every rule file of a folder, in the order of their names.

    Raises:
        InputError: The folder is missing or holds no rule, or a file has mistakes.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})
    except OSError as error:
        raise InputError(f"the folder of rules {str(folder)!r} cannot be read: {error.strerror}") from error
    if not paths:
        raise InputError(
            f"the folder of rules {str(folder)!r} holds no rule", "an empty set of rules would pass everything"
        )
    return tuple(read_rule_file(path) for path in paths)


def compiled_text(documents: tuple[Mapping[str, Any], ...]) -> str:
    """The compiled form of checked rule documents: without examples, one rule a line."""
    without = ({key: value for key, value in document.items() if key != "examples"} for document in documents)
    lines = [json.dumps(document, ensure_ascii=False, separators=(",", ":")) for document in without]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _check(document: LocatedDocument, name: str) -> Iterator[Mistake]:
    value = document.value
    if value["id"] != name:
        yield document.mistake(("id",), f"id is {value['id']!r}", f"{name!r}, the name of the file")
    for index, entry in enumerate(value["matches"]):
        path: PathOfKeys = ("matches", index)
        kind = EventKind(entry["event"])
        for part in ("when", "unless"):
            for fact, wanted in entry.get(part, {}).items():
                yield from _check_condition(document, (*path, part, fact), kind, wanted)
        for part in ("message", "unknown"):
            if part in entry:
                yield from _check_message(document, (*path, part), kind, entry[part])


def _check_condition(document: LocatedDocument, path: PathOfKeys, kind: EventKind, wanted: Any) -> Iterator[Mistake]:
    vocabulary = VOCABULARY[kind]
    fact = str(path[-1])
    if fact not in vocabulary:
        known = ", ".join(vocabulary)
        yield document.mistake(path, f"{fact!r} is no particular of {kind.value}", f"one of {known}", at_key=True)
        return
    allowed = vocabulary[fact]
    operator, operand = next(iter(wanted.items())) if isinstance(wanted, dict) else ("any", wanted)
    if operator in _NUMERIC:
        if allowed is not float:
            yield document.mistake(path, f"{fact!r} is no number", f"a value of {_allowed(allowed)}")
        parameters = document.value.get("parameters", {})
        if isinstance(operand, str) and not isinstance(parameters.get(operand), int | float):
            yield document.mistake(path, f"{operand!r} is no parameter of this rule", "a number among `parameters`")
        return
    for item in operand if isinstance(operand, list) else [operand]:
        fits = item in allowed if isinstance(allowed, tuple) else isinstance(item, bool) and allowed is bool
        if not fits:
            yield document.mistake(path, f"{fact!r} is never {item!r}", f"a value of {_allowed(allowed)}")


def _allowed(allowed: tuple[str, ...] | type) -> str:
    if isinstance(allowed, tuple):
        return ", ".join(allowed)
    return "true or false" if allowed is bool else "`less_than` or `more_than` a number"


def _check_message(document: LocatedDocument, path: PathOfKeys, kind: EventKind, message: str) -> Iterator[Mistake]:
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(message) if name is not None]
    except ValueError as error:
        yield document.mistake(path, f"the message's braces do not match: {error}", "words in braces, such as {key}")
        return
    known = words_of(kind)
    for name in names:
        if name not in known:
            yield document.mistake(path, f"a {kind.value} has no word {name!r}", f"one of {', '.join(known)}")


def main() -> int:
    """Compile the rules that come with Keyturn."""
    try:
        COMPILED.write_text(compiled_text(read_rule_folder(POLICIES)), encoding="utf-8")
    except InputError as error:
        for line in error.diagnostics():
            sys.stderr.write(f"error: {line}\n")
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
