"""What is seen of a statement without asking the evaluator: whom it names, and what it can be about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.review.statements import (
    administers_plainly,
    may_deny_putting,
    may_name,
    named_accounts,
    named_in_denials,
    names_another_partition,
    names_everyone,
    parse_statements,
    principals_of,
    without_denials,
)
from tests.engine.review.plan_builder import CUSTOMER, OTHER, VENDOR, root, statement

ROLE, USER = f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin", f"arn:aws:iam::{CUSTOMER}:user/path/jo"
OTHERS_ROLE = f"arn:aws:iam::{OTHER}:role/KeyAdmin"
SERVICE, IDENTITY = "s3.amazonaws.com", "AIDACKCEVSQ6C2EXAMPLE"


def _naming(principal: Any, element: str = "Principal") -> dict[str, Any]:
    return {"Effect": "Allow", element: principal, "Action": "kms:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("principal", "accounts", "any_other", "outside"),
    [
        ("*", set(), True, False),
        ({"AWS": "*"}, set(), True, False),
        ({"AWS": ["*"]}, set(), True, False),
        ({"AWS": VENDOR}, {VENDOR}, False, False),
        ({"AWS": root(VENDOR)}, {VENDOR}, False, False),
        ({"AWS": [ROLE, OTHERS_ROLE, VENDOR]}, {CUSTOMER, OTHER, VENDOR}, False, False),
        ({"AWS": [ROLE, "*"]}, {CUSTOMER}, True, False),
        ({"AWS": IDENTITY}, set(), True, True),
        ({"AWS": [IDENTITY, "*"]}, set(), True, True),
        ({"AWS": ["*", IDENTITY]}, set(), True, True),
        ({"AWS": [5, ROLE]}, {CUSTOMER}, True, True),
        ({"Service": SERVICE}, set(), False, True),
        ({"Service": SERVICE, "AWS": VENDOR}, {VENDOR}, False, True),
        ({"AWS": VENDOR, "Service": SERVICE}, {VENDOR}, False, True),
        ({"Federated": "cognito-identity.amazonaws.com"}, set(), True, True),
        ({"Federated": "cognito-identity.amazonaws.com", "Service": SERVICE, "AWS": ROLE}, {CUSTOMER}, True, True),
        ({"CanonicalUser": "0" * 64}, set(), True, True),
        ({"ZZZ": "x"}, set(), True, True),
        ({}, set(), False, False),
        (None, set(), True, False),
    ],
)
def test_the_accounts_that_a_statement_names_and_whom_else(
    principal: Any, accounts: set[str], any_other: bool, outside: bool
) -> None:
    assert named_accounts(_naming(principal)) == (frozenset(accounts), any_other, outside)


def test_a_statement_for_all_but_some_may_speak_of_any_account() -> None:
    assert named_accounts(_naming({"AWS": VENDOR}, "NotPrincipal")) == (frozenset(), True, False)
    both = _naming({"AWS": VENDOR}) | {"NotPrincipal": {"AWS": OTHER}}
    assert named_accounts(both) == (frozenset({VENDOR}), True, False)


@pytest.mark.parametrize(
    ("principal", "everyone"),
    [
        ("*", True),
        ({"AWS": "*"}, True),
        ({"AWS": ["*"]}, True),
        ({"AWS": [ROLE, "*"]}, True),
        ("", False),
        ("+", False),
        ({"AWS": ROLE}, False),
        ({"AWS": "+"}, False),
        ({"AWS": "!"}, False),
        ({"AWS": [ROLE]}, False),
        ({"AWS": [f"arn:aws:iam::{CUSTOMER}:role/*"]}, False),
        ({"AWS": f"arn:aws:iam::{CUSTOMER}:role/*"}, False),
        ({"Service": "*"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_the_wildcard_is_everyone_in_any_of_its_forms(principal: Any, everyone: bool) -> None:
    assert names_everyone(principal) is everyone


PLAIN = _naming({"AWS": root(CUSTOMER)})


@pytest.mark.parametrize(
    ("changes", "principal"),
    [
        ({}, root(CUSTOMER)),
        ({"Sid": "Enable IAM User Permissions"}, root(CUSTOMER)),
        ({"Principal": {"AWS": CUSTOMER}}, CUSTOMER),
        ({"Principal": {"AWS": [root(CUSTOMER)]}}, None),
        ({"Principal": "*"}, None),
        ({"Action": ["kms:*"]}, None),
        ({"Action": "kms:Decrypt"}, None),
        ({"Action": "kms:A"}, None),
        ({"Action": "kms:)"}, None),
        ({"Resource": "arn:aws:kms:*:*:key/x"}, None),
        ({"Resource": "!"}, None),
        ({"Resource": ["*"]}, None),
        ({"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}, None),
        ({"Sid": "x", "Condition": {}}, None),
    ],
)
def test_the_consoles_first_statement_gives_its_principal_everything(
    changes: dict[str, Any], principal: str | None
) -> None:
    assert administers_plainly(PLAIN | changes) == principal


@pytest.mark.parametrize(
    ("actions", "may"),
    [
        ("kms:PutKeyPolicy", True),
        ("KMS:putkeypolicy", True),
        (["kms:Decrypt", "kms:PutKeyPolicy"], True),
        ("kms:Put*", True),
        ("kms:PutKeyPolic?", True),
        ("*", True),
        (None, True),
        ([5], True),
        ("kms:Decrypt", False),
        ("kms:ScheduleKeyDeletion", False),
        (["kms:Decrypt", "kms:TagResource"], False),
    ],
)
def test_a_deny_may_be_about_the_policy_where_an_action_may_be(actions: Any, may: bool) -> None:
    denied = _naming("*") | {"Effect": "Deny", "Action": actions}
    assert may_deny_putting(denied) is may


def test_a_deny_of_all_but_some_may_be_about_the_policy() -> None:
    assert may_deny_putting({"Effect": "Deny", "Principal": "*", "NotAction": "kms:PutKeyPolicy", "Resource": "*"})


@pytest.mark.parametrize(
    ("name", "another"),
    [
        (f"arn:aws:iam::{VENDOR}:root", False),
        (f"arn:aws-cn:iam::{VENDOR}:root", True),
        (f"arn:aw:iam::{VENDOR}:root", True),
        (VENDOR, False),
        ("*", False),
        ("arn", False),
        (5, False),
    ],
)
@pytest.mark.parametrize("element", ["Principal", "NotPrincipal"])
def test_a_principal_of_another_partition_is_seen_wherever_it_stands(name: Any, another: bool, element: str) -> None:
    for names in (name, [name], [ROLE, name], [name, ROLE]):
        assert names_another_partition((PLAIN, _naming({"AWS": names}, element), PLAIN), "aws") is another
    assert not names_another_partition((_naming("*", element), _naming({"Service": SERVICE}, element)), "aws")


def test_the_principals_that_allows_name_of_an_account_are_found_each_once() -> None:
    statements = (
        PLAIN,
        statement({"AWS": [USER, ROLE]}, "kms:Decrypt"),
        statement({"AWS": ROLE}, "kms:Encrypt"),
        statement({"AWS": OTHERS_ROLE}, "kms:*"),
        statement({"AWS": [CUSTOMER, 5, "*", IDENTITY]}, "kms:*"),
        statement("*", "kms:*"),
        statement({"AWS": f"{ROLE}2"}, "kms:*", "Deny"),
        {**statement({"AWS": f"{ROLE}3"}, "kms:*"), "Effect": "Zzz"},
        {**statement({"AWS": f"{ROLE}4"}, "kms:*"), "Effect": "AAA"},
    )
    assert principals_of(statements, CUSTOMER) == (USER, ROLE)
    assert principals_of(statements, OTHER) == (OTHERS_ROLE,)
    assert principals_of(statements, VENDOR) == ()


def test_the_principals_that_denies_name_are_found_wherever_they_stand() -> None:
    prefix = f"arn:aws:iam::{CUSTOMER}:"
    but = {"ArnNotLike": {"aws:PrincipalArn": [f"{prefix}role/team-*", f"{prefix}user/j?", OTHERS_ROLE]}}
    statements = (
        statement({"AWS": [ROLE, OTHERS_ROLE, CUSTOMER]}, "kms:*", "Deny"),
        {**statement("*", "kms:*", "Deny", Condition=but)},
        {"Effect": "Deny", "NotPrincipal": {"AWS": USER}, "Action": "kms:*", "Resource": f"{prefix}role/resource"},
        statement({"AWS": f"{ROLE}2"}, "kms:*"),
        {**statement({"AWS": f"{ROLE}3"}, "kms:*"), "Effect": "Zzz"},
        {**statement({"AWS": f"{ROLE}4"}, "kms:*"), "Effect": "AAA"},
        statement({"AWS": ROLE}, "kms:Decrypt", "Deny"),
    )
    found = named_in_denials(statements, prefix)
    assert found == (ROLE, f"{prefix}role/team-any", f"{prefix}user/jx", USER)


def test_what_does_not_deny_is_left_of_a_policys_statements() -> None:
    allowed, denied = statement("*", "kms:*"), statement("*", "kms:Decrypt", "Deny")
    odd = [{**allowed, "Effect": effect} for effect in ("Aaa", "Zzz")]
    assert without_denials((denied, allowed, *odd, denied)) == (allowed, *odd)


@pytest.mark.parametrize(
    ("principal", "element", "may"),
    [
        ({"AWS": VENDOR}, "Principal", True),
        ({"AWS": OTHER}, "Principal", False),
        ("*", "Principal", True),
        ({"AWS": [OTHER, "*"]}, "Principal", True),
        ({"AWS": OTHER}, "NotPrincipal", True),
        ({"Federated": "x"}, "Principal", True),
        ({"Service": SERVICE}, "Principal", False),
    ],
)
def test_a_text_may_name_an_account_where_it_holds_its_number_or_speaks_of_anybody(
    principal: Any, element: str, may: bool
) -> None:
    text = json.dumps({"Statement": [_naming(principal, element)]})
    assert may_name(text, VENDOR) is may
    assert may_name(text.replace("kms", "\\u006bms"), VENDOR)


@pytest.mark.parametrize("around", ["{}", " {}", "{} ", "\n{}\n"])
def test_spaces_around_a_policy_change_nothing(around: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": [PLAIN]}
    assert parse_statements(around.replace("{}", json.dumps(policy))) == (PLAIN,)
    assert parse_statements(around.replace("{}", json.dumps(policy | {"Statement": PLAIN}))) == (PLAIN,)
    assert parse_statements(around.replace("{}", json.dumps(policy)) + "x") is None
