"""Who can do what with a KMS key: key policy, grants and key state, in one evaluator.

`parse_key_policy` reads a policy once; `evaluate` decides one call by policy and grants; `state_refusal`
says what a key's state refuses; `usable` puts the two together; `vendor_excess` finds what the vendor has
beyond its need. Everything here is pure: no I/O, no clock, no AWS.
"""

from engine.access.evaluation import evaluate
from engine.access.key_policy import Effect, KeyPolicy, Statement
from engine.access.key_states import KEY_OPERATIONS, StateRefusal, state_refusal
from engine.access.model import Caller, Decision, Grant, KeyState, Request, Verdict
from engine.access.operations import CROSS_ACCOUNT, CRYPTOGRAPHIC, GRANT_OPERATIONS, KEY_ACTIONS
from engine.access.policy_reader import parse_key_policy
from engine.access.usability import ActionDecision, usable
from engine.access.vendor import (
    VENDOR_FORBIDDEN_ACTIONS,
    VENDOR_HARMLESS_ACTIONS,
    VENDOR_REQUIRED_ACTIONS,
    VENDOR_SERVICE_ACTIONS,
    vendor_excess,
)

__all__ = [
    "CROSS_ACCOUNT",
    "CRYPTOGRAPHIC",
    "GRANT_OPERATIONS",
    "KEY_ACTIONS",
    "KEY_OPERATIONS",
    "VENDOR_FORBIDDEN_ACTIONS",
    "VENDOR_HARMLESS_ACTIONS",
    "VENDOR_REQUIRED_ACTIONS",
    "VENDOR_SERVICE_ACTIONS",
    "ActionDecision",
    "Caller",
    "Decision",
    "Effect",
    "Grant",
    "KeyPolicy",
    "KeyState",
    "Request",
    "StateRefusal",
    "Statement",
    "Verdict",
    "evaluate",
    "parse_key_policy",
    "state_refusal",
    "usable",
    "vendor_excess",
]
