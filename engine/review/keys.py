"""The KMS keys of a plan, and what hangs on each: its policies and grants, at each moment.

A key is known by its resource, or, where another resource names it by id or ARN alone, by that name. A link between a
key and what hangs on it that is not certain is kept as such: it can give access in the most generous reading and never
in the least.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.review.plan import ALIAS_TYPE, GRANT_TYPE, KEY_POLICY_TYPE
from engine.review.resources import Moment
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.review.resources import Resource
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
