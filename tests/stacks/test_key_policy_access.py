"""What the key policy means, by the evaluator that validation, review and the sandbox share."""

from __future__ import annotations

from typing import Any

import pytest

from engine.access import (
    VENDOR_REQUIRED_ACTIONS,
    Caller,
    Grant,
    KeyPolicy,
    Request,
    Verdict,
    evaluate,
    parse_key_policy,
    vendor_excess,
)
from stacks.custody import VENDOR_GRANT_OPERATIONS
from stacks.key_policy import account_root, key_policy
from tests.stacks.declared import ADMINISTRATOR, CUSTOMER, VENDOR, declare

BREAK_GLASS = f"arn:aws:iam::{CUSTOMER}:role/BreakGlass"
DELETION = "kms:ScheduleKeyDeletion"


def policy(state: str = "active", **changes: Any) -> KeyPolicy:
    generations = [{"number": 1, "state": state}, {"number": 2}]
    return parse_key_policy(key_policy(declare(current=2, generations=generations, **changes), 1).to_json())


def verdict(judged: KeyPolicy, caller: Caller, action: str, *grants: Grant) -> Verdict:
    return evaluate(judged, grants, caller, Request(action, None, CUSTOMER)).verdict


def role(arn: str, identity: Verdict = Verdict.NO) -> Caller:
    """A principal of the customer, whose own IAM policies allow nothing unless said otherwise."""
    return Caller(CUSTOMER, arn, identity)


@pytest.mark.requirement("EKM-19")
@pytest.mark.requirement("EKM-20")
def test_the_vendor_has_what_it_needs_and_nothing_beyond() -> None:
    vendor = Caller.account(VENDOR)
    assert {verdict(policy(), vendor, action) for action in VENDOR_REQUIRED_ACTIONS} == {Verdict.YES}
    assert vendor_excess(policy(), (), vendor, None, CUSTOMER) == ()


@pytest.mark.requirement("EKM-18")
def test_the_grant_alone_gives_the_vendor_what_it_needs_and_nothing_beyond() -> None:
    grant = Grant("planned", account_root("aws", VENDOR), frozenset(VENDOR_GRANT_OPERATIONS))
    judged, vendor = policy(vendor_access="grant"), Caller.account(VENDOR)
    assert {verdict(judged, vendor, action, grant) for action in VENDOR_REQUIRED_ACTIONS} == {Verdict.YES}
    assert {verdict(judged, vendor, action) for action in VENDOR_REQUIRED_ACTIONS} == {Verdict.NO}
    assert vendor_excess(judged, (grant,), vendor, None, CUSTOMER) == ()


@pytest.mark.requirement("EKM-10")
def test_the_vendor_of_a_revoked_tenant_has_nothing() -> None:
    judged, vendor = policy(revoked=True), Caller.account(VENDOR)
    assert {verdict(judged, vendor, action) for action in VENDOR_REQUIRED_ACTIONS} == {Verdict.NO}


@pytest.mark.requirement("EKM-16")
def test_an_administrator_can_revoke_and_cannot_read_data() -> None:
    administrator = role(ADMINISTRATOR)
    for action in ("kms:DisableKey", "kms:EnableKey", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:UpdateAlias"):
        assert verdict(policy(), administrator, action) is Verdict.YES
    for action in ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom"):
        assert verdict(policy(), administrator, action) is Verdict.NO


@pytest.mark.requirement("EKM-17")
def test_the_right_to_delete_waits_for_the_release_and_comes_back_with_it() -> None:
    administrator = role(ADMINISTRATOR)
    assert verdict(policy("active"), administrator, DELETION) is Verdict.NO
    assert verdict(policy("retired"), administrator, DELETION) is Verdict.NO
    assert verdict(policy("released"), administrator, DELETION) is Verdict.YES
    assert verdict(policy("released", allow_key_deletion=False), administrator, DELETION) is Verdict.NO
    assert verdict(policy("active"), administrator, "kms:CancelKeyDeletion") is Verdict.YES


@pytest.mark.requirement("EKM-17")
def test_until_the_release_only_a_break_glass_principal_can_be_allowed_to_delete() -> None:
    judged = policy(break_glass=[BREAK_GLASS])
    almighty = [role(arn, Verdict.YES) for arn in (BREAK_GLASS, ADMINISTRATOR, account_root("aws", CUSTOMER))]
    assert [verdict(judged, caller, DELETION) for caller in almighty] == [Verdict.YES, Verdict.NO, Verdict.NO]
