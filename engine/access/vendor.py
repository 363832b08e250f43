"""What the vendor's account needs on a key, and what it must never have.

The console's page for another account gives it encryption, decryption, rewrapping, data keys and
`DescribeKey`, and grants on behalf of AWS services (AWS KMS Developer Guide, "Creating KMS keys that other
accounts can use"). `kms:GenerateDataKey*` brings the data key pairs with it. Everything else that is done to
a key is its owner's alone (EKM-09, EKM-16): who may put the key policy, switch the key off or schedule its
deletion is in charge of the backups.

AWS KMS takes most administrative calls from the key's own account alone. A policy that gives them to the
vendor is still a mistake, so `vendor_excess` goes by the words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.access.evaluation import evaluate
from engine.access.key_policy import Effect
from engine.access.model import Request, Verdict
from engine.access.operations import KEY_ACTIONS
from engine.access.usability import ActionDecision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.access.key_policy import KeyPolicy
    from engine.access.model import Caller, Grant

VENDOR_REQUIRED_ACTIONS = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
)
# For AWS services that act for the vendor, and only so: condition kms:GrantIsForAWSResource.
VENDOR_SERVICE_ACTIONS = ("kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant")
# Neither needed nor harmful: retiring a grant gives access up, the others read or come with a pattern.
VENDOR_HARMLESS_ACTIONS = (
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GetKeyRotationStatus",
    "kms:GetPublicKey",
    "kms:RetireGrant",
)
VENDOR_FORBIDDEN_ACTIONS = tuple(
    sorted(
        {f"kms:{name}" for name in KEY_ACTIONS}
        - {*VENDOR_REQUIRED_ACTIONS, *VENDOR_SERVICE_ACTIONS, *VENDOR_HARMLESS_ACTIONS}
    )
)


def vendor_excess(
    policy: KeyPolicy, grants: Sequence[Grant], vendor: Caller, key_arn: str | None, key_account_id: str
) -> tuple[ActionDecision, ...]:
    """What the vendor is given beyond its need.

    Args:
        policy: The key's policy.
        grants: The key's grants.
        vendor: The vendor's account as a whole, or one of its principals.
        key_arn: The key's full ARN, or None for a key about to be created.
        key_account_id: The account that owns the key.

    Returns:
        The forbidden actions that the policy's words or a grant give it or may give it, and those for AWS
        services that it has for itself; empty where there is none.

    Raises:
        InputError: The vendor or the key's account is not of its form.
    """
    for_itself = {"kms:GrantIsForAWSResource": ("false",)}
    questions = [
        *(Request(action, key_arn, key_account_id) for action in VENDOR_FORBIDDEN_ACTIONS),
        *(Request(action, key_arn, key_account_id, for_itself) for action in VENDOR_SERVICE_ACTIONS),
    ]
    # The first is put in any case: it refuses accounts that are not of their form.
    put = [question for number, question in enumerate(questions) if number == 0 or grants or _allows(policy, question)]
    answers = (ActionDecision(q.action, evaluate(policy, grants, vendor, q, as_written=True), None) for q in put)
    return tuple(answer for answer in answers if answer.verdict is not Verdict.NO)


def _allows(policy: KeyPolicy, question: Request) -> bool:
    """Whether a statement allows the action to anybody; without one, and without grants, the answer is no."""
    action = question.action.lower()
    return any(
        statement.effect is Effect.ALLOW and statement.actions.include(action) for statement in policy.statements
    )
