"""What an account can do with a key, as far as a plan lets it be known (on top of `engine.access`).

- Each question is put to the policy in its least and in its most generous reading, with the grants that are
  certain and with those that may be there. Where the two answers differ, the answer is *unknown*.
- *Depends* stays what it is: the policy is known, and hangs on what a request brings.
- Statements that cannot matter to an account are left out before the question is put, so that thousands of keys whose
  policies differ in their administrators cost one evaluation.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.access import Caller, Request, Verdict, evaluate, parse_key_policy, vendor_excess
from engine.errors import InputError
from engine.review.access_answers import Access, Answer
from engine.review.statements import (
    Statements,
    may_concern,
    names_resources,
    parse_statements,
    plainly_administrable,
    principals_of,
    without_denials,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.access import Decision, Grant
    from engine.review.planned_grants import PlannedGrant
    from engine.review.policy_reading import PolicyReading

_NO_STATEMENT = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
    "Action": "kms:DescribeKey",
    "Resource": "*",
}
_OF_VERDICT = {Verdict.YES: Answer.YES, Verdict.DEPENDS: Answer.DEPENDS, Verdict.NO: Answer.NO}
_WORSE = (Answer.NO, Answer.DEPENDS)
_RANK = {Verdict.YES: 0, Verdict.DEPENDS: 1, Verdict.NO: 2}


class _View:
    """The statements of a policy that may concern an account; None where the policy is not known."""

    __slots__ = ("key", "names_resources", "statements")

    def __init__(self, statements: Statements | None, key: str | None) -> None:
        self.statements = statements
        self.key = key
        self.names_resources = names_resources(statements or ())


_NOTHING = _View(None, None)


class AccessReader:
    """Puts questions to policies and grants, and remembers the answers.

    Args:
        partition: The AWS partition of the keys.
    """

    def __init__(self, partition: str) -> None:
        self._partition = partition
        self._statements: dict[str, Statements | None] = {}
        self._known_views: dict[tuple[str, str], _View] = {}
        self._unique: dict[str, _View] = {}
        self._answers: dict[tuple[Any, ...], Access] = {}

    def statements(self, text: str) -> Statements | None:
        """The statements of a policy's text as parsed JSON; None where it is no policy."""
        if text not in self._statements:
            self._statements[text] = parse_statements(text)
        return self._statements[text]

    def access(
        self,
        account_id: str,
        actions: tuple[str, ...],
        policy: PolicyReading,
        grants: Sequence[PlannedGrant],
        *,
        key_arn: str | None,
        key_account_id: str,
    ) -> Access:
        """What an account as a whole can do with a key.

        Args:
            account_id: The account that asks.
            actions: IAM actions, such as `kms:Decrypt`.
            policy: The key's policy in its two readings.
            grants: The key's grants.
            key_arn: The key's ARN, or None where it is not known yet.
            key_account_id: The account that owns the key.

        Returns:
            The answers.
        """
        mine = tuple(planned for planned in grants if planned.may_be_for(account_id))
        least, most = self._views(account_id, policy)
        arn = key_arn if least.names_resources or most.names_resources else None
        question = (
            account_id,
            actions,
            least.key,
            most.key,
            tuple(planned.identity for planned in mine),
            arn,
            key_account_id,
        )
        known = self._answers.get(question)
        if known is None:
            known = self._ask(account_id, actions, least, most, mine, arn, key_account_id)
            self._answers[question] = known
        return known

    def excess(
        self,
        account_id: str,
        policy: PolicyReading,
        grants: Sequence[PlannedGrant],
        *,
        key_arn: str | None,
        key_account_id: str,
    ) -> Access:
        """What an account is given beyond what the vendor needs, by the words of policy and grants.

        Args, answers: as `access`; the actions are those found in either reading, and may be none.
        """
        mine = tuple(planned for planned in grants if planned.may_be_for(account_id))
        least, most = self._views(account_id, policy)
        arn = key_arn if least.names_resources or most.names_resources else None
        question = (
            "excess",
            account_id,
            least.key,
            most.key,
            tuple(planned.identity for planned in mine),
            arn,
            key_account_id,
        )
        known = self._answers.get(question)
        if known is None:
            caller = Caller.account(account_id, self._partition)
            certain = [planned.grant for planned in mine if planned.certain]
            possible = [planned.grant for planned in mine]
            low = _excess(least.statements, certain, caller, arn, key_account_id) or {}
            high = _excess(most.statements, possible, caller, arn, key_account_id)
            actions = ("any action",) if high is None else tuple(dict.fromkeys((*low, *high)))
            answers = tuple(_OF_VERDICT[low[action]] if action in low else Answer.UNKNOWN for action in actions)
            known = Access(actions, answers, (False,) * len(actions))
            self._answers[question] = known
        return known

    def administrable(self, policy: PolicyReading, *, key_arn: str | None, key_account_id: str) -> Answer:
        """Whether a principal of the key's own account can put its policy: the root, or one that the policy names."""
        lower = self._administrable(policy.least, key_arn, key_account_id)
        upper = lower if policy.certain else self._administrable(policy.most, key_arn, key_account_id)
        low = Verdict.NO if lower is None else lower
        high = Verdict.YES if upper is None else upper
        return _OF_VERDICT[low] if low is high else Answer.UNKNOWN

    def _administrable(self, text: str | None, key_arn: str | None, account_id: str) -> Verdict | None:
        statements = self._view(account_id, text).statements
        if statements is None:
            return None
        root = f"arn:{self._partition}:iam::{account_id}:root"
        if plainly_administrable(statements, (root, account_id)):
            return Verdict.YES
        best = Verdict.NO
        for principal in (root, *principals_of(statements, account_id)):
            caller = Caller(account_id, principal, Verdict.YES, self._partition)
            decision = _decide(statements, [], caller, Request("kms:PutKeyPolicy", key_arn, account_id))
            if decision is None:
                return None
            if _RANK[decision.verdict] < _RANK[best]:
                best = decision.verdict
            if best is Verdict.YES:
                break
        return best

    def _views(self, account_id: str, policy: PolicyReading) -> tuple[_View, _View]:
        least = self._view(account_id, policy.least)
        return least, least if policy.certain else self._view(account_id, policy.most)

    def _view(self, account_id: str, text: str | None) -> _View:
        """What a policy says that may concern an account."""
        if text is None:
            return _NOTHING
        place = (account_id, text)
        found = self._known_views.get(place)
        if found is None:
            statements = self.statements(text)
            found = _NOTHING
            if statements is not None:
                mine = tuple(statement for statement in statements if may_concern(statement, account_id))
                key = json.dumps(mine)
                found = self._unique.setdefault(key, _View(mine, key))
            self._known_views[place] = found
        return found

    def _ask(
        self,
        account_id: str,
        actions: tuple[str, ...],
        least: _View,
        most: _View,
        grants: tuple[PlannedGrant, ...],
        key_arn: str | None,
        key_account_id: str,
    ) -> Access:
        caller = Caller.account(account_id, self._partition)
        certain = [planned.grant for planned in grants if planned.certain]
        possible = [planned.grant for planned in grants]
        answers: list[Answer] = []
        denied: list[bool] = []
        for action in actions:
            request = Request(action, key_arn, key_account_id)
            low = _decide(least.statements, certain, caller, request)
            same = most is least and certain == possible
            high = low if same else _decide(most.statements, possible, caller, request)
            answer = _between(low, high)
            answers.append(answer)
            allowing = without_denials(least.statements or ()) if answer in _WORSE else None
            better = _decide(allowing, certain, caller, request)
            denied.append(better is not None and low is not None and _rank(better) < _rank(low))
        return Access(actions, tuple(answers), tuple(denied))


def _rank(decision: Decision) -> int:
    return _RANK[decision.verdict]


def _excess(
    statements: Statements | None, grants: list[Grant], caller: Caller, key_arn: str | None, key_account_id: str
) -> dict[str, Verdict] | None:
    """The actions beyond the need; None where the policy is not known or is none that KMS would take."""
    if statements is None:
        return None
    try:
        policy = parse_key_policy(_document(statements))
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


def _decide(statements: Statements | None, grants: list[Grant], caller: Caller, request: Request) -> Decision | None:
    """One evaluation; None where the policy is not known or is none that KMS would take."""
    if statements is None:
        return None
    try:
        return evaluate(parse_key_policy(_document(statements)), grants, caller, request)
    except InputError:
        return None
