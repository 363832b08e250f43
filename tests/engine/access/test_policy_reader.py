from __future__ import annotations

import json
from typing import Any

import pytest

from engine.access import Effect, parse_key_policy
from engine.access.policy_document import MAX_CHARACTERS
from engine.errors import InputError
from tests.engine.access.builders import OWNER, allow, console_policy, delegation, deny, document, role, root


def test_the_consoles_policy_is_read_whole() -> None:
    policy = parse_key_policy(json.dumps(console_policy()))
    assert policy.version == "2012-10-17"
    assert policy.policy_id == "key-consolepolicy-3"
    assert [statement.name for statement in policy.statements] == [
        "Enable IAM User Permissions",
        "Allow access for Key Administrators",
        "Allow use of the Key for Druva inSync",
        "Allow attachment of persistent resources",
        "Retention",
    ]
    assert [statement.effect for statement in policy.statements] == [Effect.ALLOW] * 4 + [Effect.DENY]
    assert policy.statements[2].actions.listed[2] == "kms:ReEncrypt*"


def test_text_and_document_read_alike() -> None:
    assert parse_key_policy(json.dumps(console_policy())) == parse_key_policy(console_policy())


@pytest.mark.parametrize("policy", [console_policy(), {"Statement": deny("*", NotAction="kms:Get*", Action=None)}])
def test_a_policy_written_out_reads_back_to_the_same(policy: dict[str, Any]) -> None:
    read = parse_key_policy(policy)
    assert parse_key_policy(read.to_json()) == read


def test_a_policy_is_written_out_as_it_was_read() -> None:
    written = parse_key_policy(console_policy()).to_json()
    assert json.loads(written) == console_policy()
    assert written.startswith('{\n  "Version": "2012-10-17",\n  "Id"')


def test_a_single_statement_needs_no_list() -> None:
    assert len(parse_key_policy({"Statement": delegation()}).statements) == 1


def test_statements_without_a_sid_are_named_by_their_number_and_shared_sids_told_apart() -> None:
    policy = parse_key_policy(document(allow("*"), allow("*", Sid=""), allow("*", Sid="Use"), deny("*", Sid="Use")))
    names = [statement.name for statement in policy.statements]
    assert names == ["statement 1", "statement 2", "Use (statement 3)", "Use (statement 4)"]


def test_condition_values_may_be_numbers_and_booleans() -> None:
    condition = {
        "Bool": {"kms:GrantIsForAWSResource": True},
        "NumericLessThan": {"kms:RotationPeriodInDays": [90, 1.5]},
    }
    tests = parse_key_policy(document(allow("*", Condition=condition))).statements[0].conditions
    assert [test.values for test in tests] == [("true",), ("90", "1.5")]


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", "not JSON: Expecting value in line 1, column 1"),
        ("{", "not JSON"),
        ("null", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('"kms:*"', "not a JSON object"),
        ('{"Statement": NaN}', "NaN is no JSON value"),
        ('{"Version": "2012-10-17", "Version": "2012-10-17"}', "'Version' twice"),
        ('{"Statement": [{"Effect": "Allow", "Effect": "Deny"}]}', "'Effect' twice"),
        ("[" * 100_000, "too deep"),
        ('{"Statement": ' + "1" * 5_000 + "}", "number too long"),
        ("{}" + " " * MAX_CHARACTERS, "characters"),
    ],
)
def test_what_is_not_a_json_object_is_refused(text: str, about: str) -> None:
    with pytest.raises(InputError, match=about):
        parse_key_policy(text)


def test_a_policy_of_as_many_characters_as_kms_takes_is_read_and_one_more_refused() -> None:
    longest = json.dumps(console_policy()).ljust(131_072)
    assert parse_key_policy(longest) == parse_key_policy(console_policy())
    with pytest.raises(InputError, match="has 131073 characters; AWS KMS takes 131072 at the most"):
        parse_key_policy(f"{longest} ")


def test_the_key_that_stands_twice_is_named_and_not_its_neighbour() -> None:
    with pytest.raises(InputError, match="'Id' twice"):
        parse_key_policy('{"Version": "2012-10-17", "Id": "a", "Statement": [], "Id": "b"}')
    with pytest.raises(InputError, match="'Id' twice"):
        parse_key_policy('{"Id": "a", "Id": "b", "Id": "c"}')


@pytest.mark.parametrize(
    ("characters", "shown"), [(78, f"'{'x' * 78}'"), (79, f"'{'x' * 78}…"), (500, f"'{'x' * 78}…")]
)
def test_a_message_shows_eighty_characters_of_a_value(characters: int, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_key_policy(document(allow("*", Effect="x" * characters)))
    assert caught.value.message.endswith(f"its Effect is {shown}, not 'Allow' or 'Deny'")


def test_the_largest_number_of_a_condition_is_taken_and_a_larger_one_refused() -> None:
    for number in (10**30, -(10**30)):
        condition = {"NumericEquals": {"kms:x": number}}
        (test,) = parse_key_policy(document(allow("*", Condition=condition))).statements[0].conditions
        assert test.values == (str(number),)
    for number in (10**30 + 1, -(10**30) - 1):
        with pytest.raises(InputError, match="too large"):
            parse_key_policy(document(allow("*", Condition={"NumericEquals": {"kms:x": number}})))


@pytest.mark.parametrize("element", ["Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"])
def test_an_element_that_is_null_is_refused_and_not_taken_for_one_that_is_left_out(element: str) -> None:
    statement = {name: value for name, value in allow("*").items() if name != element.removeprefix("Not")}
    with pytest.raises(InputError, match=f"its {element} .*missing or null"):
        parse_key_policy(document({**statement, element: None}))


@pytest.mark.parametrize(
    ("policy", "about"),
    [
        ({}, "Statement is missing"),
        ({"Statement": []}, "Statement is an empty list"),
        ({"Statement": "x"}, "Statement is text"),
        ({"Statement": [delegation()], "Statements": 1}, "unknown element 'Statements'"),
        ({"Statement": [delegation()], "Version": "2012-10-18"}, "Version is '2012-10-18'"),
        ({"Statement": [delegation()], "Id": 7}, "Id is a number"),
        ({"Statement": [delegation(), None]}, "statement 2: it is missing or null"),
        ({"Statement": {1: 2}}, "unknown element a number"),
    ],
)
def test_a_policy_of_the_wrong_shape_is_refused(policy: dict[str, Any], about: str) -> None:
    with pytest.raises(InputError, match=about):
        parse_key_policy(policy)


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"Effect": None}, "Effect is missing"),
        ({"Effect": "allow"}, "Effect is 'allow'"),
        ({"Effect": ["Allow"]}, "Effect is a list"),
        ({"Principle": "*"}, "unknown element 'Principle'"),
        ({"Sid": 1}, "Sid is a number"),
        ({"Principal": None}, "neither Principal nor NotPrincipal"),
        ({"NotPrincipal": "*"}, "both Principal and NotPrincipal"),
        ({"Principal": []}, "Principal is an empty list"),
        ({"Principal": {}}, "Principal is empty"),
        ({"Principal": "arn:aws:iam::123456789012:root"}, "expected '\\*' or a JSON object"),
        ({"Principal": {"aws": "*"}}, "unknown element 'aws'"),
        ({"Principal": {"AWS": []}}, "its Principal AWS is an empty list"),
        ({"Principal": None, "NotPrincipal": {"AWS": []}}, "its NotPrincipal AWS is an empty list"),
        ({"Principal": {"AWS": 123456789012}}, "Principal AWS is a number"),
        ({"Principal": {"AWS": "bob"}}, "'bob' is not a principal that AWS KMS takes"),
        ({"Principal": {"AWS": role(OWNER, "Admin*")}}, "a wildcard cannot stand for part of a principal"),
        ({"Principal": {"Service": "*.amazonaws.com"}}, "without a wildcard"),
        ({"Principal": {"Service": ""}}, "without a wildcard"),
        ({"Action": None, "NotAction": []}, "NotAction is an empty list"),
        ({"NotAction": "kms:*"}, "both Action and NotAction"),
        ({"Action": []}, "Action is an empty list"),
        ({"Action": "Decrypt"}, "'Decrypt' is not an action"),
        ({"Action": "k*s:Decrypt"}, "is not an action"),
        ({"Action": ["kms:Decrypt", None]}, "Action is missing or null"),
        ({"NotResource": "*"}, "both Resource and NotResource"),
        ({"Resource": []}, "its Resource is an empty list"),
        ({"Resource": None, "NotResource": []}, "its NotResource is an empty list"),
        ({"Condition": []}, "Condition is an empty list"),
        ({"Condition": {"StringEquals": {}}}, "'StringEquals' is an empty JSON object"),
        ({"Condition": {"StringEquals": "x"}}, "'StringEquals' is text"),
        ({"Condition": {"StringEquals": {"kms:ViaService": []}}}, "an empty list"),
        ({"Condition": {"StringEquals": {"kms:ViaService": None}}}, "missing or null"),
        ({"Condition": {"StringEquals": {"kms:ViaService": {}}}}, "an empty JSON object"),
        ({"Condition": {"StringEquals": {"": "x"}}}, "not empty"),
        ({"Condition": {"NumericEquals": {"kms:x": float("nan")}}}, "too large"),
        ({"Condition": {"NumericEquals": {"kms:x": 10**5_000}}}, "too large"),
        ({"Sid": "\N{EURO SIGN}"}, "Latin-1"),
        ({"Sid": "\ud800"}, "Latin-1"),
    ],
)
def test_a_statement_of_the_wrong_shape_is_refused_by_its_number(change: dict[str, Any], about: str) -> None:
    second = {**allow("*"), **change}
    second = {name: value for name, value in second.items() if value is not None}
    with pytest.raises(InputError, match=about) as caught:
        parse_key_policy(document(delegation(), second))
    assert "statement 2" in caught.value.message
    caught.value.message.encode()  # can be printed


def test_a_refusal_names_the_sid_too() -> None:
    with pytest.raises(InputError, match=r"statement 1 \(Sid 'Use of the key'\): its Effect"):
        parse_key_policy(document(allow("*", Sid="Use of the key", Effect="Maybe")))


def test_principals_of_two_partitions_are_refused() -> None:
    china = "arn:aws-cn:iam::123456789012:root"
    with pytest.raises(InputError, match="several AWS partitions: aws, aws-cn"):
        parse_key_policy(document(allow(root(OWNER)), allow(china)))
