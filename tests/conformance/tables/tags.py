"""TagResource, UntagResource, ListResourceTags."""

from __future__ import annotations

from tests.conformance.things import MARK, Key
from tests.conformance.words import (
    MODEL,
    OK,
    TAG_KEY,
    Call,
    Row,
    Table,
    api,
    gives,
    guide,
    holding,
    refused,
    size,
    without,
)

_KEY, _TAGGED = Key("with tags"), Key("with a tag to be taken away")
_NOWHERE = "00000000-0000-4000-8000-000000000000"
_JUDGED = "the page names the error, not what makes tags invalid"


def _tag(name: str, value: str) -> dict[str, str]:
    return {"TagKey": name, "TagValue": value}


def _listed(key: Key) -> Call:
    return Call("ListResourceTags", {"KeyId": key.id})


TAG_RESOURCE = Table(
    "TagResource",
    api("TagResource"),
    (
        Row(
            "a new one",
            {"KeyId": _KEY.id, "Tags": [_tag("stage", "one")]},
            OK,
            after=((_listed(_KEY), gives({"Tags": holding(_tag("stage", "one"))})),),
        ),
        Row(
            "another value of one that is there",
            {"KeyId": _KEY.id, "Tags": [_tag("stage", "two")]},
            OK,
            after=(
                (_listed(_KEY), gives({"Tags": holding(_tag("stage", "two"))})),
                (_listed(_KEY), gives({"Tags": without(_tag("stage", "one"))})),
            ),
        ),
        Row(
            "the same name in other letters is another tag",
            {"KeyId": _KEY.id, "Tags": [_tag("Stage", "three")]},
            OK,
            guide("tagging-keys"),
            after=((_listed(_KEY), gives({"Tags": holding(_tag("stage", "two"))})),),
        ),
        Row("an empty value", {"KeyId": _KEY.id, "Tags": [_tag("empty", "")]}, OK),
        Row("an empty name", {"KeyId": _KEY.id, "Tags": [_tag("", "x")]}, refused("Validation"), MODEL),
        Row(
            "a name of 129 characters", {"KeyId": _KEY.id, "Tags": [_tag("x" * 129, "x")]}, refused("Validation"), MODEL
        ),
        Row(
            "a value of 257 characters",
            {"KeyId": _KEY.id, "Tags": [_tag("x", "x" * 257)]},
            refused("Validation"),
            MODEL,
        ),
        Row("AWS's own prefix", {"KeyId": _KEY.id, "Tags": [_tag("aws:own", "x")]}, refused("Tag"), judgement=_JUDGED),
        Row(
            "one name twice",
            {"KeyId": _KEY.id, "Tags": [_tag("a", "1"), _tag("a", "2")]},
            refused("Tag"),
            judgement=_JUDGED,
        ),
        Row("a list without a name", {"KeyId": _KEY.id, "Tags": [{"TagKey": "a"}]}, refused("Validation"), MODEL),
        Row(
            "51 tags",
            {"KeyId": _KEY.id, "Tags": [_tag(f"tag-{number}", "x") for number in range(51)]},
            refused("LimitExceeded", "Tag"),
            guide("resource-limits"),
            judgement="the guide has the quota, not by which error more tags are refused",
        ),
        Row("no tags", {"KeyId": _KEY.id}, refused("Validation"), MODEL),
        Row("a key that is not there", {"KeyId": _NOWHERE, "Tags": [_tag("a", "1")]}, refused("NotFound")),
    ),
)
UNTAG_RESOURCE = Table(
    "UntagResource",
    api("UntagResource"),
    (
        Row(
            "one that is there",
            {"KeyId": _TAGGED.id, "TagKeys": ["stage"]},
            OK,
            given=(Call("TagResource", {"KeyId": _TAGGED.id, "Tags": [_tag("stage", "one")]}),),
            after=((_listed(_TAGGED), gives({"Tags": size(1)})),),
        ),
        Row("one that is not there", {"KeyId": _TAGGED.id, "TagKeys": ["nothing"]}, OK),
        Row("an empty name", {"KeyId": _TAGGED.id, "TagKeys": [""]}, refused("Validation"), MODEL),
        Row("no names", {"KeyId": _TAGGED.id}, refused("Validation"), MODEL),
        Row("a key that is not there", {"KeyId": _NOWHERE, "TagKeys": ["a"]}, refused("NotFound")),
    ),
)
LIST_RESOURCE_TAGS = Table(
    "ListResourceTags",
    api("ListResourceTags"),
    (
        Row("those of CreateKey", {"KeyId": _KEY.id}, gives({"Tags": holding({"TagKey": TAG_KEY, "TagValue": MARK})})),
        Row("Limit 0", {"KeyId": _KEY.id, "Limit": 0}, refused("Validation"), MODEL),
        Row("a key that is not there", {"KeyId": _NOWHERE}, refused("NotFound")),
    ),
)

TABLES = (TAG_RESOURCE, UNTAG_RESOURCE, LIST_RESOURCE_TAGS)
