"""Access to the keys of a plan, key by key and moment by moment."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from engine.review.access_answers import Answer
from engine.review.access_reader import AccessReader
from engine.review.keys import arn_of
from engine.review.planned_grants import planned_grant
from engine.review.resources import MOMENTS, Moment
from engine.review.statements import may_name, named_in_denials
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from engine.review.access_answers import Access, Reach
    from engine.review.custody import Custody
    from engine.review.declared import Declared
    from engine.review.keys import Key
    from engine.review.planned_grants import PlannedGrant
    from engine.review.policy_reading import PolicyReading
    from engine.review.resources import Resource


class KeyAccess:
    """Reads the policies and grants of a plan's keys, and what they come to.

    Args:
        custody: All keys of the plan.
        declared: What they are judged by; the vendor is the trusted declaration's.
    """

    def __init__(self, custody: Custody, declared: Declared) -> None:
        self._custody = custody
        self._owner = declared.trusted.account.account_id
        self._partition = declared.trusted.account.partition
        self._break_glass = frozenset(declared.trusted.break_glass)
        self.vendor = declared.vendor_account_id
        # What the change itself says of Druva's calls does not count: a narrowing that it brings is one.
        self.reader = AccessReader(self._partition, self.vendor, declared.trusted.vendor_narrowing)
        self._known: dict[tuple[str, Moment], tuple[PolicyReading, str | None]] = {}

    def account_id(self, key: Key) -> str:
        """The account that owns a key; the declared one where the plan does not tell yet."""
        return key.account_id or self._owner

    def vendor_reaches(self, key: Key) -> bool:
        """Whether the vendor's account can use the key at any of the moments, certainly or where it is named."""
        moments = (Moment.OBSERVED,) if key.untouched else (MOMENTS if key.exists else (Moment.PLANNED,))
        return any(self._reaches(key, moment) for moment in moments)

    def _reaches(self, key: Key, moment: Moment) -> bool:
        policy = self.policy(key, moment)
        if not key.grants and policy.least is not None and policy.certain and not may_name(policy.least, self.vendor):
            return False
        access = self.vendor_access(key, moment)
        if Answer.YES in access.answers:
            return True
        if Answer.DEPENDS not in access.answers and Answer.UNKNOWN not in access.answers:
            return False
        return self._named(key, moment)

    def _named(self, key: Key, moment: Moment) -> bool:
        """Whether the vendor's account is named in what gives access, so that it is not just anybody."""
        policy = self.policy(key, moment)
        grants = self.grants(key, moment)
        return any(self._names_vendor(text) for text in policy.texts) or any(
            self.vendor in planned.grant.grantee_principal and planned.grant.operations for planned in grants
        )

    def _names_vendor(self, text: str) -> bool:
        """Whether a policy's text holds the vendor's account, be it under escapes, which Terraform writes for `&`."""
        if self.vendor in text or "\\u" not in text:
            return self.vendor in text
        statements = self.reader.statements(text)
        return statements is None or self.vendor in str(statements)

    def policy(self, key: Key, moment: Moment) -> PolicyReading:
        """The policy in force on a key at a moment."""
        return self._policy_and_arn(key, moment)[0]

    def _policy_and_arn(self, key: Key, moment: Moment) -> tuple[PolicyReading, str | None]:
        """The policy, and the ARN where it is known; found once, for they are asked for many times."""
        place = (key.address, moment)
        found = self._known.get(place)
        if found is None:
            policy = self._custody.policies.in_force(key, moment, self.account_id(key), self._partition)
            found = self._known[place] = (policy, arn_of(key.at(moment)) or key.arn)
        return found

    def policy_changes(self, key: Key) -> bool:
        """Whether the plan puts another policy on a key that exists, or the text of the same."""
        return self.policy(key, Moment.OBSERVED) != self.policy(key, Moment.PLANNED)

    def read_at_apply(self, key: Key) -> bool:
        """Whether the key's planned policy is known only by the policy document that it comes from."""
        resources = [attached.resource for attached in key.policies]
        resources += [] if key.resource is None else [key.resource]
        if not any(r.planned is not None and r.planned.text("policy") is UNKNOWN for r in resources):
            return False
        configured = any(
            self._custody.configuration.expression(r.module_address, r.type, r.name, "policy") is not None
            for r in resources
        )
        return configured and self.policy(key, Moment.PLANNED).least is not None

    def grants(self, key: Key, moment: Moment) -> tuple[PlannedGrant, ...]:
        """The grants on a key at a moment."""
        if not key.grants:
            return ()
        found: list[PlannedGrant] = []
        for attached in key.grants:
            belongs = attached.belongs(key.address, moment)
            attributes = attached.attributes(moment)
            if belongs is False or attributes is None:
                continue
            found.append(
                planned_grant(
                    attached.resource.address,
                    attributes,
                    belongs=belongs is True,
                    account_id=self.vendor,
                )
            )
        return tuple(found)

    def vendor_access(self, key: Key, moment: Moment, *, without: frozenset[str] = frozenset()) -> Access:
        """What the vendor's account can do with the key at a moment, of what it needs.

        Args:
            key: The key.
            moment: When.
            without: The addresses of grants to leave out.
        """
        return self.account_access(self.vendor, _required_actions(), key, moment, without=without)

    def vendor_access_by_policy(self, key: Key, moment: Moment) -> Access:
        """What the vendor's account can do with the key at a moment by its policy alone, whatever the grants give."""
        without = frozenset(attached.resource.address for attached in key.grants)
        return self.vendor_access(key, moment, without=without)

    def account_access(
        self,
        account_id: str,
        actions: tuple[str, ...],
        key: Key,
        moment: Moment,
        *,
        without: frozenset[str] = frozenset(),
    ) -> Access:
        """What an account can do with the key at a moment."""
        grants = self.grants(key, moment)
        policy, arn = self._policy_and_arn(key, moment)
        return self.reader.access(
            account_id,
            actions,
            policy,
            tuple(p for p in grants if p.grant.grant_id not in without) if without else grants,
            key_arn=arn,
            key_account_id=self.account_id(key),
        )

    def policy_reach(self, resource: Resource) -> Reach:
        """How much of what it needs the vendor could do under the policy of an `aws_kms_key_policy` alone."""
        return self.vendor_access_under(self._custody.policies.planned(resource, self._owner, self._partition)).reach

    def vendor_access_under(self, policy: PolicyReading) -> Access:
        """What the vendor's account could do, of what it needs, with some key of the declared account."""
        return self.reader.access(
            self.vendor, _required_actions(), policy, (), key_arn=None, key_account_id=self._owner
        )

    def vendor_excess(self, key: Key, moment: Moment) -> Access:
        """What the vendor's account is given beyond its need, by the words of policy and grants."""
        policy, arn = self._policy_and_arn(key, moment)
        return self.reader.excess(
            self.vendor,
            policy,
            self.grants(key, moment),
            key_arn=arn,
            key_account_id=self.account_id(key),
        )

    def owner_answer(self, action: str, key: Key, moment: Moment) -> Answer:
        """Whether the key's own account as a whole can do an action, whatever its IAM says."""
        return self.account_access(self.account_id(key), (action,), key, moment).answers[0]

    def owner_names(self, key: Key) -> tuple[str, str]:
        """The key's own account as a policy may name it: by its root's ARN, and by its number."""
        return f"arn:{self._partition}:iam::{self.account_id(key)}:root", self.account_id(key)

    def anybody_may(self, action: str, key: Key, moment: Moment, others: tuple[str, ...]) -> Answer:
        """The best answer for a principal of the key's own account; `others` are asked for beside those it names."""
        policy, arn = self._policy_and_arn(key, moment)
        return self.reader.anybody_may(action, policy, others, key_arn=arn, key_account_id=self.account_id(key))

    def principals_let_off(self, key: Key) -> tuple[str, ...]:
        """Principals of the key's account that a Deny of its planned policy may let off, but for break glass."""
        text = self.policy(key, Moment.PLANNED).least
        statements = None if text is None else self.reader.statements(text)
        prefix = f"arn:{self._partition}:iam::{self.account_id(key)}:"
        anybody = (f"{prefix}root", f"{prefix}role/not-named", f"{prefix}user/not-named")
        named = named_in_denials(statements or (), prefix)
        return tuple(principal for principal in (*anybody, *named) if principal not in self._break_glass)

    def principal_answer(self, principal: str, action: str, key: Key, moment: Moment) -> Answer:
        """Whether a principal of the key's account can do an action, its own IAM taken as allowing it."""
        policy, arn = self._policy_and_arn(key, moment)
        return self.reader.principal_answer(principal, action, policy, key_arn=arn, key_account_id=self.account_id(key))

    def policy_is_sensitive(self, key: Key) -> bool:
        """Whether Terraform marks the key's policy, or that of a resource of its own, as sensitive."""
        resources = [attached.resource for attached in key.policies]
        resources += [] if key.resource is None else [key.resource]
        return any(resource.marked_sensitive("policy") for resource in resources)

    def administrable(self, key: Key, moment: Moment) -> Answer:
        """Whether anybody in the key's own account can still put its policy."""
        policy, arn = self._policy_and_arn(key, moment)
        return self.reader.administrable(policy, key_arn=arn, key_account_id=self.account_id(key))


@cache
def _required_actions() -> tuple[str, ...]:
    from engine.access import VENDOR_REQUIRED_ACTIONS

    return VENDOR_REQUIRED_ACTIONS
