"""GetKeyPolicy, PutKeyPolicy, ListKeyPolicies. A key has one policy, and its name is `default`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.sandbox.kms.authorization import admitted
from engine.sandbox.kms.call import Operation
from engine.sandbox.kms.conditions import bypass_context, key_context
from engine.sandbox.kms.errors import not_found, validation
from engine.sandbox.kms.key_policies import POLICY_NAME, check_lockout, read_policy
from engine.sandbox.kms.paging import page

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply


def get_key_policy(call: Call) -> Reply:
    """GetKeyPolicy: the text as it was written."""
    key = admitted(call).key
    if call.parameters.optional_text("PolicyName") not in (None, POLICY_NAME):
        raise not_found("No such policy exists")
    return {"Policy": key.policy_text, "PolicyName": POLICY_NAME}


def put_key_policy(call: Call) -> Reply:
    """PutKeyPolicy: takes the place of the whole policy, at once."""
    if call.parameters.optional_text("PolicyName") not in (None, POLICY_NAME):
        raise validation(f"The PolicyName must be {POLICY_NAME!r}.")
    bypass = call.parameters.flag("BypassPolicyLockoutSafetyCheck")
    target = admitted(call, bypass_context(call))
    text = call.parameters.text("Policy")
    policy = read_policy(text)
    if not bypass:
        check_lockout(call, policy, target.key.arn, key_context(call, target))
    call.store.put_key(replace(target.key, policy_text=text, policy=policy))
    return {}


def list_key_policies(call: Call) -> Reply:
    """ListKeyPolicies: always the one."""
    admitted(call)
    return page(call, (POLICY_NAME,), member="PolicyNames", identity=str, show=str)


OPERATIONS = (
    Operation("GetKeyPolicy", get_key_policy),
    Operation("PutKeyPolicy", put_key_policy, changes=True),
    Operation("ListKeyPolicies", list_key_policies),
)
