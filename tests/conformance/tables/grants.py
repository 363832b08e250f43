"""CreateGrant, ListGrants, ListRetirableGrants, RevokeGrant, RetireGrant, and what a grant gives.

The grantee is the other account, by its root ARN. A new grant takes a while to spread over AWS KMS: against
AWS a row is asked again until it is answered as expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.things import HOME, OTHER, OWNER, Ciphertext, Grant, Key
from tests.conformance.words import (
    ABSENT,
    DATA,
    DRY_RUN,
    MODEL,
    OK,
    PRESENT,
    Call,
    Identity,
    Row,
    Table,
    api,
    form,
    gives,
    guide,
    holding,
    refused,
    size,
    text,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONSTRAINTS = api("GrantConstraints")
_NOWHERE = "00000000-0000-4000-8000-000000000000"
_NO_GRANT = "0" * 64
_TO_OTHER = {"GranteePrincipal": OTHER.root}
_NOBODY = text(
    "arn:{partition}:iam::{account}:user/keyturn-conformance-nobody", partition=HOME.partition, account=OTHER.id
)
_MAC = Key("for MACs, with grants", {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
_KEY = Key("with grants to be made")


def _by_other(operation: str, key: Key, **more: object) -> Call:
    return Call(operation, {"KeyId": key.arn, **more}, Identity.OTHER)


CREATE_GRANT = Table(
    "CreateGrant",
    api("CreateGrant"),
    (
        Row(
            "what it answers",
            {"KeyId": _KEY.id, **_TO_OTHER, "Operations": ["Decrypt"]},
            gives({"GrantId": form("[0-9a-f]{64}"), "GrantToken": PRESENT}),
        ),
        Row(
            "every operation of a symmetric key",
            {
                "KeyId": _KEY.id,
                **_TO_OTHER,
                "Operations": [
                    "Decrypt",
                    "Encrypt",
                    "GenerateDataKey",
                    "GenerateDataKeyWithoutPlaintext",
                    "GenerateDataKeyPair",
                    "GenerateDataKeyPairWithoutPlaintext",
                    "ReEncryptFrom",
                    "ReEncryptTo",
                    "CreateGrant",
                    "RetireGrant",
                    "DescribeKey",
                ],
            },
            OK,
            guide("grants"),
        ),
        Row(
            "an operation of asymmetric keys",
            {"KeyId": _KEY.id, **_TO_OTHER, "Operations": ["Sign"]},
            refused("Validation"),
        ),
        Row(
            "the public key of a symmetric key",
            {"KeyId": _KEY.id, **_TO_OTHER, "Operations": ["GetPublicKey"]},
            refused("Validation"),
        ),
        Row(
            "encryption under a key for MACs",
            {"KeyId": _MAC.id, **_TO_OTHER, "Operations": ["Encrypt"]},
            refused("Validation"),
        ),
        Row(
            "MACs under a key for MACs",
            {"KeyId": _MAC.id, **_TO_OTHER, "Operations": ["GenerateMac", "VerifyMac"]},
            OK,
            guide("grants"),
        ),
        Row(
            "what no grant can hold",
            {"KeyId": _KEY.id, **_TO_OTHER, "Operations": ["PutKeyPolicy"]},
            refused("Validation"),
            MODEL,
        ),
        Row("no operations", {"KeyId": _KEY.id, **_TO_OTHER}, refused("Validation"), MODEL),
        Row(
            "an empty list of operations",
            {"KeyId": _KEY.id, **_TO_OTHER, "Operations": []},
            refused("Validation"),
            judgement="the model leaves an empty list open",
        ),
        Row(
            "nobody to grant it to",
            {"KeyId": _KEY.id, "Operations": ["Decrypt"]},
            refused("Validation"),
            judgement="the page says that one is needed, not by which error its lack is refused",
        ),
        Row(
            "a grantee that is no principal",
            {"KeyId": _KEY.id, "GranteePrincipal": "druva", "Operations": ["Decrypt"]},
            refused("InvalidArn", "Validation"),
            judgement="the page names InvalidArn for ARNs in general",
        ),
        Row(
            "a bare account id as grantee",
            {"KeyId": _KEY.id, "GranteePrincipal": OTHER.id, "Operations": ["Decrypt"]},
            refused("InvalidArn", "Validation"),
            judgement="the page asks for an ARN",
        ),
        Row(
            "a context constraint on a key for MACs",
            {
                "KeyId": _MAC.id,
                **_TO_OTHER,
                "Operations": ["GenerateMac"],
                "Constraints": {"EncryptionContextSubset": {"tenant": "northwind"}},
            },
            refused("Validation"),
            _CONSTRAINTS,
            judgement="the page says that it cannot be used, not by which error it is refused",
        ),
        Row(
            "a key that is not there", {"KeyId": _NOWHERE, **_TO_OTHER, "Operations": ["Decrypt"]}, refused("NotFound")
        ),
        Row(
            "a name with a space",
            {"KeyId": _KEY.id, **_TO_OTHER, "Operations": ["Decrypt"], "Name": "a name"},
            refused("Validation"),
            MODEL,
        ),
        Row(
            "DryRun makes none",
            {"KeyId": _KEY.id, **_TO_OTHER, "Operations": ["Decrypt"], "Name": "dry", "DryRun": True},
            DRY_RUN,
            guide("testing-permissions"),
            after=((Call("ListGrants", {"KeyId": _KEY.id}), gives({"Grants": without({"Name": "dry"})})),),
        ),
        Row(
            "the same with the same name is the same grant",
            {"KeyId": _KEY.id, **_TO_OTHER, "Operations": ["Decrypt"], "Name": "once"},
            gives({"GrantId": Grant(_KEY, {**_TO_OTHER, "Operations": ["Decrypt"], "Name": "once"}).id}),
        ),
    ),
)

_GRANTED = Key("with a grant on everything")
_ALL = Grant(
    _GRANTED,
    {
        **_TO_OTHER,
        "Operations": [
            "Encrypt",
            "Decrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
            "DescribeKey",
        ],
    },
)
_GRANTED_BLOB = Ciphertext(_GRANTED)
_DISABLED = Key("to be disabled, with a grant")
_DISABLED_BLOB = Ciphertext(_DISABLED)
_DISABLED_GRANT = Grant(_DISABLED, {**_TO_OTHER, "Operations": ["Decrypt"]})
_HALF = Key("with a grant on half of it")
_HALF_GRANT = Grant(_HALF, {**_TO_OTHER, "Operations": ["Encrypt"]})
_NARROW = Key("with a grant under a constraint")
_NARROW_GRANT = Grant(
    _NARROW,
    {
        **_TO_OTHER,
        "Operations": ["Encrypt", "DescribeKey"],
        "Constraints": {"EncryptionContextSubset": {"tenant": "northwind"}},
    },
)
_EXACT = Key("with a grant under an exact constraint")
_EXACT_GRANT = Grant(
    _EXACT,
    {**_TO_OTHER, "Operations": ["Encrypt"], "Constraints": {"EncryptionContextEquals": {"tenant": "northwind"}}},
)


def _encrypt(key: Key, token: object, context: Mapping[str, str] | None = None) -> Mapping[str, object]:
    members: dict[str, object] = {"KeyId": key.arn, "Plaintext": DATA, "GrantTokens": [token]}
    return members if context is None else {**members, "EncryptionContext": context}


WITH_A_GRANT = (
    Table(
        "Encrypt",
        guide("grants"),
        (
            Row("it is granted", _encrypt(_GRANTED, _ALL.token), OK, caller=Identity.OTHER),
            Row(
                "the token of another key's grant",
                _encrypt(Key("without a grant"), _ALL.token),
                refused("AccessDenied"),
                caller=Identity.OTHER,
            ),
            Row(
                "the context that the constraint asks for",
                _encrypt(_NARROW, _NARROW_GRANT.token, {"tenant": "northwind"}),
                OK,
                _CONSTRAINTS,
                caller=Identity.OTHER,
            ),
            Row(
                "more than the subset",
                _encrypt(_NARROW, _NARROW_GRANT.token, {"tenant": "northwind", "more": "1"}),
                OK,
                _CONSTRAINTS,
                caller=Identity.OTHER,
            ),
            Row(
                "another value than the subset's",
                _encrypt(_NARROW, _NARROW_GRANT.token, {"tenant": "contoso"}),
                refused("AccessDenied"),
                _CONSTRAINTS,
                caller=Identity.OTHER,
            ),
            Row(
                "a value in other letters than the subset's",
                _encrypt(_NARROW, _NARROW_GRANT.token, {"tenant": "Northwind"}),
                refused("AccessDenied"),
                _CONSTRAINTS,
                caller=Identity.OTHER,
            ),
            Row(
                "a key in other letters than the subset's",
                _encrypt(_NARROW, _NARROW_GRANT.token, {"Tenant": "northwind"}),
                OK,
                _CONSTRAINTS,
                caller=Identity.OTHER,
            ),
            Row(
                "no context where the constraint asks for one",
                _encrypt(_NARROW, _NARROW_GRANT.token),
                refused("AccessDenied"),
                _CONSTRAINTS,
                caller=Identity.OTHER,
            ),
            Row(
                "the exact context",
                _encrypt(_EXACT, _EXACT_GRANT.token, {"tenant": "northwind"}),
                OK,
                _CONSTRAINTS,
                caller=Identity.OTHER,
            ),
            Row(
                "more than the exact context",
                _encrypt(_EXACT, _EXACT_GRANT.token, {"tenant": "northwind", "more": "1"}),
                refused("AccessDenied"),
                _CONSTRAINTS,
                caller=Identity.OTHER,
            ),
        ),
        "with a grant",
    ),
    Table(
        "Decrypt",
        guide("grants"),
        (
            Row(
                "it is granted",
                {"KeyId": _GRANTED.arn, "CiphertextBlob": _GRANTED_BLOB.blob, "GrantTokens": [_ALL.token]},
                gives({"Plaintext": DATA}),
                caller=Identity.OTHER,
            ),
            Row(
                "only encryption is granted",
                {"KeyId": _HALF.arn, "CiphertextBlob": Ciphertext(_HALF).blob, "GrantTokens": [_HALF_GRANT.token]},
                refused("AccessDenied"),
                caller=Identity.OTHER,
            ),
            Row(
                "the key is disabled",
                {
                    "KeyId": _DISABLED.arn,
                    "CiphertextBlob": _DISABLED_BLOB.blob,
                    "GrantTokens": [_DISABLED_GRANT.token],
                },
                refused("Disabled"),
                guide("key-state"),
                caller=Identity.OTHER,
                given=(
                    Call("Decrypt", {"CiphertextBlob": _DISABLED_BLOB.blob, "GrantTokens": [_DISABLED_GRANT.token]}),
                    Call("DisableKey", {"KeyId": _DISABLED.id}),
                ),
            ),
        ),
        "with a grant",
    ),
    Table(
        "ReEncrypt",
        guide("grants"),
        (
            Row(
                "both halves are granted",
                {
                    "CiphertextBlob": _GRANTED_BLOB.blob,
                    "SourceKeyId": _GRANTED.arn,
                    "DestinationKeyId": _GRANTED.arn,
                    "GrantTokens": [_ALL.token],
                },
                OK,
                caller=Identity.OTHER,
            ),
            Row(
                "only the half of the source is granted",
                {
                    "CiphertextBlob": _GRANTED_BLOB.blob,
                    "SourceKeyId": _GRANTED.arn,
                    "DestinationKeyId": _HALF.arn,
                    "GrantTokens": [_ALL.token],
                },
                refused("AccessDenied"),
                caller=Identity.OTHER,
            ),
        ),
        "with a grant",
    ),
    Table(
        "DescribeKey",
        _CONSTRAINTS,
        (
            Row(
                "a context constraint does not count for it",
                {"KeyId": _NARROW.arn, "GrantTokens": [_NARROW_GRANT.token]},
                OK,
                caller=Identity.OTHER,
            ),
        ),
        "with a grant",
    ),
    Table(
        "GetKeyPolicy",
        guide("grants"),
        (Row("no grant holds it", {"KeyId": _GRANTED.arn}, refused("AccessDenied"), caller=Identity.OTHER),),
        "with a grant",
    ),
)

_DENIED = Key(
    "with a grant that the policy denies",
    policy=({"Effect": "Deny", "Principal": {"AWS": OTHER.root}, "Action": "kms:Encrypt", "Resource": "*"},),
)
_DENIED_GRANT = Grant(_DENIED, {**_TO_OTHER, "Operations": ["Encrypt", "DescribeKey"]})
AGAINST_A_DENY = Table(
    "Encrypt",
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
    (
        Row(
            "a deny in the key policy beats the grant",
            _encrypt(_DENIED, _DENIED_GRANT.token),
            refused("AccessDenied"),
            caller=Identity.OTHER,
        ),
    ),
    "with a grant and a deny",
)

_PASSED = Key("with a grant that can be passed on")
_PASS_GRANT = Grant(_PASSED, {**_TO_OTHER, "Operations": ["Encrypt", "CreateGrant"]})
PASSED_ON = Table(
    "CreateGrant",
    guide("grant-authorization"),
    (
        Row(
            "an operation that the grant has",
            {"KeyId": _PASSED.arn, **_TO_OTHER, "Operations": ["Encrypt"], "GrantTokens": [_PASS_GRANT.token]},
            OK,
            caller=Identity.OTHER,
        ),
        Row(
            "an operation that the grant does not have",
            {
                "KeyId": _PASSED.arn,
                **_TO_OTHER,
                "Operations": ["Encrypt", "Decrypt"],
                "GrantTokens": [_PASS_GRANT.token],
            },
            refused("AccessDenied"),
            caller=Identity.OTHER,
        ),
        Row(
            "by a grantee whose grant does not say so",
            {"KeyId": _GRANTED.arn, **_TO_OTHER, "Operations": ["Encrypt"], "GrantTokens": [_ALL.token]},
            refused("AccessDenied"),
            caller=Identity.OTHER,
        ),
    ),
    "by a grant",
)

_LISTED = Key("with grants to be listed")
_LISTED_GRANT = Grant(
    _LISTED, {**_TO_OTHER, "Operations": ["Decrypt"], "Name": "listed", "RetiringPrincipal": OTHER.root}
)
LIST_GRANTS = Table(
    "ListGrants",
    api("ListGrants"),
    (
        Row(
            "what it answers",
            {"KeyId": _LISTED.id, "GrantId": _LISTED_GRANT.id},
            gives(
                {
                    "Grants": holding(
                        {
                            "GrantId": _LISTED_GRANT.id,
                            "Name": "listed",
                            "KeyId": _LISTED.arn,
                            "Operations": ["Decrypt"],
                            "GranteePrincipal": OTHER.root,
                            "RetiringPrincipal": OTHER.root,
                            "IssuingAccount": OWNER.root,
                            "GrantToken": ABSENT,
                            "CreationDate": PRESENT,
                        }
                    )
                }
            ),
        ),
        Row("of another grantee", {"KeyId": _LISTED.id, "GranteePrincipal": OWNER.root}, gives({"Grants": size(0)})),
        Row("of a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
        Row("an id of no form", {"KeyId": _LISTED.id, "GrantId": ""}, refused("Validation"), MODEL),
        Row("a marker that is none", {"KeyId": _LISTED.id, "Marker": "bm90LWEtbWFya2Vy~"}, refused("InvalidMarker")),
        Row(
            "a grant is no permission to list", {"KeyId": _GRANTED.arn}, refused("AccessDenied"), caller=Identity.OTHER
        ),
    ),
)

LIST_RETIRABLE_GRANTS = Table(
    "ListRetirableGrants",
    api("ListRetirableGrants"),
    (
        Row(
            "on another account's key",
            {"RetiringPrincipal": OTHER.root},
            gives({"Grants": holding({"GrantId": _LISTED_GRANT.id, "KeyId": _LISTED.arn})}),
            caller=Identity.OTHER,
        ),
        Row("of nobody", {"RetiringPrincipal": _NOBODY}, gives({"Grants": size(0)}), caller=Identity.OTHER),
        Row(
            "of a principal of another account",
            {"RetiringPrincipal": OTHER.root},
            refused("AccessDenied", "Validation", "InvalidArn", "NotFound"),
            judgement="the page says that it must be of one's own account, not by which error another is refused",
        ),
        Row("no principal", {}, refused("Validation"), judgement="the model leaves it optional, the page does not"),
    ),
)

_REVOKED = Key("with a grant to be revoked")
_REVOKED_GRANT = Grant(_REVOKED, {**_TO_OTHER, "Operations": ["Encrypt"]})
REVOKE_GRANT = Table(
    "RevokeGrant",
    api("RevokeGrant"),
    (
        Row(
            "DryRun leaves it",
            {"KeyId": _REVOKED.id, "GrantId": _REVOKED_GRANT.id, "DryRun": True},
            DRY_RUN,
            guide("testing-permissions"),
            after=((_by_other("Encrypt", _REVOKED, Plaintext=DATA, GrantTokens=[_REVOKED_GRANT.token]), OK),),
        ),
        Row(
            "by its grantee",
            {"KeyId": _REVOKED.arn, "GrantId": _REVOKED_GRANT.id},
            refused("AccessDenied"),
            caller=Identity.OTHER,
        ),
        Row(
            "it gives nothing any more",
            {"KeyId": _REVOKED.id, "GrantId": _REVOKED_GRANT.id},
            OK,
            after=(
                (_by_other("Encrypt", _REVOKED, Plaintext=DATA), refused("AccessDenied")),
                (Call("ListGrants", {"KeyId": _REVOKED.id}), gives({"Grants": size(0)})),
            ),
        ),
        Row(
            "one that is not there",
            {"KeyId": _REVOKED.id, "GrantId": _NO_GRANT},
            refused("NotFound", "InvalidGrantId"),
            judgement="the page has both errors and does not tell them apart",
        ),
        Row("a key that is not there", {"KeyId": _NOWHERE, "GrantId": _NO_GRANT}, refused("NotFound")),
        Row("no id", {"KeyId": _REVOKED.id}, refused("Validation"), MODEL),
    ),
)

_BY_OTHER = Key("with grants that the other account retires")
_RETIRED = Grant(
    _BY_OTHER, {"GranteePrincipal": OWNER.root, "Operations": ["Encrypt"], "RetiringPrincipal": OTHER.root}
)
_BY_TOKEN = Grant(
    _BY_OTHER, {"GranteePrincipal": OWNER.root, "Operations": ["Encrypt"], "RetiringPrincipal": OTHER.root}
)
_NOT_RETIRABLE = Grant(_BY_OTHER, {**_TO_OTHER, "Operations": ["Encrypt"]})
_BY_GRANTEE = Grant(_BY_OTHER, {**_TO_OTHER, "Operations": ["Encrypt", "RetireGrant"]})
_RETIRING = guide("grant-delete")
RETIRE_GRANT = Table(
    "RetireGrant",
    api("RetireGrant"),
    (
        Row(
            "DryRun leaves it",
            {"KeyId": _BY_OTHER.arn, "GrantId": _RETIRED.id, "DryRun": True},
            DRY_RUN,
            guide("testing-permissions"),
            caller=Identity.OTHER,
            after=((Call("ListGrants", {"KeyId": _BY_OTHER.id, "GrantId": _RETIRED.id}), gives({"Grants": size(1)})),),
        ),
        Row(
            "by the retiring principal",
            {"KeyId": _BY_OTHER.arn, "GrantId": _RETIRED.id},
            OK,
            _RETIRING,
            caller=Identity.OTHER,
            after=(
                (
                    Call("ListGrants", {"KeyId": _BY_OTHER.id}),
                    gives({"Grants": without({"GrantId": _RETIRED.id})}),
                ),
            ),
        ),
        Row("by its token", {"GrantToken": _BY_TOKEN.token}, OK, _RETIRING, caller=Identity.OTHER),
        Row(
            "by a grantee whose grant says so",
            {"KeyId": _BY_OTHER.arn, "GrantId": _BY_GRANTEE.id},
            OK,
            _RETIRING,
            caller=Identity.OTHER,
        ),
        Row(
            "by a grantee whose grant does not say so",
            {"KeyId": _BY_OTHER.arn, "GrantId": _NOT_RETIRABLE.id},
            refused("AccessDenied"),
            _RETIRING,
            caller=Identity.OTHER,
            after=(
                (Call("ListGrants", {"KeyId": _BY_OTHER.id, "GrantId": _NOT_RETIRABLE.id}), gives({"Grants": size(1)})),
            ),
        ),
        Row("a token that is none", {"GrantToken": "bm90IGEgdG9rZW4="}, refused("InvalidGrantToken")),
        Row(
            "neither token nor id",
            {},
            refused("Validation"),
            judgement="the page says that one of them is needed, not by which error their lack is refused",
        ),
        Row("an id without its key", {"GrantId": _NOT_RETIRABLE.id}, refused("Validation"), judgement="as above"),
    ),
)

TABLES = (
    CREATE_GRANT,
    *WITH_A_GRANT,
    AGAINST_A_DENY,
    PASSED_ON,
    LIST_GRANTS,
    LIST_RETIRABLE_GRANTS,
    REVOKE_GRANT,
    RETIRE_GRANT,
)
