"""Which policy is in force on a key, before the apply and after it.

Before it, that of `aws_kms_key_policy` where there is one, else the key's own. After it, what was put last; where
nothing is put, what stood there. What is put is what the AWS provider does (`internal/service/kms/key_policy.go`, and
seen of version 5.100 at work):

- A key's own policy is put where the key is made or its policy changes, whether or not another stands beside it.
- `aws_kms_key_policy` puts its policy where it is made, and where its policy changes. An update of `key_id` in place
  moves nothing: what is put goes onto the key that it has been on, and the other key gets nothing.
- Destroying one puts the default policy, whatever the key's resource says; not so where it was last applied with
  `bypass_policy_lockout_safety_check`: then its policy stays. Forgetting it changes nothing.
- One that is replaced by creating first is destroyed last, so that the default policy has the last word.

What a policy resource puts comes after what its key puts, where it refers to the key. In which order the rest comes
nobody can tell: any of it may be the last word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.review.keys import id_in
from engine.review.plan import Action
from engine.review.policy_reading import NOTHING_KNOWN, PolicyReading, default_policy, known
from engine.review.resources import Moment
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from engine.review.configuration import Configuration
    from engine.review.keys import Attached, Key
    from engine.review.policy_reading import PolicyDocuments
    from engine.review.resources import Resource
    from engine.review.values import Attributes, Unknown


@dataclass(frozen=True, slots=True)
class KeyPolicies:
    """Tells which policy is in force.

    Attributes:
        documents: What tells the policies that are known only after apply.
        configuration: What tells which key a policy resource refers to.
    """

    documents: PolicyDocuments
    configuration: Configuration

    def in_force(self, key: Key, moment: Moment, account_id: str, partition: str) -> PolicyReading:
        """The policy in force on a key at a moment.

        Args:
            key: The key.
            moment: When.
            account_id: The account that owns the key, for the default policy.
            partition: The account's partition.

        Returns:
            The policy in its two readings; nothing known where the plan does not tell.
        """
        if not key.policies:
            return self._own(key, moment, account_id, partition)
        if moment is not Moment.PLANNED:
            return self._standing(key, moment, account_id, partition)
        last_words = self._last_words(key, account_id, partition)
        if not last_words:
            return self._standing(key, Moment.OBSERVED, account_id, partition)
        return _any_of(last_words, default_policy(partition, account_id))

    def planned(self, resource: Resource, account_id: str, partition: str) -> PolicyReading:
        """The policy that a resource would put, whichever key it is for."""
        if resource.planned is None:
            return NOTHING_KNOWN
        return self._said_by(resource, resource.planned, account_id, partition)

    def opens_to_others(self, key: Key, actions: tuple[str, ...], account_id: str) -> bool:
        """Whether a policy that is known only after apply plainly gives one of the actions to others than the owner."""
        resources = [attached.resource for attached in key.policies] + ([] if key.resource is None else [key.resource])
        return any(
            resource.planned is not None
            and resource.planned.text("policy") is UNKNOWN
            and self.documents.opens_to_others(
                resource.module_address, resource.type, resource.name, resource.index, actions, account_id
            )
            for resource in resources
        )

    def _standing(self, key: Key, moment: Moment, account_id: str, partition: str) -> PolicyReading:
        """The policy of a key as it stood at a moment before the apply."""
        found: list[PolicyReading] = []
        for attached in key.policies:
            belongs = attached.belongs(key.address, moment)
            attributes = attached.attributes(moment)
            if belongs is UNKNOWN:
                found.append(NOTHING_KNOWN)
            elif belongs and attributes is not None:
                found.append(self._said_by(attached.resource, attributes, account_id, partition))
        if not found:
            return self._own(key, moment, account_id, partition)
        return found[0] if all(reading == found[0] for reading in found) else NOTHING_KNOWN

    def _last_words(self, key: Key, account_id: str, partition: str) -> list[PolicyReading]:
        """What the plan puts on a key and may stand there in the end; empty where it puts nothing."""
        found: list[PolicyReading] = []
        before_another = False  # whether the key's own is put before something else
        for attached in key.policies:
            resource = attached.resource
            belongs = attached.belongs(key.address, Moment.PLANNED)
            puts = belongs is not False and _puts_its_policy(resource)
            default = _puts_the_default(key, attached)
            if default is not False and not (puts and resource.action is Action.DELETE_CREATE):
                found.append(default_policy(partition, account_id) if default is True else NOTHING_KNOWN)
            elif puts:
                found.append(NOTHING_KNOWN if belongs is UNKNOWN else self.planned(resource, account_id, partition))
            before_another = before_another or (puts and self._refers_to_its_key(resource))
        if _puts_its_policy(key.resource) and not before_another:
            found.append(self._own(key, Moment.PLANNED, account_id, partition))
        return found

    def _refers_to_its_key(self, resource: Resource) -> bool:
        """Whether a policy resource refers to the key that it puts its policy on."""
        if names_another_key(resource):
            return False
        expression = self.configuration.expression(resource.module_address, resource.type, resource.name, "key_id")
        return expression is not None and bool(expression.get("references"))

    def _own(self, key: Key, moment: Moment, account_id: str, partition: str) -> PolicyReading:
        """The policy that the key's own resource says."""
        if key.resource is None:
            return NOTHING_KNOWN
        attributes = key.resource.remaining if moment is Moment.PLANNED else key.resource.at(moment)
        if attributes is None:
            return NOTHING_KNOWN
        return self._said_by(key.resource, attributes, account_id, partition)

    def _said_by(self, resource: Resource, attributes: Attributes, account_id: str, partition: str) -> PolicyReading:
        text = attributes.text("policy")
        if isinstance(text, str):
            return known(text)
        place = (resource.module_address, resource.type, resource.name)
        if text is None:
            return NOTHING_KNOWN
        reading = self.documents.reading(*place, resource.index, f"arn:{partition}:iam::{account_id}:")
        if reading is not NOTHING_KNOWN:
            return reading
        unset = self.configuration.has_resource(*place) and self.configuration.expression(*place, "policy") is None
        return default_policy(partition, account_id) if unset and resource.observed is None else NOTHING_KNOWN


def names_another_key(resource: Resource) -> bool:
    """Whether a policy resource comes to name another key in place, which moves nothing."""
    before, after = resource.observed, resource.planned
    if resource.action is not Action.UPDATE or before is None or after is None:
        return False
    was, will = before.text("key_id"), after.text("key_id")
    if not (isinstance(was, str) and isinstance(will, str)) or (":" in was and ":" in will):
        return was != will
    return id_in(was) != id_in(will)  # the id of a key and its ARN are two names of the same one


def _any_of(readings: list[PolicyReading], default: PolicyReading) -> PolicyReading:
    """One of these, whichever it be: known where all are the same, or one of two where one is the default policy."""
    different = [reading for reading in dict.fromkeys(readings) if reading != default]
    if len(different) == len(set(readings)):
        return different[0] if len(different) == 1 else NOTHING_KNOWN
    if not different:
        return default
    # The default policy gives the vendor nothing, so that it is the lesser of the two.
    only = different[0] if len(different) == 1 else NOTHING_KNOWN
    return PolicyReading(default.least, only.most) if only.certain else NOTHING_KNOWN


def _puts_its_policy(resource: Resource | None) -> bool:
    """Whether the plan puts the policy of a key or of an `aws_kms_key_policy`: it is made, or its policy changes."""
    if resource is None or resource.planned is None or resource.action is Action.FORGET:
        return False
    before = resource.observed
    if before is None or resource.action.replaces:
        return resource.action is not Action.NO_OP
    return resource.action is Action.UPDATE and before.text("policy") != resource.planned.text("policy")


def _puts_the_default(key: Key, attached: Attached) -> bool | Unknown:
    """Whether destroying a policy resource puts the default policy on a key that stays the same one."""
    resource, owner = attached.resource, key.resource
    was = attached.belongs(key.address, Moment.OBSERVED)
    if was is False or resource.observed is None or not resource.action.destroys:
        return False
    if owner is not None and (owner.observed is None or owner.action.replaces):
        return False
    bypassed = resource.observed.flag("bypass_policy_lockout_safety_check")
    if bypassed is True:
        return False
    return UNKNOWN if was is UNKNOWN or bypassed is UNKNOWN else True
