"""The worked examples of the AWS documentation: each page's own statement, and what the page says of it.

Accounts, roles and Regions are the tests' own; the conditions are the pages'. Calls are complete: what they do
not bring is absent.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.access import Grant, Verdict
from tests.engine.access.builders import (
    OTHER,
    OWNER,
    allow,
    ask,
    caller,
    delegation,
    deny,
    document,
    role,
    root,
    session,
    user,
)

YES, NO, DEPENDS = Verdict.YES, Verdict.NO, Verdict.DEPENDS
APP = role(OWNER, "RoleForExampleApp")
AS_APP = session(OWNER, "RoleForExampleApp")
Context = dict[str, str]


def brought(context: Context) -> dict[str, tuple[str, ...]]:
    """What a call with this encryption context brings."""
    values = {f"kms:EncryptionContext:{name}": (value,) for name, value in context.items()}
    return values | ({"kms:EncryptionContextKeys": tuple(context)} if context else {})


def encryption_context(condition: Any, context: Context, *more: Any, effect: Any = allow) -> Verdict:
    statements = [effect(APP, "kms:GenerateDataKey", Condition=condition), *more]
    policy = document(*statements)
    return ask(policy, caller(AS_APP), "kms:GenerateDataKey", context=brought(context), complete=True).verdict


# AWS KMS Developer Guide, "AWS KMS condition keys", kms:EncryptionContext:context-key and kms:EncryptionContextKeys.
APP_NAME = {"StringEquals": {"kms:EncryptionContext:AppName": "ExampleApp"}}
APP_NAME_ALONE = {**APP_NAME, "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["AppName"]}}
TWO_PAIRS = {"StringEquals": {"kms:EncryptionContext:Department": "IT", "kms:EncryptionContext:Project": "Alpha"}}
TWO_PAIRS_ALONE = {**TWO_PAIRS, "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["Department", "Project"]}}
SPELLED_KEY = {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "AppName"}}
SPELLED_BOTH = {**SPELLED_KEY, **APP_NAME}
ANY_CONTEXT = {"Null": {"kms:EncryptionContextKeys": False}}


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        # It says "only when the encryption context includes the AppName:ExampleApp pair. Other pairs are permitted."
        (APP_NAME, {"AppName": "ExampleApp"}, YES),
        (APP_NAME, {"AppName": "ExampleApp", "Project": "Alpha"}, YES),
        (APP_NAME, {"AppName": "Other"}, NO),
        (APP_NAME, {}, NO),
        # It says "The key name is not case sensitive. The case sensitivity of the value is determined by the operator."
        (APP_NAME, {"appname": "ExampleApp"}, YES),
        (APP_NAME, {"AppName": "exampleapp"}, NO),
        # It says "to require an encryption context pair and forbid all other encryption context pairs"
        (APP_NAME_ALONE, {"AppName": "ExampleApp"}, YES),
        (APP_NAME_ALONE, {"AppName": "ExampleApp", "Project": "Alpha"}, NO),
        (APP_NAME_ALONE, {}, NO),
        # It says "ForAllValues alone would allow requests with no encryption context."
        ({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["AppName"]}}, {}, YES),
        # It says "To require multiple encryption context pairs, list the pairs in the same condition."
        (TWO_PAIRS, {"Department": "IT", "Project": "Alpha"}, YES),
        (TWO_PAIRS, {"Department": "IT", "Project": "Alpha", "More": "x"}, YES),
        (TWO_PAIRS, {"Department": "IT"}, NO),
        (TWO_PAIRS_ALONE, {"Department": "IT", "Project": "Alpha"}, YES),
        (TWO_PAIRS_ALONE, {"Department": "IT", "Project": "Alpha", "More": "x"}, NO),
        # It says "because the first pair satisfies the condition; only Project=Alpha or none would fail."
        (SPELLED_KEY, {"AppName": "Helper", "Project": "Alpha"}, YES),
        (SPELLED_KEY, {"Project": "Alpha"}, NO),
        (SPELLED_KEY, {}, NO),
        # It says "To require a case-sensitive encryption context key, use kms:EncryptionContextKeys."
        (SPELLED_KEY, {"appname": "Helper"}, NO),
        (SPELLED_BOTH, {"AppName": "ExampleApp"}, YES),
        (SPELLED_BOTH, {"appname": "ExampleApp"}, NO),
        # It says "to require an encryption context (any encryption context)"
        (ANY_CONTEXT, {"x": "y"}, YES),
        (ANY_CONTEXT, {}, NO),
        # The warning: "ForAllValues allows requests with no context and with pairs that are not specified."
        ({"ForAllValues:StringEquals": {"kms:EncryptionContext:Department": "IT"}}, {}, YES),
        ({"ForAllValues:StringEquals": {"kms:EncryptionContext:Department": "IT"}}, {"Stage": "Restricted"}, YES),
    ],
)
def test_the_encryption_context(condition: Any, context: Context, expected: Verdict) -> None:
    assert encryption_context(condition, context) is expected


@pytest.mark.parametrize(
    ("forbidden", "context", "expected"),
    [
        ("Restricted", {"Stage": "Restricted"}, NO),
        ("Restricted", {"Stage": "Test"}, YES),
        ("Restricted", {"Other": "Restricted"}, YES),
        ("Restricted", {}, YES),
        (["Restricted", "Production"], {"Stage": "Production"}, NO),
        (["Restricted", "Production"], {"Stage": "Test"}, YES),
    ],
)
def test_an_encryption_context_that_is_forbidden(forbidden: object, context: Context, expected: Verdict) -> None:
    stage = {"StringEquals": {"kms:EncryptionContext:Stage": forbidden}}
    assert encryption_context(stage, context, allow(APP, "kms:GenerateDataKey"), effect=deny) is expected


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"Department": "IT"}, YES),
        ({"Project": "Alpha"}, YES),
        ({"Department": "IT", "Project": "Alpha"}, YES),
        ({"Department": "HR"}, NO),
    ],
)
def test_one_pair_or_another_takes_two_statements(context: Context, expected: Verdict) -> None:
    project = allow(APP, "kms:GenerateDataKey", Condition={"StringEquals": {"kms:EncryptionContext:Project": "Alpha"}})
    department = {"StringEquals": {"kms:EncryptionContext:Department": "IT"}}
    assert encryption_context(department, context, project) is expected


def test_a_user_name_in_the_encryption_context() -> None:
    # It says "the condition requires an encryption context of user: bob for bob and user: alice for alice."
    own = {"StringEquals": {"kms:EncryptionContext:user": "${aws:username}"}}
    policy = document(allow([user(OWNER, "bob"), user(OWNER, "alice")], Condition=own))
    for who in ("bob", "alice"):
        for context in ("bob", "alice"):
            answer = ask(policy, caller(user(OWNER, who)), context=brought({"user": context}), complete=True)
            assert answer.verdict is (YES if who == context else NO)


# The same page; each row: the statement's action and condition, what the call brings, what the page says.
VIA = ["ec2.us-west-2.amazonaws.com", "rds.us-west-2.amazonaws.com"]
ONLY_EQUALS = {"StringEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}}
FOR_SERVICES = {"Bool": {"kms:GrantIsForAWSResource": True}}
TWO_OPERATIONS = {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "ReEncryptTo"]}}
ANY_OPERATION = {"ForAnyValue:StringEquals": {"kms:GrantOperations": ["Encrypt", "ReEncryptTo"]}}
LIMITED = role(OWNER, "LimitedAdminRole")
GRANTEE = {"StringEquals": {"kms:GranteePrincipal": LIMITED}}
RETIRING = {"StringEquals": {"kms:RetiringPrincipal": LIMITED}}
SAME_KEY = {"Bool": {"kms:ReEncryptOnSameKey": True}}
ALIAS = {"StringEquals": {"kms:RequestAlias": "alias/finance-key"}}
NO_MODEL = {"Null": {"kms:ExpirationModel": True}}
VALID_TO = {"NumericLessThanEquals": {"kms:ValidTo": "1546257599.0"}}
NO_BYPASS = {"Null": {"kms:BypassPolicyLockoutSafetyCheck": True}}
REGIONS = {"StringEquals": {"kms:ReplicaRegion": ["us-east-1", "eu-west-3", "ap-southeast-2"]}}


@pytest.mark.parametrize(
    ("action", "condition", "context", "expected"),
    [
        ("Encrypt", {"StringEquals": {"kms:ViaService": VIA}}, {"kms:ViaService": (VIA[1],)}, YES),
        ("Encrypt", {"StringEquals": {"kms:ViaService": VIA}}, {"kms:ViaService": ("s3.us-west-2.amazonaws.com",)}, NO),
        ("Encrypt", {"StringEquals": {"kms:ViaService": VIA}}, {}, NO),
        ("Encrypt", {"StringEquals": {"kms:CallerAccount": OWNER}}, {}, YES),
        ("Encrypt", {"StringEquals": {"kms:CallerAccount": OTHER}}, {}, NO),
        ("CreateGrant", ONLY_EQUALS, {"kms:GrantConstraintType": ("EncryptionContextEquals",)}, YES),
        ("CreateGrant", ONLY_EQUALS, {"kms:GrantConstraintType": ("EncryptionContextSubset",)}, NO),
        ("CreateGrant", ONLY_EQUALS, {}, NO),
        ("CreateGrant", FOR_SERVICES, {"kms:GrantIsForAWSResource": ("true",)}, YES),
        ("CreateGrant", FOR_SERVICES, {"kms:GrantIsForAWSResource": ("false",)}, NO),
        ("CreateGrant", TWO_OPERATIONS, {"kms:GrantOperations": ("Encrypt",)}, YES),
        ("CreateGrant", TWO_OPERATIONS, {"kms:GrantOperations": ("Encrypt", "ReEncryptTo")}, YES),
        ("CreateGrant", TWO_OPERATIONS, {"kms:GrantOperations": ("Encrypt", "Decrypt")}, NO),
        ("CreateGrant", ANY_OPERATION, {"kms:GrantOperations": ("Encrypt", "Decrypt")}, YES),
        ("CreateGrant", ANY_OPERATION, {"kms:GrantOperations": ("Decrypt",)}, NO),
        ("CreateGrant", GRANTEE, {"kms:GranteePrincipal": (LIMITED,)}, YES),
        ("CreateGrant", GRANTEE, {"kms:GranteePrincipal": (APP,)}, NO),
        ("CreateGrant", RETIRING, {"kms:RetiringPrincipal": (LIMITED,)}, YES),
        ("CreateGrant", RETIRING, {}, NO),
        ("ReEncryptTo", SAME_KEY, {"kms:ReEncryptOnSameKey": ("true",)}, YES),
        ("ReEncryptFrom", SAME_KEY, {"kms:ReEncryptOnSameKey": ("false",)}, NO),
        ("GenerateDataKey", ALIAS, {"kms:RequestAlias": ("alias/finance-key",)}, YES),
        ("GenerateDataKey", ALIAS, {}, NO),
        ("ImportKeyMaterial", NO_MODEL, {}, YES),
        ("ImportKeyMaterial", NO_MODEL, {"kms:ExpirationModel": ("KEY_MATERIAL_DOES_NOT_EXPIRE",)}, NO),
        ("ImportKeyMaterial", VALID_TO, {"kms:ValidTo": ("1546257599.0",)}, YES),
        ("ImportKeyMaterial", VALID_TO, {"kms:ValidTo": ("1546257600.0",)}, NO),
        ("PutKeyPolicy", NO_BYPASS, {}, YES),
        ("PutKeyPolicy", NO_BYPASS, {"kms:BypassPolicyLockoutSafetyCheck": ("true",)}, NO),
        ("ReplicateKey", REGIONS, {"kms:ReplicaRegion": ("eu-west-3",)}, YES),
        ("ReplicateKey", REGIONS, {"kms:ReplicaRegion": ("eu-west-1",)}, NO),
        (
            "GenerateDataKeyPair",
            {"StringLike": {"kms:DataKeyPairSpec": "RSA*"}},
            {"kms:DataKeyPairSpec": ("RSA_2048",)},
            YES,
        ),
        ("GenerateDataKeyPair", {"StringLike": {"kms:DataKeyPairSpec": "RSA*"}}, {"kms:DataKeyPairSpec": ("SM2",)}, NO),
        ("Encrypt", {"StringEquals": {"kms:KeyOrigin": "AWS_CLOUDHSM"}}, {"kms:KeyOrigin": ("AWS_KMS",)}, NO),
        ("Encrypt", {"StringEquals": {"kms:KeyOrigin": "AWS_CLOUDHSM"}}, {"kms:KeyOrigin": ("AWS_CLOUDHSM",)}, YES),
    ],
)
def test_an_allow_under_a_condition_of_kms(action: str, condition: Any, context: Any, expected: Verdict) -> None:
    policy = document(allow(APP, f"kms:{action}", Condition=condition))
    assert ask(policy, caller(AS_APP), f"kms:{action}", context=context, complete=True).verdict is expected


SHORT = {"NumericLessThanEquals": {"kms:ScheduleKeyDeletionPendingWindowInDays": "21"}}
OFTEN = {"NumericLessThanEquals": {"kms:RotationPeriodInDays": "180"}}
OTHER_ALGORITHM = {"StringNotEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}


@pytest.mark.parametrize(
    ("action", "condition", "context", "expected"),
    [
        # It says "prevent scheduling key deletion if the waiting period is less than or equal to 21 days"
        ("ScheduleKeyDeletion", SHORT, {"kms:ScheduleKeyDeletionPendingWindowInDays": ("21",)}, NO),
        ("ScheduleKeyDeletion", SHORT, {"kms:ScheduleKeyDeletionPendingWindowInDays": ("22",)}, YES),
        ("EnableKeyRotation", OFTEN, {"kms:RotationPeriodInDays": ("180",)}, NO),
        ("EnableKeyRotation", OFTEN, {"kms:RotationPeriodInDays": ("365",)}, YES),
        # It says "denies access unless the encryption algorithm is SYMMETRIC_DEFAULT"
        ("Encrypt", OTHER_ALGORITHM, {"kms:EncryptionAlgorithm": ("SYMMETRIC_DEFAULT",)}, YES),
        ("Encrypt", OTHER_ALGORITHM, {"kms:EncryptionAlgorithm": ("RSAES_OAEP_SHA_256",)}, NO),
    ],
)
def test_a_deny_under_a_condition_of_kms(action: str, condition: Any, context: Any, expected: Verdict) -> None:
    policy = document(allow(APP, "kms:*"), deny("*", f"kms:{action}", Condition=condition))
    assert ask(policy, caller(AS_APP), f"kms:{action}", context=context, complete=True).verdict is expected


def test_a_deny_takes_precedence_over_all_grants() -> None:
    # kms:EncryptionAlgorithm: "it takes precedence over all grants for this KMS key and its principals."
    given = Grant("g", AS_APP, frozenset({"Encrypt"}))
    rsa = {"kms:EncryptionAlgorithm": ("RSAES_OAEP_SHA_256",)}
    denial = deny(APP, ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*"], Condition=OTHER_ALGORITHM)
    asked: Any = {"grants": [given], "context": rsa, "complete": True}
    assert ask(document(delegation()), caller(AS_APP), "kms:Encrypt", **asked).verdict is YES
    assert ask(document(delegation(), denial), caller(AS_APP), "kms:Encrypt", **asked).verdict is NO


# IAM User Guide, "AWS global condition context keys", aws:PrincipalOrgID: everyone of the organization and nobody else.
@pytest.mark.parametrize(("organization", "expected"), [("o-xxxxxxxxxxx", YES), ("o-yyyyyyyyyyy", NO), (None, NO)])
def test_everyone_of_an_organization(organization: str | None, expected: Verdict) -> None:
    policy = document(allow("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-xxxxxxxxxxx"}}))
    context = {} if organization is None else {"aws:PrincipalOrgID": (organization,)}
    for who in (caller(AS_APP), caller(user(OTHER, "eve"), YES)):
        assert ask(policy, who, context=context, complete=True).verdict is expected
    assert ask(policy, caller(user(OTHER, "eve"), YES)).verdict is DEPENDS


# IAM User Guide, "AWS JSON policy elements: NotPrincipal", both examples; the guide's role session is named whole.
AUDIT = "cross-account-read-only-role"
AUDIT_SESSION = session(OTHER, AUDIT, "cross-account-audit-app")


@pytest.mark.parametrize(
    ("listed", "who", "expected"),
    [
        ([user(OTHER, "Bob"), root(OTHER)], user(OTHER, "Bob"), YES),
        ([user(OTHER, "Bob"), root(OTHER)], user(OTHER, "Alice"), NO),
        ([user(OTHER, "Bob"), root(OTHER)], AS_APP, NO),
        # It says "Otherwise, the policy might deny access to the entire account containing the principal."
        ([user(OTHER, "Bob")], user(OTHER, "Bob"), NO),
        ([AUDIT_SESSION, role(OTHER, AUDIT), root(OTHER)], AUDIT_SESSION, YES),
        ([AUDIT_SESSION, role(OTHER, AUDIT), root(OTHER)], session(OTHER, AUDIT, "another"), DEPENDS),
        ([AUDIT_SESSION, role(OTHER, AUDIT), root(OTHER)], session(OTHER, "another", "cross-account-audit-app"), NO),
    ],
)
def test_a_deny_for_all_but_some(listed: list[str], who: str, expected: Verdict) -> None:
    policy = document(allow("*"), deny(None, NotPrincipal={"AWS": listed}))
    assert ask(policy, caller(who, YES), complete=True).verdict is expected


# IAM User Guide, "IAM JSON policy elements: NotAction".
@pytest.mark.parametrize(
    ("effect", "listed", "action", "expected"),
    [
        (allow, ["kms:Delete*", "kms:ScheduleKeyDeletion"], "kms:Decrypt", YES),
        (allow, ["kms:Delete*", "kms:ScheduleKeyDeletion"], "kms:DeleteAlias", NO),
        # It says "NotAction with Allow for iam:* allows every action of every other service."
        (allow, ["iam:*"], "kms:PutKeyPolicy", YES),
        # It says "NotAction with Deny denies every action but those listed, and allows none of these by itself."
        (deny, ["kms:Decrypt"], "kms:Encrypt", NO),
        (deny, ["kms:Decrypt"], "kms:Decrypt", YES),
    ],
)
def test_not_action(effect: Any, listed: list[str], action: str, expected: Verdict) -> None:
    base = [] if effect is allow else [allow(APP, "kms:*")]
    policy = document(*base, effect(APP, None, NotAction=listed))
    assert ask(policy, caller(AS_APP), action, complete=True).verdict is expected


def test_a_deny_without_multi_factor_authentication() -> None:
    # The same page: BoolIfExists also denies where the key is absent (long-lived credentials); Bool would not.
    mfa = {"aws:MultiFactorAuthPresent": "false"}
    for operator, absent in (("BoolIfExists", NO), ("Bool", YES)):
        policy = document(allow(APP, "kms:*"), deny("*", None, NotAction="kms:Describe*", Condition={operator: mfa}))
        for context, expected in (({}, absent), ({"false": NO}, NO), ({"true": YES}, YES)):
            brings = {"aws:MultiFactorAuthPresent": tuple(context)} if context else {}
            assert ask(policy, caller(AS_APP), context=brings, complete=True).verdict is expected
        assert ask(policy, caller(AS_APP), "kms:DescribeKey", complete=True).verdict is YES


# IAM User Guide, "Single-valued vs. multivalued context keys": the table of aws:TagKeys of the page
# "Set operators for multivalued context keys".
@pytest.mark.parametrize(
    ("operator", "brings", "expected"),
    [
        ("ForAllValues:StringEquals", ("environment",), YES),
        ("ForAllValues:StringEquals", ("environment", "cost-center"), YES),
        ("ForAllValues:StringEquals", ("environment", "dept"), NO),
        ("ForAllValues:StringEquals", (), YES),
        ("ForAnyValue:StringEquals", ("environment", "dept"), YES),
        ("ForAnyValue:StringEquals", ("dept",), NO),
        ("ForAnyValue:StringEquals", (), NO),
        ("ForAllValues:StringNotEquals", ("dept",), YES),
        ("ForAllValues:StringNotEquals", ("dept", "environment"), NO),
        ("ForAnyValue:StringNotEquals", ("dept", "environment"), YES),
        ("ForAnyValue:StringNotEquals", ("environment",), NO),
    ],
)
def test_set_operators(operator: str, brings: tuple[str, ...], expected: Verdict) -> None:
    policy = document(
        allow(APP, "kms:TagResource", Condition={operator: {"aws:TagKeys": ["environment", "cost-center"]}})
    )
    context = {"aws:TagKeys": brings} if brings else {}
    assert ask(policy, caller(AS_APP), "kms:TagResource", context=context, complete=True).verdict is expected


# IAM User Guide, "Cross-account policy evaluation logic": both accounts must allow; a deny in either refuses.
@pytest.mark.parametrize(
    ("key_policy", "identity", "expected"),
    [
        ([allow(root(OTHER))], YES, YES),
        ([allow(root(OTHER))], NO, NO),
        ([allow(role(OTHER, "Zhang"))], YES, YES),
        ([allow(role(OTHER, "Zhang"))], NO, NO),
        ([delegation()], YES, NO),
        ([allow(root(OTHER)), deny(role(OTHER, "Zhang"))], YES, NO),
    ],
)
def test_cross_account(key_policy: list[Any], identity: Verdict, expected: Verdict) -> None:
    assert ask(document(*key_policy), caller(session(OTHER, "Zhang"), identity), complete=True).verdict is expected


# AWS KMS API Reference, GrantConstraints.
@pytest.mark.parametrize(
    ("constraint", "context", "expected"),
    [
        ({"encryption_context_equals": {"Department": "IT"}}, {"Department": "IT"}, YES),
        ({"encryption_context_equals": {"Department": "IT"}}, {"Department": "IT", "Class": "Public"}, NO),
        # In a constraint "the key in each key-value pair is not case sensitive, but the value is".
        ({"encryption_context_equals": {"Department": "IT"}}, {"department": "IT"}, YES),
        ({"encryption_context_subset": {"Department": "IT"}}, {"Department": "IT", "Class": "Public"}, YES),
        ({"encryption_context_subset": {"Department": "IT"}}, {"Department": "it"}, NO),
        ({"encryption_context_subset": {"Department": "IT"}}, {}, NO),
    ],
)
def test_grant_constraints(constraint: Any, context: Context, expected: Verdict) -> None:
    given = Grant("g", APP, frozenset({"Decrypt"}), **constraint)
    answer = ask(document(delegation()), caller(AS_APP), grants=[given], context=brought(context), complete=True)
    assert answer.verdict is expected
