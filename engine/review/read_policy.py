"""A key policy's text, read once: its statements, and what is asked of each of them for every key.

The policies of thousands of keys differ in a statement or two, the others are the same everywhere. A statement is known
again by its JSON, and what can be found out about it alone is found out once.

orjson reads a policy faster than the standard library. Where the two may differ (a condition with a number that is not
a small integer, a name that may stand twice, deep nesting), where `${` may be no more than text, or where it takes
offence, the standard library's reading counts. A number outside a condition makes it no policy, whoever reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from engine.review.accepted_policies import has_variables, takes_head, takes_statement
from engine.review.statements import (
    administers_plainly,
    count_names,
    may_deny_putting,
    may_name_twice,
    named_accounts,
    names_everyone,
    names_region,
    names_resources,
    parse_statements,
)

if TYPE_CHECKING:
    from engine.review.statements import Statements

_DEEPEST = 20  # of a condition that is read quickly; its values stand at a depth of 3


class ReadStatement:
    """A statement; two of the same JSON are one object.

    Attributes:
        document: As parsed.
        names: How many names it holds, those of objects in it among them.
        allows: Whether its effect is Allow.
        accounts: The accounts that it names as principals.
        any_other: Whether it may speak of any other account too.
        outside: Whether it names a principal of no account, such as a service.
        everyone: Whether it allows something to people whom it does not name: `wildcard`, `not_principal` or `none`.
        narrow: Whether it is about less than every resource.
        regional: Whether it hangs on the Region.
        plain_administrator: The principal, where it is the console's first statement.
        taken: Whether KMS takes it.
        may_deny_putting: Whether it may deny the change of the key's policy.
    """

    __slots__ = (
        "accounts",
        "allows",
        "any_other",
        "document",
        "everyone",
        "may_deny_putting",
        "names",
        "narrow",
        "outside",
        "plain_administrator",
        "regional",
        "taken",
    )

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.taken = takes_statement(document)
        self.names = count_names(document)
        self.allows = document.get("Effect") == "Allow"
        self.accounts, self.any_other, self.outside = named_accounts(document)
        self.everyone = _everyone(document) if self.allows else "none"
        self.narrow = names_resources(document)
        self.regional = "Condition" in document and names_region(document["Condition"])
        self.plain_administrator = administers_plainly(document)
        self.may_deny_putting = not self.allows and may_deny_putting(document)

    def may_concern(self, account_id: str) -> bool:
        """Whether it may say anything about an account: not where it names other accounts alone."""
        return self.any_other or account_id in self.accounts


def _everyone(document: dict[str, Any]) -> str:
    if "NotPrincipal" in document:
        return "not_principal"
    return "wildcard" if names_everyone(document.get("Principal")) else "none"


class View:
    """The statements of a policy that may concern an account; None where the policy is not known. Each once."""

    __slots__ = ("names_resources", "regional", "statements")

    def __init__(self, parts: tuple[ReadStatement, ...] | None) -> None:
        self.statements = None if parts is None else tuple(part.document for part in parts)
        self.names_resources = any(part.narrow for part in parts or ())
        self.regional = any(part.regional for part in parts or ())


def what_matters_of(key_arn: str | None, least: View, most: View) -> str | None:
    """The key's ARN as far as an answer may hang on it; where its Region alone matters, the ARN of any key there."""
    if key_arn is None or least.names_resources or most.names_resources:
        return key_arn
    if not (least.regional or most.regional):
        return None
    before, found, _ = key_arn.partition(":key/")
    return f"{before}:key/any" if found else key_arn


class ReadPolicy:
    """A policy that KMS may have taken.

    Attributes:
        parts: Its statements.
        denies: Whether a statement does not allow.
        accounts: The accounts that Allow statements name as principals.
        outside: Whether one of them names a principal of no account.
        everyone: How Allow statements reach people whom they do not name: `not_principal`, `wildcard` or `none`.
        views: What of it may concern an account, as far as that was asked.
    """

    __slots__ = ("accounts", "denies", "everyone", "outside", "parts", "views")

    def __init__(self, parts: tuple[ReadStatement, ...]) -> None:
        self.parts = parts
        self.denies = self.outside = False
        self.everyone = "none"
        accounts: set[str] = set()
        for part in parts:
            if not part.allows:
                self.denies = True
                continue
            accounts |= part.accounts
            self.outside = self.outside or part.outside
            if part.everyone != "none" and self.everyone != "not_principal":
                self.everyone = part.everyone
        self.accounts = frozenset(accounts)
        self.views: dict[str, View] = {}

    @property
    def statements(self) -> Statements:
        """The statements as parsed JSON."""
        return tuple(part.document for part in self.parts)

    def plainly_administrable(self, owner: tuple[str, str]) -> bool:
        """Whether the console's first statement for the owner stands there and no Deny of the right beside it."""
        if self.denies and any(part.may_deny_putting for part in self.parts):
            return False
        return self._given_everything(owner)

    def plainly_owned(self, owner: tuple[str, str]) -> bool:
        """Whether nothing is denied and the console's first statement stands there: the owner can do everything."""
        return not self.denies and self._given_everything(owner)

    def _given_everything(self, owner: tuple[str, str]) -> bool:
        return any(part.plain_administrator in owner for part in self.parts)


class PolicyTexts:
    """Reads policies, and keeps each statement once."""

    def __init__(self) -> None:
        self._parts: dict[bytes | str, ReadStatement] = {}

    def read(self, text: str) -> ReadPolicy | None:
        """Read a policy; None where it is none that KMS would take."""
        try:
            parts = self._quickly(text) or self._slowly(text)
        except RecursionError:  # nested as deeply as no policy is
            return None
        return ReadPolicy(parts) if parts and all(part.taken for part in parts) else None

    def _quickly(self, text: str) -> tuple[ReadStatement, ...] | None:
        try:
            document = orjson.loads(text)
            as_written = orjson.dumps(document) == text.encode()
        except (orjson.JSONDecodeError, TypeError, UnicodeEncodeError):  # or nested more deeply than orjson writes
            return None
        statements = document.get("Statement") if document.__class__ is dict else None
        if statements.__class__ is not list or not takes_head(document):
            return None
        if not has_variables(document) and ("${" in text or "\\u" in text):
            return None
        parts: list[ReadStatement] = []
        names = len(document)
        for statement in statements:
            if statement.__class__ is not dict:
                return None
            name = orjson.dumps(statement)
            part = self._parts.get(name)
            if part is None:
                if "Condition" in statement and not _alike_in_every_reader(statement["Condition"], _DEEPEST):
                    return None
                part = self._parts[name] = ReadStatement(statement)
            names += part.names
            parts.append(part)
        # What is written as it was read says each name once; of other spelling the number of names tells.
        return tuple(parts) if as_written or not may_name_twice(text, names) else None

    def _slowly(self, text: str) -> tuple[ReadStatement, ...] | None:
        statements = parse_statements(text)
        if statements is None:
            return None
        parts: list[ReadStatement] = []
        for statement in statements:
            name = repr(statement)
            parts.append(self._parts.get(name) or self._parts.setdefault(name, ReadStatement(statement)))
        return tuple(parts)


def _alike_in_every_reader(value: Any, depth: int) -> bool:
    """Whether a value is of text, bools, integers and null alone: orjson makes floats of numbers that are too large."""
    kind = value.__class__
    if kind is str:
        return True
    if kind is dict:
        return depth > 0 and all(_alike_in_every_reader(inner, depth - 1) for inner in value.values())
    if kind is list:
        return depth > 0 and all(_alike_in_every_reader(inner, depth - 1) for inner in value)
    return kind is not float
