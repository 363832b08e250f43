"""The custody of each KMS key that a plan knows of: the key, its policy, grants, replicas and aliases.

- A key is known by its resource, or, where another resource names it by id or ARN alone, by that name.
- What belongs to which key follows from ids and ARNs where they are known, and from the configuration's
  references where they are not (`engine.review.configuration`). A link that is not certain is kept as such: it
  can give access in the most generous reading and never in the least.
- The policy in force is that of `aws_kms_key_policy` where there is one, else the key's own. Where the plan changes the
  key's own beside one that it leaves alone, the key's own is put, and stands until another plan. Destroying an
  `aws_kms_key_policy` restores the default policy, whatever the key resource says; forgetting it changes nothing. Where
  one is destroyed and another made for the same key (renamed without `moved`), either may come last.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.review.plan import ALIAS_TYPE, GRANT_TYPE, KEY_POLICY_TYPE, KEY_STORE_TYPE, KEY_TYPES, Action
from engine.review.policy_reading import NOTHING_KNOWN, PolicyReading, default_policy, known
from engine.review.resources import MOMENTS, Moment, Resource
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.review.configuration import Configuration
    from engine.review.policy_reading import PolicyDocuments
    from engine.review.values import Attributes, Unknown

_LINK_ATTRIBUTES = {
    KEY_POLICY_TYPE: "key_id",
    GRANT_TYPE: "key_id",
    ALIAS_TYPE: "target_key_id",
    "aws_kms_replica_key": "primary_key_arn",
    "aws_kms_replica_external_key": "primary_key_arn",
}
_ENABLED_ATTRIBUTE = {"aws_kms_key": "is_enabled"}


@dataclass(frozen=True, slots=True)
class Link:
    """Which keys a resource may belong to at a moment.

    Attributes:
        keys: Addresses of keys; empty where it belongs to none or nothing is known.
        certain: Whether it belongs to exactly the one key.
    """

    keys: tuple[str, ...]
    certain: bool

    @property
    def key(self) -> str | None:
        """The one key that it certainly belongs to, or None."""
        return self.keys[0] if self.certain and len(self.keys) == 1 else None


NO_LINK = Link((), certain=True)


@dataclass(frozen=True, slots=True)
class Attached:
    """A key policy, grant or alias, with the key that it belongs to at each moment."""

    resource: Resource
    links: Mapping[Moment, Link]

    def belongs(self, key: str, moment: Moment) -> bool | Unknown:
        """Whether it belongs to the key at the moment."""
        link = self.links[moment]
        if key not in link.keys:
            return False
        return True if link.certain else UNKNOWN

    def attributes(self, moment: Moment) -> Attributes | None:
        """What is there in AWS at the moment: a forgotten resource stays as it was observed."""
        return self.resource.remaining if moment is Moment.PLANNED else self.resource.at(moment)


@dataclass(frozen=True, slots=True)
class Key:
    """A KMS key.

    Attributes:
        address: The address of its resource, or the name by which other resources know it.
        resource: Its resource, or None where the plan has none.
        arn: Its ARN before the apply, or as planned where that is known, or None.
        key_id: Its key id, likewise.
        account_id: The account that owns it, or None where it is not known yet.
        policies: The `aws_kms_key_policy` resources that belong to it at some moment.
        grants: The grants that belong to it at some moment.
        primary: The key of which it is a replica, or None.
        hidden: Whether Terraform marks its ARN or id as sensitive, so that no report may show them.
        exists: Whether the key was there before the apply, as recorded or as observed.
    """

    address: str
    resource: Resource | None
    arn: str | None
    key_id: str | None
    account_id: str | None
    policies: tuple[Attached, ...]
    grants: tuple[Attached, ...]
    primary: str | None = None
    hidden: bool = False
    exists: bool = field(init=False)

    def __post_init__(self) -> None:
        resource = self.resource
        existed = resource is None or resource.recorded is not None or resource.observed is not None
        object.__setattr__(self, "exists", existed)

    @property
    def untouched(self) -> bool:
        """Whether nothing happens to the key, its policy and its grants."""
        return (self.resource is None or self.resource.untouched) and all(
            attached.resource.untouched for attached in (*self.policies, *self.grants)
        )

    @property
    def is_replica(self) -> bool:
        """Whether the key is a replica of a multi-Region key."""
        return self.resource is not None and "replica" in self.resource.type

    def at(self, moment: Moment) -> Attributes | None:
        """The attributes of the key's own resource at a moment."""
        resource = self.resource
        if resource is None:
            return None
        return resource.planned if moment is Moment.PLANNED else resource.at(moment)

    def enabled(self, moment: Moment) -> bool | Unknown | None:
        """Whether the key is enabled at a moment; None where the plan does not tell."""
        attributes = self.at(moment)
        if attributes is None or self.resource is None:
            return None
        return attributes.flag(_ENABLED_ATTRIBUTE.get(self.resource.type, "enabled"))


@dataclass(frozen=True, slots=True)
class Custody:
    """All keys, aliases and key stores of a plan.

    Attributes:
        keys: By address.
        aliases: Each with the key that it points to.
        unplaced_policies: Planned `aws_kms_key_policy` resources of which the key cannot be told.
        stores: The custom key stores.
        documents: What tells the policies that are known only after apply.
    """

    keys: Mapping[str, Key]
    aliases: tuple[Attached, ...]
    unplaced_policies: tuple[Resource, ...]
    stores: tuple[Resource, ...]
    documents: PolicyDocuments
    configuration: Configuration

    def region(self, key: Key) -> str | None:
        """The Region that a key's resource will be in, where it or its provider says so; None where they do not."""
        resource = key.resource
        if resource is None or resource.planned is None:
            return None
        own = resource.planned.known_text("region")  # an argument of every resource since provider 6
        return own or self.configuration.region(resource.module_address, resource.type, resource.name)

    def made_here(self, resource: Resource, attribute: str, key: Key) -> bool:
        """Whether a principal that is known only after apply is a role or user that this plan makes in the account."""
        found = self.configuration.resolve(
            resource.module_address, resource.type, resource.name, resource.index, attribute
        )
        owner = key.resource or resource
        return self.configuration.made_by_the_same((owner.module_address, owner.type, owner.name), found)

    def key_policy(self, key: Key, moment: Moment, account_id: str, partition: str) -> PolicyReading:
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
            return self._own_policy(key, moment, account_id, partition)
        found: list[PolicyReading] = []
        for attached in key.policies:
            belongs = attached.belongs(key.address, moment)
            attributes = attached.attributes(moment)
            if belongs is UNKNOWN:
                found.append(NOTHING_KNOWN)
            elif belongs and attributes is not None:
                found.append(self._policy_of(attached.resource, attributes, account_id, partition))
        if moment is Moment.PLANNED and _puts_its_policy(key.resource):
            found = self._with_own_put(key, found, account_id, partition)
        default_too = moment is Moment.PLANNED and any(self._restores_default(key, each) for each in key.policies)
        if found and default_too:
            # One is destroyed and another put, in an order that nobody knows: either may be the last word.
            default = default_policy(partition, account_id)
            return PolicyReading(default.least, found[0].most) if len(found) == 1 else NOTHING_KNOWN
        if found:
            # Of two resources for one key the last one applied wins, and nobody can tell which that is.
            return found[0] if all(reading == found[0] for reading in found) else NOTHING_KNOWN
        if default_too:
            return default_policy(partition, account_id)
        return self._own_policy(key, moment, account_id, partition)

    def _with_own_put(
        self, key: Key, found: list[PolicyReading], account_id: str, partition: str
    ) -> list[PolicyReading]:
        """The readings of a key whose own resource puts a policy over the one that stands in a resource beside it.

        One that the plan puts after it, as its reference to the key says, has the last word; else the key has it where
        nothing else is put, and nobody can tell where something is.
        """
        puts = [a.resource for a in key.policies if a.resource.planned is not None and _puts_its_policy(a.resource)]
        if puts and all(self._refers_to_its_key(resource) for resource in puts):
            return found
        own = self._own_policy(key, Moment.PLANNED, account_id, partition)
        return [*found, own] if puts else [own]

    def _refers_to_its_key(self, resource: Resource) -> bool:
        expression = self.configuration.expression(resource.module_address, resource.type, resource.name, "key_id")
        return expression is not None and bool(expression.get("references"))

    def _own_policy(self, key: Key, moment: Moment, account_id: str, partition: str) -> PolicyReading:
        """The policy that the key's own resource says."""
        if key.resource is None:
            return NOTHING_KNOWN
        attributes = key.resource.remaining if moment is Moment.PLANNED else key.resource.at(moment)
        if attributes is None:
            return NOTHING_KNOWN
        return self._policy_of(key.resource, attributes, account_id, partition)

    def planned_policy(self, resource: Resource, account_id: str, partition: str) -> PolicyReading:
        """The policy that a resource would put, whichever key it is for."""
        if resource.planned is None:
            return NOTHING_KNOWN
        return self._policy_of(resource, resource.planned, account_id, partition)

    def _policy_of(self, resource: Resource, attributes: Attributes, account_id: str, partition: str) -> PolicyReading:
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

    @staticmethod
    def _restores_default(key: Key, attached: Attached) -> bool:
        """Whether a policy resource that was the key's is destroyed or moves to another key."""
        was = attached.belongs(key.address, Moment.OBSERVED)
        if was is False or attached.resource.observed is None:
            return False
        goes = attached.resource.action.destroys and attached.resource.planned is None
        return goes or attached.belongs(key.address, Moment.PLANNED) is False


def _puts_its_policy(resource: Resource | None) -> bool:
    """Whether the plan puts the policy of a key or of an `aws_kms_key_policy`: it is made, or its policy changes."""
    if resource is None or resource.planned is None or resource.action is Action.FORGET:
        return False
    before = resource.observed
    if before is None or resource.action.replaces:
        return resource.action is not Action.NO_OP
    return resource.action is Action.UPDATE and before.text("policy") != resource.planned.text("policy")


def arn_of(attributes: Attributes | None) -> str | None:
    """The ARN of a key resource's attributes, where it is known."""
    return None if attributes is None else attributes.known_text("arn")


def key_id_of(attributes: Attributes | None) -> str | None:
    """The key id of a key resource's attributes, where it is known; an imported key has it as its `id`."""
    if attributes is None:
        return None
    return attributes.known_text("key_id") or attributes.known_text("id")


def account_of(arn: str | None) -> str | None:
    """The account of an ARN, without judging the rest of it."""
    parts = arn.split(":", 5) if arn is not None else []
    return parts[4] if len(parts) == 6 and parts[4] else None


def id_in(name: str) -> str:
    """The key id in a key ARN, or the name itself."""
    return name.rsplit(":key/", 1)[-1]


def link_attribute(kind: str) -> str | None:
    """The attribute by which a resource of this type names its key."""
    return _LINK_ATTRIBUTES.get(kind)


__all__ = [
    "KEY_STORE_TYPE",
    "KEY_TYPES",
    "MOMENTS",
    "NO_LINK",
    "Attached",
    "Custody",
    "Key",
    "Link",
    "account_of",
    "arn_of",
    "id_in",
    "key_id_of",
    "link_attribute",
]
