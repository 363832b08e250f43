"""What an account can do with a key, as far as a plan lets it be known (on top of `engine.access`).

- Each question is put to the policy in its least and in its most generous reading, with the grants that are
  certain and with those that may be there. Where the two answers differ, the answer is *unknown*.
- *Depends* stays what it is: the policy is known, and hangs on what a request brings.
- Statements that cannot matter to an account are left out before the question is put, so that thousands of keys whose
  policies differ in their administrators cost one evaluation.
- The evaluator is imported with the first question: most plans put none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.declaration import VendorNarrowing
from engine.review.access_answers import Answer
from engine.review.read_policy import PolicyTexts, View, what_matters_of
from engine.review.statements import named_in_denials, names_another_partition, principals_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.review.access_answers import Access
    from engine.review.planned_grants import PlannedGrant
    from engine.review.policy_reading import PolicyReading
    from engine.review.read_policy import ReadPolicy, ReadStatement
    from engine.review.statements import Statements

_NOT_NARROWED = VendorNarrowing()
_RANK = {Answer.YES: 0, Answer.DEPENDS: 1, Answer.NO: 2}


_NOTHING = View(None)


class AccessReader:
    """Puts questions to policies and grants, and remembers the answers.

    Args:
        partition: The AWS partition of the keys.
        vendor_account_id: The vendor's account, or None where nothing is declared of it.
        narrowing: What its calls are declared to bring.
    """

    def __init__(
        self, partition: str, vendor_account_id: str | None = None, narrowing: VendorNarrowing = _NOT_NARROWED
    ) -> None:
        self._partition = partition
        self._vendor = vendor_account_id
        self._narrowing = narrowing
        self._prefix = f"arn:{partition}:"
        self._texts = PolicyTexts()
        self._policies: dict[str, ReadPolicy | None] = {}
        self._views_of: dict[tuple[ReadStatement, ...], View] = {}
        self._answers: dict[tuple[Any, ...], Access] = {}

    def read(self, text: str) -> ReadPolicy | None:
        """A policy's text as read; None where it is none that KMS would take."""
        try:
            return self._policies[text]
        except KeyError:
            pass
        found = self._texts.read(text)
        if found is not None and ("\\u" in text or text.count("arn:aws") != text.count(self._prefix)):
            found = None if names_another_partition(found.statements, self._partition) else found
        self._policies[text] = found
        return found

    def refusal(self, text: str) -> str | None:
        """Why KMS would refuse a policy's text; None where it takes it."""
        if self.read(text) is not None:
            return None
        from engine.review.access_questions import why_refused

        return why_refused(text) or f"it names principals of another AWS partition than {self._partition}, the key's"

    def statements(self, text: str) -> Statements | None:
        """The statements of a policy's text as parsed JSON; None where it is none that KMS would take."""
        found = self.read(text)
        return None if found is None else found.statements

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
        mine = tuple(planned for planned in grants if planned.may_be_for(account_id)) if grants else ()
        least, most = self._views(account_id, policy)
        arn = what_matters_of(key_arn, least, most)
        question = (
            account_id,
            actions,
            least,
            most,
            tuple(planned.identity for planned in mine) if mine else (),
            arn,
            key_account_id,
        )
        known = self._answers.get(question)
        if known is None:
            from engine.review.access_questions import ask_access

            narrowing = self._narrowing if account_id == self._vendor else _NOT_NARROWED
            readings = _readings(least, most)
            known = ask_access(self._partition, account_id, actions, readings, mine, arn, key_account_id, narrowing)
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
        mine = tuple(planned for planned in grants if planned.may_be_for(account_id)) if grants else ()
        least, most = self._views(account_id, policy)
        arn = what_matters_of(key_arn, least, most)
        question = (
            "excess",
            account_id,
            least,
            most,
            tuple(planned.identity for planned in mine) if mine else (),
            arn,
            key_account_id,
        )
        known = self._answers.get(question)
        if known is None:
            from engine.review.access_questions import ask_excess

            known = ask_excess(self._partition, account_id, _readings(least, most), mine, arn, key_account_id)
            self._answers[question] = known
        return known

    def principal_answer(
        self, principal: str, action: str, policy: PolicyReading, *, key_arn: str | None, key_account_id: str
    ) -> Answer:
        """Whether a principal of the key's own account can do an action; unknown where the policy is not known."""
        statements = self.statements(policy.least) if policy.certain and policy.least is not None else None
        if statements is None:
            return Answer.UNKNOWN
        from engine.review.access_questions import ask_principal

        answer = ask_principal(self._partition, principal, action, statements, key_arn, key_account_id)
        return Answer.UNKNOWN if answer is None else answer

    def administrable(self, policy: PolicyReading, *, key_arn: str | None, key_account_id: str) -> Answer:
        """Whether a principal of the key's own account can put its policy: the root, or one that the policy names."""
        low = self._administrable(policy.least, key_arn, key_account_id)
        high = low if policy.certain else self._administrable(policy.most, key_arn, key_account_id)
        low, high = Answer.NO if low is None else low, Answer.YES if high is None else high
        return low if low is high else Answer.UNKNOWN

    def _administrable(self, text: str | None, key_arn: str | None, account_id: str) -> Answer | None:
        """The best answer for any of those principals; None where the policy is not known."""
        everything = None if text is None else self.read(text)
        if everything is None:
            return None
        root = f"arn:{self._partition}:iam::{account_id}:root"
        if everything.plainly_administrable((root, account_id)):
            return Answer.YES
        statements = self._view(account_id, text).statements or ()
        from engine.review.access_questions import ask_principal

        best = Answer.NO
        for principal in (root, *principals_of(statements, account_id)):
            answer = ask_principal(self._partition, principal, "kms:PutKeyPolicy", statements, key_arn, account_id)
            if answer is None:
                return None
            if _RANK[answer] < _RANK[best]:
                best = answer
            if best is Answer.YES:
                break
        return best

    def anybody_may(
        self, action: str, policy: PolicyReading, others: tuple[str, ...], *, key_arn: str | None, key_account_id: str
    ) -> Answer:
        """The best answer for a principal of the key's own account.

        Args:
            action: The IAM action.
            policy: The key's policy in its two readings.
            others: Principals to ask for beside the root, those that the policy allows and those that a Deny names.
            key_arn: The key's ARN, or None where it is not known yet.
            key_account_id: The account that owns the key.
        """
        low = self._anybody(action, policy.least, others, key_arn, key_account_id)
        high = low if policy.certain else self._anybody(action, policy.most, others, key_arn, key_account_id)
        low, high = Answer.NO if low is None else low, Answer.YES if high is None else high
        return low if low is high else Answer.UNKNOWN

    def _anybody(
        self, action: str, text: str | None, others: tuple[str, ...], key_arn: str | None, account_id: str
    ) -> Answer | None:
        everything = None if text is None else self.statements(text)
        if everything is None:
            return None
        from engine.review.access_questions import ask_principal

        prefix = f"arn:{self._partition}:iam::{account_id}:"
        mine = [other for other in others if other.startswith(prefix)]
        candidates = (
            f"{prefix}root",
            *principals_of(everything, account_id),
            *named_in_denials(everything, prefix),
            *mine,
        )
        best = Answer.NO
        for principal in dict.fromkeys(candidates):
            answer = ask_principal(self._partition, principal, action, everything, key_arn, account_id)
            if answer is None:
                return None
            best = answer if _RANK[answer] < _RANK[best] else best
            if best is Answer.YES:
                break
        return best

    def _views(self, account_id: str, policy: PolicyReading) -> tuple[View, View]:
        least = self._view(account_id, policy.least)
        return least, least if policy.certain else self._view(account_id, policy.most)

    def _view(self, account_id: str, text: str | None) -> View:
        """What a policy says that may concern an account."""
        policy = None if text is None else self.read(text)
        if policy is None:
            return _NOTHING
        found = policy.views.get(account_id)
        if found is None:
            mine = tuple(part for part in policy.parts if part.may_concern(account_id))
            found = self._views_of.get(mine) or self._views_of.setdefault(mine, View(mine))
            policy.views[account_id] = found
        return found


def _readings(least: View, most: View) -> tuple[Statements | None, Statements | None]:
    return least.statements, most.statements
