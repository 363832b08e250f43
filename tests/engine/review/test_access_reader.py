"""Questions put to policies: what is left out beforehand never changes an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.access import VENDOR_REQUIRED_ACTIONS, Caller, Grant, Request, Verdict, evaluate, parse_key_policy
from engine.declaration import VendorNarrowing
from engine.review.access_answers import Access, Answer, Reach
from engine.review.access_reader import AccessReader
from engine.review.planned_grants import PlannedGrant, planned_grant
from engine.review.policy_reading import NOTHING_KNOWN, PolicyReading, known
from engine.review.statements import may_name, parse_statements
from engine.review.values import Attributes
from tests.engine.review.plan_builder import (
    CUSTOMER,
    OTHER,
    POLICIES,
    USE,
    VENDOR,
    document,
    grant_attributes,
    key_arn,
    root,
    statement,
)

ACTIONS = VENDOR_REQUIRED_ACTIONS
PRINCIPALS = [
    "*",
    {"AWS": "*"},
    {"AWS": ["*"]},
    *({"AWS": name} for account in (CUSTOMER, VENDOR, OTHER) for name in (account, root(account))),
    {"AWS": [root(OTHER), f"arn:aws:iam::{VENDOR}:role/backup"]},
    {"AWS": "AIDACKCEVSQ6C2EXAMPLE"},
    {"Service": "s3.amazonaws.com"},
    {"Service": "s3.amazonaws.com", "AWS": VENDOR},
]
CONDITIONS: list[dict[str, Any]] = [
    {},
    {"Condition": {"StringEquals": {"kms:CallerAccount": VENDOR}}},
    {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
    {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
]
STATEMENTS = st.builds(
    lambda effect, principal, negated, actions, resource, condition: {
        "Effect": effect,
        "NotPrincipal" if negated else "Principal": principal,
        "Action": actions,
        "Resource": resource,
        **condition,
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(PRINCIPALS),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([["kms:*"], "kms:Decrypt", USE, ["kms:ScheduleKeyDeletion", "kms:PutKeyPolicy"]]),
    st.sampled_from(["*", "*", key_arn(1), key_arn(2)]),
    st.sampled_from(CONDITIONS),
)
POLICY = st.lists(STATEMENTS, min_size=1, max_size=4).map(
    lambda statements: json.dumps({"Version": "2012-10-17", "Statement": statements})
)
OF_VERDICT = {Verdict.YES: Answer.YES, Verdict.NO: Answer.NO, Verdict.DEPENDS: Answer.DEPENDS}


def _ask(reading: PolicyReading, grants: tuple[PlannedGrant, ...] = (), account: str = VENDOR) -> Access:
    return AccessReader("aws").access(account, ACTIONS, reading, grants, key_arn=key_arn(1), key_account_id=CUSTOMER)


def _grant(operations: list[str], *, belongs: bool = True, unknown: dict[str, Any] | None = None) -> PlannedGrant:
    attributes = Attributes(grant_attributes(1, operations=operations), unknown)
    return planned_grant("aws_kms_grant.g", attributes, belongs=belongs, account_id=VENDOR)


def _directly(policy: str, account: str, action: str) -> Answer:
    decision = evaluate(parse_key_policy(policy), [], Caller.account(account), Request(action, key_arn(1), CUSTOMER))
    return OF_VERDICT[decision.verdict]


@settings(max_examples=400, deadline=None)
@given(POLICY, st.sampled_from([CUSTOMER, VENDOR, OTHER, "999999999999"]))
def test_leaving_out_what_names_others_changes_no_answer(policy: str, account: str) -> None:
    access = _ask(known(policy), account=account)
    assert access.answers == tuple(_directly(policy, account, action) for action in ACTIONS)


@settings(max_examples=400, deadline=None)
@given(POLICY)
def test_a_policy_that_may_not_name_the_vendor_gives_it_nothing(policy: str) -> None:
    if not may_name(policy, VENDOR):
        assert _ask(known(policy)).reach is Reach.NONE


@settings(max_examples=400, deadline=None)
@given(POLICY)
def test_administration_found_quickly_is_administration_found(policy: str) -> None:
    quick = AccessReader("aws").administrable(known(policy), key_arn=key_arn(1), key_account_id=CUSTOMER)
    caller = Caller(CUSTOMER, root(CUSTOMER), Verdict.YES)
    request = Request("kms:PutKeyPolicy", key_arn(1), CUSTOMER)
    by_root = evaluate(parse_key_policy(policy), [], caller, request).verdict
    if by_root is Verdict.YES:
        assert quick is Answer.YES
    if quick is Answer.NO:
        assert by_root is Verdict.NO


@settings(max_examples=200, deadline=None)
@given(POLICY, POLICY)
def test_an_answer_is_known_only_where_both_readings_give_it(first: str, second: str) -> None:
    both = _ask(PolicyReading(first, second))
    least, most = _ask(known(first)), _ask(known(second))
    for answer, low, high in zip(both.answers, least.answers, most.answers, strict=True):
        assert answer is (low if low is high else Answer.UNKNOWN)


def test_nothing_known_is_unknown() -> None:
    assert _ask(NOTHING_KNOWN).reach is Reach.UNKNOWN


@pytest.mark.parametrize(
    "text", ["", "5", "[]", "{}", '{"Statement": 5}', '{"Statement": [5]}', "{", '"\\u0061"', "[" * 100_000]
)
def test_what_is_no_policy_is_unknown(text: str) -> None:
    assert parse_statements(text) is None
    assert _ask(known(text)).reach is Reach.UNKNOWN


def test_a_policy_that_kms_would_not_take_is_unknown() -> None:
    policy = json.dumps({"Statement": [{"Effect": "Perhaps", "Principal": "*", "Action": "kms:*", "Resource": "*"}]})
    assert _ask(known(policy)).reach is Reach.UNKNOWN


@pytest.mark.parametrize(
    ("policy", "reach"),
    [
        ("standard", Reach.FULL),
        ("standard, spelled differently", Reach.FULL),
        ("owner only", Reach.NONE),
        ("vendor cannot rewrap", Reach.PARTIAL),
        ("vendor under a condition", Reach.CONDITIONAL),
        ("vendor denied", Reach.PARTIAL),
        ("anybody", Reach.FULL),
    ],
)
def test_the_vendors_reach(policy: str, reach: Reach) -> None:
    assert _ask(known(POLICIES[policy])).reach is reach


def test_a_grant_gives_what_it_lists() -> None:
    owner_only = known(POLICIES["owner only"])
    everything = [action.removeprefix("kms:") for action in ACTIONS]
    assert _ask(owner_only, (_grant(everything),)).reach is Reach.FULL
    assert _ask(owner_only, (_grant(["Decrypt"]),)).with_answer(Answer.YES) == ("kms:Decrypt",)


def test_a_grant_that_only_may_belong_to_the_key_gives_nothing_for_certain() -> None:
    owner_only = known(POLICIES["owner only"])
    access = _ask(owner_only, (_grant(["Decrypt"], belongs=False),))
    assert access.with_answer(Answer.UNKNOWN) == ("kms:Decrypt",)


@pytest.mark.parametrize("attribute", ["grantee_principal", "operations", "constraints"])
def test_a_grant_of_which_a_part_is_not_known_gives_nothing_for_certain(attribute: str) -> None:
    access = _ask(known(POLICIES["owner only"]), (_grant(["Decrypt"], unknown={attribute: True}),))
    assert Answer.YES not in access.answers
    assert Answer.UNKNOWN in access.answers


def test_a_constraint_makes_a_grant_depend_on_the_request() -> None:
    constraint = [{"encryption_context_equals": {"tenant": "northwind"}, "encryption_context_subset": None}]
    attributes = Attributes(grant_attributes(1, operations=["Decrypt"], constraints=constraint))
    grant = planned_grant("g", attributes, belongs=True, account_id=VENDOR)
    assert isinstance(grant.grant, Grant)
    assert _ask(known(POLICIES["owner only"]), (grant,)).with_answer(Answer.DEPENDS) == ("kms:Decrypt",)


def _constrained(*blocks: Any) -> Access:
    attributes = Attributes(grant_attributes(1, operations=["Decrypt"], constraints=list(blocks)))
    grant = planned_grant("g", attributes, belongs=True, account_id=VENDOR)
    return _ask(known(POLICIES["owner only"]), (grant,))


@pytest.mark.parametrize("kind", ["encryption_context_equals", "encryption_context_subset"])
def test_each_kind_of_constraint_makes_a_grant_depend_on_the_request(kind: str) -> None:
    block = {"encryption_context_equals": None, "encryption_context_subset": None}
    assert _constrained(block).with_answer(Answer.YES) == ("kms:Decrypt",)
    assert _constrained(block | {kind: {}}).with_answer(Answer.YES) == ("kms:Decrypt",)
    assert _constrained(block | {kind: {"tenant": "northwind"}}).with_answer(Answer.DEPENDS) == ("kms:Decrypt",)


@pytest.mark.parametrize("blocks", [({}, {}), ("x",), ({"encryption_context_subset": {"tenant": "x"}}, {}), (None,)])
def test_constraints_of_another_form_than_the_providers_give_nothing_for_certain(blocks: tuple[Any, ...]) -> None:
    assert _constrained(*blocks).with_answer(Answer.UNKNOWN) == ("kms:Decrypt",)


def test_the_order_of_a_constraints_pairs_means_nothing() -> None:
    pairs = {"tenant": "northwind", "product": "microsoft365"}
    one, other = ({"encryption_context_equals": dict(order)} for order in (pairs.items(), reversed(pairs.items())))
    assert _constrained(one).grounds == _constrained(other).grounds
    assert _constrained(one).grounds != _constrained({"encryption_context_equals": {"tenant": "northwind"}}).grounds


def test_a_deny_is_told_as_such() -> None:
    access = _ask(known(POLICIES["vendor denied"]))
    denied = [action for action, flag in zip(access.actions, access.denied, strict=True) if flag]
    assert denied == ["kms:Decrypt"]


def test_a_deny_is_what_takes_away_that_depends_on_a_condition() -> None:
    allowed = statement({"AWS": root(VENDOR)}, USE, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})
    denied = statement({"AWS": root(VENDOR)}, "kms:Decrypt", "Deny")
    access = _ask(known(document(allowed, denied)))
    position = access.actions.index("kms:Decrypt")
    assert access.answers[position] is Answer.NO
    assert access.denied[position]
    assert access.denied.count(True) == 1
    assert Answer.DEPENDS in access.answers


def test_whether_anybody_may_is_unknown_where_the_two_readings_differ() -> None:
    owner = statement({"AWS": root(CUSTOMER)}, "kms:*")
    allowed = document(owner)
    denied = document(owner, statement("*", "kms:DisableKey", "Deny"))

    def ask(reading: PolicyReading) -> Answer:
        reader = AccessReader("aws")
        return reader.anybody_may("kms:DisableKey", reading, (), key_arn=key_arn(1), key_account_id=CUSTOMER)

    assert ask(PolicyReading(denied, allowed)) is Answer.UNKNOWN
    assert ask(NOTHING_KNOWN) is Answer.UNKNOWN
    assert ask(known(allowed)) is Answer.YES
    assert ask(known(denied)) is Answer.NO


WITHOUT_MFA: dict[str, Any] = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}
BY_ROOT = statement({"AWS": root(CUSTOMER)}, "kms:*")
BY_ROOT_PERHAPS = statement({"AWS": root(CUSTOMER)}, "kms:*", **WITHOUT_MFA)
BY_A_ROLE = statement({"AWS": f"arn:aws:iam::{CUSTOMER}:role/KeyAdmin"}, "kms:*")
BY_A_ROLE_PERHAPS = BY_A_ROLE | WITHOUT_MFA
BY_NOBODY = statement({"AWS": root(VENDOR)}, USE)
NOT_PUT = statement("*", "kms:PutKeyPolicy", "Deny")


@pytest.mark.parametrize(
    ("least", "most", "answer"),
    [
        ((BY_ROOT,), None, Answer.YES),
        ((BY_ROOT_PERHAPS,), None, Answer.DEPENDS),
        ((BY_NOBODY,), None, Answer.NO),
        ((BY_ROOT, NOT_PUT), None, Answer.NO),
        ((BY_ROOT_PERHAPS, BY_A_ROLE), None, Answer.YES),
        ((BY_A_ROLE, BY_ROOT_PERHAPS), None, Answer.YES),
        ((BY_ROOT_PERHAPS, BY_A_ROLE_PERHAPS), None, Answer.DEPENDS),
        ((BY_A_ROLE_PERHAPS,), None, Answer.DEPENDS),
        ((BY_ROOT_PERHAPS, BY_A_ROLE, BY_A_ROLE | {"Effect": "Deny"}), None, Answer.DEPENDS),
        ((BY_ROOT,), (BY_ROOT, BY_A_ROLE), Answer.YES),
        ((BY_NOBODY,), (BY_ROOT,), Answer.UNKNOWN),
        ((BY_ROOT_PERHAPS,), (BY_ROOT,), Answer.UNKNOWN),
        ((BY_ROOT, NOT_PUT), (NOT_PUT,), Answer.NO),
        ((BY_ROOT,), (), Answer.YES),
        ((BY_NOBODY,), (), Answer.UNKNOWN),
        ((), (BY_NOBODY,), Answer.NO),
        ((), (BY_ROOT,), Answer.UNKNOWN),
    ],
)
def test_whether_anybody_of_the_owners_can_put_the_policy_is_told_by_the_best_of_them(
    least: tuple[dict[str, Any], ...], most: tuple[dict[str, Any], ...] | None, answer: Answer
) -> None:
    """An empty reading stands for one of which nothing is known."""
    texts = [document(*part) if part else None for part in (least, least if most is None else most)]
    asked: dict[str, Any] = {"key_arn": key_arn(1), "key_account_id": CUSTOMER}
    reader = AccessReader("aws")
    assert reader.administrable(PolicyReading(*texts), **asked) is answer
    assert reader.anybody_may("kms:PutKeyPolicy", PolicyReading(*texts), (), **asked) is answer


def test_what_one_principal_may_is_told_of_a_policy_that_is_known_alone() -> None:
    asked: dict[str, Any] = {"key_arn": key_arn(1), "key_account_id": CUSTOMER}
    reader, by_root = AccessReader("aws"), document(BY_ROOT)
    for policy, answer in (
        (known(by_root), Answer.YES),
        (PolicyReading(by_root, by_root + " "), Answer.UNKNOWN),
        (PolicyReading(by_root, None), Answer.UNKNOWN),
        (NOTHING_KNOWN, Answer.UNKNOWN),
        (known("no policy"), Answer.UNKNOWN),
    ):
        assert reader.principal_answer(root(CUSTOMER), "kms:PutKeyPolicy", policy, **asked) is answer


def test_only_the_vendors_calls_are_narrowed_by_what_is_declared_of_them() -> None:
    tagged: dict[str, Any] = {"Condition": {"StringEquals": {"aws:PrincipalTag/service": "ekm"}}}
    policy = known(document(*(statement({"AWS": root(a)}, USE, **tagged) for a in (CUSTOMER, VENDOR, OTHER))))
    reader = AccessReader("aws", VENDOR, VendorNarrowing(principal_tags=(("service", "ekm"),)))
    found = {
        account: reader.access(account, ACTIONS, policy, (), key_arn=key_arn(1), key_account_id=CUSTOMER).reach
        for account in ("100000000000", VENDOR, OTHER)
    }
    assert found == {"100000000000": Reach.NONE, VENDOR: Reach.FULL, OTHER: Reach.CONDITIONAL}
    found_of_owner = reader.access(CUSTOMER, ACTIONS, policy, (), key_arn=key_arn(1), key_account_id=CUSTOMER)
    assert found_of_owner.reach is Reach.CONDITIONAL


@pytest.mark.parametrize("principal", ["arn:aws-cn:iam::210987654321:root", "arn:aws-us-gov:iam::210987654321:root"])
@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
@pytest.mark.parametrize("escaped", [False, True])
def test_a_policy_of_another_partition_is_refused_and_one_of_its_own_is_not(
    principal: str, partition: str, escaped: bool
) -> None:
    text = document(statement({"AWS": principal}, USE))
    reader = AccessReader(partition)
    refusal = reader.refusal(text.replace("arn:", "\\u0061rn:") if escaped else text)
    own = principal.startswith(f"arn:{partition}:")
    assert refusal == (None if own else f"it names principals of another AWS partition than {partition}, the key's")
