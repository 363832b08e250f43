from __future__ import annotations

import pytest

from engine.access import Caller, Grant, Verdict
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
EMPTY = document(allow(user(OWNER, "nobody"), "kms:GetKeyPolicy"))
USER = user(OWNER, "exampleUser")
IT = {"Department": "IT"}


def grant(
    grantee: str = USER,
    operations: tuple[str, ...] = ("Decrypt",),
    *,
    retiring: str | None = None,
    equals: dict[str, str] | None = None,
    subset: dict[str, str] | None = None,
    source_arn: str | None = None,
) -> Grant:
    return Grant("g-1", grantee, frozenset(operations), retiring, equals, subset, None, source_arn)


# AWS KMS Developer Guide, "Grants in AWS KMS", grantee principal. IAM allows nothing here.
@pytest.mark.parametrize(
    ("grantee", "who", "expected"),
    [
        (USER, caller(USER), YES),
        (USER, caller(user(OWNER, "other")), NO),
        (role(OWNER, "App"), caller(role(OWNER, "App")), YES),
        (role(OWNER, "App"), caller(session(OWNER, "App")), YES),
        (role(OWNER, "service-role/App"), caller(session(OWNER, "App")), YES),
        (session(OWNER, "App"), caller(session(OWNER, "App")), YES),
        (session(OWNER, "App", "other"), caller(session(OWNER, "App")), NO),
        (session(OWNER, "App"), caller(role(OWNER, "App")), DEPENDS),
        (root(OWNER), caller(USER), NO),
        (root(OWNER), caller(USER, YES), YES),
        (root(OWNER), caller(USER, DEPENDS), DEPENDS),
        (root(OWNER), caller(root(OWNER)), YES),
        ("dynamodb.us-west-2.amazonaws.com", caller(USER, YES), NO),
        ("not a principal", caller(USER, YES), NO),
        (root(VENDOR), Caller.account(VENDOR), YES),
        (root(VENDOR), caller(role(VENDOR, "backup"), YES), YES),
        (root(VENDOR), caller(role(VENDOR, "backup"), DEPENDS), DEPENDS),
        (root(VENDOR), caller(role(VENDOR, "backup"), NO), NO),
        (role(VENDOR, "backup"), Caller.account(VENDOR), DEPENDS),
        (role(VENDOR, "backup"), caller(role(VENDOR, "backup"), YES), YES),
        (role(VENDOR, "backup"), caller(role(VENDOR, "backup"), NO), DEPENDS),
        (root(OTHER), Caller.account(VENDOR), NO),
        (root("000000000001"), caller(USER, YES), NO),
    ],
)
def test_who_may_use_a_grant(grantee: str, who: Caller, expected: Verdict) -> None:
    assert ask(EMPTY, who, grants=[grant(grantee)]).verdict is expected


def test_a_grant_is_named_in_the_reason() -> None:
    decision = ask(EMPTY, caller(USER), grants=[grant()])
    assert decision.reason == f"Grant g-1 allows kms:Decrypt to {USER}."
    assert decision.sources == ("grant g-1",)
    named = Grant("g-1", USER, frozenset({"Decrypt"}), name="backup")
    assert ask(EMPTY, caller(USER), grants=[named]).sources == ("grant backup",)


def test_a_grant_gives_the_operations_it_lists_alone() -> None:
    mine = [grant(operations=("ReEncryptFrom", "DescribeKey"))]
    assert ask(EMPTY, caller(USER), "kms:ReEncryptFrom", grants=mine).verdict is YES
    assert ask(EMPTY, caller(USER), "kms:reencryptfrom", grants=mine).verdict is YES
    assert ask(EMPTY, caller(USER), "kms:ReEncryptTo", grants=mine).verdict is NO
    assert ask(EMPTY, caller(USER), "kms:Decrypt", grants=mine).verdict is NO


def test_an_explicit_deny_beats_a_grant() -> None:
    assert ask(document(deny("*")), caller(USER), grants=[grant()]).verdict is NO
    open_deny = document(deny("*", Condition={"StringEquals": {"kms:ViaService": "x"}}))
    assert ask(open_deny, caller(USER), grants=[grant()]).verdict is DEPENDS


def test_one_of_several_grants_is_enough() -> None:
    grants = [grant(operations=("Encrypt",)), grant(subset=IT), grant()]
    assert ask(EMPTY, caller(USER), grants=grants).verdict is YES
    assert ask(EMPTY, caller(USER), grants=grants[:2]).verdict is DEPENDS


def context(**pairs: str) -> dict[str, tuple[str, ...]]:
    keys = {"kms:EncryptionContextKeys": tuple(pairs)}
    return keys | {f"kms:EncryptionContext:{name}": (value,) for name, value in pairs.items()}


# AWS KMS Developer Guide, "Creating grants", using grant constraints; API Reference, "GrantConstraints".
@pytest.mark.parametrize(
    ("pairs", "equals", "subset"),
    [
        ({"Department": "IT"}, YES, YES),
        ({"Department": "IT", "Purpose": "Test"}, NO, YES),
        ({"Department": "it"}, NO, NO),
        ({"department": "IT"}, YES, YES),
        ({"Purpose": "Test"}, NO, NO),
        ({}, NO, NO),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_constraints_on_the_encryption_context(
    pairs: dict[str, str], equals: Verdict, subset: Verdict, *, complete: bool
) -> None:
    brought = context(**pairs)
    for constrained, expected in ((grant(equals=IT), equals), (grant(subset=IT), subset)):
        decision = ask(EMPTY, caller(USER), grants=[constrained], context=brought, complete=complete)
        assert decision.verdict is expected


def test_an_encryption_context_that_is_not_known_depends() -> None:
    decision = ask(EMPTY, caller(USER), grants=[grant(equals=IT)])
    assert decision.verdict is DEPENDS
    assert decision.depends_on == ("the encryption context of the call",)
    one_pair = {"kms:EncryptionContext:Department": ("IT",)}
    assert ask(EMPTY, caller(USER), grants=[grant(equals=IT)], context=one_pair).verdict is DEPENDS
    assert ask(EMPTY, caller(USER), grants=[grant(subset=IT)], context=one_pair).verdict is YES
    more = one_pair | {"kms:EncryptionContext:Purpose": ("Test",)}
    assert ask(EMPTY, caller(USER), grants=[grant(equals=IT)], context=more).verdict is NO


def test_a_pair_of_which_only_the_name_is_known_is_one_too_many_for_an_exact_constraint() -> None:
    named = {"kms:EncryptionContextKeys": ("Department", "Purpose"), "kms:EncryptionContext:Department": ("IT",)}
    assert ask(EMPTY, caller(USER), grants=[grant(equals=IT)], context=named).verdict is NO
    assert ask(EMPTY, caller(USER), grants=[grant(subset=IT)], context=named).verdict is YES
    valued = context(Department="IT", Purpose="Test") | {"kms:EncryptionContextKeys": ("Department",)}
    assert ask(EMPTY, caller(USER), grants=[grant(equals=IT)], context=valued).verdict is NO


def test_an_empty_constraint_asks_for_an_empty_context() -> None:
    assert ask(EMPTY, caller(USER), grants=[grant(equals={})], complete=True).verdict is YES
    assert ask(EMPTY, caller(USER), grants=[grant(equals={})], context=context(a="b")).verdict is NO
    assert ask(EMPTY, caller(USER), grants=[grant(equals={})]).verdict is DEPENDS


@pytest.mark.parametrize("operation", ["DescribeKey", "GetPublicKey", "Sign"])
def test_constraints_do_not_count_for_calls_without_an_encryption_context(operation: str) -> None:
    constrained = grant(operations=(operation,), equals=IT)
    assert ask(EMPTY, caller(USER), f"kms:{operation}", grants=[constrained], complete=True).verdict is YES


def test_a_grant_may_be_for_one_resource() -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:topic"
    constrained = [grant(operations=("Decrypt", "VerifyMac", "RetireGrant"), source_arn=topic)]
    for action in ("kms:Decrypt", "kms:VerifyMac"):
        for brought, expected in (((topic,), YES), ((f"{topic}2",), NO), ((), NO)):
            context = {"aws:SourceArn": brought}
            assert ask(EMPTY, caller(USER), action, grants=constrained, context=context).verdict is expected
        assert ask(EMPTY, caller(USER), action, grants=constrained).verdict is DEPENDS
    assert ask(EMPTY, caller(USER), "kms:RetireGrant", grants=constrained).verdict is YES


# AWS KMS Developer Guide, "Granting CreateGrant permission".
@pytest.mark.parametrize(
    ("operations", "constraint", "pairs", "expected"),
    [
        (("Decrypt", "CreateGrant"), ("EncryptionContextSubset",), {"Department": "IT"}, YES),
        (("Decrypt",), ("EncryptionContextEquals",), {"Department": "IT", "Purpose": "Test"}, YES),
        (("Decrypt", "ReEncryptFrom"), ("EncryptionContextSubset",), {"Department": "IT"}, NO),
        (("Decrypt",), (), {}, NO),
        (("Decrypt",), ("EncryptionContextSubset",), {"Purpose": "Test"}, NO),
    ],
)
def test_a_grant_passes_on_what_it_has_under_constraints_as_strict(
    operations: tuple[str, ...], constraint: tuple[str, ...], pairs: dict[str, str], expected: Verdict
) -> None:
    parent = grant(operations=("GenerateDataKey", "Decrypt", "CreateGrant"), subset=IT)
    brought = {"kms:GrantOperations": operations, "kms:GrantConstraintType": constraint} | context(**pairs)
    assert ask(EMPTY, caller(USER), "kms:CreateGrant", grants=[parent], context=brought).verdict is expected
    assert ask(EMPTY, caller(USER), "kms:CreateGrant", grants=[parent]).verdict is DEPENDS


def test_an_exact_constraint_is_not_loosened() -> None:
    parent = [grant(operations=("Decrypt", "CreateGrant"), equals=IT)]
    loose = {"kms:GrantOperations": ("Decrypt",), "kms:GrantConstraintType": ("EncryptionContextSubset",)}
    strict = {"kms:GrantOperations": ("Decrypt",), "kms:GrantConstraintType": ("EncryptionContextEquals",)}
    pairs = context(Department="IT")
    assert ask(EMPTY, caller(USER), "kms:CreateGrant", grants=parent, context=loose | pairs).verdict is NO
    assert ask(EMPTY, caller(USER), "kms:CreateGrant", grants=parent, context=strict | pairs).verdict is YES


# AWS KMS Developer Guide, "Retiring and revoking grants".
@pytest.mark.parametrize(
    ("one", "who", "expected"),
    [
        (grant(), caller(USER), NO),
        (grant(operations=("Decrypt", "RetireGrant")), caller(USER), YES),
        (grant(retiring=USER), caller(USER), YES),
        (grant(retiring=role(OWNER, "App")), caller(session(OWNER, "App")), YES),
        (grant(retiring=USER), caller(user(OWNER, "other")), NO),
        (grant(), caller(user(OWNER, "other"), YES), YES),
        (grant(), caller(user(OWNER, "other"), DEPENDS), DEPENDS),
        (grant(), caller(root(OWNER)), YES),
        (grant(retiring=root(VENDOR)), Caller.account(VENDOR), YES),
        (grant(retiring=root(VENDOR)), caller(user(VENDOR, "bob"), NO), NO),
        (grant(retiring=root(OTHER)), Caller.account(VENDOR), NO),
    ],
)
def test_who_may_retire_a_grant(one: Grant, who: Caller, expected: Verdict) -> None:
    assert ask(EMPTY, who, "kms:RetireGrant", grants=[one]).verdict is expected


def test_a_key_policy_can_deny_retiring_and_not_allow_it() -> None:
    mine = grant(retiring=USER)
    assert (
        ask(document(allow(user(OWNER, "other"), "kms:*")), caller(user(OWNER, "other")), "kms:RetireGrant").verdict
        is NO
    )
    assert ask(document(deny("*", "kms:RetireGrant")), caller(USER), "kms:RetireGrant", grants=[mine]).verdict is NO
    # AWS KMS Developer Guide, "AWS KMS condition keys": RetireGrant brings the constraint of its grant.
    kept = deny("*", "kms:RetireGrant", Condition={"StringEquals": {"kms:EncryptionContext:tenant": "kept"}})
    assert ask(document(kept), caller(USER), "kms:RetireGrant", grants=[mine]).verdict is DEPENDS
