"""The questions themselves, put to `engine.access`: what one account or principal can do by a policy and grants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.access import Caller, Request, Verdict, evaluate, parse_key_policy, vendor_excess
from engine.errors import InputError
from engine.review.access_answers import NO_GROUNDS, Access, Answer, Grounds
from engine.review.statements import Statements, without_denials

if TYPE_CHECKING:
    from collections.abc import Hashable

    from engine.access import Decision, Grant, KeyPolicy
    from engine.declaration import VendorNarrowing
    from engine.review.planned_grants import PlannedGrant

Readings = tuple[Statements | None, Statements | None]  # the one that gives least, the one that gives most

_NO_STATEMENT = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
    "Action": "kms:DescribeKey",
    "Resource": "*",
}
_OF_VERDICT = {Verdict.YES: Answer.YES, Verdict.DEPENDS: Answer.DEPENDS, Verdict.NO: Answer.NO}
_ANY_VALUE_WILL_DO = frozenset(
    {"stringequals", "stringlike", "stringequalsignorecase", "arnequals", "arnlike", "ipaddress"}
)
_MOST_PARTS = 200


def ask_access(
    partition: str,
    account_id: str,
    actions: tuple[str, ...],
    readings: Readings,
    grants: tuple[PlannedGrant, ...],
    key_arn: str | None,
    key_account_id: str,
    narrowing: VendorNarrowing,
) -> Access:
    """What an account as a whole can do with a key, action by action.

    Args:
        partition: The AWS partition of the key.
        account_id: The account that asks.
        actions: IAM actions, such as `kms:Decrypt`.
        readings: The statements of the key's policy, None where it is not known.
        grants: The grants that may be for the account.
        key_arn: The key's ARN, or None where it is not known or does not matter.
        key_account_id: The account that owns the key.
        narrowing: What the account's calls are known to bring.
    """
    least, most = (_parse(statements) for statements in readings)
    statements = readings[0] or ()
    allowing = without_denials(statements)
    without_denial = None if least is None or len(allowing) == len(statements) else _parse(allowing)
    parts: list[_Part] | None = None
    caller = Caller.account(account_id, partition)
    certain = [planned.grant for planned in grants if planned.certain]
    possible = [planned.grant for planned in grants]
    same = readings[1] is readings[0] and certain == possible
    answers: list[Answer] = []
    denied: list[bool] = []
    grounds: list[Grounds] = []
    for action in actions:
        request = Request(action, key_arn, key_account_id, narrowing.context(action))
        low = _decide(least, certain, caller, request)
        high = low if same else _decide(most, possible, caller, request)
        answer = _between(low, high)
        answers.append(answer)
        allowed = _decide(without_denial, certain, caller, request) if answer is Answer.NO else None
        denied.append(allowed is not None and allowed.verdict is not Verdict.NO)
        if answer is not Answer.DEPENDS:
            grounds.append(NO_GROUNDS)
            continue
        parts = [_Part(statement) for statement in statements] if parts is None else parts
        grounds.append(_grounds(parts, grants, caller, request))
    return Access(actions, tuple(answers), tuple(denied), tuple(grounds))


def ask_excess(
    partition: str,
    account_id: str,
    readings: Readings,
    grants: tuple[PlannedGrant, ...],
    key_arn: str | None,
    key_account_id: str,
) -> Access:
    """What an account is given beyond what the vendor needs; arguments as `ask_access`."""
    least, most = readings
    caller = Caller.account(account_id, partition)
    certain = [planned.grant for planned in grants if planned.certain]
    possible = [planned.grant for planned in grants]
    low = _excess(least, certain, caller, key_arn, key_account_id) or {}
    high = _excess(most, possible, caller, key_arn, key_account_id)
    actions = ("any action",) if high is None else tuple(dict.fromkeys((*low, *high)))
    answers = tuple(_OF_VERDICT[low[action]] if action in low else Answer.UNKNOWN for action in actions)
    return Access(actions, answers, (False,) * len(actions), (NO_GROUNDS,) * len(actions))


def ask_principal(
    partition: str, principal: str, action: str, statements: Statements, key_arn: str | None, account_id: str
) -> Answer | None:
    """Whether a principal of the key's own account can do an action; None where the policy is none."""
    caller = Caller(account_id, principal, Verdict.YES, partition)
    decision = _decide(_parse(statements), [], caller, Request(action, key_arn, account_id))
    return None if decision is None else _OF_VERDICT[decision.verdict]


def why_refused(text: str) -> str | None:
    """What is wrong with a policy's text by itself; None where nothing is."""
    try:
        parse_key_policy(text)
    except InputError as error:
        return error.message
    return None


class _Part:
    """A statement by itself: whether it allows, the policy that it alone would be, and what it means."""

    def __init__(self, statement: dict[str, Any]) -> None:
        self.statement = statement
        self.allows = statement.get("Effect") == "Allow"
        self.alone = _parse((statement,))
        self._meaning: frozenset[Hashable] | None = None

    @property
    def meaning(self) -> frozenset[Hashable]:
        """What it means for an action that it speaks of, whichever that is."""
        if self._meaning is None:
            self._meaning = _canonical(self.statement)
        return self._meaning


def _grounds(parts: list[_Part], grants: tuple[PlannedGrant, ...], caller: Caller, request: Request) -> Grounds:
    """What allows and what denies, but for what means nothing to the request; each is asked for itself."""
    nothing = _parse(()) if grants else None
    allowing: set[Hashable] = {
        planned.identity for planned in grants if not _refused(_decide(nothing, [planned.grant], caller, request))
    }
    denying: set[Hashable] = set()
    free = {**_NO_STATEMENT, "Principal": {"AWS": caller.account_id}, "Action": request.action}
    for part in parts:
        if part.allows:
            if not _refused(_decide(part.alone, [], caller, request)):
                allowing.update(part.meaning)
        else:
            alone = _decide(_parse((free, part.statement)), [], caller, request)
            if alone is None or alone.verdict is not Verdict.YES:
                denying.update(part.meaning)
    return Grounds(frozenset(allowing), frozenset(denying))


def _refused(decision: Decision | None) -> bool:
    return decision is not None and decision.verdict is Verdict.NO


def _canonical(statement: dict[str, Any]) -> frozenset[Hashable]:
    """What a statement means for one action, in parts of which any will do: for each principal and condition value."""
    alone = {name: value for name, value in statement.items() if name not in ("Sid", "Action", "NotAction")}
    parts = [{**alone, "Action": "*"}]
    principals = alone.get("Principal")
    if isinstance(principals, dict):
        parts = [
            {**part, "Principal": {kind: name}}
            for part in parts
            for kind, names in principals.items()
            for name in (names if isinstance(names, list) else [names])
        ]
    for operator, tests in (alone.get("Condition") or {}).items():
        for key, values in tests.items() if operator.lower() in _ANY_VALUE_WILL_DO else ():
            if isinstance(values, list) and len(parts) * len(values) <= _MOST_PARTS:
                parts = [_with_value(part, operator, key, value) for part in parts for value in values]
    return parse_key_policy(_document(tuple(parts))).canonical()


def _with_value(statement: dict[str, Any], operator: str, key: str, value: Any) -> dict[str, Any]:
    conditions = statement["Condition"]
    return {**statement, "Condition": {**conditions, operator: {**conditions[operator], key: value}}}


def _excess(
    statements: Statements | None, grants: list[Grant], caller: Caller, key_arn: str | None, key_account_id: str
) -> dict[str, Verdict] | None:
    """The actions beyond the need; None where the policy is not known or is none that KMS would take."""
    policy = _parse(statements)
    if policy is None:
        return None
    try:
        found = vendor_excess(policy, grants, caller, key_arn, key_account_id)
    except InputError:
        return None
    return {answer.action: answer.verdict for answer in found}


def _document(statements: Statements) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements) or [_NO_STATEMENT]}


def _between(low: Decision | None, high: Decision | None) -> Answer:
    """The answer that both readings give; a reading of which nothing is known is NO at least, YES at most."""
    lower = Verdict.NO if low is None else low.verdict
    upper = Verdict.YES if high is None else high.verdict
    return _OF_VERDICT[lower] if lower is upper else Answer.UNKNOWN


def _parse(statements: Statements | None) -> KeyPolicy | None:
    """The policy that is asked; None where it is not known or is none that KMS would take."""
    try:
        return None if statements is None else parse_key_policy(_document(statements))
    except InputError:
        return None


def _decide(policy: KeyPolicy | None, grants: list[Grant], caller: Caller, request: Request) -> Decision | None:
    """One evaluation; None where the policy is not known, or the question is none."""
    try:
        return None if policy is None else evaluate(policy, grants, caller, request)
    except InputError:
        return None
