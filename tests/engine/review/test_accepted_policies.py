"""Which policies KMS takes, whole or not at all, and what they say in the older version and in the key's Region."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.access import VENDOR_REQUIRED_ACTIONS, Caller, Request, Verdict, evaluate, parse_key_policy
from engine.errors import InputError
from engine.review import ReviewVerdict, review_plan
from engine.review.accepted_policies import takes_statement
from engine.review.access_answers import Answer
from engine.review.access_reader import AccessReader
from engine.review.policy_reading import PolicyReading, known
from tests.engine.review.declarations import declaration
from tests.engine.review.plan_builder import (
    CUSTOMER,
    FOR_VENDOR,
    OTHER,
    OWNER,
    USE,
    VENDOR,
    PlanBuilder,
    document,
    key_arn,
    root,
    statement,
)
from tests.engine.review.test_access_reader import OF_VERDICT, STATEMENTS

if TYPE_CHECKING:
    from engine.review import Report

KEY = "aws_kms_key"
ARNS = (key_arn(1), key_arn(2), key_arn(1, "eu-west-1"), None)
ITSELF = {"aws:PrincipalAccount": "${aws:PrincipalAccount}"}
FOR_ITSELF = {**FOR_VENDOR, "Condition": {"StringEquals": ITSELF}}
NOT_FOR_OTHERS = statement("*", ["kms:Decrypt"], "Deny", Condition={"StringNotEquals": ITSELF})
CONDITIONS = st.sampled_from(
    [
        {"StringEquals": ITSELF},
        {"StringNotEquals": ITSELF},
        {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
        {"StringNotLike": {"AWS:requestedregion": ["us-*"]}},
        {"StringEquals": {"aws:ResourceAccount": CUSTOMER}},
        {"StringEquals": ["no", "object"]},
        {},
    ]
)
ODD = st.sampled_from(
    [
        {"Effect": "allow"},
        {"Effect": None},
        {"Principal": {}},
        {"Principal": {"AWS": []}},
        {"Principal": {"AWS": f"1{OTHER}"}},
        {"Principal": {"AWS": root(OTHER) + "s"}},
        {"Principal": {"AWS": [root(OTHER), 5]}},
        {"Principal": {"AWS": f"arn:aws:iam::{OTHER}:group/g"}},
        {"Principal": {"AWS": f"arn:aws:iam::{OTHER}:role/a/path/r"}},
        {"Action": []},
        {"Action": "kms"},
        {"Action": ["kms:Decrypt", None]},
        {"Action": "KMS:decrypt"},
        {"Sid": 5},
        {"Sid": "一"},
        {"Resource": []},
        {"Resource": "arn:aws:kms:*:*:key/${aws:PrincipalTag/key, '1'}"},
        {"Resource": key_arn(1)},
        {"NotResource": "*"},
        {"Unknown": 1},
    ]
)
PARTS = st.builds(
    lambda base, odd, condition: {**base, **odd, **({} if condition is None else {"Condition": condition})},
    STATEMENTS | st.sampled_from([OWNER, FOR_VENDOR]),
    st.just({}) | st.just({}) | ODD,
    st.none() | CONDITIONS,
)
HEADS = st.sampled_from(
    [{"Version": "2012-10-17"}] * 4
    + [{"Version": "2008-10-17"}, {}, {"Version": None}, {"Version": "2030-01-01"}, {"Id": "x"}, {"Id": 5}, {"X": 1}]
)
TEXTS = st.builds(
    lambda head, parts, escaped: _written({**head, "Statement": parts}, escaped=escaped),
    HEADS,
    st.lists(PARTS, max_size=3),
    st.booleans(),
)


def _written(policy: dict[str, Any], *, escaped: bool = False) -> str:
    text = json.dumps(policy)
    return text.replace("4321", "432\\u0031").replace("${", "\\u0024{") if escaped else text


def _directly(text: str, account: str, action: str, arn: str | None) -> Answer:
    try:
        policy = parse_key_policy(text)
    except InputError:
        return Answer.UNKNOWN
    return OF_VERDICT[evaluate(policy, [], Caller.account(account), Request(action, arn, CUSTOMER)).verdict]


@settings(max_examples=500, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from([CUSTOMER, VENDOR, OTHER]))
def test_what_a_reader_of_many_policies_answers_is_what_the_evaluator_says_of_each(
    texts: list[str], account: str
) -> None:
    reader = AccessReader("aws")
    for text in texts:
        for arn in ARNS:
            found = reader.access(
                account, VENDOR_REQUIRED_ACTIONS, known(text), (), key_arn=arn, key_account_id=CUSTOMER
            )
            assert found.answers == tuple(_directly(text, account, action, arn) for action in VENDOR_REQUIRED_ACTIONS)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_who_can_put_the_policy_is_what_the_evaluator_says(text: str) -> None:
    found = AccessReader("aws").administrable(known(text), key_arn=key_arn(1), key_account_id=CUSTOMER)
    caller = Caller(CUSTOMER, root(CUSTOMER), Verdict.YES)
    try:
        policy = parse_key_policy(text)
    except InputError:
        assert found is Answer.UNKNOWN
        return
    verdict = evaluate(policy, [], caller, Request("kms:PutKeyPolicy", key_arn(1), CUSTOMER)).verdict
    assert found is Answer.YES if verdict is Verdict.YES else found is not Answer.UNKNOWN


def _changed(before: str, after: str, **more: Any) -> Report:
    plan = PlanBuilder().add(KEY, 1, ("update",), before={"policy": before, **more}, after={"policy": after})
    return review_plan("plan.json", plan.data(), declaration(), base=declaration())


@pytest.mark.parametrize("head", [{"Version": "2008-10-17"}, {}], ids=["older", "none, so the older one"])
@pytest.mark.parametrize(
    ("statements", "told"),
    [((OWNER, FOR_VENDOR, NOT_FOR_OTHERS), "vendor-denied"), ((OWNER, FOR_ITSELF), "vendor-access-lost")],
    ids=["a Deny comes to hold for all", "an Allow comes to hold for none"],
)
def test_another_version_makes_text_of_variables(head: dict[str, Any], statements: Any, told: str) -> None:
    newer, older = document(*statements), _written({**head, "Statement": statements})
    assert [finding.policy for finding in _changed(newer, older).blocking] == [told]
    assert _changed(newer, newer + " ").findings == ()
    assert _changed(newer, _written({**head, "Statement": statements}, escaped=True)).verdict is ReviewVerdict.BLOCK


def test_another_version_of_a_policy_without_variables_says_the_same() -> None:
    assert _changed(document(OWNER, FOR_VENDOR), json.dumps({"Statement": [OWNER, FOR_VENDOR]})).findings == ()


@pytest.mark.parametrize(
    "other",
    [
        {"Effect": "allow"},
        {"Action": "kms:Decrypt kms:Encrypt"},
        {"Condition": {"StringEquals": "o-1"}},
        {"Principal": {"AWS": f"arn:aws:iam::{OTHER}:group/backup"}},
        {"Resources": "*"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_policy_with_a_statement_that_kms_refuses_is_not_known_whomever_the_statement_names(
    other: dict[str, Any],
) -> None:
    broken = document(OWNER, FOR_VENDOR, {**statement({"AWS": root(OTHER)}, "kms:DescribeKey"), **other})
    report = _changed(document(OWNER, FOR_VENDOR), broken)
    found = [(finding.policy, finding.outcome.value) for finding in report.blocking]
    assert found == [("vendor-access-lost", "unknown"), ("policy-refused", "fail")]
    assert "statement 3" in report.blocking[1].message


def test_a_new_key_with_a_policy_that_kms_refuses_blocks_and_says_why() -> None:
    open_to_all = {"Effect": "Allow", "NotPrincipal": {"AWS": []}, "Action": "kms:*", "Resource": "*"}
    plan = PlanBuilder().add(KEY, 1, ("create",), after={"policy": document(OWNER, open_to_all)}).plan()
    report = review_plan("plan.json", json.dumps(plan).encode(), declaration(), base=declaration())
    assert [finding.policy for finding in report.blocking] == ["policy-refused"]
    assert report.blocking[0].message.endswith("statement 2: its NotPrincipal AWS is an empty list")
    plan["resource_changes"][0]["change"]["after_sensitive"] = {"policy": True}
    report = review_plan("plan.json", json.dumps(plan).encode(), declaration(), base=declaration())
    assert report.blocking[0].message.endswith("would refuse its policy: (sensitive value)")


def test_an_escape_hides_neither_the_partition_nor_the_vendor() -> None:
    known_policy = document(OWNER, FOR_VENDOR)
    elsewhere = known_policy.replace(f"arn:aws:iam::{VENDOR}", f"arn:\\u0061ws-cn:iam::{VENDOR}")
    refusal = next(f for f in _changed(known_policy, elsewhere).blocking if f.policy == "policy-refused")
    assert "several AWS partitions: aws, aws-cn" in refusal.message
    under_condition = {**FOR_VENDOR, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
    policy = document(OWNER, under_condition).replace(VENDOR, VENDOR[:-1] + "\\u0031")
    plan = PlanBuilder().add(
        KEY, 1, ("delete",), before={"policy": policy, "tags": {}, "tags_all": {}}, name="of_nobody"
    )
    report = review_plan("plan.json", plan.data(), declaration(), base=declaration())
    assert [finding.policy for finding in report.blocking] == ["generation-destroyed"]


def test_an_escape_that_terraform_writes_brings_no_key_of_others_into_scope() -> None:
    for_all_of_ours = statement(
        "*", USE, Sid="Ours & theirs", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    )
    policy = document(OWNER, for_all_of_ours).replace("&", "\\u0026")
    plan = PlanBuilder().add(
        KEY, 1, ("delete",), before={"policy": policy, "tags": {}, "tags_all": {}}, name="of_others"
    )
    assert review_plan("plan.json", plan.data(), declaration(), base=declaration()).keys == ()


@pytest.mark.parametrize(
    ("region", "told"), [("us-east-1", []), ("eu-west-1", ["vendor-access-lost"])], ids=["its own", "another"]
)
def test_the_region_of_the_calls_is_the_keys(region: str, told: list[str]) -> None:
    there = {**FOR_VENDOR, "Condition": {"StringEquals": {"aws:RequestedRegion": region}}}
    report = _changed(document(OWNER, FOR_VENDOR), document(OWNER, there))
    assert [finding.policy for finding in report.findings] == told


def test_an_identity_of_any_kind_that_a_policy_comes_to_name_is_told() -> None:
    policy = document(OWNER, FOR_VENDOR, statement({"AWS": "ANPAEXAMPLEEXAMPLE12"}, USE))
    report = _changed(document(OWNER, FOR_VENDOR), policy)
    assert [finding.policy for finding in report.findings] == ["service-principal-allowed"]


PLAIN = {"Sid": "x", "Effect": "Allow", "Principal": {"AWS": root(VENDOR)}, "Action": "kms:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("changes", "takes"),
    [
        ({}, True),
        ({"Principal": {"AWS": [VENDOR, root(OTHER)]}}, True),
        ({"Action": ["kms:Decrypt", "kms:ReEncrypt*"]}, True),
        ({"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}, True),
        ({"Resource": key_arn(1)}, True),
        ({"Effect": "Perhaps"}, False),
        ({"Unknown": "x"}, False),
        ({"Condition": "x"}, False),
        ({"Resource": []}, False),
        ({"Resource": 5}, False),
        ({"Principal": {}}, False),
        ({"Principal": {"AWS": []}}, False),
        ({"Principal": {"AWS": None}}, False),
        ({"Principal": {"AWS": "nobody"}}, False),
        ({"Principal": {"AWS": ["nobody"]}}, False),
        ({"Principal": {"AWS": [VENDOR, 5]}}, False),
        ({"Principal": {"AWS": VENDOR, "Nobody": "x"}}, False),
        ({"Action": []}, False),
        ({"Action": None}, False),
        ({"Action": 5}, False),
        ({"Action": "decrypt"}, False),
        ({"Action": ["decrypt"]}, False),
        ({"Action": ["kms:Decrypt", 5]}, False),
        ({"Action": [5]}, False),
        ({"Action": "decrypt", "Principal": {"AWS": "nobody"}}, False),
        ({"Action": ["decrypt"], "Principal": {"AWS": ["nobody"]}}, False),
    ],
    ids=str,
)
def test_a_statement_that_looks_plain_is_taken_where_all_of_it_is(changes: dict[str, Any], takes: bool) -> None:
    for leave_out in ((), ("Sid",)):
        part = {name: value for name, value in (PLAIN | changes).items() if name not in leave_out}
        assert takes_statement(part) is takes
        text = json.dumps({"Version": "2012-10-17", "Statement": [OWNER, part]})
        assert (AccessReader("aws").statements(text) is not None) is takes


@pytest.mark.parametrize(
    ("head", "takes"),
    [
        ({}, True),
        ({"Version": "2012-10-17"}, True),
        ({"Version": "2008-10-17"}, True),
        ({"Version": None, "Id": None}, True),
        ({"Version": "2012-10-17", "Id": "x"}, True),
        ({"Id": "x"}, True),
        ({"Version": "2012-10-18"}, False),
        ({"Version": "2012-10-17", "Id": 5}, False),
        ({"Version": "2012-10-17", "Unknown": "x"}, False),
        ({"Version": "2012-10-17", "Id": "x", "Unknown": "x"}, False),
        ({"Version": "2012-10-18", "Id": "x"}, False),
        ({"Unknown": "x"}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("spaces", [(",", ":"), (" ,", " :")], ids=["compact", "spaced"])
def test_what_stands_beside_the_statements_is_taken_where_all_of_it_is(
    head: dict[str, Any], takes: bool, spaces: tuple[str, str]
) -> None:
    text = json.dumps(head | {"Statement": [OWNER, FOR_VENDOR]}, separators=spaces)
    assert (AccessReader("aws").statements(text) is not None) is takes
    text = json.dumps(head | {"Statement": OWNER}, separators=spaces)
    assert (AccessReader("aws").statements(text) is not None) is takes


HERE, ELSEWHERE = {"Resource": key_arn(1)}, {"Resource": key_arn(2)}
IN_REGION = {"Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}


@pytest.mark.parametrize(
    ("least", "most", "answers"),
    [
        (HERE, HERE, "yes no no"),
        (ELSEWHERE, ELSEWHERE, "no yes no"),
        (HERE, {}, "yes unknown unknown"),
        (ELSEWHERE, {}, "unknown yes unknown"),
        ({}, HERE, "yes unknown unknown"),
        (IN_REGION, IN_REGION, "yes yes no"),
        (IN_REGION, {}, "yes yes unknown"),
        ({}, IN_REGION, "yes yes unknown"),
        (IN_REGION, HERE, "yes unknown no"),
        ({}, {}, "yes yes yes"),
    ],
)
def test_a_key_is_told_from_others_where_either_reading_does(
    least: dict[str, Any], most: dict[str, Any], answers: str
) -> None:
    reader = AccessReader("aws")
    policy = PolicyReading(*(document(OWNER, FOR_VENDOR | part) for part in (least, most)))
    asked = (key_arn(1), key_arn(2), key_arn(1, "eu-west-1"))
    found = [
        reader.access(VENDOR, ("kms:Decrypt",), policy, (), key_arn=arn, key_account_id=CUSTOMER).answers[0]
        for arn in asked
    ]
    assert " ".join(answer.value for answer in found) == answers
    new = reader.access(VENDOR, ("kms:Decrypt",), policy, (), key_arn=None, key_account_id=CUSTOMER).answers[0]
    assert (new is Answer.YES) is (least == most == {})
