"""The custody of a plan: its keys with all that belongs to them, its aliases and key stores, and who makes what.

What belongs to which key follows from ids and ARNs where they are known, and from the configuration's references where
they are not (`engine.review.custody_builder` finds it out). Which policy is in force on a key is told by
`engine.review.key_policies`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.review.configuration import Configuration
    from engine.review.key_policies import KeyPolicies
    from engine.review.keys import Attached, Key
    from engine.review.resources import Resource


@dataclass(frozen=True, slots=True)
class Custody:
    """All keys, aliases and key stores of a plan.

    Attributes:
        keys: By address.
        aliases: Each with the key that it points to.
        unplaced_policies: Planned `aws_kms_key_policy` resources of which the key cannot be told.
        stores: The custom key stores.
        policies: What tells which policy is in force on a key.
        configuration: Where values come from that are known only after apply.
    """

    keys: Mapping[str, Key]
    aliases: tuple[Attached, ...]
    unplaced_policies: tuple[Resource, ...]
    stores: tuple[Resource, ...]
    policies: KeyPolicies
    configuration: Configuration

    def region(self, key: Key) -> str | None:
        """The Region that a key's resource will be in, where it or its provider says so; None where they do not."""
        resource = key.resource
        if resource is None or resource.planned is None:
            return None
        own = resource.planned.known_text("region")  # an argument of every resource since provider 6
        return own or self.configuration.region(resource.module_address, resource.type, resource.name)

    def made_here(self, resource: Resource, attribute: str, key: Key, account_id: str) -> bool:
        """Whether a principal that is known only after apply is a role or user that this plan makes in the account."""
        found = self.configuration.resolve(
            resource.module_address, resource.type, resource.name, resource.index, attribute
        )
        owner = key.resource or resource
        return self.configuration.made_by_the_same((owner.module_address, owner.type, owner.name), found, account_id)
