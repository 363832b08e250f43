"""The words that the tables are written in: rows, calls, expectations, and the things that rows name.

A row is one plain boto3 call with what AWS answers to it. The answer stands in the row as a literal; nothing
computes it. Every row says what it rests on: a page of the AWS documentation or the service model that
botocore carries. Where these leave something open and the row takes AWS's usual behaviour for granted,
`judgement` says what was judged.

A thing (a key, an alias, a ciphertext, a grant) is made when a row first names it, and shared by every row
that names it. Rows that change a key name one of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.world import World

_DOCUMENTATION = "https://docs.aws.amazon.com"
MODEL = "the service model kms/2014-11-01 of botocore"
DATA = b"conformance"
TAG_KEY = "keyturn:conformance"
PREFIX = "keyturn-conformance-"


def api(operation: str) -> str:
    """The page of an operation in the AWS KMS API Reference."""
    return f"{_DOCUMENTATION}/kms/latest/APIReference/API_{operation}.html"


def guide(page: str) -> str:
    """A page of the AWS KMS Developer Guide."""
    return f"{_DOCUMENTATION}/kms/latest/developerguide/{page}.html"


class Identity(Enum):
    """Who calls: the account that owns the keys, or the other one."""

    OWNER = "the owner"
    OTHER = "the other account"


class Place(Enum):
    """Where a call goes."""

    HOME = "the Region"
    ABROAD = "the other Region"


@runtime_checkable
class Named(Protocol):
    """A value that is known only when the things are made."""

    def value(self, world: World) -> object:
        """The value."""


@dataclass(frozen=True, eq=False)
class Thing:
    """What has to be made before a row can name it. `make` answers its properties."""

    def make(self, world: World) -> Mapping[str, str | bytes]:
        """Make it."""
        raise NotImplementedError

    def property(self, name: str) -> Part:
        """One of its properties."""
        return Part(self, name)


@dataclass(frozen=True)
class Part:
    """A property of a thing, known once the thing is made."""

    thing: Thing
    name: str

    def value(self, world: World) -> object:
        """The property."""
        return world.made(self.thing)[self.name]


@dataclass(frozen=True)
class Text:
    """A text with parts in it, each in braces by its name."""

    template: str
    parts: Mapping[str, Named]

    def value(self, world: World) -> object:
        """The text."""
        return self.template.format(**{name: part.value(world) for name, part in self.parts.items()})


def text(template: str, **parts: Named) -> Text:
    """A text such as `arn:aws:iam::{account}:root`."""
    return Text(template, parts)


@dataclass(frozen=True)
class Json:
    """A document, sent as JSON text."""

    document: object

    def value(self, world: World) -> object:
        """The text."""
        return json.dumps(world.resolve(self.document))


@dataclass(frozen=True)
class Call:
    """A boto3 call.

    Attributes:
        operation: As in the service model, such as `Decrypt`.
        arguments: Its keyword arguments.
        caller: Who calls.
        place: In which Region.
    """

    operation: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    caller: Identity = Identity.OWNER
    place: Place = Place.HOME


class Expectation(Protocol):
    """What a call is to answer."""

    def mismatch(self, answer: Answer, world: World) -> str | None:
        """What is otherwise than expected; None where nothing is."""


@dataclass(frozen=True)
class Answer:
    """What a call answered: an error's code and message, or the members."""

    code: str | None
    message: str
    members: Mapping[str, object]


@dataclass(frozen=True)
class Refused:
    """The call is refused with one of these codes."""

    codes: tuple[str, ...]

    def mismatch(self, answer: Answer, _world: World) -> str | None:
        """What is otherwise than expected."""
        if answer.code in self.codes:
            return None
        got = "it succeeded" if answer.code is None else f"it was refused with {answer.code} ({answer.message})"
        return f"expected a refusal with {self}, but {got}"

    def __str__(self) -> str:
        return " or ".join(self.codes)


@dataclass(frozen=True)
class Succeeds:
    """The call succeeds and its answer has these members; a name may be a path such as `KeyMetadata.KeyState`."""

    members: Mapping[str, object]

    def mismatch(self, answer: Answer, world: World) -> str | None:
        """What is otherwise than expected."""
        if answer.code is not None:
            return f"expected success, but it was refused with {answer.code} ({answer.message})"
        for path, wanted in self.members.items():
            found = _at(answer.members, path.split("."))
            if not _matches(wanted, found, world):
                return f"expected {path} to be {wanted!r}, but it is {found!r}"
        return None

    def __str__(self) -> str:
        return "ok"


def refused(*codes: str) -> Refused:
    """Refused with one of these codes; `Exception` is added to each."""
    return Refused(tuple(f"{code}Exception" for code in codes))


def gives(members: Mapping[str, object] = MappingProxyType({})) -> Succeeds:
    """Succeeds with these members."""
    return Succeeds(members)


OK = gives()
DRY_RUN = refused("DryRunOperation")


@dataclass(frozen=True)
class Matcher:
    """Stands for every value that passes."""

    words: str
    passes: Callable[[object, World], bool]

    def __repr__(self) -> str:
        return self.words


ABSENT = Matcher("absent", lambda found, _: found is None)
PRESENT = Matcher("present", lambda found, _: found is not None)


def form(pattern: str) -> Matcher:
    """A text of this form."""
    return Matcher(f"of the form {pattern}", lambda found, _: bool(re.fullmatch(pattern, str(found))))


def size(number: int) -> Matcher:
    """Bytes, text or a list of this length."""
    return Matcher(f"of length {number}", lambda found, _: found is not None and len(found) == number)  # type: ignore[arg-type]


def holding(wanted: object) -> Matcher:
    """A list in which an entry matches."""
    return Matcher(
        f"with {wanted!r} in it",
        lambda found, world: isinstance(found, list) and any(_matches(wanted, entry, world) for entry in found),
    )


def other_than(unwanted: object) -> Matcher:
    """Any value but this one."""
    return Matcher(
        f"other than {unwanted!r}", lambda found, world: found is not None and found != world.resolve(unwanted)
    )


def without(unwanted: object) -> Matcher:
    """A list in which no entry matches."""
    return Matcher(
        f"without {unwanted!r} in it",
        lambda found, world: isinstance(found, list) and not any(_matches(unwanted, entry, world) for entry in found),
    )


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        about: What is special about the call, in a few words.
        arguments: The call's keyword arguments.
        expected: What AWS answers.
        source: The page that it rests on; None for the table's own.
        judgement: What was judged where the page leaves it open; None where it does not.
        caller: Who calls.
        place: In which Region.
        given: Calls before it, which must succeed.
        after: Calls after it, with what they must answer.
        sandbox_differs: Why the sandbox is known to answer otherwise; None where it does not. The row then fails
            against the sandbox, and a sandbox that no longer differs fails the suite.
    """

    about: str
    arguments: Mapping[str, object]
    expected: Refused | Succeeds
    source: str | None = None
    judgement: str | None = None
    caller: Identity = Identity.OWNER
    place: Place = Place.HOME
    given: tuple[Call, ...] = ()
    after: tuple[tuple[Call, Refused | Succeeds], ...] = ()
    sandbox_differs: str | None = None


@dataclass(frozen=True)
class Table:
    """All rows of one operation.

    Attributes:
        operation: As in the service model.
        source: What its rows rest on where they do not say otherwise.
        rows: The rows.
        about: Tells two tables of one operation apart.
    """

    operation: str
    source: str
    rows: tuple[Row, ...]
    about: str = field(default="")

    @property
    def title(self) -> str:
        """The operation, and what the table is about."""
        return f"{self.operation} {self.about}".strip()


def _at(members: object, path: list[str]) -> object:
    for name in path:
        if not isinstance(members, Mapping):
            return None
        members = members.get(name)
    return members


def _matches(wanted: object, found: object, world: World) -> bool:
    if isinstance(wanted, Matcher):
        return wanted.passes(found, world)
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            _matches(value, found.get(name), world) for name, value in wanted.items()
        )
    return bool(world.resolve(wanted) == found)
