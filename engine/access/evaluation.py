"""The evaluator: whether a caller may do an action on a key, by key policy and grants, and why.

Rules (AWS KMS Developer Guide, "Troubleshooting key access", "Key policies", "Allowing users in other accounts
to use a KMS key"; IAM User Guide, "Policy evaluation logic"):

1. A deny that matches is a *no*, whatever allows. A deny that may match leaves *depends* at the most.
2. Calls that KMS does not take from another account are a *no* there, whatever the policy says.
3. A statement that names the caller, its role or everyone allows it. One that names its account hands the
   permission to that account's administrators: it allows what the caller's own IAM policies allow as well,
   and the account's root user directly. Without such a statement, IAM policies allow nothing on a key.
4. From another account the caller's own IAM policies must allow it in every case.
5. A grant allows what `engine.access.grants` says. `kms:RetireGrant` is allowed by grants alone.
6. What nothing allows is a *no*.

Permissions boundaries, session policies, service and resource control policies and VPC endpoint policies
are part of `Caller.identity`: who knows them puts them there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.context import Facts
from engine.access.grants import Contribution, Grantee, grant_contribution
from engine.access.key_policy import Effect
from engine.access.model import Decision, Verdict
from engine.access.operations import CROSS_ACCOUNT, KEYLESS_ACTIONS, action_name
from engine.access.principals import identify
from engine.access.verdicts import all_of
from engine.arn import is_account_id
from engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.access.key_policy import KeyPolicy, Statement
    from engine.access.model import Caller, Grant, Request
    from engine.access.standing import Standing


def evaluate(
    policy: KeyPolicy, grants: Sequence[Grant], caller: Caller, request: Request, *, as_written: bool = False
) -> Decision:
    """Decide whether a caller may do an action on a key.

    Args:
        policy: The key's policy.
        grants: The key's grants; for `kms:RetireGrant` the one that is meant.
        caller: Who calls.
        request: The action, the key, and what the call brings.
        as_written: Leave rule 2 out: what the words give, even where AWS honours them in the key's own
            account alone.

    Returns:
        The verdict with its reason.

    Raises:
        InputError: The caller, the key's account or the action is not of its form.
    """
    return _Evaluation(policy, grants, caller, request).decide(as_written=as_written)


class _Evaluation:
    """One question, with what every rule needs at hand."""

    def __init__(self, policy: KeyPolicy, grants: Sequence[Grant], caller: Caller, request: Request) -> None:
        if not is_account_id(request.key_account_id):
            raise InputError(f"the key's account {request.key_account_id!r} is not 12 digits")
        action = action_name(request.action)
        self._policy = policy
        self._grants = grants
        self._request = request
        self._caller = identify(caller.account_id, caller.principal_arn, caller.partition)
        self._identity = caller.identity
        self._foreign = caller.account_id != request.key_account_id
        self._facts = Facts(self._caller, request, action)
        self._lower = f"kms:{action}".lower()
        self._action = f"kms:{action}"

    def decide(self, *, as_written: bool) -> Decision:
        """Apply the rules in their order."""
        doubts: list[Contribution] = []
        for statement in self._policy.statements:
            if statement.effect is Effect.DENY and statement.actions.include(self._lower):
                denial = self._denial(statement)
                if denial.verdict is Verdict.YES:
                    return Decision(Verdict.NO, _sentence(denial.text), (), (denial.source,))
                if denial.verdict is Verdict.DEPENDS:
                    doubts.append(denial)
        name = self._facts.action
        if name in KEYLESS_ACTIONS:
            return self._keyless()
        if self._foreign and not as_written and name not in CROSS_ACCOUNT:
            reason = f"AWS KMS takes {self._action} from the key's own account {self._request.key_account_id} alone."
            return Decision(Verdict.NO, reason)
        return self._weigh(self._allowances(), doubts)

    def _keyless(self) -> Decision:
        reason = f"{self._action} is not a call on one key: no key policy allows it, IAM policies do."
        if self._foreign or self._identity is Verdict.NO:
            return Decision(Verdict.NO, reason)
        own = (f"the IAM policies of account {self._caller.account_id}",)
        return Decision(self._identity, reason, own if self._identity is Verdict.DEPENDS else ())

    def _denial(self, statement: Statement) -> Contribution:
        means, phrase = statement.principals.denied(self._caller)
        if means is Verdict.NO:
            return Contribution(Verdict.NO, statement.name, "")
        held, phrases, _ = self._applies(statement)
        text = f"{statement.quoted} denies {self._action} to {self._caller}"
        depends_on = phrases if phrase is None else (phrase, *phrases)
        return Contribution(all_of((means, held)), statement.name, text, depends_on)

    def _allowances(self) -> list[Contribution]:
        found: list[Contribution] = []
        if self._facts.action != "RetireGrant":
            for statement in self._policy.statements:
                if statement.effect is Effect.ALLOW and statement.actions.include(self._lower):
                    standing = statement.principals.allowed(self._caller)
                    if not standing.none:
                        found.append(self._allowance(statement, standing))
        grantee = Grantee(self._caller, self._identity, self._foreign)
        for grant in self._grants:
            contribution = grant_contribution(grant, grantee, self._facts)
            if contribution is not None:
                found.append(contribution)
        return found

    def _allowance(self, statement: Statement, standing: Standing) -> Contribution:
        held, phrases, failing = self._applies(statement)
        if held is Verdict.NO:
            return Contribution(Verdict.NO, statement.name, f"{statement.quoted} would, but {failing}")
        policies = f"the IAM policies of account {self._caller.account_id}"
        text = f"{statement.quoted} allows {self._action} to {self._caller}"
        if standing.direct and not self._foreign:
            return Contribution(held, statement.name, text, phrases)
        if self._identity is Verdict.NO and (self._foreign or not standing.only_for):
            almost = f"{statement.quoted} would, but {policies} do not allow it"
            return Contribution(Verdict.NO, statement.name, almost)
        if not standing.direct and (not standing.through_account or self._identity is Verdict.NO):
            only = f"only for {', '.join(standing.only_for)}"
            own = (policies,) if self._foreign and self._identity is Verdict.DEPENDS else ()
            return Contribution(Verdict.DEPENDS, statement.name, f"{text} {only}", (only, *own, *phrases))
        if self._caller.arn is not None:
            text += f", as far as {policies} allow it"
        if self._identity is Verdict.DEPENDS:
            return Contribution(Verdict.DEPENDS, statement.name, text, (policies, *phrases))
        return Contribution(held, statement.name, text, phrases)

    def _applies(self, statement: Statement) -> tuple[Verdict, tuple[str, ...], str]:
        """Whether a statement's key and conditions are these; what that depends on; what does not hold."""
        key = statement.resources.include(self._request, self._facts)
        if key is Verdict.NO:
            return Verdict.NO, (), "its Resource does not name this key"
        phrases = ["the ARN that the key will have"] if key is Verdict.DEPENDS else []
        result = key
        for test in statement.conditions:
            verdict, words = test.outcome(self._facts)
            if verdict is Verdict.NO:
                return Verdict.NO, (), f"its condition on {words} does not hold"
            if verdict is Verdict.DEPENDS:
                result = Verdict.DEPENDS
                phrases.append(words)
        return result, tuple(phrases), ""

    def _weigh(self, found: list[Contribution], doubts: list[Contribution]) -> Decision:
        certain = [contribution for contribution in found if contribution.verdict is Verdict.YES]
        if certain and not doubts:
            return Decision(Verdict.YES, _sentence(certain[0].text), (), tuple(one.source for one in certain))
        allowing = certain or [contribution for contribution in found if contribution.verdict is Verdict.DEPENDS]
        if not allowing:
            return self._nothing_allows(found)
        phrases = tuple(dict.fromkeys(phrase for one in (*allowing, *doubts) for phrase in one.depends_on))
        clauses = [allowing[0].text]
        if doubts:
            clauses.append(f"but {doubts[0].text} in some cases")
        reason = f"{_sentence('; '.join(clauses))} It depends on: {'; '.join(phrases)}."
        return Decision(Verdict.DEPENDS, reason, phrases, tuple(one.source for one in (*allowing, *doubts)))

    def _nothing_allows(self, found: list[Contribution]) -> Decision:
        reason = f"No statement of the key policy and no grant allows {self._action} to {self._caller}"
        almost = f"; {found[0].text}" if found else ""
        return Decision(Verdict.NO, f"{reason}{almost}.", (), tuple(one.source for one in found))


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."
