"""Addresses and references of Terraform, as words: their steps, and the resources that a value may come from.

Terraform lists a reference together with its prefixes; only the longest of each is looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Index = str | int | None

_STEP = re.compile(r'\.?([^.\[\]"]+)((?:\[(?:"(?:[^"\\]|\\.)*"|[0-9]+|\*)\])*)')
_INDEX = re.compile(r'\[("(?:[^"\\]|\\.)*"|[0-9]+|\*)\]')


@dataclass(frozen=True, slots=True)
class Step:
    """One part of an address or a reference: a name, and its index where it has one."""

    name: str
    index: Index = None


@dataclass(frozen=True, slots=True)
class Target:
    """Resources that a value may come from.

    Attributes:
        module: The module's address as steps, one a module; the index of a step may be None for "any".
        type: The resource type.
        name: The resource's name.
        index: The instance, or None for "any".
        attribute: The attribute that is taken of it, or None where the reference names none.
    """

    module: tuple[Step, ...]
    type: str
    name: str
    index: Index
    attribute: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Resolution:
    """The targets of a value, and whether they are all there can be."""

    targets: tuple[Target, ...]
    certain: bool


def parse_steps(text: str) -> tuple[Step, ...]:
    """Split an address or reference such as `module.a["x.y"].aws_kms_key.this[0].arn` into its steps."""
    steps: list[Step] = []
    for match in _STEP.finditer(text):
        indexes = _INDEX.findall(match.group(2))
        steps.append(Step(match.group(1), _index(indexes[0]) if indexes else None))
    return tuple(steps)


def module_steps(module_address: str) -> tuple[Step, ...]:
    """The steps of a module's address, without the word `module` before each."""
    return parse_steps(module_address)[1::2]


def _index(text: str) -> Index:
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return int(text) if text.isdigit() else None


def longest(references: Any) -> tuple[str, ...]:
    """The references without those that are a prefix of another, which Terraform lists with it."""
    if not isinstance(references, list):
        return ()
    texts = [reference for reference in references if isinstance(reference, str)]
    return tuple(_without_prefixes(texts))


def _without_prefixes(texts: list[str]) -> Iterator[str]:
    for text in texts:
        if not any(other != text and other.startswith(text) and other[len(text)] in ".[" for other in texts):
            yield text
