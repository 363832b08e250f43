from __future__ import annotations

from typing import Any

import pytest

from engine.access import parse_key_policy
from tests.engine.access.builders import OTHER, OWNER, allow, console_policy, delegation, deny, document, role, root

OF_ACCOUNT = "arn:aws:kms:us-east-1:${aws:PrincipalAccount}:key/*"


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    first, second = parse_key_policy(one).canonical(), parse_key_policy(other).canonical()
    assert (first == second) is (hash(first) == hash(second))
    return first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (allow("*"), allow({"AWS": ["*"]})),
        (allow("*", Principal="*"), allow({"AWS": "*"})),
        (allow(["*", root(OWNER)]), allow("*")),
        (allow(OWNER), allow(root(OWNER))),
        (allow([root(OWNER), OTHER]), allow([root(OTHER), OWNER, OWNER])),
        (allow("*", "kms:decrypt"), allow("*", ["KMS:Decrypt", "kms:DECRYPT"])),
        (allow("*", "*"), allow("*", "kms:*")),
        (allow("*", ["kms:*", "kms:Decrypt", "kms:Get*"]), allow("*", "kms:**")),
        (allow("*", Sid="one"), allow("*", Sid="other")),
        (allow("*", Resource="*"), allow("*", Resource=["*", "arn:aws:kms:us-east-1:1:key/x"])),
        (allow("*", Resource="*"), allow("*", Resource=["*", OF_ACCOUNT])),
        (allow("*", Condition={}), allow("*")),
        (
            allow("*", Condition={"StringEquals": {"kms:ViaService": "a", "kms:CallerAccount": ["1", "2"]}}),
            allow("*", Condition={"stringequals": {"KMS:calleraccount": ["2", "1", "2"], "kms:viaservice": ["a"]}}),
        ),
        (
            allow("*", Condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::1:*"}}),
            allow("*", Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::1:*"}}),
        ),
        (
            allow("*", Condition={"Bool": {"aws:SecureTransport": True}}),
            allow("*", Condition={"Bool": {"aws:SecureTransport": "TRUE"}}),
        ),
        (
            allow("*", Condition={"NumericLessThan": {"kms:RotationPeriodInDays": 90}}),
            allow("*", Condition={"NumericLessThan": {"kms:RotationPeriodInDays": "90.0"}}),
        ),
        (
            allow("*", Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01"}}),
            allow("*", Condition={"DateLessThan": {"aws:CurrentTime": "2030-01-01T01:00:00+01:00"}}),
        ),
        (
            allow("*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
            allow("*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.77/24"}}),
        ),
        (
            allow("*", Condition={"BinaryEquals": {"kms:x": ["QmluYXJ5", "QmluYXI="]}}),
            allow("*", Condition={"BinaryEquals": {"kms:x": ["QmluYXI=", "QmluYXJ5"]}}),
        ),
        (  # what is not of its operator's type is compared as it is written
            allow("*", Condition={"NumericEquals": {"kms:x": ["many", "few"]}}),
            allow("*", Condition={"NumericEquals": {"kms:x": ["few", "many"]}}),
        ),
        (
            allow("*", Condition={"StringResembles": {"kms:x": ["a", "b"]}}),
            allow("*", Condition={"stringresembles": {"KMS:X": ["b", "a"]}}),
        ),
    ],
)
def test_spellings_of_one_meaning_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert same(document(one), document(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (allow("*"), deny("*")),
        (allow(root(OWNER)), allow(root(OTHER))),
        (allow(role(OWNER, "a")), allow(role(OWNER, "A"))),
        (allow("*"), allow({"AWS": "*", "Service": "backup.amazonaws.com"})),
        (allow({"Service": "backup.amazonaws.com"}), allow({"AWS": "*", "Service": "backup.amazonaws.com"})),
        (allow("*", "kms:ReEncrypt*"), allow("*", ["kms:ReEncryptFrom", "kms:ReEncryptTo"])),
        (allow("*", "kms:Get*"), allow("*", NotAction="kms:Get*", Action=None)),
        (allow("*", ["kms:Get*", "kms:List*"]), allow("*", ["kms:Put*", "kms:Disable*"])),
        (allow("*", ["kms:Get*", "kms:*Policy"]), allow("*", "kms:Get*")),
        (allow("*", Resource=OF_ACCOUNT), allow("*", Resource=OF_ACCOUNT.replace("Principal", "Resource"))),
        (allow("*", Resource=OF_ACCOUNT), allow("*", Resource=[OF_ACCOUNT, "arn:aws:kms:*:1:key/*"])),
        (deny("*"), deny(None, NotPrincipal="*")),
        (allow("*"), allow("*", Resource="arn:aws:kms:us-east-1:1:key/x")),
        (allow("*"), allow("*", Condition={"Null": {"kms:ViaService": "true"}})),
        *(
            (allow("*", Condition={operator: {"kms:x": one}}), allow("*", Condition={operator: {"kms:x": other}}))
            for operator, one, other in (
                ("BinaryEquals", "QmluYXJ5", "QmluYXI="),
                ("NumericEquals", "many", "few"),
                ("NumericEquals", "7", "8"),
                ("IpAddress", "192.0.2.0/24", "192.0.2.0/25"),
                ("StringResembles", "a", "b"),
            )
        ),
        (
            allow("*", Condition={"StringEquals": {"kms:ViaService": "a"}}),
            allow("*", Condition={"StringLike": {"kms:ViaService": "a"}}),
        ),
        (
            allow("*", Condition={"StringEquals": {"kms:ViaService": "a"}}),
            allow("*", Condition={"StringEqualsIfExists": {"kms:ViaService": "a"}}),
        ),
        (
            allow("*", Condition={"StringEquals": {"kms:ViaService": "a"}}),
            allow("*", Condition={"StringEquals": {"kms:ViaService": "A"}}),
        ),
    ],
)
def test_different_meanings_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not same(document(one), document(other))


def test_order_and_repetition_of_statements_have_no_meaning() -> None:
    policy = console_policy()
    turned = {**policy, "Id": "other", "Statement": [*reversed(policy["Statement"]), delegation()]}
    assert same(policy, turned)


def test_a_statement_without_effect_has_no_meaning() -> None:
    # AWS KMS Developer Guide, "Creating a key policy": without a Resource the statement has no effect.
    assert same(document(delegation(), allow("*", Resource=None)), document(delegation()))
    # The same page, and PutKeyPolicy's: so has one without an Action.
    assert same(document(delegation(), allow("*", None)), document(delegation()))
    assert parse_key_policy(parse_key_policy(document(allow("*", None))).to_json()).statements[0].actions.listed == ()


def test_variables_mean_something_in_the_newer_version_alone() -> None:
    condition = {"StringEquals": {"aws:PrincipalTag/team": "${aws:username}"}}
    newer = document(allow("*", Condition=condition))
    assert not same(newer, {"Statement": newer["Statement"]})


@pytest.mark.timeout(60)  # comparing every pattern with every other would not end
def test_a_policy_made_to_be_slow_is_compared_all_the_same() -> None:
    many = allow("*", [f"kms:{'a' * (number % 50)}*{number}" for number in range(5_000)])
    long = allow("*", ["kms:" + "a" * 60_000 + "*", "kms:*" + "a" * 60_000])
    assert same(document(many), document({**many, "Action": many["Action"][::-1]}))
    assert same(document(long), document({**long, "Action": long["Action"][::-1]}))
