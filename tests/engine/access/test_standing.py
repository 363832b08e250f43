from __future__ import annotations

import pytest

from engine.access import Caller, Verdict
from engine.access.principals import CallerKind, PrincipalKind, find_principal, identify
from engine.access.standing import Principals
from engine.errors import InputError
from tests.engine.access.builders import (
    OTHER,
    OWNER,
    VENDOR,
    allow,
    ask,
    caller,
    deny,
    document,
    role,
    root,
    session,
    user,
)

YES, NO, DEPENDS = Verdict.YES, Verdict.NO, Verdict.DEPENDS


@pytest.mark.parametrize(
    ("text", "kind", "account", "name"),
    [
        ("*", PrincipalKind.EVERYONE, None, None),
        (OWNER, PrincipalKind.ACCOUNT, OWNER, None),
        (root(OWNER), PrincipalKind.ACCOUNT, OWNER, None),
        (user(OWNER, "team/bob"), PrincipalKind.USER, OWNER, "bob"),
        (role(OWNER, "KeyAdmin"), PrincipalKind.ROLE, OWNER, "KeyAdmin"),
        (role(OWNER, "aws-reserved/sso/Admin"), PrincipalKind.ROLE, OWNER, "Admin"),
        (session(OWNER, "KeyAdmin"), PrincipalKind.SESSION, OWNER, "KeyAdmin"),
        (f"arn:aws:sts::{OWNER}:assumed-role/aws:ec2-infrastructure/i-5d47", PrincipalKind.SESSION, OWNER, None),
        (f"arn:aws:sts::{OWNER}:federated-user/bob", PrincipalKind.FEDERATED_USER, OWNER, "bob"),
        ("AROA4KJY2TU23Y7NK62MV", PrincipalKind.UNIQUE_ID, None, None),
        ("AIDACKCEVSQ6C2EXAMPLE", PrincipalKind.UNIQUE_ID, None, None),
        ("arn:aws-us-gov:iam::123456789012:root", PrincipalKind.ACCOUNT, OWNER, None),
    ],
)
def test_principals_are_recognised(text: str, kind: PrincipalKind, account: str | None, name: str | None) -> None:
    principal = find_principal(text)
    assert principal is not None
    assert principal.kind is kind
    assert principal.account_id == account
    if name is not None:
        assert principal.name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob",
        "12345678901",
        "\uff11" * 12,
        role(OWNER, "*"),
        f"arn:aws:iam::{OWNER}:*",
        f"arn:aws:iam::{OWNER}:group/admins",
        f"arn:aws:iam::{OWNER}:user/",
        "arn:aws:iam::*:root",
        f"arn:aws:iam:us-east-1:{OWNER}:root",
        f"arn:amazon:iam::{OWNER}:root",
        f"arn:aws:sts::{OWNER}:root",
        f"arn:aws:sts::{OWNER}:assumed-role/KeyAdmin",
        f"arn:aws:s3::{OWNER}:role/KeyAdmin",
        f"arn:aws:ec2::{OWNER}:role/KeyAdmin",
        f"arn:aws:ec2::{OWNER}:root",
        f"arn:aws:sts::{OWNER}:role/KeyAdmin",
        f"arn:aws:iam::{OWNER}:assumed-role/KeyAdmin/nightly",
        f"arn:aws:iam::{OWNER}:federated-user/bob",
        f"ARN:aws:iam::{OWNER}:root",
        f"urn:aws:iam::{OWNER}:root",
    ],
)
def test_what_names_no_principal_is_none(text: str) -> None:
    assert find_principal(text) is None


@pytest.mark.parametrize(
    ("account", "arn", "about"),
    [
        ("1234", None, "12 digits"),
        (OWNER, user(OTHER, "bob"), "not of the account"),
        (OTHER, user(OWNER, "bob"), "not of the account"),
        (OWNER, OWNER, "not the ARN"),
        (OWNER, "AROA4KJY2TU23Y7NK62MV", "not the ARN"),
        (OWNER, "*", "not the ARN"),
        (OWNER, role(OWNER, "*"), "not the ARN"),
    ],
)
def test_a_caller_that_is_none_is_refused(account: str, arn: str | None, about: str) -> None:
    with pytest.raises(InputError, match=about):
        ask(document(allow("*")), Caller(account, arn))


def test_a_caller_is_named_by_its_account_or_its_arn() -> None:
    assert str(identify(OWNER, None, "aws")) == f"account {OWNER}"
    assert str(identify(OWNER, role(OWNER, "A"), "aws")) == role(OWNER, "A")
    assert identify(OWNER, root(OWNER), "aws").kind is CallerKind.ROOT


BOB = user(OWNER, "bob")
ADMIN = role(OWNER, "KeyAdmin")
ADMIN_SESSION = session(OWNER, "KeyAdmin")
FIRST = "000000000001"  # an account whose number is lower than any other's here
FEDERATED = f"arn:aws:sts::{OWNER}:federated-user/bob"
PATHED = role(OWNER, "team/KeyAdmin")


# Same account, the caller's own IAM policies allow nothing: what the key policy allows by itself.
# AWS KMS Developer Guide, "Default key policy"; IAM User Guide, "AWS JSON policy elements: Principal".
@pytest.mark.parametrize(
    ("principal", "who", "expected"),
    [
        (BOB, BOB, YES),
        (BOB, user(OWNER, "Bob"), NO),
        (BOB, user(OWNER, "carol"), NO),
        (role(OWNER, "bob"), BOB, NO),
        (session(OWNER, "bob"), BOB, NO),
        ("*", BOB, YES),
        ("*", ADMIN_SESSION, YES),
        (ADMIN, ADMIN, YES),
        (ADMIN, ADMIN_SESSION, YES),
        (PATHED, ADMIN_SESSION, YES),
        (PATHED, ADMIN, NO),
        (role(OWNER, "KeyAdmins"), ADMIN_SESSION, NO),
        (role(OWNER, "KeyAdmi"), ADMIN_SESSION, NO),
        (role(FIRST, "KeyAdmin"), ADMIN_SESSION, NO),
        (session(OWNER, "KeyAdmins"), ADMIN, NO),
        (session(OWNER, "Auditor"), ADMIN, NO),
        (user(OWNER, "KeyAdmin"), ADMIN, NO),
        (user(OWNER, "KeyAdmin"), ADMIN_SESSION, NO),
        (ADMIN_SESSION, ADMIN_SESSION, YES),
        (session(OWNER, "KeyAdmin", "other"), ADMIN_SESSION, NO),
        (ADMIN_SESSION, ADMIN, DEPENDS),
        (root(OWNER), BOB, NO),
        (OWNER, BOB, NO),
        (root(OWNER), root(OWNER), YES),
        (OWNER, root(OWNER), YES),
        (BOB, root(OWNER), NO),
        (FEDERATED, FEDERATED, YES),
        (BOB, FEDERATED, NO),
        ("AIDACKCEVSQ6C2EXAMPLE", BOB, NO),
        ({"Service": "backup.amazonaws.com"}, BOB, NO),
        ({"Federated": "accounts.google.com"}, ADMIN_SESSION, NO),
        ({"CanonicalUser": "79a59df900b949e55d96a1e698fbaced"}, BOB, NO),
        ([role(OTHER, "KeyAdmin"), root(OTHER)], ADMIN_SESSION, NO),
        ([root(OTHER), BOB], BOB, YES),
        ({"AWS": BOB, "Service": "backup.amazonaws.com"}, BOB, YES),
    ],
)
def test_who_an_allow_means_by_itself(principal: object, who: str, expected: Verdict) -> None:
    assert ask(document(allow(principal)), caller(who)).verdict is expected


@pytest.mark.parametrize("principal", [root(OWNER), OWNER])
@pytest.mark.parametrize("identity", [YES, NO, DEPENDS])
def test_an_account_hands_the_permission_to_its_iam_policies(principal: str, identity: Verdict) -> None:
    policy = document(allow(principal))
    assert ask(policy, caller(BOB, identity)).verdict is identity
    assert ask(policy, Caller(OWNER, None, identity)).verdict is identity


def test_an_account_beside_one_of_its_sessions_is_no_less_than_the_session_alone() -> None:
    for listed in ([ADMIN_SESSION], [root(OWNER), ADMIN_SESSION]):
        assert ask(document(allow(listed)), caller(ADMIN, NO)).verdict is DEPENDS
        assert ask(document(allow(listed)), Caller(OWNER, None, NO)).verdict is DEPENDS
    assert ask(document(allow([root(OWNER), ADMIN_SESSION])), caller(ADMIN, YES)).verdict is YES


def test_iam_policies_alone_allow_nothing_on_a_key() -> None:
    decision = ask(document(allow(ADMIN)), caller(BOB, YES))
    assert decision.verdict is NO
    assert "No statement of the key policy and no grant allows kms:Decrypt" in decision.reason


# Everyone is allowed everything; which deny stops whom.
@pytest.mark.parametrize(
    ("principal", "who", "expected"),
    [
        (BOB, BOB, NO),
        (ADMIN, ADMIN_SESSION, NO),
        (ADMIN, BOB, YES),
        (root(OWNER), BOB, NO),
        (OWNER, ADMIN_SESSION, NO),
        ("*", BOB, NO),
        (root(OTHER), BOB, YES),
        (ADMIN_SESSION, ADMIN, DEPENDS),
        (ADMIN_SESSION, ADMIN_SESSION, NO),
        (BOB, FEDERATED, DEPENDS),
        ("AIDACKCEVSQ6C2EXAMPLE", BOB, DEPENDS),
        ({"Federated": "accounts.google.com"}, ADMIN_SESSION, DEPENDS),
        ({"Service": "backup.amazonaws.com"}, BOB, YES),
    ],
)
def test_whom_a_deny_means(principal: object, who: str, expected: Verdict) -> None:
    assert ask(document(allow("*"), deny(principal)), caller(who)).verdict is expected


# IAM User Guide, "AWS JSON policy elements: NotPrincipal".
@pytest.mark.parametrize(
    ("listed", "who", "expected"),
    [
        ([BOB, root(OWNER)], BOB, YES),
        ([BOB, OWNER], BOB, YES),
        ([BOB], BOB, NO),
        ([root(OWNER)], BOB, NO),
        ([root(OWNER)], root(OWNER), YES),
        ([ADMIN_SESSION, ADMIN, root(OWNER)], ADMIN_SESSION, YES),
        ([ADMIN, root(OWNER)], ADMIN_SESSION, DEPENDS),
        ([ADMIN_SESSION, root(OWNER)], ADMIN_SESSION, DEPENDS),
        ([session(OWNER, "KeyAdmin", "other"), ADMIN, root(OWNER)], ADMIN_SESSION, DEPENDS),
        ([session(OWNER, "KeyAdmin", "daily"), ADMIN, root(OWNER)], ADMIN_SESSION, DEPENDS),
        ([ADMIN_SESSION, role(OWNER, "Other"), root(OWNER)], ADMIN_SESSION, DEPENDS),
        ([ADMIN, root(OWNER)], ADMIN, DEPENDS),
        ([ADMIN, ADMIN_SESSION], ADMIN_SESSION, NO),
        ([ADMIN, root(OWNER)], BOB, NO),
        ([BOB, root(OWNER)], ADMIN, NO),
        ([ADMIN_SESSION, root(OWNER)], ADMIN, DEPENDS),
        ([root(OTHER)], BOB, NO),
        (["AIDACKCEVSQ6C2EXAMPLE", root(OWNER)], BOB, DEPENDS),
        (["AIDACKCEVSQ6C2EXAMPLE"], BOB, DEPENDS),
        ("*", BOB, YES),
    ],
)
def test_whom_a_deny_for_all_but_some_lets_off(listed: object, who: str, expected: Verdict) -> None:
    policy = document(allow("*"), deny(None, NotPrincipal={"AWS": listed}))
    assert ask(policy, caller(who)).verdict is expected


@pytest.mark.parametrize(
    ("listed", "who", "expected"),
    [
        ([BOB], BOB, NO),
        ([BOB], ADMIN, YES),
        ([ADMIN], ADMIN_SESSION, NO),
        ([root(OWNER)], BOB, NO),
        ([ADMIN_SESSION], ADMIN, DEPENDS),
        (["AIDACKCEVSQ6C2EXAMPLE"], BOB, DEPENDS),
        ("*", BOB, NO),
    ],
)
def test_an_allow_for_all_but_some(listed: object, who: str, expected: Verdict) -> None:
    policy = document(allow(None, NotPrincipal={"AWS": listed}))
    assert ask(policy, caller(who)).verdict is expected


# The vendor's account as a whole: whichever of its principals its own administrators choose.
@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([allow(root(VENDOR))], YES),
        ([allow(VENDOR)], YES),
        ([allow("*")], YES),
        ([allow(role(VENDOR, "backup"))], DEPENDS),
        ([allow(session(VENDOR, "backup"))], DEPENDS),
        ([allow(role(OTHER, "backup"))], NO),
        ([allow(role(FIRST, "backup"))], NO),
        ([allow(root(VENDOR)), deny(role(FIRST, "backup"))], YES),
        ([allow(root(OWNER))], NO),
        ([allow(root(VENDOR)), deny(root(VENDOR))], NO),
        ([allow(root(VENDOR)), deny(role(VENDOR, "backup"))], DEPENDS),
        ([allow(role(VENDOR, "backup")), deny(root(VENDOR))], NO),
        ([allow(root(VENDOR)), deny(None, NotPrincipal={"AWS": root(OWNER)})], NO),
        ([allow(root(VENDOR)), deny(None, NotPrincipal={"AWS": [root(VENDOR), user(VENDOR, "b")]})], DEPENDS),
        ([allow(None, NotPrincipal={"AWS": root(OWNER)})], YES),
        ([allow(None, NotPrincipal={"AWS": root(VENDOR)})], NO),
        ([allow(None, NotPrincipal={"AWS": role(VENDOR, "backup")})], DEPENDS),
    ],
)
def test_an_account_as_a_whole(statements: list[dict[str, object]], expected: Verdict) -> None:
    assert ask(document(*statements), Caller.account(VENDOR)).verdict is expected


def test_what_is_only_for_some_principal_of_the_account_says_for_which() -> None:
    decision = ask(document(allow(role(VENDOR, "backup"))), Caller.account(VENDOR))
    assert decision.depends_on == (f"only for {role(VENDOR, 'backup')}",)
    assert "only for" in decision.reason


def test_a_name_is_the_whole_name_and_never_of_those_left_out() -> None:
    """What a mutation tool could change unnoticed: an order for an equality, and NotPrincipal for Principal."""
    bob, carol = (find_principal(user(OWNER, name)) for name in ("bob", "carol"))
    assert bob is not None
    assert carol is not None
    listed = Principals.of((bob,), all_but=False)
    assert listed.names(bob.text)
    assert not listed.names(carol.text)
    assert not Principals.of((carol,), all_but=False).names(bob.text)
    assert not Principals.of((bob,), all_but=True).names(bob.text)


def test_a_user_of_another_account_stands_behind_no_federated_session() -> None:
    session_of_bob = identify(VENDOR, f"arn:aws:sts::{VENDOR}:federated-user/bob", "aws")
    for account, expected in ((VENDOR, DEPENDS), (OTHER, NO), (FIRST, NO)):
        alice = find_principal(user(account, "alice"))
        assert alice is not None
        assert Principals.of((alice,), all_but=False).denied(session_of_bob)[0] is expected
