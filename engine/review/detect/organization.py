"""What the policies of an AWS organization would take from the vendor, in every account that they reach.

A resource control policy binds whoever comes to a key of the accounts that it is attached to, principals of other
accounts too: one that denies what Druva's account needs stops every backup there, whatever key policies and grants say
(AWS Organizations User Guide, "Resource control policies"). No other kind of policy binds another account's principals.

- A policy is judged by its content, whatever it is attached to: that may stand in another plan. So it is where it comes
  to name more targets itself, as one of AWS Cloud Control's does.
- What is newly attached is judged by the policy that it names, where the plan shows that; else it cannot be told. What
  is attached to another account than the declared ones, or to one that is only opened, does not reach the keys; what
  another resource attached there before is not new.
- The question is what the vendor could do with a key that gives it everything.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.arn import is_account_id
from engine.review.denials import deny_no_more
from engine.review.detect.access import compare, lost_actions
from engine.review.events import Event, EventKind
from engine.review.plan import ORGANIZATION_ATTACHMENT_TYPE, ORGANIZATION_POLICY_TYPES, Action
from engine.review.policy_reading import NOTHING_KNOWN, known
from engine.review.references import module_steps
from engine.review.statements import parse_statements
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.review.access_answers import Access
    from engine.review.detect.context import Context
    from engine.review.events import Told
    from engine.review.plan import ResourceChange
    from engine.review.policy_reading import PolicyReading
    from engine.review.references import Resolution, Step, Target
    from engine.review.statements import Statements
    from engine.review.values import Attributes

_BINDING = ("RESOURCE_CONTROL_POLICY", UNKNOWN, None)
_ALLOWING_ALL = ("p-FullAWSAccess", "p-RCPFullAWSAccess")  # AWS's own
_NAMES = ("policy_id", "target_id")
_ACCOUNT_TYPE = "aws_organizations_account"


def detect_organization_policies(context: Context) -> Iterator[Told]:
    """The events of every policy of an organisation that the plan makes or changes, and of what it attaches."""
    policies = [c for c in context.plan.foundations if c.type in ORGANIZATION_POLICY_TYPES]
    for policy in policies:
        if policy.action is not Action.NO_OP and policy.after is not None:
            bound = None if _attaches_itself(context, policy.before, policy.after) else policy.before
            if _becomes_milder(bound, policy.after):
                yield EventKind.ORGANIZATION_POLICY
            else:
                yield _event(context, policy, _access(context, bound), _access(context, policy.after))
    attachments = [c for c in context.plan.foundations if c.type == ORGANIZATION_ATTACHMENT_TYPE]
    named = _Policies(policies)
    attached = {_names(attachment.before) for attachment in attachments} - {None}
    for attachment in attachments:
        if _may_reach_keys(context, attachment) and _names(attachment.after) not in attached:
            unbound = _access(context, None)
            found = [_event(context, attachment, unbound, access) for access in _under(context, attachment, named)]
            yield next((told for told in found if isinstance(told, Event)), EventKind.ORGANIZATION_POLICY)


def _event(context: Context, change: ResourceChange, before: Access, after: Access) -> Told:
    found = compare(before, after)
    if found in ("none", "given"):
        return EventKind.ORGANIZATION_POLICY
    words = {"vendor": context.access.vendor, "actions": ", ".join(lost_actions(before, after))}
    return Event(EventKind.ORGANIZATION_POLICY, change.address, {"change": found}, words)


def _access(context: Context, policy: Attributes | None) -> Access:
    """What the vendor could do under a policy, or without one."""
    everything = {
        "Effect": "Allow",
        "Principal": {"AWS": context.access.vendor},
        "Action": "kms:*",
        "Resource": "*",
    }
    statements = _statements(policy)
    reading: PolicyReading = NOTHING_KNOWN
    if statements is not None:
        reading = known(json.dumps({"Version": "2012-10-17", "Statement": [everything, *statements]}))
    return context.access.vendor_access_under(reading)


def _statements(policy: Attributes | None) -> Statements | None:
    """What binds the principals of other accounts; None where that is not known."""
    if policy is None or policy.text("type") not in _BINDING:
        return ()
    content = policy.text("content")
    return parse_statements(content) if isinstance(content, str) else None


def _becomes_milder(before: Attributes | None, after: Attributes) -> bool:
    """Whether a policy denies no more than it did, as can be seen by its statements."""
    was, will = _statements(before), _statements(after)
    return was is not None and will is not None and deny_no_more(was, will)


def _names(attachment: Attributes | None) -> tuple[object, ...] | None:
    """The policy and the target of an attachment; None where one of them is not known."""
    if attachment is None:
        return None
    names = tuple(attachment.known_text(name) for name in _NAMES)
    return None if None in names else names


def _may_reach_keys(context: Context, attachment: ResourceChange) -> bool:
    """Whether what a policy is attached to may hold the declared account."""
    if attachment.after is None:
        return False
    target = attachment.after.text("target_id")
    if target is UNKNOWN:
        return not _is_new_account(context, attachment)
    return _reaches_keys(context, target)


def _attaches_itself(context: Context, before: Attributes | None, after: Attributes) -> bool:
    """Whether a policy that names its targets itself, as AWS Cloud Control's does, comes to name more of them."""
    was, will = frozenset[str]() if before is None else before.texts("target_ids"), after.texts("target_ids")
    if will is UNKNOWN or was is UNKNOWN:
        return True
    return any(_reaches_keys(context, target) for target in will - was)


def _reaches_keys(context: Context, target: object) -> bool:
    """Whether the declared account may be, or be part of, what a policy is attached to."""
    elsewhere = isinstance(target, str) and is_account_id(target)
    return not elsewhere or target in {d.account.account_id for d in context.declared.both}


def _is_new_account(context: Context, attachment: ResourceChange) -> bool:
    """Whether the target that is not known yet is an account that this plan opens, and so none of the declared ones."""
    found = _from(context, attachment, "target_id")
    opened = [target.type == _ACCOUNT_TYPE and target.attribute == "id" for target in found.targets]
    return found.certain and bool(opened) and all(opened)


def _from(context: Context, attachment: ResourceChange, attribute: str) -> Resolution:
    """What an attribute of an attachment comes from, by the configuration."""
    place = (attachment.module_address, attachment.type, attachment.name, attachment.index)
    return context.custody.configuration.resolve(*place, attribute)


def _under(context: Context, attachment: ResourceChange, policies: _Policies) -> list[Access]:
    """What the vendor could do under each policy that may be the attached one; a new one is told by itself."""
    identifier = None if attachment.after is None else attachment.after.text("policy_id")
    if identifier in _ALLOWING_ALL:
        return []
    if identifier is UNKNOWN:
        found = _from(context, attachment, "policy_id")
        named = policies.made_again(found.targets) if found.certain else None
        named = named and [policy for policy in named if not _was_attached(attachment, policy)]
    else:
        named = policies.by_id.get(identifier)
    if named is None:
        return [context.access.vendor_access_under(NOTHING_KNOWN)]
    # A policy that is forgotten, or kept when its resource is destroyed, stays what it was.
    return [_access(context, policy.after or policy.before) for policy in named]


def _was_attached(attachment: ResourceChange, policy: ResourceChange) -> bool:
    """Whether an attachment follows a policy that is made anew, to the same target as before."""
    before, after = attachment.before, attachment.after
    if before is None or after is None or policy.before is None:
        return False
    names = (before.raw("policy_id"), before.raw("target_id"))
    return names == (policy.before.raw("id"), after.raw("target_id"))


class _Policies:
    """The policies of the plan, as attachments name them.

    Attributes:
        by_id: By the id that they have, or had.
    """

    def __init__(self, policies: Iterable[ResourceChange]) -> None:
        self.by_id: dict[object, list[ResourceChange]] = {}
        self._made: dict[tuple[object, ...], list[ResourceChange]] = {}
        for policy in policies:
            states = [attributes for attributes in (policy.before, policy.after) if attributes is not None]
            for identifier in {attributes.known_text("id") for attributes in states} - {None}:
                self.by_id.setdefault(identifier, []).append(policy)
            if policy.after is not None and policy.after.text("id") is UNKNOWN:
                place = _place(module_steps(policy.module_address), policy.type, policy.name)
                self._made.setdefault(place, []).extend([] if policy.before is None else [policy])

    def made_again(self, targets: Sequence[Target]) -> list[ResourceChange] | None:
        """Those of the named ones that take the place of another; None where one is not made here."""
        found = [self._made.get(_place(target.module, target.type, target.name)) for target in targets]
        named = [policies for policies in found if policies is not None]
        return [policy for policies in named for policy in policies] if named and len(named) == len(found) else None


def _place(module: Sequence[Step], kind: str, name: str) -> tuple[object, ...]:
    """Where a resource is configured, whichever instance it is."""
    return (tuple(step.name for step in module), kind, name)
