"""Reading a key policy, strictly: what is not understood is refused, never skipped.

Refused with an `InputError` that names the statement: what is not JSON or has a key twice; an element that
the policy language does not have; an element that is missing (all but `Sid`, `Condition`, `Action` and
`Resource`; without one of the last two a statement has no effect, says PutKeyPolicy's page), empty or of the
wrong type; `Principal` beside `NotPrincipal` and so on; a principal of no form that AWS
takes, a star for part of one, principals of two partitions; characters that KMS does not take (it takes
printable Latin-1, tab and line ends). Source: IAM User Guide, "Grammar of the IAM JSON policy language"; AWS
KMS Developer Guide, "Creating a key policy".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from engine.access.key_policy import Actions, Effect, KeyPolicy, Resources, Statement
from engine.access.policy_document import kind_of, load_document, shown
from engine.access.principals import Principal, PrincipalKind, find_principal
from engine.access.standing import Principals
from engine.access.templates import parse_template
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.access.conditions import ConditionTest

_VERSIONS = ("2012-10-17", "2008-10-17")
_WITH_VARIABLES = "2012-10-17"
_POLICY_ELEMENTS = ("Version", "Id", "Statement")
_STATEMENT_ELEMENTS = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)
_TYPED_PRINCIPALS = {
    "Service": PrincipalKind.SERVICE,
    "Federated": PrincipalKind.FEDERATED,
    "CanonicalUser": PrincipalKind.CANONICAL_USER,
}
_TEXT = re.compile(r"[\t\n\r\x20-\xff]*")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_LARGEST_NUMBER = 10**30


def parse_key_policy(policy: str | Mapping[str, object]) -> KeyPolicy:
    """Read a key policy.

    Args:
        policy: The JSON text, or the document that it holds.

    Returns:
        The policy, typed and compiled.

    Raises:
        InputError: It is not a key policy; the message says what is wrong and in which statement.
    """
    document = load_document(policy) if isinstance(policy, str) else policy
    if not isinstance(document, Mapping):
        raise InputError(f"the key policy is {kind_of(document)}, not a JSON object")
    _refuse_unknown(document, _POLICY_ELEMENTS, "the key policy")
    version = document.get("Version")
    if version is not None and version not in _VERSIONS:
        raise InputError(f"the key policy's Version is {shown(version)}, not '{_WITH_VARIABLES}'")
    policy_id = document.get("Id")
    if policy_id is not None and not isinstance(policy_id, str):
        raise InputError(f"the key policy's Id is {kind_of(policy_id)}, not text")
    statements = document.get("Statement")
    listed = [statements] if isinstance(statements, Mapping) else statements
    if not isinstance(listed, list | tuple) or not listed:
        raise InputError(f"the key policy's Statement is {kind_of(statements)}, not a list with a statement")
    read = [_Reader(number, entry, version == _WITH_VARIABLES).statement() for number, entry in enumerate(listed, 1)]
    _refuse_two_partitions(read)
    return KeyPolicy(str(version) if version else None, policy_id, _named_apart(read))


class _Reader:
    """Reads one statement; every refusal names it."""

    def __init__(self, number: int, entry: object, variables: bool) -> None:
        self._name = f"statement {number}"
        if not isinstance(entry, Mapping):
            self._refuse(f"it is {kind_of(entry)}, not a JSON object")
        self._entry = entry
        self._variables = variables

    def statement(self) -> Statement:
        sid = self._entry.get("Sid")
        if sid is not None:
            sid = self._text(sid, "its Sid") or None
        name = sid or self._name
        if sid:
            self._name += f" (Sid {sid!r})"
        _refuse_unknown(self._entry, _STATEMENT_ELEMENTS, self._where)
        principals = self._principals()
        actions = self._actions()
        resources = self._resources()
        return Statement(name, sid, self._effect(), principals, actions, resources, self._conditions())

    @property
    def _where(self) -> str:
        return f"the key policy's {self._name}"

    def _refuse(self, reason: str) -> NoReturn:
        raise InputError(f"{self._where}: {reason}")

    def _effect(self) -> Effect:
        effect = self._entry.get("Effect")
        if effect not in ("Allow", "Deny"):
            self._refuse(f"its Effect is {shown(effect)}, not 'Allow' or 'Deny'")
        return Effect(effect)

    def _one_of(self, element: str, *, required: bool) -> tuple[object, bool]:
        """The value of an element or of its opposite, and whether it is the opposite."""
        positive, negative = element in self._entry, f"Not{element}" in self._entry
        if positive and negative:
            self._refuse(f"it has both {element} and Not{element}")
        if required and not positive and not negative:
            self._refuse(f"it has neither {element} nor Not{element}")
        return self._entry.get(f"Not{element}" if negative else element), negative

    def _principals(self) -> Principals:
        value, all_but = self._one_of("Principal", required=True)
        element = "NotPrincipal" if all_but else "Principal"
        if value == "*":
            return Principals.of((Principal(PrincipalKind.EVERYONE, "*"),), all_but=all_but)
        if not isinstance(value, Mapping):
            self._refuse(f"its {element} is {shown(value)}; expected '*' or a JSON object such as {{'AWS': …}}")
        if not value:
            self._refuse(f"its {element} is empty")
        _refuse_unknown(value, ("AWS", *_TYPED_PRINCIPALS), f"{self._where}: its {element}")
        listed: list[Principal] = []
        for kind, names in value.items():
            texts = self._texts(names, f"its {element} {kind}")
            listed.extend(self._principal(str(kind), text, element) for text in texts)
        return Principals.of(tuple(listed), all_but=all_but)

    def _principal(self, kind: str, text: str, element: str) -> Principal:
        if kind in _TYPED_PRINCIPALS:
            if not text or "*" in text or "?" in text:
                self._refuse(f"its {element} {kind} is {shown(text)}: a principal is named whole, without a wildcard")
            return Principal(_TYPED_PRINCIPALS[kind], text)
        principal = find_principal(text)
        if principal is None:
            wildcard = "; a wildcard cannot stand for part of a principal" if "*" in text or "?" in text else ""
            self._refuse(f"its {element} {shown(text)} is not a principal that AWS KMS takes{wildcard}")
        return principal

    def _actions(self) -> Actions:
        value, all_but = self._one_of("Action", required=False)
        if value is None and "Action" not in self._entry and not all_but:
            return Actions.of((), all_but=False)
        element = "NotAction" if all_but else "Action"
        listed = self._texts(value, f"its {element}")
        for action in listed:
            if not _ACTION.fullmatch(action):
                self._refuse(f"its {element} {shown(action)} is not an action; expected one such as 'kms:Decrypt'")
        return Actions.of(listed, all_but=all_but)

    def _resources(self) -> Resources:
        value, all_but = self._one_of("Resource", required=False)
        if value is None and "Resource" not in self._entry and not all_but:
            return Resources((), all_but=False, templates=())
        listed = self._texts(value, "its NotResource" if all_but else "its Resource")
        templates = tuple(parse_template(text, variables=self._variables) for text in listed)
        return Resources(listed, all_but, templates)

    def _conditions(self) -> tuple[ConditionTest, ...]:
        block = self._entry.get("Condition", {})
        if not isinstance(block, Mapping):
            self._refuse(f"its Condition is {kind_of(block)}, not a JSON object")
        if not block:
            return ()
        from engine.access.conditions import read_test  # most policies have no condition

        tests: list[ConditionTest] = []
        for operator, keys in block.items():
            written = self._text(operator, "an operator of its Condition")
            if not isinstance(keys, Mapping) or not keys:
                self._refuse(f"its Condition {shown(written)} is {kind_of(keys)}, not a JSON object with a key")
            for key, values in keys.items():
                where = f"its Condition {written} {shown(key)}"
                key_name = self._text(key, where)
                if not key_name:
                    self._refuse(f"{where}: a condition key is not empty")
                texts = tuple(self._scalar(value, where) for value in self._listed(values, where))
                tests.append(read_test(written, key_name, texts, variables=self._variables))
        return tuple(tests)

    def _texts(self, value: object, where: str) -> tuple[str, ...]:
        return tuple(self._text(text, where) for text in self._listed(value, where))

    def _listed(self, value: object, where: str) -> tuple[object, ...]:
        if not isinstance(value, list | tuple):
            return (value,)
        if not value:
            self._refuse(f"{where} is an empty list")
        return tuple(value)

    def _text(self, value: object, where: str) -> str:
        if not isinstance(value, str):
            self._refuse(f"{where} is {kind_of(value)}, not text")
        if not _TEXT.fullmatch(value):
            self._refuse(f"{where} is {shown(value)}: AWS KMS takes printable Latin-1 characters alone")
        return value

    def _scalar(self, value: object, where: str) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            if not abs(value) <= _LARGEST_NUMBER:
                self._refuse(f"{where} has a number that is too large")
            return str(value)
        return self._text(value, where)


def _refuse_unknown(document: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for element in document:
        if element not in known:
            raise InputError(f"{where} has the unknown element {shown(element)}", f"known are: {', '.join(known)}")


def _refuse_two_partitions(statements: list[Statement]) -> None:
    partitions = {p.partition for s in statements for p in s.principals.listed if p.partition is not None}
    if len(partitions) > 1:
        raise InputError(
            f"the key policy names principals of several AWS partitions: {', '.join(sorted(partitions))}",
            "a key's policy can name principals of the key's own partition alone",
        )


def _named_apart(statements: list[Statement]) -> tuple[Statement, ...]:
    """Statements that share a Sid carry their number too."""
    times = Counter(statement.name for statement in statements)
    return tuple(
        replace(statement, name=f"{statement.name} (statement {number})") if times[statement.name] > 1 else statement
        for number, statement in enumerate(statements, 1)
    )
