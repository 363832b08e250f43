"""What the policies of an AWS organization would take from the vendor, in every account that they reach.

A resource control policy binds whoever comes to a key of the accounts that it is attached to, principals of other
accounts too: one that denies what Druva's account needs stops every backup there, whatever key policies and grants say
(AWS Organizations User Guide, "Resource control policies"). No other kind of policy binds another account's principals.

- A policy is judged by its content, whatever it is attached to: that may stand in another plan.
- What is newly attached is judged by the policy that it names, where the plan shows that; else it cannot be told. What
  is attached to another account than the declared ones does not reach the keys.
- The question is what the vendor could do with a key that gives it everything.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from engine.arn import is_account_id
from engine.review.detect.access import compare, lost_actions
from engine.review.events import Event, EventKind
from engine.review.plan import ORGANIZATION_ATTACHMENT_TYPE, ORGANIZATION_POLICY_TYPE
from engine.review.policy_reading import NOTHING_KNOWN, known
from engine.review.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.access_answers import Access
    from engine.review.detect.context import Context
    from engine.review.events import Told
    from engine.review.plan import ResourceChange
    from engine.review.policy_reading import PolicyReading
    from engine.review.values import Attributes

_BINDING = ("RESOURCE_CONTROL_POLICY", UNKNOWN)
_ALLOWING_ALL = ("p-FullAWSAccess", "p-RCPFullAWSAccess")  # AWS's own
_NAMES = ("policy_id", "target_id")


def detect_organization_policies(context: Context) -> Iterator[Told]:
    """The events of every policy of an organisation that the plan makes or changes, and of what it attaches."""
    policies = [c for c in context.plan.foundations if c.type == ORGANIZATION_POLICY_TYPE]
    for policy in policies:
        if policy.action.value != "no-op" and policy.after is not None:
            yield _event(context, policy, _access(context, policy.before), _access(context, policy.after))
    for attachment in context.plan.foundations:
        if attachment.type == ORGANIZATION_ATTACHMENT_TYPE and _attaches(context, attachment):
            yield _event(context, attachment, _access(context, None), _attached(context, attachment, policies))


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
    binds = policy is not None and policy.text("type") in _BINDING
    statements = _statements(policy.text("content")) if policy is not None and binds else []
    reading: PolicyReading = NOTHING_KNOWN
    if statements is not None:
        reading = known(json.dumps({"Version": "2012-10-17", "Statement": [everything, *statements]}))
    return context.access.vendor_access_under(reading)


def _statements(content: object) -> list[object] | None:
    """The statements of a policy; None where they are not known."""
    try:
        document = json.loads(content) if isinstance(content, str) else None
    except ValueError:
        return None
    statements = document.get("Statement") if isinstance(document, dict) else None
    return statements if isinstance(statements, list) else None if statements is None else [statements]


def _attaches(context: Context, attachment: ResourceChange) -> bool:
    """Whether a policy comes to reach what it did not reach, the declared account perhaps among it."""
    before, after = attachment.before, attachment.after
    if after is None or (before is not None and all(before.raw(name) == after.raw(name) for name in _NAMES)):
        return False
    target = after.text("target_id")
    elsewhere = isinstance(target, str) and is_account_id(target)
    return not elsewhere or target in {d.account.account_id for d in context.declared.both}


def _attached(context: Context, attachment: ResourceChange, policies: list[ResourceChange]) -> Access:
    """What the vendor could do under the policy that is attached; one that the plan makes is told by itself."""
    identifier = None if attachment.after is None else attachment.after.text("policy_id")
    if identifier in _ALLOWING_ALL or (identifier is UNKNOWN and _is_made_here(context, attachment)):
        return _access(context, None)
    for policy in policies:
        here = policy.before or policy.after
        if here is not None and here.known_text("id") == identifier:
            return _access(context, policy.after)
    return context.access.vendor_access_under(NOTHING_KNOWN)


def _is_made_here(context: Context, attachment: ResourceChange) -> bool:
    """Whether the policy is one that this plan makes, by the configuration."""
    found = context.custody.configuration.resolve(
        attachment.module_address, attachment.type, attachment.name, attachment.index, "policy_id"
    )
    types = {target.type for target in found.targets}
    return found.certain and types == {ORGANIZATION_POLICY_TYPE}
