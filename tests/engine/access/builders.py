"""Policies, callers and questions of the tests, in as few words as they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.access import Caller, Decision, Grant, Request, Verdict, evaluate, parse_key_policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWNER = "123456789012"
VENDOR = "210987654321"
OTHER = "444455556666"
KEY = f"arn:aws:kms:us-east-1:{OWNER}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def role(account: str, name: str) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def user(account: str, name: str) -> str:
    return f"arn:aws:iam::{account}:user/{name}"


def session(account: str, name: str, of: str = "nightly") -> str:
    return f"arn:aws:sts::{account}:assumed-role/{name}/{of}"


def statement(effect: str, principal: object, action: object, **more: object) -> dict[str, Any]:
    """A statement; the principal as text stands under AWS, and `Resource` is `*`, unless said otherwise."""
    elements: dict[str, Any] = {"Effect": effect, "Action": action, "Resource": "*"}
    if principal is not None:
        elements["Principal"] = {"AWS": principal} if isinstance(principal, str | list) else principal
    elements.update(more)
    return {name: value for name, value in elements.items() if value is not None}


def allow(principal: object, action: object = "kms:Decrypt", **more: object) -> dict[str, Any]:
    return statement("Allow", principal, action, **more)


def deny(principal: object, action: object = "kms:Decrypt", **more: object) -> dict[str, Any]:
    return statement("Deny", principal, action, **more)


def document(*statements: Mapping[str, object]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def delegation() -> dict[str, Any]:
    return allow(root(OWNER), "kms:*", Sid="Enable IAM User Permissions")


def console_policy() -> dict[str, Any]:
    """What the console writes, with the vendor as another account and the retention deny of our stacks."""
    use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    administer = ["kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*"]
    administer += ["kms:Revoke*", "kms:Disable*", "kms:Get*", "kms:Delete*", "kms:TagResource", "kms:UntagResource"]
    administer += ["kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"]
    return {
        "Version": "2012-10-17",
        "Id": "key-consolepolicy-3",
        "Statement": [
            delegation(),
            allow(role(OWNER, "KeyAdmin"), administer, Sid="Allow access for Key Administrators"),
            allow(root(VENDOR), use, Sid="Allow use of the Key for Druva inSync"),
            allow(
                root(VENDOR),
                ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
                Sid="Allow attachment of persistent resources",
                Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}},
            ),
            deny(
                {"AWS": "*"},
                ["kms:ScheduleKeyDeletion", "kms:DeleteImportedKeyMaterial"],
                Sid="Retention",
                Condition={"ArnNotEquals": {"aws:PrincipalArn": role(OWNER, "BreakGlass")}},
            ),
        ],
    }


def caller(arn: str, identity: Verdict = Verdict.NO) -> Caller:
    """A principal; its own IAM policies allow nothing unless said otherwise."""
    return Caller(arn.split(":")[4], arn, identity)


def ask(
    policy: Mapping[str, object],
    who: Caller,
    action: str = "kms:Decrypt",
    *,
    grants: Sequence[Grant] = (),
    context: Mapping[str, tuple[str, ...]] | None = None,
    complete: bool = False,
    key_arn: str | None = KEY,
) -> Decision:
    request = Request(action, key_arn, OWNER, context or {}, complete)
    return evaluate(parse_key_policy(policy), grants, who, request)
