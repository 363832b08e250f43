"""What a condition that changes comes to, and what makes an answer the one that it is."""

from __future__ import annotations

from typing import Any

import pytest

from engine.review import Report, review_plan
from engine.review.access_answers import Access, Answer
from engine.review.access_reader import AccessReader
from engine.review.planned_grants import PlannedGrant, planned_grant
from engine.review.policy_reading import PolicyReading, known
from engine.review.values import Attributes
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
    grant_attributes,
    key_arn,
    root,
    statement,
)

KEY = "aws_kms_key"


def _changed(before: dict[str, Any], after: dict[str, Any]) -> Report:
    """The vendor's statement under a condition before, and under another after."""
    was, will = (document(OWNER, {**FOR_VENDOR, "Condition": condition}) for condition in (before, after))
    plan = PlanBuilder().add(KEY, 1, ("update",), before={"policy": was}, after={"policy": will})
    return review_plan("plan.json", plan.data(), declaration(), base=declaration())


def _of(organisations: int, services: int) -> dict[str, Any]:
    return {
        "StringEquals": {
            "aws:PrincipalOrgID": [f"o-{number:010}" for number in range(organisations)],
            "kms:ViaService": [f"service-{number}.amazonaws.com" for number in range(services)],
        }
    }


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((1, 150), (1, 151), False),
        ((10, 19), (10, 20), False),
        ((10, 20), (10, 21), True),
        ((3, 66), (3, 67), True),
        ((10, 20), (10, 19), True),
    ],
)
def test_more_values_of_a_condition_take_nothing_away_as_far_as_they_can_be_held_against_each_other(
    before: tuple[int, int], after: tuple[int, int], told: bool
) -> None:
    """Up to 200 parts are compared one by one; beyond, a condition is another one where it is not the same."""
    found = [finding.policy for finding in _changed(_of(*before), _of(*after)).findings]
    assert found == (["vendor-access-conditional"] if told else [])


DECRYPT = ("kms:Decrypt",)
IN_ORGANISATION: dict[str, Any] = {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
WITHOUT_MFA: dict[str, Any] = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}
ALLOWED = statement({"AWS": root(VENDOR)}, USE, **IN_ORGANISATION)
OF_OTHERS = statement({"AWS": root(OTHER)}, USE)


def _decrypt(
    *least: dict[str, Any],
    most: tuple[dict[str, Any], ...] | None = None,
    grants: tuple[PlannedGrant, ...] = (),
    arn: str = key_arn(1),
) -> Access:
    """The vendor's access to one action by a policy, or by one that is known in two readings."""
    policy = PolicyReading(document(OWNER, *least), document(OWNER, *(least if most is None else most)))
    account_id = arn.split(":")[4]
    return AccessReader("aws").access(VENDOR, DECRYPT, policy, grants, key_arn=arn, key_account_id=account_id)


def _denied(action: str, principal: str = VENDOR, **more: Any) -> dict[str, Any]:
    return statement({"AWS": root(principal)}, action, "Deny", **more)


def _grant(*operations: str, belongs: bool = True, **constraint: str) -> PlannedGrant:
    constraints = [{"encryption_context_equals": constraint, "encryption_context_subset": None}] if constraint else []
    attributes = Attributes(grant_attributes(1, operations=list(operations), constraints=constraints))
    return planned_grant("aws_kms_grant.g", attributes, belongs=belongs, account_id=VENDOR)


@pytest.mark.parametrize(
    ("statements", "answer", "denied"),
    [
        ((FOR_VENDOR,), Answer.YES, False),
        ((), Answer.NO, False),
        ((_denied("kms:*"),), Answer.NO, False),
        ((FOR_VENDOR, _denied("kms:*")), Answer.NO, True),
        ((ALLOWED, _denied("kms:*")), Answer.NO, True),
        ((FOR_VENDOR, _denied("kms:Encrypt")), Answer.YES, False),
        ((_denied("kms:Encrypt"),), Answer.NO, False),
        ((FOR_VENDOR, _denied("kms:*", **WITHOUT_MFA)), Answer.DEPENDS, False),
    ],
)
def test_a_no_is_a_denys_where_it_would_be_none_without_it(
    statements: tuple[dict[str, Any], ...], answer: Answer, denied: bool
) -> None:
    access = _decrypt(*statements)
    assert access.answers == (answer,)
    assert access.denied == (denied,)


def test_what_may_only_be_allowed_is_not_taken_away_by_a_deny() -> None:
    access = _decrypt(_denied("kms:*"), most=(_denied("kms:*"), FOR_VENDOR))
    assert (access.answers, access.denied) == ((Answer.NO,), (False,))


def test_of_a_policy_in_two_readings_the_one_that_gives_least_tells_what_an_answer_hangs_on() -> None:
    known = _decrypt(ALLOWED)
    perhaps_denied = _decrypt(ALLOWED, _denied("kms:*", **WITHOUT_MFA), most=(ALLOWED,))
    perhaps_allowed = _decrypt(ALLOWED, most=(ALLOWED, statement({"AWS": root(VENDOR)}, USE, **WITHOUT_MFA)))
    for access in (known, perhaps_denied, perhaps_allowed):
        assert access.answers == (Answer.DEPENDS,)
    assert not perhaps_denied.grounds[0].as_good_as(known.grounds[0])
    assert known.grounds[0].as_good_as(perhaps_denied.grounds[0])
    assert known.grounds[0].as_good_as(perhaps_allowed.grounds[0])
    assert perhaps_allowed.grounds[0].as_good_as(known.grounds[0])


@pytest.mark.parametrize(
    ("more", "matters"),
    [
        (statement({"AWS": root(VENDOR)}, "kms:Decrypt", **WITHOUT_MFA), True),
        (statement({"AWS": root(VENDOR)}, "kms:Encrypt", **WITHOUT_MFA), False),
        (statement("*", "kms:Decrypt", **WITHOUT_MFA), True),
        (OF_OTHERS, False),
    ],
)
def test_an_allow_is_part_of_what_an_answer_hangs_on_where_it_is_about_the_call(
    more: dict[str, Any], matters: bool
) -> None:
    one, two = _decrypt(ALLOWED).grounds[0], _decrypt(ALLOWED, more).grounds[0]
    assert two.as_good_as(one)
    assert one.as_good_as(two) is not matters


@pytest.mark.parametrize(
    ("more", "matters"),
    [
        (_denied("kms:Decrypt", **WITHOUT_MFA), True),
        (_denied("kms:Encrypt", **WITHOUT_MFA), False),
        (statement("*", "kms:Decrypt", "Deny", **WITHOUT_MFA), True),
        (_denied("kms:Decrypt", OTHER, **WITHOUT_MFA), False),
    ],
)
def test_a_deny_is_part_of_what_an_answer_hangs_on_where_it_is_about_the_call(
    more: dict[str, Any], matters: bool
) -> None:
    one, two = _decrypt(ALLOWED).grounds[0], _decrypt(ALLOWED, more).grounds[0]
    assert one.as_good_as(two)
    assert two.as_good_as(one) is not matters


@pytest.mark.parametrize(
    ("more", "matters"),
    [
        (_grant("Decrypt", tenant="northwind"), True),
        (_grant("Encrypt"), False),
        (_grant("Encrypt", tenant="northwind"), False),
    ],
)
def test_a_grant_is_part_of_what_an_answer_hangs_on_where_it_is_about_the_call(
    more: PlannedGrant, matters: bool
) -> None:
    one, two = _decrypt(ALLOWED).grounds[0], _decrypt(ALLOWED, grants=(more,)).grounds[0]
    assert two.as_good_as(one)
    assert one.as_good_as(two) is not matters


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"AWS": [root(VENDOR), root(OTHER)]}, {"AWS": [OTHER, VENDOR]}),
        ({"AWS": root(VENDOR)}, {"AWS": [VENDOR]}),
    ],
)
def test_a_list_of_principals_means_what_its_members_mean(one: Any, two: Any) -> None:
    first, second = (_decrypt({**ALLOWED, "Principal": principal}).grounds[0] for principal in (one, two))
    assert first == second
    apart = _decrypt(ALLOWED, {**ALLOWED, "Principal": {"AWS": root(OTHER)}}).grounds[0]
    assert first.as_good_as(apart)


@pytest.mark.parametrize("operator", ["StringEquals", "stringlike", "ArnLike"])
def test_values_of_which_any_will_do_are_held_against_each_other(operator: str) -> None:
    name = "aws:PrincipalArn" if operator == "ArnLike" else "aws:PrincipalOrgID"
    values = [f"arn:aws:iam::{VENDOR}:role/{letter}" for letter in "ab"]
    one, both, listed = (
        _decrypt({**ALLOWED, "Condition": {operator: {name: value}}}).grounds[0]
        for value in (values[0], values, values[:1])
    )
    assert both.as_good_as(one)
    assert not one.as_good_as(both)
    assert listed == one


@pytest.mark.parametrize(("operator", "better"), [("StringNotEquals", False), ("StringNotLike", False)])
def test_values_of_which_none_may_be_there_are_not(operator: str, better: bool) -> None:
    one, both = (
        _decrypt({**ALLOWED, "Condition": {operator: {"aws:PrincipalOrgID": values}}}).grounds[0]
        for values in (["o-1"], ["o-1", "o-2"])
    )
    assert both.as_good_as(one) is better


def test_an_account_that_is_none_leaves_every_answer_unknown() -> None:
    nobody = "arn:aws:kms:us-east-1:x:key/1"
    assert _decrypt(FOR_VENDOR, arn=nobody).answers == (Answer.UNKNOWN,)
    excess = AccessReader("aws").excess(VENDOR, known(document(OWNER)), (), key_arn=nobody, key_account_id="x")
    assert (excess.actions, excess.answers) == (("any action",), (Answer.UNKNOWN,))
    reader, asked = AccessReader("aws"), {"key_arn": nobody, "key_account_id": "x"}
    assert reader.principal_answer(root(CUSTOMER), "kms:Decrypt", known(document(OWNER)), **asked) is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("least", "most", "told"),
    [
        ((FOR_VENDOR,), None, {}),
        ((statement({"AWS": VENDOR}, "kms:DisableKey"),), None, {"kms:DisableKey": Answer.YES}),
        ((statement({"AWS": VENDOR}, "kms:DisableKey", **IN_ORGANISATION),), None, {"kms:DisableKey": Answer.DEPENDS}),
        ((), (statement({"AWS": VENDOR}, "kms:DisableKey"),), {"kms:DisableKey": Answer.UNKNOWN}),
    ],
)
def test_what_the_vendor_is_given_beyond_its_need_is_told_action_by_action(
    least: tuple[dict[str, Any], ...], most: tuple[dict[str, Any], ...] | None, told: dict[str, Answer]
) -> None:
    policy = PolicyReading(document(OWNER, *least), document(OWNER, *(least if most is None else most)))
    excess = AccessReader("aws").excess(VENDOR, policy, (), key_arn=key_arn(1), key_account_id=CUSTOMER)
    assert dict(zip(excess.actions, excess.answers, strict=True)) == told
    assert len(excess.denied) == len(excess.grounds) == len(told)


def test_a_policy_of_which_the_most_is_not_known_may_give_anything() -> None:
    reader = AccessReader("aws")
    policy = PolicyReading(document(OWNER), None)
    excess = reader.excess(VENDOR, policy, (), key_arn=key_arn(1), key_account_id=CUSTOMER)
    assert (excess.actions, excess.answers) == (("any action",), (Answer.UNKNOWN,))
    access = reader.access(VENDOR, DECRYPT, policy, (), key_arn=key_arn(1), key_account_id=CUSTOMER)
    assert access.answers == (Answer.UNKNOWN,)


@pytest.mark.parametrize(("belongs", "answer"), [(True, Answer.YES), (False, Answer.UNKNOWN)])
def test_a_grant_that_may_be_there_makes_a_no_unknown(belongs: bool, answer: Answer) -> None:
    assert _decrypt(grants=(_grant("Decrypt", belongs=belongs),)).answers == (answer,)
    certain = _grant("Decrypt")
    assert _decrypt(grants=(certain, _grant("Decrypt", belongs=belongs))).answers == (Answer.YES,)
    assert _decrypt(grants=(_grant("Encrypt", belongs=belongs), certain)).answers == (Answer.YES,)
