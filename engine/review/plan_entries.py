"""One entry of a plan's changes: a resource's change, typed, as far as it does not contradict itself.

- An action that is not known is refused, and so is a change that contradicts itself: nothing before what is deleted
  or something after it, nothing after what is updated, a managed object that is to be read.
- A no-op of which before and after differ is read as the update that it would be.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from engine.errors import InputError
from engine.review.plan import KEY_TYPES, Action, ResourceChange
from engine.review.plan_json import HOW_TO_SHOW, kind_of
from engine.review.values import Attributes, printable

_ACTIONS = {tuple(action.value.split(",")): action for action in Action}
_FROM_NOTHING = frozenset({Action.CREATE, Action.READ})
_TO_NOTHING = frozenset({Action.DELETE, Action.FORGET, Action.READ})


class Place(NamedTuple):
    """Where an entry stands in the file; spelled out in a message alone."""

    file: str
    part: str
    position: int

    def __str__(self) -> str:
        return f"{self.file}: {self.part}[{self.position}]"


def change_of(place: Place, entry: dict[str, Any], deferred: str | None = None) -> ResourceChange:
    """The typed change of an entry.

    Args:
        place: Where it stands, for messages.
        entry: The entry as parsed; its type is a string.
        deferred: Why it is put off, or None.

    Raises:
        InputError: It cannot be read with certainty.
    """
    address = required_text(place, entry, "address")
    change = entry.get("change")
    if not isinstance(change, dict):
        raise InputError(f"{place} ({printable(address)}) has no change", HOW_TO_SHOW)
    action = _action(place, address, change.get("actions"))
    before = _object(place, address, change, "before")
    after = _object(place, address, change, "after")
    after_unknown = change.get("after_unknown")
    if after is None and after_unknown is True:
        after = {}
    if deferred is None:
        action = _consistent(place, address, action, before, after)
    if after is not None and after_unknown is not None and not isinstance(after_unknown, bool | dict):
        raise InputError(f"{place} ({printable(address)}): after_unknown is {kind_of(after_unknown)}", HOW_TO_SHOW)
    return ResourceChange(
        address=address,
        previous_address=optional_text(entry, "previous_address"),
        module_address=optional_text(entry, "module_address") or "",
        type=entry["type"],
        name=optional_text(entry, "name") or "",
        index=index_of(place, entry),
        deposed=optional_text(entry, "deposed"),
        action=action,
        before=None if before is None else Attributes(before, None, change.get("before_sensitive")),
        after=None if after is None else Attributes(after, after_unknown, change.get("after_sensitive")),
        reason=optional_text(entry, "action_reason"),
        importing=change.get("importing") not in (None, False),
        deferred=deferred,
    )


def _consistent(
    place: Place, address: str, action: Action, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> Action:
    """The action, where before and after are those that it has; a no-op that changes something is an update."""
    if before is None and action not in _FROM_NOTHING:
        raise InputError(f"{place} ({printable(address)}) is to {action.value} and shows nothing before", HOW_TO_SHOW)
    if after is None and action not in _TO_NOTHING:
        raise InputError(f"{place} ({printable(address)}) is to {action.value} and shows nothing after", HOW_TO_SHOW)
    if after is not None and action is Action.DELETE:
        raise InputError(f"{place} ({printable(address)}) is to delete and shows something after", HOW_TO_SHOW)
    return Action.UPDATE if action is Action.NO_OP and before != after else action


def _action(place: Place, address: str, actions: Any) -> Action:
    try:
        action = _ACTIONS.get(tuple(actions)) if isinstance(actions, list) else None
    except TypeError:  # what is in the list are no words
        action = None
    if action is None:
        shown = printable(json.dumps(actions, default=str), 80)
        raise InputError(
            f"{place} ({printable(address)}) has the actions {shown}, which this version of keyturn does not know",
            "use a newer keyturn: what is not understood cannot be judged",
        )
    return action


def _object(place: Place, address: str, change: dict[str, Any], key: str) -> dict[str, Any] | None:
    value = change.get(key)
    if value is None or isinstance(value, dict):
        return value
    raise InputError(f"{place} ({printable(address)}): {key} is {kind_of(value)}, not an object", HOW_TO_SHOW)


def index_of(place: Place | str, entry: dict[str, Any]) -> str | int | None:
    """The `count` number or `for_each` key of an entry, or None."""
    index = entry.get("index")
    if index is None or isinstance(index, str | int):
        return index
    raise InputError(f"{place}: the index is {kind_of(index)}, not a string or a number", HOW_TO_SHOW)


def one_object(place: Place, change: ResourceChange) -> ResourceChange:
    """The change, where it is one of a managed object that stays the same one."""
    if change.action is Action.READ:
        raise InputError(f"{place} ({printable(change.address)}) is managed, and is to be read", HOW_TO_SHOW)
    if change.action is Action.UPDATE and change.type in KEY_TYPES and change.before is not None:
        before, after = (None if a is None else a.known_text("arn") for a in (change.before, change.after))
        if before is not None and after is not None and before != after:
            raise InputError(
                f"{place} ({printable(change.address)}) is to be updated and has another ARN after it", HOW_TO_SHOW
            )
    return change


def required_text(place: Place | str, entry: dict[str, Any], key: str) -> str:
    """A text that an entry must have."""
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise InputError(f"{place} has no {key}", HOW_TO_SHOW)
    return value


def optional_text(entry: dict[str, Any], key: str) -> str | None:
    """A text that an entry may have; None where it is no text."""
    value = entry.get(key)
    return value if isinstance(value, str) else None
