"""What a caller can do with a key as it stands: key policy and grants, and the key's state, together.

Either can refuse. The state comes second in the reason: AWS does not tell a caller without permission in
which state a key is.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.access.evaluation import evaluate
from engine.access.key_states import state_refusal
from engine.access.model import Request, Verdict
from engine.access.operations import KEY_ACTIONS, action_name, operation_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.access.key_policy import KeyPolicy
    from engine.access.key_states import StateRefusal
    from engine.access.model import Caller, Decision, Grant, KeyState

_NO_CONTEXT: Mapping[str, tuple[str, ...]] = MappingProxyType({})
# A permission without a call of its own: KMS itself uses it.
_WITHOUT_OPERATION = frozenset({"SynchronizeMultiRegionKey"})


@dataclass(frozen=True, slots=True)
class ActionDecision:
    """The answer for one action.

    Attributes:
        action: The action, such as `kms:Decrypt`.
        decision: What policy and grants say.
        refusal: What the key's state says; None where it refuses nothing.
    """

    action: str
    decision: Decision
    refusal: StateRefusal | None

    @property
    def verdict(self) -> Verdict:
        """Both together."""
        return self.decision.verdict if self.refusal is None else Verdict.NO

    @property
    def reason(self) -> str:
        """One or two sentences for people."""
        if self.refusal is None:
            return self.decision.reason
        state = f"{self.refusal.message} AWS answers {self.refusal.code}."
        return f"{self.decision.reason} {state}" if self.decision.verdict is Verdict.NO else state


def usable(
    policy: KeyPolicy,
    grants: Sequence[Grant],
    caller: Caller,
    state: KeyState,
    actions: Sequence[str],
    key_arn: str | None,
    key_account_id: str,
    context: Mapping[str, tuple[str, ...]] = _NO_CONTEXT,
) -> tuple[ActionDecision, ...]:
    """What a caller can do with a key in its state.

    Args:
        policy: The key's policy.
        grants: The key's grants.
        caller: Who calls.
        state: The key's state, as DescribeKey tells it.
        actions: The actions to decide, such as `kms:Decrypt`.
        key_arn: The key's full ARN, or None for a key about to be created.
        key_account_id: The account that owns the key.
        context: Condition keys that the calls bring; others are unknown.

    Returns:
        One answer an action, in their order.

    Raises:
        InputError: The caller, the key's account or an action is not of its form.
    """
    answers = []
    for action in actions:
        decision = evaluate(policy, grants, caller, Request(action, key_arn, key_account_id, context))
        name = action_name(action)
        known = name in KEY_ACTIONS and name not in _WITHOUT_OPERATION
        answers.append(ActionDecision(action, decision, state_refusal(operation_of(name), state) if known else None))
    return tuple(answers)
