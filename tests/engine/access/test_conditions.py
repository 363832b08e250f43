from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.access import Caller, Verdict
from engine.access.condition_operators import parse_operator
from tests.engine.access.builders import (
    KEY,
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

if TYPE_CHECKING:
    from collections.abc import Mapping

YES, NO, DEPENDS = Verdict.YES, Verdict.NO, Verdict.DEPENDS
BOB = user(OWNER, "bob")


def holds(
    condition: dict[str, Any],
    context: Mapping[str, tuple[str, ...]] | None = None,
    *,
    who: Caller | None = None,
    complete: bool = True,
    action: str = "kms:Decrypt",
) -> Verdict:
    """Whether a condition holds; a deny with the same one must then deny, and only then."""
    who = who or caller(BOB)
    allowed = ask(document(allow("*", action, Condition=condition)), who, action, context=context, complete=complete)
    denied = ask(
        document(allow("*", action), deny("*", action, Condition=condition)),
        who,
        action,
        context=context,
        complete=complete,
    )
    opposite = {YES: NO, NO: YES, DEPENDS: DEPENDS}
    assert denied.verdict is opposite[allowed.verdict]
    return allowed.verdict


# IAM User Guide, "IAM JSON policy elements: Condition operators".
@pytest.mark.parametrize(
    ("operator", "wanted", "brought", "expected"),
    [
        ("StringEquals", "a", "a", YES),
        ("StringEquals", "a", "A", NO),
        ("StringEquals", ["a", "b"], "b", YES),
        ("StringEquals", "a*", "ab", NO),
        ("StringEquals", "a*", "a*", YES),
        ("StringNotEquals", "a", "b", YES),
        ("StringNotEquals", ["a", "b"], "b", NO),
        ("StringEqualsIgnoreCase", "Abc", "aBC", YES),
        ("StringNotEqualsIgnoreCase", "Abc", "aBC", NO),
        ("StringLike", "a*c?", "abbcd", YES),
        ("StringLike", "a*c?", "abbc", NO),
        ("StringLike", "A*", "ab", NO),
        ("StringNotLike", "a*", "ab", NO),
        ("stringlike", "a*", "ab", YES),
        ("NumericEquals", "7", "7.0", YES),
        ("NumericNotEquals", "7", "8", YES),
        ("NumericLessThan", "7", "6.9", YES),
        ("NumericLessThan", "7", "7", NO),
        ("NumericLessThan", "10", "9", YES),
        ("NumericLessThanEquals", "7", "7", YES),
        ("NumericGreaterThan", 7, "7", NO),
        ("NumericGreaterThanEquals", 7, "30", YES),
        # Four digits are a year to a Date operator alone.
        ("NumericEquals", "2560", "2560.0", YES),
        ("NumericLessThan", "10000", "2560", YES),
        ("NumericLessThanEquals", "10000", "2560", YES),
        ("NumericGreaterThan", "10000", "2560", NO),
        ("NumericGreaterThanEquals", "10000", "2560", NO),
        ("NumericEquals", "many", "7", DEPENDS),
        ("NumericEquals", "7", "many", DEPENDS),
        ("DateEquals", "2020-01-01T00:00:00Z", "1577836800", YES),
        ("DateEquals", "2020-01-01T23:59:59Z", "1577923199", YES),
        ("DateEquals", "2020-01-01T00:00:00.25Z", "1577836800.25", YES),
        ("DateNotEquals", "2020-01-01T00:00:00Z", "2020-01-01", NO),
        ("DateLessThan", "2020-01-01T00:00:01Z", "2020-01-01T00:00:00Z", YES),
        ("DateLessThan", "2020-01-01T00:00:00Z", "2020-01-01T01:00:00+02:00", YES),
        ("DateGreaterThan", "2020", "2020-02", YES),
        ("DateGreaterThanEquals", "2020-02", "2020-02-01", YES),
        ("DateLessThanEquals", "2020-02-01T00:00:00Z", "2020-02", YES),
        ("DateLessThanEquals", "2020-13", "2020-02-01", DEPENDS),
        ("Bool", "true", "TRUE", YES),
        ("Bool", True, "false", NO),
        ("Bool", "maybe", "false", DEPENDS),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", YES),
        ("BinaryEquals", "QmluYXJ5", "QmluYXI=", NO),
        ("BinaryEquals", "QmluYXI=", "QmluYXJ5", NO),
        ("BinaryEquals", "not base 64", "QmluYXI=", DEPENDS),
        ("BinaryEquals", "Qmlu YXJ5", "QmluYXJ5", DEPENDS),
        ("IpAddress", "203.0.113.0/24", "203.0.113.77", YES),
        ("IpAddress", "203.0.113.0/24", "203.0.114.1", NO),
        ("IpAddress", "203.0.113.7", "203.0.113.7", YES),
        ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::1", YES),
        ("IpAddress", "203.0.113.0/24", "2001:db8::1", NO),
        ("NotIpAddress", ["203.0.113.0/24", "2001:db8::/32"], "2001:db8::1", NO),
        ("IpAddress", "here", "203.0.113.7", DEPENDS),
        ("IpAddress", "203.0.113.0/24", "here", DEPENDS),
        ("ArnEquals", "arn:aws:sns:*:123456789012:*", "arn:aws:sns:eu-west-1:123456789012:topic", YES),
        # The user guide's example: a star of an Arn operator does not reach across a colon.
        (
            "ArnLike",
            "arn:aws:some:*:111122223333:finance/*",
            "arn:aws:some:us-east-2:999999999999:store/abc:111122223333:finance/document.txt",
            NO,
        ),
        (
            "StringLike",
            "arn:aws:some:*:111122223333:finance/*",
            "arn:aws:some:us-east-2:999999999999:store/abc:111122223333:finance/document.txt",
            YES,
        ),
        # Five of the six parts end at a colon; the last is all that follows, with its own colons.
        ("ArnLike", "arn:aws:logs:*:*:log-group:vault:*", "arn:aws:logs:eu-west-1:1:log-group:vault:night", YES),
        ("ArnLike", "arn:aws:logs:*:*:log-group:vault:*", "arn:aws:logs:eu-west-1:1:log-group:other:night", NO),
        ("ArnLike", "arn:aws:sns:*:*:topic", "arn:aws:sns:eu-west-1:1:store:topic", NO),
        ("ArnLike", "arn:aws:sns:eu-west-1:*", "arn:aws:sns:eu-west-1:1:topic", DEPENDS),
        ("ArnNotLike", "arn:aws:sns:*:*:*", "arn:aws:sqs:eu-west-1:1:q", YES),
        ("ArnLike", "arn:aws:sns:*:*:*", "topic", NO),
        ("ArnLike", "arn:aws:sns:*:*:*", "arn:aws:sns", NO),
        ("ArnLike", "*:aws:sns:*:*:*", "arn:aws:sqs:eu-west-1:1:q", NO),
        ("ArnLike", "*", "topic", YES),
        ("ArnLike", "topic", "topic", DEPENDS),
        ("Null", "true", "x", NO),
        ("Null", False, "x", YES),
        ("Null", ["true", "false"], "x", YES),
        ("StringResembles", "a", "a", DEPENDS),
        ("NullIfExists", "true", "x", DEPENDS),
        ("ForAllValues:Null", "true", "x", DEPENDS),
        ("ForMostValues:StringEquals", "a", "a", DEPENDS),
    ],
)
def test_operators(operator: str, wanted: object, brought: str, expected: Verdict) -> None:
    assert holds({operator: {"aws:RequestTag/x": wanted}}, {"aws:RequestTag/x": (brought,)}) is expected


# The same page, on a key that is not in the request, and "...IfExists".
@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", NO),
        ("StringLike", NO),
        ("StringNotEquals", YES),
        ("StringNotLike", YES),
        ("ArnNotEquals", YES),
        ("ArnLike", NO),
        ("NotIpAddress", YES),
        ("StringEqualsIfExists", YES),
        ("StringNotEqualsIfExists", YES),
        ("ForAllValues:StringEquals", YES),
        ("ForAllValues:StringNotEquals", YES),
        ("ForAllValues:StringEqualsIfExists", YES),
        ("ForAnyValue:StringEquals", NO),
        ("ForAnyValue:StringNotEquals", NO),
        ("ForAnyValue:StringEqualsIfExists", DEPENDS),
    ],
)
def test_a_key_that_is_absent(operator: str, expected: Verdict) -> None:
    condition = {operator: {"aws:RequestTag/x": "192.0.2.1"}}
    assert holds(condition) is expected
    assert holds(condition, {"aws:requesttag/X": ()}, complete=False) is expected


def test_null_asks_for_absence() -> None:
    assert holds({"Null": {"aws:TokenIssueTime": "true"}}) is YES
    assert holds({"Null": {"aws:TokenIssueTime": "false"}}) is NO


def test_a_key_that_the_call_may_or_may_not_bring_depends() -> None:
    for operator in ("StringEquals", "StringNotEquals", "StringEqualsIfExists", "Null", "ForAllValues:StringEquals"):
        assert holds({operator: {"kms:ViaService": "true"}}, complete=False) is DEPENDS
    decision = ask(document(allow("*", Condition={"Bool": {"kms:ViaService": "x"}})), caller(BOB))
    assert decision.depends_on == ("kms:ViaService, which this call may not bring",)


def test_where_the_values_differ_the_condition_is_named_and_not_its_absence() -> None:
    condition = {"StringEquals": {"aws:TagKeys": "ID"}}
    decision = ask(document(allow("*", Condition=condition)), caller(BOB), context={"aws:TagKeys": ("ID", "Name")})
    assert decision.depends_on == ("aws:TagKeys (StringEquals ID)",)


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [(["a"], "a"), (["a", "b", "c"], "a, b, c"), (["a", "b", "c", "d"], "a, b, c, …"), (list("abcde"), "a, b, c, …")],
)
def test_a_reason_shows_three_values_of_a_condition_and_says_where_there_are_more(
    wanted: list[str], shown: str
) -> None:
    policy = document(allow("*", Condition={"StringEquals": {"aws:RequestTag/x": wanted}}))
    decision = ask(policy, caller(BOB), context={"aws:RequestTag/x": ("z",)})
    assert f"its condition on aws:RequestTag/x (StringEquals {shown}) does not hold" in decision.reason


# IAM User Guide, "Creating a condition with multiple keys or values".
@pytest.mark.parametrize(
    ("operator", "brought", "expected"),
    [
        ("ForAllValues:StringEquals", ("ID", "Tags"), YES),
        ("ForAllValues:StringEquals", ("ID", "UserName"), NO),
        ("ForAnyValue:StringEquals", ("UserName", "Tags"), YES),
        ("ForAnyValue:StringEquals", ("UserName", "Other"), NO),
        ("ForAllValues:StringNotEquals", ("UserName", "Other"), YES),
        ("ForAllValues:StringNotEquals", ("UserName", "ID"), NO),
        ("ForAnyValue:StringNotEquals", ("UserName", "ID"), YES),
        ("ForAnyValue:StringNotEquals", ("Tags", "ID"), NO),
        ("ForAllValues:StringEquals", ("",), YES),
        ("ForAnyValue:StringEquals", ("",), NO),
        ("StringEquals", ("ID", "Tags"), YES),
        ("StringEquals", ("UserName", "Other"), NO),
        ("StringEquals", ("ID", "UserName"), DEPENDS),
    ],
)
def test_several_values(operator: str, brought: tuple[str, ...], expected: Verdict) -> None:
    assert holds({operator: {"aws:TagKeys": ["ID", "Message", "Tags"]}}, {"aws:TagKeys": brought}) is expected


def test_every_operator_and_every_key_must_hold() -> None:
    context = {"aws:RequestTag/a": ("1",), "aws:RequestTag/b": ("2",)}
    both = {"aws:RequestTag/a": "1", "aws:RequestTag/b": "2"}
    assert holds({"StringEquals": both}, context) is YES
    assert holds({"StringEquals": {**both, "aws:RequestTag/b": "3"}}, context) is NO
    assert holds({"StringEquals": both, "StringLike": {"aws:RequestTag/a": "2*"}}, context) is NO
    assert holds({"StringEquals": {**both, "kms:ViaService": "x"}}, context, complete=False) is DEPENDS
    failing = {"aws:RequestTag/a": "9", "kms:ViaService": "x"}
    assert holds({"StringEquals": failing}, context, complete=False) is NO


def test_key_names_do_not_regard_case_and_their_values_do() -> None:
    assert (
        holds({"StringEquals": {"KMS:encryptioncontext:TENANT": "a"}}, {"kms:EncryptionContext:tenant": ("a",)}) is YES
    )
    assert (
        holds({"StringEquals": {"kms:EncryptionContext:tenant": "a"}}, {"kms:EncryptionContext:tenant": ("A",)}) is NO
    )


# What follows from who calls what. IAM User Guide, "AWS global condition context keys".
@pytest.mark.parametrize(
    ("key", "value", "arn"),
    [
        ("kms:CallerAccount", OWNER, BOB),
        ("aws:PrincipalAccount", OWNER, BOB),
        ("aws:ResourceAccount", OWNER, BOB),
        ("aws:RequestedRegion", "us-east-1", BOB),
        ("aws:PrincipalArn", BOB, BOB),
        ("aws:PrincipalArn", role(OWNER, "KeyAdmin"), role(OWNER, "KeyAdmin")),
        ("aws:PrincipalArn", role(OWNER, "KeyAdmin"), session(OWNER, "KeyAdmin")),
        ("aws:PrincipalArn", root(OWNER), root(OWNER)),
        ("aws:PrincipalType", "User", BOB),
        ("aws:PrincipalType", "Account", root(OWNER)),
        ("aws:PrincipalType", "AssumedRole", session(OWNER, "KeyAdmin")),
        ("aws:username", "bob", user(OWNER, "team/bob")),
        ("aws:SecureTransport", "true", BOB),
        ("aws:PrincipalIsAWSService", "false", BOB),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_values_that_follow_from_the_call(key: str, value: str, arn: str, *, complete: bool) -> None:
    assert holds({"StringEquals": {key: value}}, who=caller(arn), complete=complete) is YES
    assert holds({"StringEquals": {key: f"{value}x"}}, who=caller(arn), complete=complete) is NO


# IAM User Guide, "IAM policy elements: Variables and tags", principal key values: `aws:username` is of IAM users.
@pytest.mark.parametrize(
    "arn", [role(OWNER, "bob"), session(OWNER, "bob"), f"arn:aws:sts::{OWNER}:federated-user/bob", root(OWNER)]
)
def test_a_caller_that_is_no_iam_user_has_no_user_name(arn: str) -> None:
    assert holds({"StringEquals": {"aws:username": "bob"}}, who=caller(arn), complete=False) is NO


@pytest.mark.parametrize("key_arn", [None, f"arn:aws:kms::{OWNER}:key/x", f"{KEY}:x", "arn:aws:kms:us-east-1"])
def test_a_key_whose_arn_is_not_known_whole_leaves_the_region_open(key_arn: str | None) -> None:
    policy = document(allow("*", Condition={"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}))
    assert ask(policy, caller(BOB), key_arn=key_arn).verdict is DEPENDS
    assert ask(policy, caller(BOB)).verdict is YES


def test_a_value_that_is_given_goes_before_one_that_is_derived() -> None:
    given = {"aws:PrincipalArn": (role(OWNER, "team/KeyAdmin"),)}
    condition = {"ArnEquals": {"aws:PrincipalArn": role(OWNER, "team/KeyAdmin")}}
    assert holds(condition, given, who=caller(session(OWNER, "KeyAdmin")), complete=False) is YES
    assert holds(condition, {}, who=caller(session(OWNER, "KeyAdmin")), complete=True) is NO


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (role(OWNER, "KeyAdmin"), YES),
        (role(OWNER, "*"), YES),
        (role(OWNER, "team/KeyAdmin"), DEPENDS),
        (role(OWNER, "*/KeyAdmin"), DEPENDS),
        (role(OWNER, "KeyUser"), NO),
        (role(OTHER, "*"), NO),
        (session(OWNER, "KeyAdmin"), NO),
    ],
)
def test_the_role_of_a_session_may_have_a_path(pattern: str, expected: Verdict) -> None:
    who = caller(session(OWNER, "KeyAdmin"))
    assert holds({"ArnLike": {"aws:PrincipalArn": pattern}}, who=who, complete=False) is expected


@pytest.mark.parametrize(
    ("operator", "pattern", "expected"),
    [
        ("ArnLike", f"arn:aws:iam::{VENDOR}:*", YES),
        ("StringLike", f"arn:aws:iam::{VENDOR}:*", YES),
        ("ArnLike", f"arn:aws:iam::{OTHER}:*", NO),
        ("ArnLike", role(VENDOR, "backup-*"), DEPENDS),
        ("ArnNotLike", role(VENDOR, "backup-*"), DEPENDS),
        ("ArnNotLike", f"arn:aws:iam::{OTHER}:*", YES),
        ("ArnEquals", root(VENDOR), DEPENDS),
        ("StringEquals", role(OTHER, "backup"), NO),
        ("StringEqualsIgnoreCase", role(VENDOR, "backup"), DEPENDS),
        ("ArnLike", "*", YES),
        ("ArnLike", f"*:aws:iam::{OTHER}:*", NO),
        ("ArnLike", "arn:aws:iam", DEPENDS),
        ("ArnLike", "${aws:PrincipalTag/role}", DEPENDS),
        ("StringLike", "${aws:PrincipalTag/role}", DEPENDS),
        ("ArnLike", f"arn:aws:sts::{VENDOR}:federated-user/*", DEPENDS),
        ("NumericEquals", "7", DEPENDS),
        ("Null", "false", YES),
    ],
)
def test_the_arn_of_an_account_as_a_whole_is_known_by_its_form(operator: str, pattern: str, expected: Verdict) -> None:
    assert holds({operator: {"aws:PrincipalArn": pattern}}, who=Caller.account(VENDOR), complete=False) is expected


# AWS KMS Developer Guide, "AWS KMS condition keys": which calls have which key.
@pytest.mark.parametrize(
    ("action", "key", "expected"),
    [
        ("kms:DescribeKey", "kms:EncryptionContext:tenant", NO),
        ("kms:Decrypt", "kms:EncryptionContext:tenant", DEPENDS),
        ("kms:CreateGrant", "kms:EncryptionContext:tenant", DEPENDS),
        ("kms:Decrypt", "kms:ScheduleKeyDeletionPendingWindowInDays", NO),
        ("kms:Decrypt", "kms:GrantIsForAWSResource", NO),
        ("kms:RevokeGrant", "kms:GrantIsForAWSResource", DEPENDS),
        ("kms:Decrypt", "kms:ViaService", DEPENDS),
        ("kms:FutureOperation", "kms:EncryptionContext:tenant", DEPENDS),
        ("kms:FutureOperation", "kms:GrantIsForAWSResource", DEPENDS),
    ],
)
def test_a_call_lacks_the_parameters_that_it_does_not_take(action: str, key: str, expected: Verdict) -> None:
    assert holds({"StringEquals": {key: "7"}}, complete=False, action=action) is expected


# IAM User Guide, "IAM policy elements: Variables and tags".
@pytest.mark.parametrize(
    ("operator", "template", "brought", "expected"),
    [
        ("StringEquals", "${aws:PrincipalTag/team}", "blue", YES),
        ("StringLike", "x-${aws:principaltag/TEAM}-*", "x-blue-1", YES),
        ("StringEqualsIgnoreCase", "${aws:PrincipalTag/team}", "BLUE", YES),
        ("StringEquals", "${aws:PrincipalTag/none}", "blue", NO),
        ("StringNotEquals", "${aws:PrincipalTag/none}", "blue", YES),
        ("StringEquals", "${aws:PrincipalTag/none, 'blue'}", "blue", YES),
        ("StringEquals", "${aws:PrincipalTag/team, 'red'}", "blue", YES),
        ("StringLike", "a${*}b", "a*b", YES),
        ("StringLike", "a${*}b", "aXb", NO),
        ("StringLike", "${?}${$}", "?$", YES),
        ("StringLike", "${aws:PrincipalTag/star}", "anything", NO),
        ("StringLike", "${aws:PrincipalTag/star}", "a*", YES),
        ("ArnLike", "arn:aws:sns:*:1:${aws:PrincipalTag/team}", "arn:aws:sns:eu-west-1:1:blue", YES),
        ("StringEquals", "${aws:PrincipalTag/city}", "Rome", YES),
        ("StringEquals", "${aws:PrincipalTag/city}", "rome", NO),
        ("StringEqualsIgnoreCase", "To-${aws:PrincipalTag/city}", "tO-rOME", YES),
        ("StringEquals", "${ aws:PrincipalTag/city }", "Rome", YES),
        ("StringEquals", "${aws:TagKeys}", "a", DEPENDS),
    ],
)
def test_policy_variables(operator: str, template: str, brought: str, expected: Verdict) -> None:
    context = {
        "aws:PrincipalTag/team": ("blue",),
        "aws:PrincipalTag/city": ("Rome",),
        "aws:PrincipalTag/star": ("a*",),
        "aws:TagKeys": ("a", "b"),
        "aws:RequestTag/x": (brought,),
    }
    assert holds({operator: {"aws:RequestTag/x": template}}, context) is expected


def test_a_variable_whose_value_is_not_known_depends() -> None:
    context = {"aws:RequestTag/x": ("blue",)}
    condition = {"StringEquals": {"aws:RequestTag/x": "${aws:PrincipalTag/team}"}}
    assert holds(condition, context, complete=False) is DEPENDS


def test_without_a_version_a_variable_is_text() -> None:
    condition = {"StringEquals": {"aws:RequestTag/x": "${aws:username}"}}
    policy = {"Statement": [allow("*", Condition=condition)]}
    assert ask(policy, caller(BOB), context={"aws:RequestTag/x": ("${aws:username}",)}).verdict is YES
    assert ask(policy, caller(BOB), context={"aws:RequestTag/x": ("bob",)}).verdict is NO


@pytest.mark.parametrize(
    "written",
    ["", ":", "IfExists", "StringEqualsIfExistsIfExists", ":StringEquals", "ForAnyValue:", "ForAllValues:Null"],
)
def test_names_that_are_no_operators(written: str) -> None:
    assert parse_operator(written) is None
