"""What is accepted as a key policy, and the check that keeps its writer from locking the key up.

A policy has at most 32 KB. Unless the check is bypassed, whoever writes it must still be able to write the
next one under it. (AWS KMS API Reference, PutKeyPolicy; Developer Guide, "Resource quotas")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access import evaluate, parse_key_policy
from engine.access.condition_operators import Quantifier
from engine.access.model import Request, Verdict
from engine.access.operations import ENCRYPTION_CONTEXT_PREFIX
from engine.errors import InputError
from engine.sandbox.kms.errors import KmsError, malformed_policy

if TYPE_CHECKING:
    from engine.access import KeyPolicy
    from engine.sandbox.kms.call import Call
    from engine.sandbox.kms.conditions import Context

POLICY_NAME = "default"  # the only name that a key policy can have
# AWS KMS Developer Guide, "AWS KMS condition keys", kms:EncryptionContext:context-key.
_OVERLY_PERMISSIVE = (
    "OverlyPermissiveCondition:EncryptionContext: Using the ForAllValues set operator with a single-valued condition "
    "key matches requests without the specified encryption context or with an unspecified encryption context. To fix, "
    "remove ForAllValues."
)
_LARGEST_POLICY = 32 * 1024  # bytes


def read_policy(text: str) -> KeyPolicy:
    """Parse a key policy.

    Raises:
        KmsError: `LimitExceededException` where it is too long, `MalformedPolicyDocumentException` where it
            is no key policy.
    """
    if len(text.encode()) > _LARGEST_POLICY:
        raise KmsError("LimitExceededException", f"The key policy is longer than {_LARGEST_POLICY} bytes")
    try:
        policy = parse_key_policy(text)
    except InputError as error:
        raise malformed_policy("; ".join(error.diagnostics())) from error
    for statement in policy.statements:
        for test in statement.conditions:
            if test.operator is None:
                raise malformed_policy(f"Invalid condition operator {test.written!r} in {statement.quoted}")
            if test.operator.quantifier is Quantifier.ALL and test.key.lower().startswith(ENCRYPTION_CONTEXT_PREFIX):
                raise malformed_policy(_OVERLY_PERMISSIVE)
    return policy


def check_lockout(call: Call, policy: KeyPolicy, key_arn: str | None, context: Context) -> None:
    """Refuse a policy under which its writer could not write the next one.

    Args:
        call: The call that brings the policy.
        policy: The new policy.
        key_arn: The key, or None where it is yet to be made.
        context: The condition keys that the call brings.

    Raises:
        KmsError: `MalformedPolicyDocumentException`.
    """
    request = Request("kms:PutKeyPolicy", key_arn, call.account_id, context, complete=True)
    if evaluate(policy, (), call.principal.caller, request).verdict is not Verdict.YES:
        raise malformed_policy("The new key policy will not allow you to update the key policy in the future.")
