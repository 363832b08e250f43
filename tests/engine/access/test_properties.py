from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.access import Caller, Decision, Grant, KeyPolicy, Request, Verdict, evaluate, parse_key_policy
from engine.errors import InputError
from tests.engine.access.builders import OWNER, role, session
from tests.engine.access.strategies import (
    ACCOUNTS,
    BROUGHT,
    CONTEXT,
    TAG,
    VIA,
    callers,
    contexts,
    grants,
    identities,
    known_callers,
    near_policies,
    policies,
    requests,
    respelled,
    statements,
)

RANK = {Verdict.NO: 0, Verdict.DEPENDS: 1, Verdict.YES: 2}
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=12,
)
ELEMENTS = (
    *("Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition", "AWS", "Service", "StringEquals", "kms:ViaService"),
)
WORDS = ("Allow", "Deny", "*", "kms:*", "2012-10-17", OWNER, f"arn:aws:iam::{OWNER}:root", "${a}", "${", "ForAnyValue:")


def rank(decision: Decision) -> int:
    return RANK[decision.verdict]


@given(st.data(), policies(), callers, requests(), grants)
def test_other_words_for_the_same_policy_are_equal_and_decide_alike(
    data: st.DataObject, policy: dict[str, Any], who: Caller, request: Request, given_grants: list[Grant]
) -> None:
    one, other = parse_key_policy(policy), parse_key_policy(data.draw(respelled(policy)))
    assert one.canonical() == other.canonical()
    assert hash(one.canonical()) == hash(other.canonical())
    first, second = (evaluate(each, given_grants, who, request) for each in (one, other))
    assert first.verdict is second.verdict


@given(policies(), callers, requests(), grants)
def test_a_policy_written_out_is_the_same_policy(
    policy: dict[str, Any], who: Caller, request: Request, given_grants: list[Grant]
) -> None:
    read = parse_key_policy(policy)
    again = parse_key_policy(read.to_json())
    assert again.canonical() == read.canonical()
    assert evaluate(again, given_grants, who, request) == evaluate(read, given_grants, who, request)


@given(near_policies, near_policies, callers, requests())
def test_equal_meanings_decide_alike(one: dict[str, Any], other: dict[str, Any], who: Caller, request: Request) -> None:
    first, second = parse_key_policy(one), parse_key_policy(other)
    if first.canonical() == second.canonical():
        assert evaluate(first, [], who, request).verdict is evaluate(second, [], who, request).verdict


@given(policies(), statements("Deny"), callers, requests(), grants)
def test_a_further_deny_never_gives_more(
    policy: dict[str, Any], denial: dict[str, Any], who: Caller, request: Request, given_grants: list[Grant]
) -> None:
    more = {**policy, "Statement": [denial, *policy["Statement"]]}
    before = evaluate(parse_key_policy(policy), given_grants, who, request)
    after = evaluate(parse_key_policy(more), given_grants, who, request)
    assert rank(after) <= rank(before)


@given(policies(), statements("Allow"), callers, requests(), grants)
def test_an_allow_taken_away_never_gives_more(
    policy: dict[str, Any], allowance: dict[str, Any], who: Caller, request: Request, given_grants: list[Grant]
) -> None:
    more = {**policy, "Statement": [*policy["Statement"], allowance]}
    before = evaluate(parse_key_policy(more), given_grants, who, request)
    after = evaluate(parse_key_policy(policy), given_grants, who, request)
    assert rank(after) <= rank(before)
    assert rank(evaluate(parse_key_policy(policy), [], who, request)) <= rank(after)


@given(policies(plain=True), known_callers, requests(complete=True))
def test_where_everything_is_known_nothing_depends(policy: dict[str, Any], who: Caller, request: Request) -> None:
    assert evaluate(parse_key_policy(policy), [], who, request).verdict is not Verdict.DEPENDS


@given(policies(), callers, requests(complete=False), contexts, grants)
def test_what_is_certain_stays_so_whatever_the_call_brings(
    policy: dict[str, Any],
    who: Caller,
    request: Request,
    more: dict[str, tuple[str, ...]],
    given_grants: list[Grant],
) -> None:
    read = parse_key_policy(policy)
    before = evaluate(read, given_grants, who, request)
    # What a call can bring at all, by AWS's documentation.
    if request.action in ("kms:DescribeKey", "kms:PutKeyPolicy"):
        more.pop(CONTEXT, None)
    if request.action != "kms:CreateGrant":
        more.pop("kms:GrantIsForAWSResource", None)
    whole = replace(request, context={**more, **request.context}, complete=True)
    after = evaluate(read, given_grants, who, whole)
    assert before.verdict in (after.verdict, Verdict.DEPENDS)


@given(policies(), callers, requests(), grants)
def test_what_is_certain_of_an_account_holds_for_each_of_its_principals(
    policy: dict[str, Any], who: Caller, request: Request, given_grants: list[Grant]
) -> None:
    read = parse_key_policy(policy)
    whole = evaluate(read, given_grants, Caller.account(who.account_id), request)
    one = evaluate(read, given_grants, replace(who, identity=Verdict.YES), request)
    assert whole.verdict in (one.verdict, Verdict.DEPENDS)


@given(policies(), st.sampled_from(ACCOUNTS), identities, requests(), grants)
def test_what_is_certain_of_a_role_holds_for_each_of_its_sessions(
    policy: dict[str, Any], account: str, identity: Verdict, request: Request, given_grants: list[Grant]
) -> None:
    read = parse_key_policy(policy)
    whole = evaluate(read, given_grants, Caller(account, role(account, "App"), identity), request)
    one = evaluate(read, given_grants, Caller(account, session(account, "App", "one"), identity), request)
    assert whole.verdict in (one.verdict, Verdict.DEPENDS)


@given(policies(), callers, requests(), grants)
def test_every_answer_has_a_reason_and_only_an_open_one_says_what_it_depends_on(
    policy: dict[str, Any], who: Caller, request: Request, given_grants: list[Grant]
) -> None:
    decision = evaluate(parse_key_policy(policy), given_grants, who, request)
    assert decision.reason[0].isupper()
    assert decision.reason.endswith(".")
    assert bool(decision.depends_on) is (decision.verdict is Verdict.DEPENDS)
    assert decision.verdict is Verdict.NO or decision.sources


@given(policies(), callers, requests())
def test_the_words_give_at_least_what_aws_honours(policy: dict[str, Any], who: Caller, request: Request) -> None:
    read = parse_key_policy(policy)
    assert rank(evaluate(read, [], who, request)) <= rank(evaluate(read, [], who, request, as_written=True))


def read_or_refused(policy: Any) -> KeyPolicy | None:
    try:
        return parse_key_policy(policy)
    except InputError as error:
        assert error.message
        error.message.encode()  # can be printed
        return None


@given(st.one_of(JSON, st.dictionaries(st.integers(), JSON)))
def test_no_document_breaks_the_reader(document: Any) -> None:
    read_or_refused(document)


@given(st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert read_or_refused(text) is None or text.strip().startswith("{")


SHAPES = st.recursive(
    st.one_of(st.sampled_from(WORDS), JSON),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(ELEMENTS), inner, max_size=4)),
    max_leaves=12,
)


@given(
    policies(),
    st.sampled_from(ELEMENTS),
    SHAPES,
    callers,
    requests(),
)
def test_a_policy_with_any_element_changed_is_refused_or_decided(
    policy: dict[str, Any], element: str, value: Any, who: Caller, request: Request
) -> None:
    for changed in (
        {**policy, element: value},
        {**policy, "Statement": [{**policy["Statement"][0], element: value}]},
        {**policy, "Statement": [{**policy["Statement"][0], "Condition": {element: {"kms:ViaService": value}}}]},
        {**policy, "Statement": [{**policy["Statement"][0], "Condition": {"StringLike": {TAG: value}}}]},
    ):
        read = read_or_refused(changed)
        if read is not None:
            assert evaluate(read, [], who, request).verdict in Verdict
            assert parse_key_policy(read.to_json()).canonical() == read.canonical()


@given(st.text(max_size=40), st.sampled_from(BROUGHT), callers)
def test_no_operator_and_no_value_breaks_the_evaluator(written: str, brought: str, who: Caller) -> None:
    for block in ({written: {VIA: "a"}}, {"StringLike": {VIA: written}}, {"ArnLike": {VIA: written}}):
        for operator in ("NumericEquals", "DateLessThan", "BinaryEquals", "IpAddress", "Bool"):
            statement = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
            statement["Condition"] = {**block, operator: {VIA: written}}  # type: ignore[assignment]
            read = read_or_refused({"Version": "2012-10-17", "Statement": statement})
            if read is not None:
                request = Request("kms:Decrypt", None, OWNER, {VIA: (brought,), "x": (written,)})
                assert evaluate(read, [], who, request).verdict in Verdict
