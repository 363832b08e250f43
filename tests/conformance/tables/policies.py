"""GetKeyPolicy, PutKeyPolicy, ListKeyPolicies, and what a key policy gives and denies.

No row takes ScheduleKeyDeletion or PutKeyPolicy away from the owner: such a key could not be cleaned up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.things import HOME, MARK, OTHER, OWNER, Alias, Ciphertext, Key
from tests.conformance.words import (
    DATA,
    MODEL,
    OK,
    PRESENT,
    TAG_KEY,
    Call,
    Identity,
    Json,
    Row,
    Table,
    api,
    form,
    gives,
    guide,
    refused,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
_LOGIC = f"{_IAM}/reference_policies_evaluation-logic.html"
_OPERATORS = f"{_IAM}/reference_policies_elements_condition_operators.html"
_SEVERAL = f"{_IAM}/reference_policies_condition-single-vs-multi-valued-context-keys.html"
_ELEMENTS = f"{_IAM}/reference_policies_elements_{{}}.html"
_CONDITIONS = guide("conditions-kms")
_NOWHERE = "00000000-0000-4000-8000-000000000000"

_NOBODY = text(
    "arn:{partition}:iam::{account}:user/keyturn-conformance-nobody", partition=HOME.partition, account=OWNER.id
)
_TO_OTHER = {"Effect": "Allow", "Principal": {"AWS": OTHER.root}, "Action": "kms:Encrypt", "Resource": "*"}
_FOR_OWNER = {"Effect": "Allow", "Principal": {"AWS": OWNER.root}, "Action": "kms:*", "Resource": "*"}


def _document(*statements: object) -> Json:
    return Json({"Version": "2012-10-17", "Statement": [_FOR_OWNER, *statements]})


_READ, _WRITTEN = Key("whose policy is read"), Key("whose policy is written")
_BLOB = Ciphertext(_WRITTEN)

GET_KEY_POLICY = Table(
    "GetKeyPolicy",
    api("GetKeyPolicy"),
    (
        Row(
            "by its only name",
            {"KeyId": _READ.id, "PolicyName": "default"},
            gives({"Policy": PRESENT, "PolicyName": "default"}),
        ),
        Row("without a name", {"KeyId": _READ.id}, gives({"Policy": PRESENT})),
        Row(
            "the default policy",
            {"KeyId": _READ.id},
            gives({"Policy": form(r"(?s).*kms:\*.*")}),
            guide("key-policy-default"),
        ),
        Row(
            "by another name",
            {"KeyId": _READ.id, "PolicyName": "other"},
            refused("NotFound"),
            judgement="the page says that the only name is default, not by which error others are refused",
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)
LIST_KEY_POLICIES = Table(
    "ListKeyPolicies",
    api("ListKeyPolicies"),
    (
        Row("there is one", {"KeyId": _READ.id}, gives({"PolicyNames": ["default"], "Truncated": False})),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)


def _refused(
    about: str,
    policy: object,
    code: str = "MalformedPolicyDocument",
    source: str | None = None,
    judgement: str | None = None,
) -> Row:
    """A policy that is refused, and that then does not stand."""
    return Row(
        about,
        {"KeyId": _WRITTEN.id, "Policy": policy},
        refused(code),
        source,
        judgement,
        after=((Call("Decrypt", {"CiphertextBlob": _BLOB.blob}), gives({"Plaintext": DATA})),),
    )


def _with(**changed: object) -> Json:
    statement = {**_TO_OTHER, **changed}
    return _document({name: value for name, value in statement.items() if value is not None})


_PUT_ACROSS = (Call("Encrypt", {"KeyId": _WRITTEN.arn, "Plaintext": DATA}, Identity.OTHER), OK)
_NOT_ACROSS = (Call("Encrypt", {"KeyId": _WRITTEN.arn, "Plaintext": DATA}, Identity.OTHER), refused("AccessDenied"))
PUT_KEY_POLICY = Table(
    "PutKeyPolicy",
    api("PutKeyPolicy"),
    (
        Row("it gives what it says", {"KeyId": _WRITTEN.id, "Policy": _document(_TO_OTHER)}, OK, after=(_PUT_ACROSS,)),
        Row(
            "it takes the place of the one before",
            {"KeyId": _WRITTEN.id, "Policy": _document(), "PolicyName": "default"},
            OK,
            after=(
                (Call("Encrypt", {"KeyId": _WRITTEN.arn, "Plaintext": DATA}, Identity.OTHER), refused("AccessDenied")),
            ),
        ),
        _refused("no JSON", "{"),
        _refused("a JSON list", "[]"),
        _refused("no statement", Json({"Version": "2012-10-17", "Statement": []})),
        _refused("an unknown element", _with(Actions="kms:Encrypt")),
        _refused("no principal", _with(Principal=None)),
        _refused("no effect", _with(Effect=None)),
        _refused("an effect that there is not", _with(Effect="Permit")),
        Row(
            "a statement without an action has no effect",
            {"KeyId": _WRITTEN.id, "Policy": _with(Action=None)},
            OK,
            after=(_NOT_ACROSS,),
        ),
        Row(
            "a statement without a resource has no effect",
            {"KeyId": _WRITTEN.id, "Policy": _with(Resource=None)},
            OK,
            after=(_NOT_ACROSS,),
        ),
        _refused(
            "ForAllValues on a pair of the encryption context",
            _with(Condition={"ForAllValues:StringEquals": {"kms:EncryptionContext:tenant": "northwind"}}),
            source=guide("conditions-kms"),
            judgement="the page shows the message, and names no error of the model",
        ),
        _refused("a principal that is none", _with(Principal={"AWS": "druva"}), source=guide("key-policy-overview")),
        Row(
            "a user that is not there",
            {"KeyId": _WRITTEN.id, "Policy": _with(Principal={"AWS": _NOBODY})},
            refused("MalformedPolicyDocument"),
            sandbox_differs="the sandbox takes every principal of a valid form: it does not know an account's people",
        ),
        _refused(
            "a star for part of a principal",
            _with(
                Principal={
                    "AWS": text("arn:{partition}:iam::{account}:role/*", partition=HOME.partition, account=OTHER.id)
                }
            ),
            source=_ELEMENTS.format("principal"),
        ),
        _refused(
            "a version that there is not",
            Json({"Version": "2020-01-01", "Statement": [_FOR_OWNER]}),
            source=_ELEMENTS.format("version"),
        ),
        _refused(
            "an operator that there is not",
            _with(Condition={"StringMatches": {"kms:CallerAccount": "1"}}),
            source=_OPERATORS,
        ),
        _refused(
            "its writer is locked out",
            Json({"Version": "2012-10-17", "Statement": [{**_FOR_OWNER, "Action": "kms:Get*"}]}),
        ),
        _refused(
            "its writer is denied the next one",
            _document({**_FOR_OWNER, "Effect": "Deny", "Action": "kms:PutKeyPolicy"}),
        ),
        _refused("an empty text", "", "Validation", MODEL),
        Row(
            "another name",
            {"KeyId": _WRITTEN.id, "Policy": _document(), "PolicyName": "other"},
            refused("Validation", "NotFound"),
            judgement="the page says that the only name is default, not by which error others are refused",
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE, "Policy": _document()}, refused("NotFound")),
    ),
)


def _across(
    about: str,
    expected: object,
    source: str,
    statements: tuple[Mapping[str, object], ...],
    *,
    context: Mapping[str, str] | None = None,
    judgement: str | None = None,
) -> Row:
    """The other account encrypts under a key whose policy has these statements beside the owner's."""
    key = Key(f"policy: {about}", policy=statements)
    arguments: dict[str, object] = {"KeyId": key.arn, "Plaintext": DATA}
    if context is not None:
        arguments["EncryptionContext"] = context
    assert expected in ("ok", "no")
    return Row(about, arguments, OK if expected == "ok" else refused("AccessDenied"), source, judgement, Identity.OTHER)


def _allow(condition: Mapping[str, object] | None = None, **changed: object) -> Mapping[str, object]:
    more = {} if condition is None else {"Condition": condition}
    return {**_TO_OTHER, **changed, **more}


def _deny(condition: Mapping[str, object] | None = None, **changed: object) -> Mapping[str, object]:
    return {**_allow(condition, **changed), "Effect": "Deny"}


def _not(changed: Mapping[str, object], **without: str) -> Mapping[str, object]:
    """The statement with elements under their opposite's name."""
    return {without.get(name, name): value for name, value in changed.items()}


_TENANT = "kms:EncryptionContext:tenant"
_KEYS = "kms:EncryptionContextKeys"
_NAMES = {"tenant": "northwind", "stage": "one"}

ENCRYPT = Table(
    "Encrypt",
    _CONDITIONS,
    (
        _across("the account's root is named", "ok", _LOGIC, (_allow(),)),
        _across(
            "the account's bare id is named",
            "ok",
            _ELEMENTS.format("principal"),
            (_allow(Principal={"AWS": OTHER.id}),),
        ),
        _across("everyone is named", "ok", _ELEMENTS.format("principal"), (_allow(Principal="*"),)),
        _across("another action", "no", _LOGIC, (_allow(Action="kms:Decrypt"),)),
        _across("a pattern of actions", "ok", _ELEMENTS.format("action"), (_allow(Action="kms:Enc*"),)),
        _across("an action in other letters", "ok", _ELEMENTS.format("action"), (_allow(Action="KMS:encrypt"),)),
        _across("an action of another service", "no", _LOGIC, (_allow(Action="s3:*"),)),
        _across(
            "a resource of another key",
            "no",
            guide("key-policy-overview"),
            (
                _allow(
                    Resource=text(
                        "arn:{partition}:kms:*:*:key/00000000-0000-4000-8000-000000000000", partition=HOME.partition
                    )
                ),
            ),
        ),
        _across("a deny beside the allow", "no", _LOGIC, (_allow(), _deny())),
        _across("a deny before the allow", "no", _LOGIC, (_deny(), _allow())),
        _across("a deny for everyone", "no", _LOGIC, (_allow(), _deny(Principal="*"))),
        _across("a deny of another action", "ok", _LOGIC, (_allow(), _deny(Action="kms:Decrypt"))),
        _across(
            "NotAction without it",
            "ok",
            _ELEMENTS.format("notaction"),
            (_not(_allow(Action=["kms:Decrypt"]), Action="NotAction"),),
        ),
        _across(
            "NotAction with it",
            "no",
            _ELEMENTS.format("notaction"),
            (_not(_allow(Action=["kms:Encrypt"]), Action="NotAction"),),
        ),
        _across(
            "a deny for all but the owner",
            "no",
            _ELEMENTS.format("notprincipal"),
            (_allow(), _not(_deny(Principal={"AWS": OWNER.root}), Principal="NotPrincipal")),
        ),
        _across(
            "kms:CallerAccount is its own",
            "ok",
            _CONDITIONS,
            (_allow({"StringEquals": {"kms:CallerAccount": OTHER.id}}),),
        ),
        _across(
            "kms:CallerAccount is another",
            "no",
            _CONDITIONS,
            (_allow({"StringEquals": {"kms:CallerAccount": OWNER.id}}),),
        ),
        _across(
            "kms:ViaService, called directly",
            "no",
            _CONDITIONS,
            (_allow({"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}),),
        ),
        _across(
            "not kms:ViaService, called directly",
            "ok",
            _CONDITIONS,
            (_allow({"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}),),
        ),
        _across(
            "the encryption context it asks for",
            "ok",
            _CONDITIONS,
            (_allow({"StringEquals": {_TENANT: "northwind"}}),),
            context={"tenant": "northwind"},
        ),
        _across(
            "another value of it",
            "no",
            _CONDITIONS,
            (_allow({"StringEquals": {_TENANT: "northwind"}}),),
            context={"tenant": "contoso"},
        ),
        _across(
            "a value in other letters",
            "no",
            _CONDITIONS,
            (_allow({"StringEquals": {_TENANT: "northwind"}}),),
            context={"tenant": "Northwind"},
        ),
        _across(
            "a value in other letters where these do not count",
            "ok",
            _OPERATORS,
            (_allow({"StringEqualsIgnoreCase": {_TENANT: "northwind"}}),),
            context={"tenant": "Northwind"},
        ),
        _across("no encryption context", "no", _CONDITIONS, (_allow({"StringEquals": {_TENANT: "northwind"}}),)),
        _across(
            "no encryption context, IfExists",
            "ok",
            _OPERATORS,
            (_allow({"StringEqualsIfExists": {_TENANT: "northwind"}}),),
        ),
        _across(
            "another value, IfExists",
            "no",
            _OPERATORS,
            (_allow({"StringEqualsIfExists": {_TENANT: "northwind"}}),),
            context={"tenant": "contoso"},
        ),
        _across(
            "no encryption context, a negated operator",
            "ok",
            _OPERATORS,
            (_allow({"StringNotEquals": {_TENANT: "northwind"}}),),
        ),
        _across(
            "a pattern of values",
            "ok",
            _OPERATORS,
            (_allow({"StringLike": {_TENANT: "north*"}}),),
            context={"tenant": "northwind"},
        ),
        _across(
            "a star under StringEquals",
            "no",
            _OPERATORS,
            (_allow({"StringEquals": {_TENANT: "north*"}}),),
            context={"tenant": "northwind"},
        ),
        _across(
            "one of several values",
            "ok",
            _OPERATORS,
            (_allow({"StringEquals": {_TENANT: ["contoso", "northwind"]}}),),
            context={"tenant": "northwind"},
        ),
        _across(
            "not one of several values",
            "no",
            _OPERATORS,
            (_allow({"StringNotEquals": {_TENANT: ["contoso", "northwind"]}}),),
            context={"tenant": "northwind"},
        ),
        _across(
            "two keys, one of which does not hold",
            "no",
            _OPERATORS,
            (_allow({"StringEquals": {_TENANT: "northwind", "kms:CallerAccount": OWNER.id}}),),
            context={"tenant": "northwind"},
        ),
        _across(
            "two operators, one of which does not hold",
            "no",
            _OPERATORS,
            (_allow({"StringEquals": {_TENANT: "northwind"}, "Null": {_TENANT: "true"}}),),
            context={"tenant": "northwind"},
        ),
        _across("Null true, the key is absent", "ok", _OPERATORS, (_allow({"Null": {_TENANT: "true"}}),)),
        _across(
            "Null true, the key is there",
            "no",
            _OPERATORS,
            (_allow({"Null": {_TENANT: "true"}}),),
            context={"tenant": "northwind"},
        ),
        _across(
            "Null false, the key is there",
            "ok",
            _OPERATORS,
            (_allow({"Null": {_TENANT: "false"}}),),
            context={"tenant": "northwind"},
        ),
        _across("Null false, the key is absent", "no", _OPERATORS, (_allow({"Null": {_TENANT: "false"}}),)),
        _across(
            "ForAllValues, all of them",
            "ok",
            _SEVERAL,
            (_allow({"ForAllValues:StringEquals": {_KEYS: ["tenant", "stage", "more"]}}),),
            context=_NAMES,
        ),
        _across(
            "ForAllValues, one besides",
            "no",
            _SEVERAL,
            (_allow({"ForAllValues:StringEquals": {_KEYS: ["tenant"]}}),),
            context=_NAMES,
        ),
        _across(
            "ForAllValues without a value",
            "ok",
            _SEVERAL,
            (_allow({"ForAllValues:StringEquals": {_KEYS: ["tenant"]}}),),
        ),
        _across(
            "ForAnyValue, one of them",
            "ok",
            _SEVERAL,
            (_allow({"ForAnyValue:StringEquals": {_KEYS: ["tenant"]}}),),
            context=_NAMES,
        ),
        _across(
            "ForAnyValue, none of them",
            "no",
            _SEVERAL,
            (_allow({"ForAnyValue:StringEquals": {_KEYS: ["more"]}}),),
            context=_NAMES,
        ),
        _across(
            "ForAnyValue without a value", "no", _SEVERAL, (_allow({"ForAnyValue:StringEquals": {_KEYS: ["tenant"]}}),)
        ),
        _across(
            "kms:EncryptionAlgorithm",
            "ok",
            _CONDITIONS,
            (_allow({"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}),),
        ),
        _across(
            "another kms:EncryptionAlgorithm",
            "no",
            _CONDITIONS,
            (_allow({"StringEquals": {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}}),),
        ),
        _across("kms:KeySpec", "ok", _CONDITIONS, (_allow({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}),)),
        _across("kms:KeyOrigin", "no", _CONDITIONS, (_allow({"StringEquals": {"kms:KeyOrigin": "EXTERNAL"}}),)),
        _across("kms:MultiRegion", "ok", _CONDITIONS, (_allow({"Bool": {"kms:MultiRegion": "false"}}),)),
        _across(
            "aws:ResourceTag of the key",
            "ok",
            guide("tag-authorization"),
            (_allow({"StringEquals": {f"aws:ResourceTag/{TAG_KEY}": MARK}}),),
        ),
        _across(
            "another aws:ResourceTag",
            "no",
            guide("tag-authorization"),
            (_allow({"StringEquals": {f"aws:ResourceTag/{TAG_KEY}": "another"}}),),
        ),
        _across(
            "aws:SecureTransport",
            "ok",
            f"{_IAM}/reference_policies_condition-keys.html",
            (_allow({"Bool": {"aws:SecureTransport": "true"}}),),
        ),
        _across(
            "aws:PrincipalAccount",
            "ok",
            f"{_IAM}/reference_policies_condition-keys.html",
            (_allow({"StringEquals": {"aws:PrincipalAccount": OTHER.id}}, Principal="*"),),
        ),
        _across(
            "another aws:PrincipalAccount",
            "no",
            f"{_IAM}/reference_policies_condition-keys.html",
            (_allow({"StringEquals": {"aws:PrincipalAccount": OWNER.id}}, Principal="*"),),
        ),
        _across(
            "aws:PrincipalOrgID of nobody",
            "no",
            f"{_IAM}/reference_policies_condition-keys.html",
            (_allow({"StringEquals": {"aws:PrincipalOrgID": "o-0000000000"}}, Principal="*"),),
        ),
        _across(
            "a date that has passed",
            "no",
            _OPERATORS,
            (_allow({"DateLessThan": {"aws:CurrentTime": "2015-01-01T00:00:00Z"}}),),
        ),
        _across(
            "a date that has not",
            "ok",
            _OPERATORS,
            (_allow({"DateGreaterThan": {"aws:CurrentTime": "2015-01-01T00:00:00Z"}}),),
        ),
    ),
    "by key policy",
)

_ALIASED = Key(
    "policy: by the alias used", policy=(_allow({"StringLike": {"kms:RequestAlias": "alias/keyturn-conformance-*"}}),)
)
_ITS_ALIAS = Alias("used-by-policy", _ALIASED)
_LABELLED = Key(
    "policy: by the key's alias",
    policy=(_allow({"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/keyturn-conformance-*"}}),),
)
_ITS_LABEL = Alias("carried-by-policy", _LABELLED)
BY_ALIAS = Table(
    "Encrypt",
    _CONDITIONS,
    (
        Row("kms:RequestAlias, called by it", {"KeyId": _ITS_ALIAS.arn, "Plaintext": DATA}, OK, caller=Identity.OTHER),
        Row(
            "kms:RequestAlias, called by the key ARN",
            {"KeyId": _ALIASED.arn, "Plaintext": DATA},
            refused("AccessDenied"),
            caller=Identity.OTHER,
        ),
        Row(
            "kms:ResourceAliases, called by the key ARN",
            {"KeyId": _LABELLED.arn, "Plaintext": DATA},
            refused("AccessDenied"),
            judgement="the page says that it is for IAM policies alone, not what it does in a key policy",
            caller=Identity.OTHER,
            given=(Call("DescribeKey", {"KeyId": _ITS_LABEL.name}),),
        ),
    ),
    "by key policy and alias",
)

_TO_ONE = {"Effect": "Allow", "Principal": {"AWS": OTHER.root}, "Resource": "*"}
_FROM = Key("moved from", policy=({**_TO_ONE, "Action": "kms:ReEncryptFrom"},))
_INTO = Key("moved into", policy=({**_TO_ONE, "Action": "kms:ReEncryptTo"},))
_SAME = Key(
    "moved within",
    policy=({**_TO_ONE, "Action": "kms:ReEncrypt*", "Condition": {"Bool": {"kms:ReEncryptOnSameKey": "true"}}},),
)
_FROM_BLOB, _INTO_BLOB, _SAME_BLOB = Ciphertext(_FROM), Ciphertext(_INTO), Ciphertext(_SAME)
RE_ENCRYPT = Table(
    "ReEncrypt",
    api("ReEncrypt"),
    (
        Row(
            "from the one into the other",
            {"CiphertextBlob": _FROM_BLOB.blob, "DestinationKeyId": _INTO.arn},
            OK,
            caller=Identity.OTHER,
        ),
        Row(
            "back",
            {"CiphertextBlob": _INTO_BLOB.blob, "DestinationKeyId": _FROM.arn},
            refused("AccessDenied"),
            caller=Identity.OTHER,
        ),
        Row(
            "within the one",
            {"CiphertextBlob": _FROM_BLOB.blob, "DestinationKeyId": _FROM.arn},
            refused("AccessDenied"),
            caller=Identity.OTHER,
        ),
        Row(
            "kms:ReEncryptOnSameKey, within",
            {"CiphertextBlob": _SAME_BLOB.blob, "DestinationKeyId": _SAME.arn},
            OK,
            _CONDITIONS,
            caller=Identity.OTHER,
        ),
        Row(
            "kms:ReEncryptOnSameKey, into another",
            {"CiphertextBlob": _SAME_BLOB.blob, "DestinationKeyId": _INTO.arn},
            refused("AccessDenied"),
            _CONDITIONS,
            caller=Identity.OTHER,
        ),
    ),
    "by key policy",
)

_WINDOW = Key(
    "with a long window forced",
    policy=(
        {
            "Effect": "Deny",
            "Principal": {"AWS": OWNER.root},
            "Action": "kms:ScheduleKeyDeletion",
            "Resource": "*",
            "Condition": {"NumericGreaterThan": {"kms:ScheduleKeyDeletionPendingWindowInDays": "20"}},
        },
    ),
)
SCHEDULE_KEY_DELETION = Table(
    "ScheduleKeyDeletion",
    _CONDITIONS,
    (
        Row("a window that is denied", {"KeyId": _WINDOW.id, "PendingWindowInDays": 21}, refused("AccessDenied")),
        Row("a window that is not", {"KeyId": _WINDOW.id, "PendingWindowInDays": 7}, OK),
    ),
    "by key policy",
)

_CAREFUL = Key(
    "whose policy cannot be put without a check",
    policy=(
        {
            "Effect": "Allow",
            "Principal": {"AWS": OWNER.root},
            "Action": "kms:PutKeyPolicy",
            "Resource": "*",
            "Condition": {"Null": {"kms:BypassPolicyLockoutSafetyCheck": "true"}},
        },
        {
            "Effect": "Deny",
            "Principal": {"AWS": OWNER.root},
            "Action": "kms:PutKeyPolicy",
            "Resource": "*",
            "Condition": {"Null": {"kms:BypassPolicyLockoutSafetyCheck": "false"}},
        },
    ),
)
BYPASSED = Table(
    "PutKeyPolicy",
    _CONDITIONS,
    (
        Row(
            "the check is bypassed, which is denied",
            {"KeyId": _CAREFUL.id, "Policy": _document(), "BypassPolicyLockoutSafetyCheck": True},
            refused("AccessDenied"),
        ),
        Row(
            "the check is said not to be bypassed, which is a parameter too",
            {"KeyId": _CAREFUL.id, "Policy": _document(), "BypassPolicyLockoutSafetyCheck": False},
            refused("AccessDenied"),
            judgement="the page says: when the request does not include the parameter",
        ),
        Row("the parameter is not there", {"KeyId": _CAREFUL.id, "Policy": _document()}, OK),
    ),
    "by key policy",
)

_FOR_SERVICES = Key(
    "with grants for AWS services alone",
    policy=(
        {
            **_TO_ONE,
            "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
            "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    ),
)
_FOR_ITSELF = Key(
    "with grants of some operations",
    policy=(
        {
            **_TO_ONE,
            "Action": "kms:CreateGrant",
            "Condition": {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt"]}},
        },
    ),
)
_GRANT = {"GranteePrincipal": OTHER.root, "Operations": ["Encrypt"]}
CREATE_GRANT = Table(
    "CreateGrant",
    _CONDITIONS,
    (
        Row(
            "kms:GrantIsForAWSResource, called directly",
            {"KeyId": _FOR_SERVICES.arn, **_GRANT},
            refused("AccessDenied"),
            caller=Identity.OTHER,
        ),
        Row("kms:GrantOperations, these", {"KeyId": _FOR_ITSELF.arn, **_GRANT}, OK, caller=Identity.OTHER),
        Row(
            "kms:GrantOperations, others",
            {"KeyId": _FOR_ITSELF.arn, **_GRANT, "Operations": ["Encrypt", "Decrypt"]},
            refused("AccessDenied"),
            caller=Identity.OTHER,
        ),
    ),
    "by key policy",
)

TABLES = (
    GET_KEY_POLICY,
    LIST_KEY_POLICIES,
    PUT_KEY_POLICY,
    ENCRYPT,
    BY_ALIAS,
    RE_ENCRYPT,
    SCHEDULE_KEY_DELETION,
    BYPASSED,
    CREATE_GRANT,
)
