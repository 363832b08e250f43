"""A key policy as frozen typed statements, and the form in which two that mean the same are equal.

A statement without `Resource` is kept, but has no effect: KMS takes it and ignores it (AWS KMS Developer
Guide, "Creating a key policy"). A `Resource` other than `*` must match the key's ARN.

The canonical form leaves out what has no meaning: the policy's `Id`, the Sids, order, repetitions, one value
in or without a list, the case of actions and condition keys, an account's id or its root ARN, `*` or
`{"AWS": "*"}`, an action that another pattern of the same statement covers, and statements without effect.
It does not take patterns apart: `kms:ReEncrypt*` will mean more than its two actions of today if AWS adds
a third.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from engine.access.arn_patterns import ARN_PARTS, arn_parts, form_matches
from engine.access.model import Verdict
from engine.access.patterns import Pattern, compile_pattern
from engine.access.principals import PrincipalKind
from engine.access.templates import NULL, UNKNOWN, Template
from engine.access.verdicts import all_of, any_of, certainly, opposite

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from engine.access.conditions import ConditionTest
    from engine.access.context import Facts
    from engine.access.model import Request
    from engine.access.principals import Principal
    from engine.access.standing import Principals

_EVERY_ACTION = "kms:*"
# Longer lists, which no policy of a person has, are compared as they are: the cost grows with the square.
_MOST_TOKENS_COMPARED = 4_096


class Effect(Enum):
    """What a statement does."""

    ALLOW = "Allow"
    DENY = "Deny"


@dataclass(frozen=True, slots=True)
class Actions:
    """The Action or NotAction element.

    Attributes:
        listed: As the policy writes them.
        all_but: True for NotAction.
        exact: Those without a wildcard, in lower case.
        patterns: Those with one, in lower case.
    """

    listed: tuple[str, ...]
    all_but: bool
    exact: frozenset[str]
    patterns: tuple[Pattern, ...]

    @classmethod
    def of(cls, listed: tuple[str, ...], *, all_but: bool) -> Actions:
        """Compile the element."""
        compiled = [compile_pattern(_EVERY_ACTION if name == "*" else name.lower()) for name in listed]
        exact = frozenset(pattern.literal for pattern in compiled if pattern.literal is not None)
        return cls(listed, all_but, exact, tuple(pattern for pattern in compiled if pattern.literal is None))

    @property
    def canonical(self) -> Hashable:
        """The same for every order, case and repetition, without what a pattern covers."""
        return self.all_but, _uncovered([*map(compile_pattern, self.exact), *self.patterns])

    def include(self, action: str) -> bool:
        """Whether the statement speaks of the action; given in lower case."""
        listed = action in self.exact or any(pattern.matches(action) for pattern in self.patterns)
        return listed is not self.all_but


@dataclass(frozen=True, slots=True)
class Resources:
    """The Resource or NotResource element.

    Attributes:
        listed: As the policy writes them; empty where the statement has none.
        all_but: True for NotResource.
        templates: The same, compiled.
    """

    listed: tuple[str, ...]
    all_but: bool
    templates: tuple[Template, ...]

    @property
    def canonical(self) -> Hashable:
        """The same for every order and repetition; beside `*`, others say nothing more."""
        fixed = [template.fixed for template in self.templates if template.fixed is not None]
        if any(pattern.everything for pattern in fixed):
            return self.all_but, _uncovered(fixed)
        variable = frozenset(template.canonical for template in self.templates if template.fixed is None)
        return self.all_but, _uncovered(fixed), variable

    def include(self, request: Request, facts: Facts) -> Verdict:
        """Whether the statement speaks of the key; it depends for a key whose ARN is not known yet."""
        if not self.listed:
            return Verdict.NO
        matched = any_of(_names_key(template, request, facts) for template in self.templates)
        return opposite(matched) if self.all_but else matched


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        name: What reasons call it: its Sid, or `statement N` counted from 1.
        sid: Its Sid, or None.
        effect: Allow or Deny.
        principals: Whom it speaks of.
        actions: What it speaks of.
        resources: On which keys.
        conditions: Every test that must hold.
    """

    name: str
    sid: str | None
    effect: Effect
    principals: Principals
    actions: Actions
    resources: Resources
    conditions: tuple[ConditionTest, ...]

    @property
    def canonical(self) -> Hashable:
        """The meaning of the statement alone."""
        return (
            self.effect,
            self.principals.canonical,
            self.actions.canonical,
            self.resources.canonical,
            frozenset(test.canonical for test in self.conditions),
        )

    @property
    def quoted(self) -> str:
        """The name as a sentence shows it."""
        return f"the statement {self.sid!r}" if self.sid else self.name


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """A key policy.

    Attributes:
        version: The version of the policy language, or None where the policy does not say.
        policy_id: The policy's Id, or None.
        statements: In the order of the policy.
    """

    version: str | None
    policy_id: str | None
    statements: tuple[Statement, ...]

    def canonical(self) -> frozenset[Hashable]:
        """The meaning of the policy: equal for two that mean the same, whatever their order and spelling."""
        effective = (
            statement for statement in self.statements if statement.resources.listed and statement.actions.listed
        )
        return frozenset(statement.canonical for statement in effective)

    def to_json(self) -> str:
        """The policy as a JSON document that reads back to the same statements."""
        document: dict[str, object] = {}
        if self.version is not None:
            document["Version"] = self.version
        if self.policy_id is not None:
            document["Id"] = self.policy_id
        document["Statement"] = [_document(statement) for statement in self.statements]
        return json.dumps(document, indent=2)


def _names_key(template: Template, request: Request, facts: Facts) -> Verdict:
    pattern = template.bind(facts)
    if pattern is NULL:
        return Verdict.NO
    if pattern is UNKNOWN:
        return Verdict.DEPENDS
    if pattern.everything:
        return Verdict.YES
    if request.key_arn is not None:
        return certainly(pattern.matches(request.key_arn))
    unborn = compile_pattern(f"arn:*:kms:*:{request.key_account_id}:key/*")
    parts = arn_parts(pattern)
    if len(parts) != ARN_PARTS:
        return form_matches(pattern, unborn)
    # Key ARNs have five colons: where the pattern has them too, no star of it reaches across one.
    return all_of(form_matches(part, form) for part, form in zip(parts, arn_parts(unborn), strict=True))


def _uncovered(patterns: Iterable[Pattern]) -> frozenset[Hashable]:
    """The patterns that no other one covers; no two cover each other, since tokens spell a meaning in one way."""
    distinct = set(patterns)
    if sum(len(pattern.tokens) for pattern in distinct) > _MOST_TOKENS_COMPARED:
        return frozenset(pattern.tokens for pattern in distinct)
    wild = [pattern for pattern in distinct if pattern.literal is None]

    def covered(pattern: Pattern) -> bool:
        return any(other != pattern and other.covers(pattern) for other in wild)

    return frozenset(pattern.tokens for pattern in distinct if not covered(pattern))


def _document(statement: Statement) -> dict[str, object]:
    document: dict[str, object] = {} if statement.sid is None else {"Sid": statement.sid}
    document["Effect"] = statement.effect.value
    principals = statement.principals
    document["NotPrincipal" if principals.all_but else "Principal"] = _principals(principals.listed)
    actions = statement.actions
    if actions.listed:
        document["NotAction" if actions.all_but else "Action"] = _short(actions.listed)
    resources = statement.resources
    if resources.listed:
        document["NotResource" if resources.all_but else "Resource"] = _short(resources.listed)
    conditions: dict[str, dict[str, object]] = {}
    for test in statement.conditions:
        conditions.setdefault(test.written, {})[test.key] = _short(test.values)
    if conditions:
        document["Condition"] = conditions
    return document


def _principals(listed: tuple[Principal, ...]) -> object:
    if [principal.kind for principal in listed] == [PrincipalKind.EVERYONE]:
        return {"AWS": "*"}
    typed = (PrincipalKind.SERVICE, PrincipalKind.FEDERATED, PrincipalKind.CANONICAL_USER)
    by_type: dict[str, list[str]] = {}
    for principal in listed:
        by_type.setdefault(principal.kind.value if principal.kind in typed else "AWS", []).append(principal.text)
    return {kind: _short(tuple(texts)) for kind, texts in by_type.items()}


def _short(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
