"""STS AssumeRole between the two accounts: trust policies, the sessions' own policies, their end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.sandbox import Identity, Sandbox
from engine.sandbox.credentials import Credentials
from tests.builders import CUSTOMER, VENDOR
from tests.engine.sandbox.keys import OWNER, allow, make_key, root
from tests.sandbox_fixtures import Account, make_client, refused, start_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

USE = {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}


@pytest.fixture(scope="module")
def own() -> Iterator[Sandbox]:
    """A sandbox of these tests alone: its clock is moved, and its roles have names."""
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def owner(own: Sandbox) -> Account:
    return Account(own, Identity.CUSTOMER, CUSTOMER)


@pytest.fixture
def stranger(own: Sandbox) -> Account:
    return Account(own, Identity.VENDOR, VENDOR)


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _trust(principal: Any, effect: str = "Allow", **condition: Any) -> dict[str, Any]:
    named = principal if isinstance(principal, dict) else {"AWS": principal}
    conditions = {"Condition": condition} if condition else {}
    return {"Effect": effect, "Principal": named, "Action": "sts:AssumeRole", **conditions}


def _role(
    account: Account, name: str, *trusts: dict[str, Any], policy: dict[str, Any] | None = USE, **more: Any
) -> str:
    iam = account.client("iam")
    made: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(*trusts), **more)["Role"]["Arn"]
    if policy is not None:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_document(policy))
    return made


def _assume(sandbox: Sandbox, sts: Any, role: str, **more: Any) -> Any:
    """A function that makes clients of the session."""
    made = sts.assume_role(RoleArn=role, RoleSessionName="nightly", **more)["Credentials"]
    credentials = Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    return lambda service: make_client(sandbox, credentials, service)


def test_a_role_of_the_vendor_is_seen_by_the_customers_key_as_the_session_and_the_role(
    own: Sandbox, owner: Account, stranger: Account
) -> None:
    role = _role(stranger, "Backups", _trust(root(VENDOR)), Path="/service/")
    session = _assume(own, stranger.sts, role)
    identity = session("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{VENDOR}:assumed-role/Backups/nightly"
    assert identity["Account"] == VENDOR
    assert identity["UserId"].endswith(":nightly")
    by_role = make_key(owner.kms, OWNER, allow(role, "kms:Encrypt"))
    by_session = make_key(owner.kms, OWNER, allow(identity["Arn"], "kms:Encrypt"))
    by_account = make_key(owner.kms, OWNER, allow(root(VENDOR), "kms:Encrypt"))
    by_condition = make_key(
        owner.kms, OWNER, allow("*", "kms:Encrypt", Condition={"ArnEquals": {"aws:PrincipalArn": role}})
    )
    for key in (by_role, by_session, by_account, by_condition):
        assert session("kms").encrypt(KeyId=key, Plaintext=b"data")["KeyId"] == key
    with refused("AccessDeniedException") as refusal:
        session("kms").encrypt(KeyId=make_key(owner.kms, OWNER), Plaintext=b"data")
    assert refusal.message.startswith(f"User: {identity['Arn']} is not authorized to perform: kms:Encrypt")


def test_a_session_from_another_account_needs_its_own_policies_too(
    own: Sandbox, owner: Account, stranger: Account
) -> None:
    role = _role(stranger, "WithoutPolicies", _trust(root(VENDOR)), policy=None)
    key = make_key(owner.kms, OWNER, allow(role, "kms:Encrypt"))
    session = _assume(own, stranger.sts, role)
    with refused("AccessDeniedException"):
        session("kms").encrypt(KeyId=key, Plaintext=b"data")
    iam = stranger.client("iam")
    iam.put_role_policy(RoleName="WithoutPolicies", PolicyName="own", PolicyDocument=_document(USE))
    session("kms").encrypt(KeyId=key, Plaintext=b"data")
    denied = {**USE, "Effect": "Deny", "Resource": key}
    made = iam.create_policy(PolicyName="never", PolicyDocument=_document(denied))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="WithoutPolicies", PolicyArn=made)
    with refused("AccessDeniedException") as refusal:
        session("kms").encrypt(KeyId=key, Plaintext=b"data")
    assert "explicit" in refusal.message or "does not exist" in refusal.message


def test_the_customer_works_in_the_vendors_account_where_the_vendor_trusts_it(
    own: Sandbox, owner: Account, stranger: Account
) -> None:
    everything = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    role = _role(stranger, "ForTheCustomer", _trust(root(CUSTOMER)), policy=everything)
    made = _assume(own, owner.sts, role)("kms").create_key()["KeyMetadata"]
    assert made["AWSAccountId"] == VENDOR
    assert stranger.kms.describe_key(KeyId=made["KeyId"])["KeyMetadata"]["Arn"] == made["Arn"]


@pytest.mark.parametrize(
    ("trusts", "more", "allowed"),
    [
        ([_trust(root(CUSTOMER))], {}, True),
        ([_trust(f"arn:aws:iam::{CUSTOMER}:user/keyturn-sandbox")], {}, True),
        ([_trust("*")], {}, True),
        ([_trust(root(VENDOR))], {}, False),
        ([_trust({"Service": "backup.amazonaws.com"})], {}, False),
        ([_trust(root(CUSTOMER)), _trust(root(CUSTOMER), "Deny")], {}, False),
        ([_trust(root(CUSTOMER), StringEquals={"sts:ExternalId": "tenant-7"})], {}, False),
        ([_trust(root(CUSTOMER), StringEquals={"sts:ExternalId": "tenant-7"})], {"ExternalId": "tenant-7"}, True),
        ([_trust(root(CUSTOMER), StringEquals={"sts:ExternalId": "tenant-7"})], {"ExternalId": "tenant-8"}, False),
        ([_trust(root(CUSTOMER), Bool={"aws:MultiFactorAuthPresent": "true"})], {}, False),
    ],
)
def test_a_trust_policy_decides_who_assumes_a_role_of_the_other_account(
    own: Sandbox, owner: Account, stranger: Account, trusts: list[Any], more: dict[str, str], allowed: bool
) -> None:
    name = f"Trusted{len(stranger.client('iam').list_roles()['Roles'])}"
    role = _role(stranger, name, *trusts)
    if allowed:
        _assume(own, owner.sts, role, **more)
        return
    with refused("AccessDenied") as refusal:
        _assume(own, owner.sts, role, **more)
    assert refusal.message.endswith(f"is not authorized to perform: sts:AssumeRole on resource: {role}")
    with refused("AccessDenied"):
        _assume(own, owner.sts, f"{role}-that-is-not-there", **more)


def test_a_role_of_ones_own_account_may_trust_a_user_by_name_without_that_users_policies(
    own: Sandbox, owner: Account
) -> None:
    iam = owner.client("iam")
    user = iam.create_user(UserName="operator")["User"]["Arn"]
    made = iam.create_access_key(UserName="operator")["AccessKey"]
    sts = make_client(own, Credentials(made["AccessKeyId"], made["SecretAccessKey"]), "sts")
    _assume(own, sts, _role(owner, "TrustsByName", _trust(user)))
    through_account = _role(owner, "TrustsTheAccount", _trust(root(CUSTOMER)))
    with refused("AccessDenied"):
        _assume(own, sts, through_account)
    may = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": through_account}
    iam.put_user_policy(UserName="operator", PolicyName="assume", PolicyDocument=_document(may))
    _assume(own, sts, through_account)


def test_a_session_policy_and_a_boundary_take_away_and_never_add(own: Sandbox, owner: Account) -> None:
    key = make_key(owner.kms)
    role = _role(owner, "Limited", _trust(root(CUSTOMER)))
    only = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}
    kms = _assume(own, owner.sts, role, Policy=_document(only))("kms")
    blob = kms.encrypt(KeyId=key, Plaintext=b"data")["CiphertextBlob"]
    with refused("AccessDeniedException"):
        kms.decrypt(CiphertextBlob=blob)
    boundary = owner.client("iam").create_policy(PolicyName="boundary", PolicyDocument=_document(only))["Policy"]["Arn"]
    bound = _role(owner, "Bound", _trust(root(CUSTOMER)), PermissionsBoundary=boundary)
    kms = _assume(own, owner.sts, bound)("kms")
    kms.encrypt(KeyId=key, Plaintext=b"data")
    with refused("AccessDeniedException"):
        kms.decrypt(CiphertextBlob=blob)


def test_a_session_ends_by_the_sandboxs_clock_and_with_its_role(own: Sandbox, owner: Account) -> None:
    role = _role(owner, "Passing", _trust(root(CUSTOMER)))
    session = _assume(own, owner.sts, role, DurationSeconds=900)
    own.clock.advance(timedelta(seconds=840))  # a minute is left, so that a slow machine is no matter
    session("sts").get_caller_identity()
    own.clock.advance(timedelta(seconds=61))
    for service, call, code in (
        ("kms", "list_keys", "ExpiredTokenException"),
        ("sts", "get_caller_identity", "ExpiredToken"),
        ("s3", "list_buckets", "ExpiredToken"),
    ):
        with refused(code):
            getattr(session(service), call)()
    again = _assume(own, owner.sts, role)
    again("sts").get_caller_identity()
    iam = owner.client("iam")
    iam.delete_role_policy(RoleName="Passing", PolicyName="own")
    iam.delete_role(RoleName="Passing")
    with refused("UnrecognizedClientException"):
        again("kms").list_keys()


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"RoleSessionName": "not a name"}, "ValidationError"),
        ({"RoleArn": "role/of-nobody"}, "ValidationError"),
        ({"DurationSeconds": 60}, "ValidationError"),
        ({"DurationSeconds": 7200}, "ValidationError"),
        ({"Policy": "{"}, "MalformedPolicyDocument"),
    ],
)
def test_a_request_that_cannot_be_is_refused(owner: Account, members: dict[str, Any], code: str) -> None:
    name = f"Asked{len(owner.client('iam').list_roles()['Roles'])}"
    role = _role(owner, name, _trust(root(CUSTOMER)))
    with refused(code):
        owner.sts.assume_role(**{"RoleArn": role, "RoleSessionName": "nightly", **members})


def test_a_role_assumed_from_a_role_lasts_an_hour_at_the_most(own: Sandbox, owner: Account) -> None:
    first = _role(owner, "First", _trust(root(CUSTOMER)), policy={"Effect": "Allow", "Action": "*", "Resource": "*"})
    second = _role(owner, "Second", _trust(first), MaxSessionDuration=43200)
    sts = _assume(own, owner.sts, first)("sts")
    _assume(own, sts, second)
    with refused("ValidationError"):
        _assume(own, sts, second, DurationSeconds=7200)


def test_a_limited_session_is_let_in_by_its_own_name_and_not_by_its_roles(own: Sandbox, owner: Account) -> None:
    # IAM User Guide, "Policy evaluation logic": an implicit deny of a session policy or a boundary limits what a
    # resource-based policy gives to the role, not what it gives to the session.
    role = _role(owner, "NamedAndLimited", _trust(root(CUSTOMER)))
    name = f"arn:aws:sts::{CUSTOMER}:assumed-role/NamedAndLimited/nightly"
    describe = {"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*"}
    by_role, by_session, by_everyone = (
        make_key(owner.kms, OWNER, allow(principal, "kms:Encrypt")) for principal in (role, name, "*")
    )
    granted = make_key(owner.kms, OWNER)
    owner.kms.create_grant(KeyId=granted, GranteePrincipal=role, Operations=["Encrypt"])
    free = _assume(own, owner.sts, role)("kms")
    limited = _assume(own, owner.sts, role, Policy=_document(describe))("kms")
    for key in (by_role, by_session, by_everyone, granted):
        free.encrypt(KeyId=key, Plaintext=b"data")
    limited.encrypt(KeyId=by_session, Plaintext=b"data")
    for key in (by_role, by_everyone, granted):
        with refused("AccessDeniedException"):
            limited.encrypt(KeyId=key, Plaintext=b"data")


@pytest.mark.parametrize(
    ("denied", "members", "lets"),
    [
        ({"Bool": {"kms:MultiRegion": "true"}}, {"MultiRegion": True}, False),
        ({"Bool": {"kms:MultiRegion": "true"}}, {}, True),
        ({"Null": {"aws:RequestTag/owner": "true"}}, {}, False),
        ({"Null": {"aws:RequestTag/owner": "true"}}, {"Tags": [{"TagKey": "owner", "TagValue": "x"}]}, True),
        ({"StringNotEquals": {"kms:KeyOrigin": "AWS_KMS"}}, {"Origin": "EXTERNAL"}, False),
        ({"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "true"}}, {"BypassPolicyLockoutSafetyCheck": True}, False),
        # Nobody can tell whether what is no number is less than five: it is denied.
        ({"NumericLessThan": {"kms:KeySpec": "5"}}, {}, False),
    ],
)
def test_a_deny_of_ones_own_policies_sees_the_key_that_is_to_be_made(
    own: Sandbox, owner: Account, denied: Any, members: Any, lets: bool
) -> None:
    name = f"Maker{len(owner.client('iam').list_roles()['Roles'])}"
    role = _role(owner, name, _trust(root(CUSTOMER)), policy={"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    deny = {"Effect": "Deny", "Action": "kms:CreateKey", "Resource": "*", "Condition": denied}
    owner.client("iam").put_role_policy(RoleName=name, PolicyName="never", PolicyDocument=_document(deny))
    kms = _assume(own, owner.sts, role)("kms")
    if lets:
        assert kms.create_key(**members)["KeyMetadata"]["KeyState"] == "Enabled"
        return
    with refused("AccessDeniedException"):
        kms.create_key(**members)


def test_the_aliases_of_a_key_are_a_condition_of_ones_own_policies(own: Sandbox, owner: Account) -> None:
    # AWS KMS Developer Guide, "AWS KMS condition keys", kms:ResourceAliases: IAM policies only.
    tested = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/*Test*"}}
    role = _role(owner, "ByAlias", _trust(root(CUSTOMER)), policy={**USE, "Condition": tested})
    kms, key = _assume(own, owner.sts, role)("kms"), make_key(owner.kms)
    with refused("AccessDeniedException"):
        kms.encrypt(KeyId=key, Plaintext=b"data")
    owner.kms.create_alias(AliasName="alias/oneTestKey", TargetKeyId=key)
    kms.encrypt(KeyId=key, Plaintext=b"data")
