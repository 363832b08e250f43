from __future__ import annotations

from typing import Any

import pytest

from engine.access import Caller, Request, Verdict, evaluate, parse_key_policy
from engine.access.operations import CROSS_ACCOUNT, KEY_ACTIONS, KEYLESS_ACTIONS
from engine.errors import InputError
from tests.engine.access.builders import (
    KEY,
    OTHER,
    OWNER,
    VENDOR,
    allow,
    ask,
    caller,
    console_policy,
    delegation,
    deny,
    document,
    role,
    root,
    session,
    user,
)

YES, NO, DEPENDS = Verdict.YES, Verdict.NO, Verdict.DEPENDS
ALICE = user(OWNER, "Alice")
ADMIN = role(OWNER, "KeyAdmin")


def test_a_user_whom_no_policy_allows_is_denied() -> None:
    # AWS KMS Developer Guide, "Troubleshooting key access", example 1: the default key policy, and no IAM policy.
    decision = ask(document(delegation()), caller(ALICE, NO))
    assert decision.verdict is NO
    assert "the IAM policies of account 123456789012 do not allow it" in decision.reason
    assert ask(document(delegation()), caller(ALICE, YES)).verdict is YES
    depends = ask(document(delegation()), caller(ALICE, DEPENDS))
    assert depends.verdict is DEPENDS
    assert depends.depends_on == ("the IAM policies of account 123456789012",)


@pytest.mark.parametrize("account", ["000000000001", VENDOR])
def test_an_account_is_another_one_whichever_number_is_larger(account: str) -> None:
    eve = caller(role(account, "Eve"), NO)
    assert ask(document(allow("*")), eve).verdict is NO
    administrator = Caller(account, role(account, "Eve"), YES)
    assert ask(document(allow("*", "kms:*")), administrator).verdict is YES
    assert ask(document(allow("*", "kms:*")), administrator, "kms:PutKeyPolicy").verdict is NO


@pytest.mark.parametrize("identity", [YES, NO, DEPENDS])
def test_a_role_of_another_account_needs_both_policies(identity: Verdict) -> None:
    # The same page, example 2: the key policy names account 1, an IAM policy of account 1 names the role.
    use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:DescribeKey"]
    policy = document(delegation(), allow(root(OTHER), use, Sid="Allow account 1 to use this KMS key"))
    bob = caller(session(OTHER, "Engineering", "Bob"), identity)
    assert ask(policy, bob).verdict is identity
    assert ask(policy, bob, "kms:ReEncryptTo").verdict is NO
    named = document(delegation(), allow(role(OTHER, "Engineering"), use))
    assert ask(named, bob).verdict is identity
    assert ask(document(allow("*")), bob).verdict is identity
    assert ask(document(delegation()), bob).verdict is NO


def test_the_ebs_example_asks_for_account_and_service() -> None:
    # AWS KMS Developer Guide, "AWS KMS condition keys", kms:CallerAccount.
    via = {"kms:CallerAccount": OWNER, "kms:ViaService": "ec2.us-west-2.amazonaws.com"}
    policy = document(allow("*", ["kms:Decrypt", "kms:CreateGrant"], Condition={"StringEquals": via}))
    ec2 = {"kms:ViaService": ("ec2.us-west-2.amazonaws.com",)}
    assert ask(policy, caller(ALICE), context=ec2).verdict is YES
    assert ask(policy, caller(ALICE)).depends_on == ("kms:ViaService, which this call may not bring",)
    assert ask(policy, caller(ALICE), complete=True).verdict is NO
    assert ask(policy, caller(user(OTHER, "Eve"), YES), context=ec2).verdict is NO


def test_an_allow_where_a_parameter_is_not_given() -> None:
    # The same page, kms:BypassPolicyLockoutSafetyCheck.
    condition = {"Null": {"kms:BypassPolicyLockoutSafetyCheck": True}}
    policy = document(allow(ADMIN, "kms:PutKeyPolicy", Condition=condition))
    assert ask(policy, caller(ADMIN), "kms:PutKeyPolicy", complete=True).verdict is YES
    given = {"kms:BypassPolicyLockoutSafetyCheck": ("true",)}
    assert ask(policy, caller(ADMIN), "kms:PutKeyPolicy", context=given).verdict is NO


def test_a_long_window_can_be_forced() -> None:
    condition = {"NumericLessThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "30"}}
    policy = document(allow(ADMIN, "kms:*"), deny("*", "kms:*", Condition=condition, Sid="Window"))

    def schedule(days: str) -> Verdict:
        context = {"kms:ScheduleKeyDeletionPendingWindowInDays": (days,)}
        return ask(policy, caller(ADMIN), "kms:ScheduleKeyDeletion", context=context).verdict

    assert schedule("7") is NO
    assert schedule("30") is YES
    assert ask(policy, caller(ADMIN), "kms:ScheduleKeyDeletion").verdict is DEPENDS
    assert ask(policy, caller(ADMIN), "kms:Decrypt").verdict is YES


@pytest.mark.parametrize(
    ("who", "action", "expected"),
    [
        (Caller.account(VENDOR), "kms:Decrypt", YES),
        (Caller.account(VENDOR), "kms:ReEncryptTo", YES),
        (Caller.account(VENDOR), "kms:GenerateDataKeyPair", YES),
        (Caller.account(VENDOR), "kms:CreateGrant", DEPENDS),
        (Caller.account(VENDOR), "kms:GetPublicKey", NO),
        (Caller.account(OTHER), "kms:Decrypt", NO),
        (caller(role(VENDOR, "backup"), YES), "kms:Decrypt", YES),
        (caller(role(VENDOR, "backup"), DEPENDS), "kms:Decrypt", DEPENDS),
        (caller(role(VENDOR, "backup"), NO), "kms:Decrypt", NO),
        (caller(session(OWNER, "KeyAdmin")), "kms:DisableKey", YES),
        (caller(session(OWNER, "KeyAdmin")), "kms:Decrypt", NO),
        (caller(session(OWNER, "KeyAdmin")), "kms:ScheduleKeyDeletion", NO),
        (caller(session(OWNER, "BreakGlass"), YES), "kms:ScheduleKeyDeletion", YES),
        (caller(root(OWNER)), "kms:PutKeyPolicy", YES),
        (caller(root(OWNER)), "kms:ScheduleKeyDeletion", NO),
    ],
)
def test_the_consoles_policy(who: Caller, action: str, expected: Verdict) -> None:
    assert ask(console_policy(), who, action).verdict is expected


def test_a_reason_names_the_statement_and_the_sources_follow_it() -> None:
    decision = ask(console_policy(), Caller.account(VENDOR))
    sid = "Allow use of the Key for Druva inSync"
    assert decision.reason == f"The statement '{sid}' allows kms:Decrypt to account {VENDOR}."
    assert decision.sources == (sid,)
    refused = ask(console_policy(), caller(session(OWNER, "KeyAdmin")), "kms:ScheduleKeyDeletion")
    assert refused.reason.startswith("The statement 'Retention' denies kms:ScheduleKeyDeletion to arn:aws:sts::")
    assert refused.sources == ("Retention",)
    unnamed = ask(document(delegation(), deny("*")), Caller.account(VENDOR))
    assert unnamed.reason.startswith("Statement 2 denies kms:Decrypt")
    assert unnamed.sources == ("statement 2",)


def test_a_reason_says_why_a_statement_that_speaks_of_the_caller_did_not_allow() -> None:
    policy = document(allow(root(VENDOR), Sid="Use", Condition={"StringEquals": {"aws:RequestTag/x": "1"}}))
    decision = ask(policy, Caller.account(VENDOR), complete=True)
    assert "'Use' would, but its condition on aws:RequestTag/x (StringEquals 1) does not hold" in decision.reason
    elsewhere = document(allow(root(VENDOR), Sid="Use", Resource=f"{KEY[:-1]}0"))
    assert "its Resource does not name this key" in ask(elsewhere, Caller.account(VENDOR)).reason


def test_a_reason_shows_the_first_that_decides_and_the_sources_all_of_them() -> None:
    via = {"Condition": {"StringEquals": {"kms:ViaService": "x"}}}
    other = {"Condition": {"StringEquals": {"kms:ViaService": "y"}}}
    two = [allow(ALICE, Sid="One"), allow("*", Sid="Two")]
    decision = ask(document(*two), caller(ALICE))
    assert decision.reason == f"The statement 'One' allows kms:Decrypt to {ALICE}."
    assert decision.sources == ("One", "Two")
    maybe = [allow(ALICE, Sid="One", **via), allow("*", Sid="Two", **other)]
    decision = ask(document(*maybe), caller(ALICE))
    assert decision.reason.startswith(f"The statement 'One' allows kms:Decrypt to {ALICE}. It depends on: ")
    assert decision.sources == ("One", "Two")
    refusals = [deny("*", Sid="Three", **via), deny(ALICE, Sid="Four", **other)]
    decision = ask(document(*two, *refusals), caller(ALICE))
    assert "; but the statement 'Three' denies kms:Decrypt" in decision.reason
    assert decision.sources == ("One", "Two", "Three", "Four")
    decision = ask(document(*maybe), caller(ALICE), context={"kms:ViaService": ("z",)})
    assert "; the statement 'One' would, but its condition on kms:ViaService" in decision.reason
    assert decision.sources == ("One", "Two")


def test_a_deny_that_may_match_leaves_it_open() -> None:
    condition = {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}
    policy = document(allow(root(VENDOR), Sid="Use"), deny("*", Sid="Organisation", Condition=condition))
    decision = ask(policy, Caller.account(VENDOR))
    assert decision.verdict is DEPENDS
    assert decision.depends_on == ("aws:PrincipalOrgID, which this call may not bring",)
    assert decision.sources == ("Use", "Organisation")
    assert "but the statement 'Organisation' denies" in decision.reason
    assert ask(policy, Caller.account(OTHER)).verdict is NO
    assert ask(policy, Caller.account(VENDOR), context={"aws:PrincipalOrgID": ("o-1",)}).verdict is YES


@pytest.mark.parametrize(
    ("element", "action", "expected"),
    [
        ("kms:*", "kms:Decrypt", YES),
        ("*", "kms:Decrypt", YES),
        ("KMS:dec*", "kms:Decrypt", YES),
        ("kms:decrypt", "KMS:DECRYPT", YES),
        ("kms:?ncrypt", "kms:Encrypt", YES),
        ("kms:?ncrypt", "kms:Decrypt", NO),
        ("kms:ReEncrypt*", "kms:ReEncryptFrom", YES),
        ("kms:ReEncrypt", "kms:ReEncryptFrom", NO),
        ("s3:*", "kms:Decrypt", NO),
        (["kms:Encrypt", "kms:Dec*"], "kms:Decrypt", YES),
    ],
)
def test_actions(element: object, action: str, expected: Verdict) -> None:
    assert ask(document(allow("*", element)), caller(ALICE), action).verdict is expected
    opposite = NO if expected is YES else YES
    assert ask(document(allow("*", None, NotAction=element)), caller(ALICE), action).verdict is opposite


@pytest.mark.parametrize(
    ("elements", "expected", "unknown_key"),
    [
        ({"Resource": "*"}, YES, YES),
        ({"Resource": KEY}, YES, DEPENDS),
        ({"Resource": f"arn:aws:kms:us-east-1:{OWNER}:key/*"}, YES, DEPENDS),
        ({"Resource": f"arn:*:kms:*:{OWNER}:key/*"}, YES, YES),
        ({"Resource": f"arn:aws:kms:*:{OTHER}:key/*"}, NO, NO),
        ({"Resource": f"arn:aws:kms:us-east-1:{OWNER}:alias/x"}, NO, NO),
        ({"Resource": [f"{KEY}0", "*"]}, YES, YES),
        ({"Resource": "arn:*"}, YES, YES),
        ({"Resource": "arn:aws:kms:*"}, YES, DEPENDS),
        ({"Resource": None}, NO, NO),
        ({"Resource": None, "NotResource": "*"}, NO, NO),
        ({"Resource": None, "NotResource": KEY}, NO, DEPENDS),
        ({"Resource": None, "NotResource": f"arn:aws:kms:*:{OTHER}:key/*"}, YES, YES),
        ({"Resource": "arn:aws:kms:us-east-1:${aws:PrincipalAccount}:key/*"}, YES, DEPENDS),
        ({"Resource": "${aws:PrincipalTag/key}"}, DEPENDS, DEPENDS),
        ({"Resource": "${aws:PrincipalServiceName}*"}, NO, NO),
    ],
)
def test_resources(elements: dict[str, Any], expected: Verdict, unknown_key: Verdict) -> None:
    policy = document(allow("*", **elements))
    assert ask(policy, caller(ALICE)).verdict is expected
    assert ask(policy, caller(ALICE), key_arn=None).verdict is unknown_key


def test_a_statement_without_actions_neither_allows_nor_denies() -> None:
    assert ask(document(allow("*", None)), caller(ALICE)).verdict is NO
    assert ask(document(allow("*"), deny("*", None)), caller(ALICE)).verdict is YES


def test_a_key_policy_gives_another_account_what_kms_takes_from_there_alone() -> None:
    policy = document(allow(root(VENDOR), "kms:*"))
    allowed = {a for a in KEY_ACTIONS if ask(policy, Caller.account(VENDOR), f"kms:{a}").verdict is YES}
    assert allowed == CROSS_ACCOUNT - {"RetireGrant"}
    decision = ask(policy, Caller.account(VENDOR), "kms:PutKeyPolicy")
    assert decision.reason == f"AWS KMS takes kms:PutKeyPolicy from the key's own account {OWNER} alone."


def test_the_words_can_be_asked_for_without_what_aws_honours() -> None:
    policy = parse_key_policy(document(allow(root(VENDOR), "kms:*")))
    request = Request("kms:PutKeyPolicy", KEY, OWNER)
    assert evaluate(policy, [], Caller.account(VENDOR), request).verdict is NO
    assert evaluate(policy, [], Caller.account(VENDOR), request, as_written=True).verdict is YES


@pytest.mark.parametrize("name", sorted(KEYLESS_ACTIONS))
def test_what_is_no_call_on_a_key_is_not_decided_by_its_policy(name: str) -> None:
    policy = document(allow("*", "kms:*"))
    own = (f"the IAM policies of account {OWNER}",)
    for identity, depends_on in ((YES, ()), (NO, ()), (DEPENDS, own)):
        decision = ask(policy, caller(ALICE, identity), f"kms:{name}")
        assert (decision.verdict, decision.depends_on) == (identity, depends_on)
    assert ask(policy, Caller.account(VENDOR), f"kms:{name}").verdict is NO
    assert ask(policy, caller(ALICE), f"kms:{name}".lower()).verdict is NO


@pytest.mark.parametrize("action", ["", "Decrypt", "kms:", "kms:*", "kms:Decrypt ", "s3:GetObject"])
def test_what_is_no_action_of_kms_is_refused(action: str) -> None:
    with pytest.raises(InputError, match="is not an action of AWS KMS"):
        ask(document(delegation()), caller(ALICE), action)


def test_a_key_account_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="the key's account 'x' is not 12 digits"):
        evaluate(parse_key_policy(document(delegation())), [], caller(ALICE), Request("kms:Decrypt", None, "x"))


def test_where_another_account_is_allowed_for_one_of_its_roles_its_own_policies_are_named_only_if_in_doubt() -> None:
    policy = document(allow(role(VENDOR, "Backup")))
    for identity, own in ((Verdict.DEPENDS, (f"the IAM policies of account {VENDOR}",)), (Verdict.YES, ())):
        decision = ask(policy, Caller(VENDOR, None, identity))
        assert decision.verdict is Verdict.DEPENDS
        assert decision.depends_on == (f"only for {role(VENDOR, 'Backup')}", *own)
