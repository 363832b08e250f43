"""CreateAlias, UpdateAlias, DeleteAlias, ListAliases."""

from __future__ import annotations

from tests.conformance.things import MARK, Alias, Key
from tests.conformance.words import (
    MODEL,
    OK,
    PREFIX,
    Call,
    Identity,
    Row,
    Table,
    api,
    gives,
    holding,
    refused,
    text,
    without,
)

_KEY, _ANOTHER = Key("with aliases"), Key("with aliases too")
_FOREIGN = Key("of the other account, with aliases", caller=Identity.OTHER)
_MAC = Key("for MACs, with an alias", {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"})
_NOWHERE = "00000000-0000-4000-8000-000000000000"
_NEW = text("alias/" + PREFIX + "{mark}-new", mark=MARK)
_NESTED = text("alias/" + PREFIX + "{mark}/nested", mark=MARK)
_OF_NOBODY = text("alias/" + PREFIX + "{mark}-nobody", mark=MARK)
_TAKEN, _MOVED, _GONE = Alias("taken", _KEY), Alias("moved", _KEY), Alias("gone", _KEY)
_NAME_JUDGED = "the page says how names are made, not by which error others are refused"


def _names(name: object) -> object:
    return {"AliasName": name}


CREATE_ALIAS = Table(
    "CreateAlias",
    api("CreateAlias"),
    (
        Row(
            "a new one",
            {"AliasName": _NEW, "TargetKeyId": _KEY.id},
            OK,
            after=(
                (
                    Call("ListAliases", {"KeyId": _KEY.id}),
                    gives({"Aliases": holding({"AliasName": _NEW, "TargetKeyId": _KEY.id})}),
                ),
                (Call("DescribeKey", {"KeyId": _NEW}), gives({"KeyMetadata.Arn": _KEY.arn})),
            ),
        ),
        Row("with a slash in its name", {"AliasName": _NESTED, "TargetKeyId": _KEY.arn}, OK),
        Row(
            "a name that is taken",
            {"AliasName": _TAKEN.name, "TargetKeyId": _ANOTHER.id},
            refused("AlreadyExists"),
            after=((Call("DescribeKey", {"KeyId": _TAKEN.name}), gives({"KeyMetadata.Arn": _KEY.arn})),),
        ),
        Row(
            "a name that is taken, for the same key",
            {"AliasName": _TAKEN.name, "TargetKeyId": _KEY.id},
            refused("AlreadyExists"),
        ),
        Row(
            "without the prefix",
            {"AliasName": "conformance", "TargetKeyId": _KEY.id},
            refused("Validation", "InvalidAliasName"),
            judgement=_NAME_JUDGED,
        ),
        Row(
            "the prefix alone",
            {"AliasName": "alias/", "TargetKeyId": _KEY.id},
            refused("Validation", "InvalidAliasName"),
            judgement=_NAME_JUDGED,
        ),
        Row(
            "AWS's own prefix",
            {"AliasName": "alias/aws/conformance", "TargetKeyId": _KEY.id},
            refused("NotAuthorized", "Validation", "InvalidAliasName"),
            judgement=_NAME_JUDGED,
        ),
        Row(
            "a space in its name",
            {"AliasName": "alias/a b", "TargetKeyId": _KEY.id},
            refused("Validation", "InvalidAliasName"),
            MODEL,
        ),
        Row(
            "a name of 257 characters",
            {"AliasName": "alias/" + "x" * 251, "TargetKeyId": _KEY.id},
            refused("Validation"),
            MODEL,
        ),
        Row("no key", {"AliasName": _OF_NOBODY}, refused("Validation"), MODEL),
        Row("a key that is not there", {"AliasName": _OF_NOBODY, "TargetKeyId": _NOWHERE}, refused("NotFound")),
        Row(
            "an alias as its target",
            {"AliasName": _OF_NOBODY, "TargetKeyId": _TAKEN.name},
            refused("Validation", "NotFound", "InvalidArn"),
            judgement="the page says that it is a key id or key ARN, not by which error an alias is refused",
        ),
        Row(
            "another account's key",
            {"AliasName": _OF_NOBODY, "TargetKeyId": _FOREIGN.arn},
            refused("AccessDenied", "NotFound", "Validation"),
            judgement="the page says that key and alias are of one account, not by which error another's is refused",
        ),
    ),
)

UPDATE_ALIAS = Table(
    "UpdateAlias",
    api("UpdateAlias"),
    (
        Row(
            "to another key",
            {"AliasName": _MOVED.name, "TargetKeyId": _ANOTHER.id},
            OK,
            after=((Call("DescribeKey", {"KeyId": _MOVED.name}), gives({"KeyMetadata.Arn": _ANOTHER.arn})),),
        ),
        Row(
            "to a key of another type",
            {"AliasName": _TAKEN.name, "TargetKeyId": _MAC.id},
            refused("KMSInvalidState", "Validation", "InvalidKeyUsage"),
            judgement="the page says that types and usages must be the same, not by which error others are refused",
            after=((Call("DescribeKey", {"KeyId": _TAKEN.name}), gives({"KeyMetadata.Arn": _KEY.arn})),),
        ),
        Row("one that is not there", {"AliasName": _OF_NOBODY, "TargetKeyId": _KEY.id}, refused("NotFound")),
        Row("to a key that is not there", {"AliasName": _TAKEN.name, "TargetKeyId": _NOWHERE}, refused("NotFound")),
        Row(
            "another account's",
            {"AliasName": _TAKEN.name, "TargetKeyId": _FOREIGN.id},
            refused("NotFound"),
            caller=Identity.OTHER,
        ),
    ),
)

DELETE_ALIAS = Table(
    "DeleteAlias",
    api("DeleteAlias"),
    (
        Row(
            "the key stays",
            {"AliasName": _GONE.name},
            OK,
            after=(
                (Call("DescribeKey", {"KeyId": _GONE.name}), refused("NotFound")),
                (Call("DescribeKey", {"KeyId": _KEY.id}), gives({"KeyMetadata.KeyState": "Enabled"})),
                (Call("ListAliases", {"KeyId": _KEY.id}), gives({"Aliases": without(_names(_GONE.name))})),
            ),
        ),
        Row("one that is not there", {"AliasName": _OF_NOBODY}, refused("NotFound")),
        Row("another account's", {"AliasName": _TAKEN.name}, refused("NotFound"), caller=Identity.OTHER),
    ),
)

LIST_ALIASES = Table(
    "ListAliases",
    api("ListAliases"),
    (
        Row(
            "of one key",
            {"KeyId": _KEY.arn},
            gives({"Aliases": holding({"AliasName": _TAKEN.name, "AliasArn": _TAKEN.arn, "TargetKeyId": _KEY.id})}),
        ),
        Row("of another key", {"KeyId": _ANOTHER.id}, gives({"Aliases": without(_names(_TAKEN.name))})),
        Row("of a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
        Row("Limit 0", {"Limit": 0}, refused("Validation"), MODEL),
    ),
)

TABLES = (CREATE_ALIAS, UPDATE_ALIAS, DELETE_ALIAS, LIST_ALIASES)
