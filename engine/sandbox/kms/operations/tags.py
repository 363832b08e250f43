"""TagResource, UntagResource, ListResourceTags. At most 50 tags a key; `aws:` is AWS's own prefix."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from engine.sandbox.kms.authorization import admitted
from engine.sandbox.kms.call import Operation
from engine.sandbox.kms.conditions import tag_context
from engine.sandbox.kms.errors import KmsError
from engine.sandbox.kms.paging import page

if TYPE_CHECKING:
    from engine.sandbox.kms.call import Call, Reply

_MOST_TAGS = 50

Tags = tuple[tuple[str, str], ...]


def tag_resource(call: Call) -> Reply:
    """TagResource: adds tags, or gives those that are there another value."""
    tags = checked_tags(call.parameters.tags("Tags"))
    target = admitted(call, tag_context(tags))
    merged = checked_tags(tuple((dict(target.key.tags) | dict(tags)).items()))
    call.store.put_key(replace(target.key, tags=merged))
    return {}


def untag_resource(call: Call) -> Reply:
    """UntagResource: a tag that is not there is no error."""
    names = call.parameters.texts("TagKeys")
    target = admitted(call, {"aws:TagKeys": names} if names else None)
    call.store.put_key(replace(target.key, tags=tuple(tag for tag in target.key.tags if tag[0] not in names)))
    return {}


def list_resource_tags(call: Call) -> Reply:
    """ListResourceTags."""
    key = admitted(call).key
    return page(
        call,
        key.tags,
        member="Tags",
        identity=lambda tag: tag[0],
        show=lambda tag: {"TagKey": tag[0], "TagValue": tag[1]},
        size=_MOST_TAGS,
    )


def checked_tags(tags: Tags) -> Tags:
    """Tags that a key may have. Raises `KmsError` (`TagException`, `LimitExceededException`)."""
    names = [name for name, _ in tags]
    if len(set(names)) != len(names):
        raise KmsError("TagException", "Duplicate tag keys")
    if any(name.lower().startswith("aws:") for name in names):
        raise KmsError("TagException", "Tags beginning with aws: are reserved")
    if len(names) > _MOST_TAGS:
        raise KmsError("LimitExceededException", f"A key may have at most {_MOST_TAGS} tags")
    return tags


OPERATIONS = (
    Operation("TagResource", tag_resource, changes=True),
    Operation("UntagResource", untag_resource, changes=True),
    Operation("ListResourceTags", list_resource_tags),
)
