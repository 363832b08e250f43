"""Builds the custody model of a plan: which policies, grants and aliases belong to which key, and when."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from engine.review.configuration import Configuration
from engine.review.custody import Custody
from engine.review.key_policies import KeyPolicies
from engine.review.keys import NO_LINK, Attached, Key, Link, account_of, arn_of, id_in, key_id_of, link_attribute
from engine.review.plan import ALIAS_TYPE, GRANT_TYPE, KEY_POLICY_TYPE, KEY_STORE_TYPE, KEY_TYPES, Action
from engine.review.policy_reading import PolicyDocuments
from engine.review.references import module_steps
from engine.review.resources import Moment, custody_resources
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.review.plan import Plan
    from engine.review.references import Resolution, Target
    from engine.review.resources import Resource
    from engine.review.values import Attributes


def build_custody(plan: Plan) -> Custody:
    """Build the custody model.

    Args:
        plan: The plan as read.

    Returns:
        Every key that the plan knows of, in the plan's order, with all that belongs to it.
    """
    resources = custody_resources(plan)
    configuration = Configuration(plan.configuration, plan.providers)
    builder = _Builder(configuration, [resource for resource in resources if resource.type in KEY_TYPES])
    builder.hide(resources)
    policies: list[Attached] = []
    grants: list[Attached] = []
    aliases: list[Attached] = []
    by_type = {KEY_POLICY_TYPE: policies, GRANT_TYPE: grants, ALIAS_TYPE: aliases}
    for resource in resources:
        attached = by_type.get(resource.type)
        if attached is not None:
            attached.append(builder.attach(resource))
    return Custody(
        keys=builder.keys(policies, grants),
        aliases=tuple(aliases),
        unplaced_policies=tuple(a.resource for a in policies if _is_unplaced(a)),
        stores=tuple(resource for resource in resources if resource.type == KEY_STORE_TYPE),
        policies=KeyPolicies(PolicyDocuments(plan.documents, configuration), configuration),
        configuration=configuration,
    )


def _is_unplaced(attached: Attached) -> bool:
    link = attached.links[Moment.PLANNED]
    return attached.resource.planned is not None and not link.keys and not link.certain


def key_address(resource: Resource) -> str:
    """The name of a key's resource: its address, with the id of a deposed object."""
    return f"{resource.address} (deposed {resource.deposed})" if resource.deposed else resource.address


_BEFORE = (Moment.RECORDED, Moment.OBSERVED)
_ALIAS = re.compile(r"(arn:[^:]*:kms:[^:]*:[^:]*:)?alias/")


class _Builder:
    """Finds keys by physical name and by place in the configuration."""

    def __init__(self, configuration: Configuration, resources: list[Resource]) -> None:
        self._configuration = configuration
        self._resources = {key_address(resource): resource for resource in resources}
        self._by_arn: dict[str, list[str]] = defaultdict(list)
        self._by_id: dict[str, list[str]] = defaultdict(list)
        self._by_place: dict[tuple[str, str], list[Resource]] = defaultdict(list)
        self._named: dict[str, str] = {}  # key id or ARN → the name of a key without a resource
        self._hidden: dict[str, str] = {}  # key id that Terraform marks as sensitive → what stands for it
        for address, resource in self._resources.items():
            self._index(address, resource)

    def _index(self, address: str, resource: Resource) -> None:
        if resource.deposed is None:
            self._by_place[resource.type, resource.name].append(resource)
        before = (
            (resource.observed,) if resource.recorded is resource.observed else (resource.recorded, resource.observed)
        )
        # A replaced key's planned id would be another key's; that of one that stays as it is, the same again.
        same = resource.action is Action.NO_OP or resource.action.replaces
        for attributes in before if same and resource.observed is not None else (*before, resource.planned):
            arn, key_id = arn_of(attributes), key_id_of(attributes)
            if arn is not None and address not in self._by_arn[arn]:
                self._by_arn[arn].append(address)
            if key_id is not None and address not in self._by_id[key_id]:
                self._by_id[key_id].append(address)

    def hide(self, resources: Iterable[Resource]) -> None:
        """Take note of the key ids that Terraform marks as sensitive; asked of all resources before any is attached."""
        for resource in resources:
            attribute = link_attribute(resource.type)
            for attributes in (resource.recorded, resource.observed, resource.planned) if attribute is not None else ():
                name = None if attributes is None else attributes.known_text(attribute or "")
                if name is not None and attributes is not None and attributes.sensitive(attribute or ""):
                    self._hidden.setdefault(id_in(name), f"(sensitive key {len(self._hidden) + 1})")

    def attach(self, resource: Resource) -> Attached:
        """A policy, grant or alias with its links; a replaced one is linked at each moment for itself."""
        attribute = link_attribute(resource.type) or ""
        links = {moment: self._link(resource, resource.at(moment), attribute, moment) for moment in _BEFORE}
        if resource.type == KEY_POLICY_TYPE and resource.action is Action.UPDATE:
            links[Moment.PLANNED] = self._same_key(links[Moment.OBSERVED])
        else:
            links[Moment.PLANNED] = self._link(resource, resource.remaining, attribute, Moment.PLANNED)
        return Attached(resource, links)

    def _same_key(self, link: Link) -> Link:
        """The key of a policy resource that is updated in place: the one that it has been on, whatever `key_id` says.

        The AWS provider puts the policy onto the key of the resource's id (`engine.review.key_policies`). A key that
        takes the place of that one is another.
        """
        resource = None if link.key is None else self._resources.get(link.key)
        return NO_LINK if resource is not None and resource.action.replaces else link

    def _link(self, resource: Resource, attributes: Attributes | None, attribute: str, moment: Moment) -> Link:
        if attributes is None:
            return NO_LINK
        name = attributes.text(attribute)
        if name is None:
            return NO_LINK
        if isinstance(name, str):
            return self._by_name(resource, name, moment)
        return self._by_reference(resource, attribute)

    def _by_name(self, resource: Resource, name: str, moment: Moment) -> Link:
        if _ALIAS.match(name) is not None:  # KMS takes no alias here; if it did, nobody can tell whose key it means
            return Link((), certain=False)
        found = self._by_arn.get(name) if ":" in name else self._by_id.get(name)
        if not found:
            self._named.setdefault(id_in(name), name)
            if ":" in name:
                self._named[id_in(name)] = name
            return Link((self._hidden.get(id_in(name), id_in(name)),), certain=True)
        if len(found) > 1 and moment is not Moment.RECORDED:
            # One id, several resources: replicas share it, and so does a key under a second address.
            reference = self._by_reference(resource, link_attribute(resource.type) or "")
            narrowed = [key for key in reference.keys if key in found]
            if len(narrowed) == 1:
                return Link((narrowed[0],), certain=True)
        return Link(tuple(found), certain=len(found) == 1)

    def _by_reference(self, resource: Resource, attribute: str) -> Link:
        resolution: Resolution = self._configuration.resolve(
            resource.module_address, resource.type, resource.name, resource.index, attribute
        )
        keys: list[str] = []
        certain = resolution.certain and bool(resolution.targets)
        for target in resolution.targets:
            found = self._instances(target)
            certain = certain and bool(found)
            keys.extend(found)
        unique = tuple(dict.fromkeys(keys))
        return Link(unique, certain=certain and len(unique) == 1)

    def _instances(self, target: Target) -> list[str]:
        found = [
            resource
            for resource in self._by_place.get((target.type, target.name), ())
            if _module_matches(resource.module_address, target)
            # What a value known only after apply comes from will be there after it.
            and (resource.planned is not None or resource.action is Action.FORGET)
        ]
        exact = [resource for resource in found if target.index is not None and resource.index == target.index]
        if exact:
            found = exact
        return [key_address(resource) for resource in found]

    def keys(self, policies: Iterable[Attached], grants: Iterable[Attached]) -> dict[str, Key]:
        """The keys with what belongs to them; those known by name alone come last."""
        policies_of = _by_key(policies)
        grants_of = _by_key(grants)
        keys: dict[str, Key] = {}
        for address, resource in self._resources.items():
            first = resource.recorded or resource.observed or resource.planned
            arn = arn_of(first)
            keys[address] = Key(
                address=address,
                resource=resource,
                arn=arn,
                key_id=key_id_of(first),
                account_id=account_of(arn),
                policies=tuple(policies_of.get(address, ())),
                grants=tuple(grants_of.get(address, ())),
                primary=self._primary(resource),
                hidden=any(resource.marked_sensitive(name) for name in ("arn", "id", "key_id")),
            )
        for key_id, name in self._named.items():
            arn = name if ":" in name else None
            address = self._hidden.get(key_id, key_id)
            keys[address] = Key(
                address=address,
                resource=None,
                arn=arn,
                key_id=key_id,
                account_id=account_of(arn),
                policies=tuple(policies_of.get(address, ())),
                grants=tuple(grants_of.get(address, ())),
                hidden=key_id in self._hidden,
            )
        return keys

    def _primary(self, resource: Resource) -> str | None:
        attribute = link_attribute(resource.type)
        if attribute is None:
            return None
        for attributes, moment in ((resource.planned, Moment.PLANNED), (resource.observed, Moment.OBSERVED)):
            if attributes is None:
                continue
            name = attributes.text(attribute)
            if name is UNKNOWN:
                return self._by_reference(resource, attribute).key
            if isinstance(name, str):
                return self._by_name(resource, name, moment).key
        return None


def _module_matches(module_address: str, target: Target) -> bool:
    steps = module_steps(module_address)
    return len(steps) == len(target.module) and all(
        step.name == wanted.name and (wanted.index is None or step.index == wanted.index)
        for step, wanted in zip(steps, target.module, strict=True)
    )


def _by_key(attached: Iterable[Attached]) -> dict[str, list[Attached]]:
    by_key: dict[str, list[Attached]] = defaultdict(list)
    for entry in attached:
        keys = dict.fromkeys(key for link in entry.links.values() for key in link.keys)
        for key in keys:
            by_key[key].append(entry)
    return by_key


__all__ = ["build_custody", "key_address"]
