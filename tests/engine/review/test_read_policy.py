"""A policy read once, its statements shared with others: what is found so is what each by itself would say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.access import VENDOR_REQUIRED_ACTIONS, parse_key_policy
from engine.errors import InputError
from engine.review.access_reader import AccessReader
from engine.review.policy_reading import known
from engine.review.read_policy import PolicyTexts
from engine.review.statements import parse_statements, principals_of
from tests.engine.review.plan_builder import CUSTOMER, OTHER, VENDOR, document, key_arn, root, statement
from tests.engine.review.test_access_reader import POLICY, STATEMENTS

NUMBERS: list[Any] = [0, -1, 2**53 + 1, 2**63, 2**64, 2**70, -(2**70), 1.0, 1e30, 0.1, -0.0]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(NUMBERS)
    | st.text(max_size=5)
    | st.sampled_from(['":', "\\", "é", "*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
CONDITIONS = st.dictionaries(
    st.sampled_from(["NumericEquals", "StringLike", "Bool"]),
    st.dictionaries(st.sampled_from(["kms:X", "aws:y"]), VALUES, max_size=2) | VALUES,
    max_size=2,
)
ODD_STATEMENTS = st.builds(
    lambda statement, more: statement | more,
    STATEMENTS,
    st.fixed_dictionaries({}, optional={"Condition": CONDITIONS, "Sid": st.text(max_size=4)}),
)
SPACES = st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :"), (",", ":\n")])
TEXTS = st.builds(
    lambda statements, spaces, ascii_only, more: json.dumps(
        {"Version": "2012-10-17", "Statement": statements, **more}, separators=spaces, ensure_ascii=ascii_only
    ),
    st.lists(ODD_STATEMENTS, max_size=4) | ODD_STATEMENTS,
    SPACES,
    st.booleans(),
    st.sampled_from([{}, {"Id": "x"}, {"Id": {"a": 1}}]),
)


def _exactly(value: Any) -> str:
    """A value with its types: 1, 1.0 and true are three."""
    return repr(value)


@settings(max_examples=400)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_reader_of_many_policies_reads_each_as_the_standard_library_does(texts: list[str]) -> None:
    reader = PolicyTexts()
    for text in texts:
        read = reader.read(text)
        assert (read is None) is _is_refused(text)
        if read is not None:
            assert _exactly(read.statements) == _exactly(parse_statements(text))


def _is_refused(text: str) -> bool:
    try:
        parse_key_policy(text)
    except InputError:
        return True
    return False


@settings(max_examples=300)
@given(TEXTS, st.sampled_from([CUSTOMER, VENDOR, OTHER]))
def test_what_is_found_out_once_is_what_the_statements_say(text: str, account: str) -> None:
    policy = PolicyTexts().read(text)
    if policy is None:
        return
    allowing = [statement for statement in policy.statements if statement["Effect"] == "Allow"]
    named = {other for other in (CUSTOMER, VENDOR, OTHER) if any(_names(statement, other) for statement in allowing)}
    assert policy.accounts == named
    assert policy.denies is (len(allowing) < len(policy.statements))
    if any("NotPrincipal" in statement for statement in allowing):
        assert policy.everyone == "not_principal"
    else:
        wildcards = ("*", {"AWS": "*"}, {"AWS": ["*"]})
        assert policy.everyone == ("wildcard" if any(s.get("Principal") in wildcards for s in allowing) else "none")
    for part in policy.parts:
        if not part.may_concern(account):
            others = {CUSTOMER, VENDOR, OTHER} - {account}
            assert any(_names(part.document, other) for other in others) or "Service" in part.document["Principal"]
            assert not _names(part.document, account)
            assert part.document["Principal"].keys() <= {"AWS", "Service"}
    if policy.plainly_administrable((root(account), account)):
        assert any(s.get("Action") == "kms:*" and _names(s, account) for s in policy.statements)
        assert root(account) not in principals_of(policy.statements, account)


def _names(statement: dict[str, Any], account: str) -> bool:
    return f":{account}:" in json.dumps(statement.get("Principal")) or f'"{account}"' in json.dumps(
        statement.get("Principal")
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(POLICY, min_size=2, max_size=5), st.sampled_from([CUSTOMER, VENDOR, OTHER]))
def test_a_reader_that_remembers_answers_as_one_that_is_new(policies: list[str], account: str) -> None:
    old = AccessReader("aws", VENDOR)
    for text in (*policies, *policies):
        new = AccessReader("aws", VENDOR)
        asked = {"key_arn": key_arn(1), "key_account_id": CUSTOMER}
        for reader in (old, new):
            assert reader.statements(text) == parse_statements(text)
        assert old.access(account, VENDOR_REQUIRED_ACTIONS, known(text), (), **asked) == new.access(
            account, VENDOR_REQUIRED_ACTIONS, known(text), (), **asked
        )
        assert old.excess(account, known(text), (), **asked) == new.excess(account, known(text), (), **asked)
        assert old.administrable(known(text), **asked) is new.administrable(known(text), **asked)


@pytest.mark.parametrize("twice", ['"Effect":"Deny","Effect":"Allow"', '"Effect" : "Deny","Effect":"Allow"'])
def test_a_policy_that_says_a_thing_twice_is_read_by_nobody(twice: str) -> None:
    once = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}'
    reader = PolicyTexts()
    assert reader.read(once) is not None
    assert reader.read(once.replace('"Effect":"Allow"', twice)) is None
    assert reader.read(once) is not None


@pytest.mark.parametrize("space", ["", " "])
def test_however_often_a_thing_is_said_again_the_policy_is_read_by_nobody(space: str) -> None:
    for again in range(80):
        said = f'"Sid"{space}:"a",' * (again + 1)
        statement = f'{{{said}"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}'
        text = f'{{"Version":"2012-10-17","Statement":[{statement}]}}'
        assert (parse_statements(text) is None) is (again > 0)
        assert (PolicyTexts().read(text) is None) is (again > 0)


@pytest.mark.parametrize("depth", [10, 100, 400, 600, 900, 990, 1_010, 1_023, 5_000])
@pytest.mark.parametrize(("opening", "closing"), [('{"a":', "}"), ("[", "]")])
@pytest.mark.parametrize("version", ["2012-10-17", "2008-10-17"])
def test_a_policy_nested_however_deeply_is_unknown_and_no_crash(
    depth: int, opening: str, closing: str, version: str
) -> None:
    deep = opening * depth + "1" + closing * depth
    for element in ("Condition", "Principal", "Sid"):
        statement = f'"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","{element}":{deep}'
        text = f'{{"Version":"{version}","Statement":[{{{statement}}}]}}'.replace(
            '"Principal":"*",', "" if element == "Principal" else '"Principal":"*",'
        )
        access = AccessReader("aws", VENDOR).access(
            VENDOR, ("kms:Decrypt",), known(text), (), key_arn=None, key_account_id=CUSTOMER
        )
        assert [answer.value for answer in access.answers] == ["unknown"]


@pytest.mark.parametrize("number", ["1", "1.5", "1e30", str(2**53 + 1), str(2**64), str(2**70), str(-(2**70))])
@pytest.mark.parametrize("around", ["{}", "[{}]", '["x",{}]', "[[{}]]"])
def test_a_number_in_a_condition_is_the_one_that_the_standard_library_reads(number: str, around: str) -> None:
    condition = f'{{"NumericEquals":{{"kms:X":{around.replace("{}", number)},"aws:Y":"x"}}}}'
    statement = f'{{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*","Condition":{condition}}}'
    text = f'{{"Version":"2012-10-17","Statement":[{statement}]}}'
    read = PolicyTexts().read(text)
    assert (read is None) is _is_refused(text)
    if read is not None:
        assert _exactly(read.statements) == _exactly(parse_statements(text))


NOT_OTHERS = {"Effect": "Allow", "NotPrincipal": {"AWS": OTHER}, "Action": "kms:Decrypt", "Resource": "*"}
OF_THE_VENDOR = statement({"AWS": VENDOR}, "kms:Decrypt")
OF_ALL = statement("*", "kms:Decrypt")
OF_A_SERVICE = statement({"Service": "s3.amazonaws.com"}, "kms:Decrypt")
DENIED = statement({"AWS": OTHER, "Service": "s3.amazonaws.com"}, "kms:Decrypt", "Deny")


@pytest.mark.parametrize(
    ("statements", "accounts", "denies", "outside", "everyone"),
    [
        ((OF_THE_VENDOR,), {VENDOR}, False, False, "none"),
        ((OF_THE_VENDOR, DENIED), {VENDOR}, True, False, "none"),
        ((DENIED, OF_THE_VENDOR), {VENDOR}, True, False, "none"),
        ((OF_A_SERVICE, OF_THE_VENDOR), {VENDOR}, False, True, "none"),
        ((OF_THE_VENDOR, OF_ALL), {VENDOR}, False, False, "wildcard"),
        ((OF_ALL, OF_THE_VENDOR), {VENDOR}, False, False, "wildcard"),
        ((OF_ALL, NOT_OTHERS), set(), False, False, "not_principal"),
        ((NOT_OTHERS, OF_ALL), set(), False, False, "not_principal"),
        ((NOT_OTHERS, OF_THE_VENDOR), {VENDOR}, False, False, "not_principal"),
        ((OF_THE_VENDOR, statement("*", "kms:*", "Deny")), {VENDOR}, True, False, "none"),
        ((OF_THE_VENDOR, NOT_OTHERS | {"Effect": "Deny"}), {VENDOR}, True, False, "none"),
    ],
)
def test_whom_a_policy_allows_something_is_told_of_all_its_statements(
    statements: tuple[dict[str, Any], ...], accounts: set[str], denies: bool, outside: bool, everyone: str
) -> None:
    policy = PolicyTexts().read(document(*statements))
    assert policy is not None
    found = (policy.accounts, policy.denies, policy.outside, policy.everyone)
    assert found == (frozenset(accounts), denies, outside, everyone)
