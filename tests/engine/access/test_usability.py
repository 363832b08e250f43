from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.access import (
    VENDOR_FORBIDDEN_ACTIONS,
    VENDOR_HARMLESS_ACTIONS,
    VENDOR_REQUIRED_ACTIONS,
    VENDOR_SERVICE_ACTIONS,
    Caller,
    Grant,
    KeyState,
    Request,
    Verdict,
    evaluate,
    parse_key_policy,
    usable,
    vendor_excess,
)
from engine.access.operations import KEY_ACTIONS
from engine.errors import InputError
from tests.engine.access.builders import (
    KEY,
    OWNER,
    VENDOR,
    allow,
    caller,
    console_policy,
    delegation,
    deny,
    document,
    role,
    root,
)
from tests.engine.access.strategies import grants as given_grants
from tests.engine.access.strategies import policies

YES, NO, DEPENDS = Verdict.YES, Verdict.NO, Verdict.DEPENDS
POLICY = parse_key_policy(console_policy())
WHOLE_VENDOR = Caller.account(VENDOR)


def test_the_vendor_can_do_what_it_needs_on_an_enabled_key() -> None:
    answers = usable(POLICY, [], WHOLE_VENDOR, KeyState.ENABLED, VENDOR_REQUIRED_ACTIONS, KEY, OWNER)
    assert [answer.action for answer in answers] == list(VENDOR_REQUIRED_ACTIONS)
    assert {answer.verdict for answer in answers} == {YES}
    assert "Allow use of the Key for Druva inSync" in answers[0].reason


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (KeyState.DISABLED, "DisabledException", "The KMS key is disabled."),
        (KeyState.PENDING_DELETION, "KMSInvalidStateException", "The KMS key is pending deletion."),
        (KeyState.UNAVAILABLE, "KMSInvalidStateException", "The KMS key is unavailable."),
        (KeyState.PENDING_IMPORT, "KMSInvalidStateException", "The KMS key is pending import."),
    ],
)
def test_a_key_that_is_not_enabled_can_be_described_alone(state: KeyState, code: str, words: str) -> None:
    answers = usable(POLICY, [], WHOLE_VENDOR, state, VENDOR_REQUIRED_ACTIONS, KEY, OWNER)
    possible = {answer.action for answer in answers if answer.verdict is not NO}
    assert possible == {"kms:DescribeKey"}
    rewrap = next(answer for answer in answers if answer.action == "kms:ReEncryptFrom")
    assert rewrap.refusal is not None
    assert (rewrap.refusal.operation, rewrap.refusal.code) == ("ReEncrypt", code)
    assert rewrap.reason == f"{words} AWS answers {code}."


def test_where_policy_and_state_both_refuse_the_policy_is_named_first() -> None:
    (answer,) = usable(POLICY, [], Caller.account("444455556666"), KeyState.DISABLED, ["kms:Decrypt"], KEY, OWNER)
    assert answer.verdict is NO
    assert answer.reason.startswith("No statement of the key policy and no grant allows kms:Decrypt")
    assert answer.reason.endswith("AWS answers DisabledException.")


def test_what_is_open_stays_open_on_a_key_that_can_be_used() -> None:
    (answer,) = usable(POLICY, [], WHOLE_VENDOR, KeyState.ENABLED, ["kms:CreateGrant"], KEY, OWNER)
    assert answer.verdict is DEPENDS
    for_service = {"kms:GrantIsForAWSResource": ("true",)}
    (answer,) = usable(POLICY, [], WHOLE_VENDOR, KeyState.ENABLED, ["kms:CreateGrant"], KEY, OWNER, for_service)
    assert answer.verdict is YES


def test_a_permission_without_a_call_has_no_state() -> None:
    actions = ["kms:SynchronizeMultiRegionKey", "kms:ListKeys", "kms:SomethingNew"]
    answers = usable(POLICY, [], caller(root(OWNER), YES), KeyState.DISABLED, actions, KEY, OWNER)
    assert [(answer.verdict, answer.refusal) for answer in answers] == [(YES, None)] * 3


def test_every_action_on_a_key_is_needed_harmless_for_services_or_forbidden() -> None:
    groups = (VENDOR_REQUIRED_ACTIONS, VENDOR_HARMLESS_ACTIONS, VENDOR_SERVICE_ACTIONS, VENDOR_FORBIDDEN_ACTIONS)
    listed = [action for group in groups for action in group]
    assert sorted(listed) == sorted(f"kms:{name}" for name in KEY_ACTIONS)
    for action in ("kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy", "kms:UpdateAlias"):
        assert action in VENDOR_FORBIDDEN_ACTIONS


def test_the_consoles_policy_gives_the_vendor_nothing_beyond_its_need() -> None:
    assert vendor_excess(POLICY, [], WHOLE_VENDOR, KEY, OWNER) == ()


def test_the_vendor_is_found_out_with_every_action() -> None:
    policy = parse_key_policy(document(delegation(), allow(root(VENDOR), "kms:*", Sid="Too much")))
    excess = {answer.action for answer in vendor_excess(policy, [], WHOLE_VENDOR, KEY, OWNER)}
    assert excess == {*VENDOR_FORBIDDEN_ACTIONS, *VENDOR_SERVICE_ACTIONS}


@pytest.mark.parametrize(
    ("statements", "grants", "expected"),
    [
        ([allow(root(VENDOR), ["kms:Put*", "kms:Decrypt"])], [], {"kms:PutKeyPolicy"}),
        ([allow(role(VENDOR, "backup"), "kms:DisableKey")], [], {"kms:DisableKey"}),
        ([allow("*", "kms:Disable*")], [], {"kms:DisableKey", "kms:DisableKeyRotation"}),
        ([allow("*", "kms:*"), deny(root(VENDOR), NotAction="kms:Decrypt", Action=None)], [], set()),
        ([allow(root(VENDOR), "kms:RevokeGrant")], [], {"kms:RevokeGrant"}),
        ([delegation()], [Grant("g", root(VENDOR), frozenset({"Decrypt", "CreateGrant"}))], {"kms:CreateGrant"}),
        ([delegation()], [Grant("g", root(VENDOR), frozenset({"Decrypt", "RetireGrant"}))], set()),
        ([delegation()], [], set()),
    ],
)
def test_what_the_vendor_has_beyond_its_need(
    statements: list[dict[str, object]], grants: list[Grant], expected: set[str]
) -> None:
    policy = parse_key_policy(document(*statements))
    assert {answer.action for answer in vendor_excess(policy, grants, WHOLE_VENDOR, KEY, OWNER)} == expected


@settings(max_examples=200, deadline=None)
@given(policies(), given_grants, st.sampled_from([KEY, None]))
def test_what_the_vendor_has_beyond_its_need_is_what_each_action_asked_for_itself_says(
    written: dict[str, object], grants: list[Grant], key_arn: str | None
) -> None:
    policy = parse_key_policy(written)
    for_itself = {"kms:GrantIsForAWSResource": ("false",)}
    requests = [Request(action, key_arn, OWNER) for action in VENDOR_FORBIDDEN_ACTIONS]
    requests += [Request(action, key_arn, OWNER, for_itself) for action in VENDOR_SERVICE_ACTIONS]
    expected = {
        request.action: evaluate(policy, grants, WHOLE_VENDOR, request, as_written=True).verdict for request in requests
    }
    found = vendor_excess(policy, grants, WHOLE_VENDOR, key_arn, OWNER)
    assert {answer.action: answer.verdict for answer in found} == {
        action: verdict for action, verdict in expected.items() if verdict is not NO
    }


def test_an_account_that_is_none_is_refused_even_where_no_statement_allows_anything_in_excess() -> None:
    alone = parse_key_policy(document(allow(root(VENDOR), "kms:Decrypt")))
    for policy in (POLICY, alone):
        with pytest.raises(InputError, match="12 digits"):
            vendor_excess(policy, [], WHOLE_VENDOR, KEY, "not-an-account")
