"""Reads a plan: the JSON that `terraform show -json` or `tofu show -json` prints for a plan file.

- Only resources that bear on custody are typed; an action that is not known is refused for those, and so is a change
  that contradicts itself: nothing before what is deleted, nothing after what is updated, the same object twice.
- A no-op of which before and after differ is read as the update that it would be.
- Where the plan does not say whether it is complete (OpenTofu, and Terraform before 1.8), it is not where a resource of
  the prior state has no change.
- A resource in `planned_values` that neither a change nor the prior state tells of means that the file was
  stripped, and is told as such: nothing is concluded from what is missing.

Nothing here prints or keeps a value: `variables` and outputs are never looked at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import InputError
from engine.review.plan import (
    CUSTODY_TYPES,
    GENERIC_TYPES,
    HARMLESS_TYPES,
    KEY_TYPES,
    KMS_PREFIXES,
    POLICY_DOCUMENT_TYPE,
    Action,
    Plan,
    ResourceChange,
    StateResource,
    UnreadChange,
)
from engine.review.plan_json import HOW_TO_SHOW, kind_of, parse_plan
from engine.review.values import UNKNOWN, Attributes, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACTIONS = {tuple(action.value.split(",")): action for action in Action}
_FROM_NOTHING = frozenset({Action.CREATE, Action.READ})
_TO_NOTHING = frozenset({Action.DELETE, Action.FORGET, Action.READ})


class _Place(NamedTuple):
    """Where an entry stands in the file; spelled out in a message alone."""

    file: str
    part: str
    position: int

    def __str__(self) -> str:
        return f"{self.file}: {self.part}[{self.position}]"


def read_plan(name: str, data: bytes) -> Plan:
    """Read a plan.

    Args:
        name: The file as the user named it, for messages.
        data: Its bytes.

    Returns:
        The typed plan, which looks into the parsed JSON and copies nothing.

    Raises:
        InputError: It is no plan, or one that cannot be read with certainty; the hint says what to do.
    """
    document = parse_plan(name, data)
    changes, documents = _changes(name, document, "resource_changes")
    drift, _ = _changes(name, document, "resource_drift")
    prior = tuple(_state_resources(name, document.get("prior_state")))
    deferred = _deferred(name, document)
    all_changes = document.get("resource_changes") or []
    complete = None if document.get("complete") is None else document["complete"] is True
    told = {address for change in (*changes, *deferred) for address in (change.address, change.previous_address or "")}
    return Plan(
        name=name,
        terraform_version=_optional_text(document, "terraform_version"),
        changes=changes,
        drift=drift,
        deferred=deferred,
        prior=prior,
        documents=documents,
        unread=tuple(_unread(all_changes)),
        configuration=_configuration(document, "root_module"),
        providers=_configuration(document, "provider_config"),
        errored=document.get("errored") not in (None, False),
        complete=False if complete is None and all_changes and _left_out(prior, told) else complete,
        stripped=_stripped(document, told, prior, has_changes=bool(all_changes)),
        timestamp=_optional_text(document, "timestamp"),
        resource_count=len(all_changes),
        all_changes=all_changes,
    )


def _list(name: str, document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError(f"{name}: {key} is {kind_of(value)}, not a list", HOW_TO_SHOW)
    return value


def _changes(
    name: str, document: dict[str, Any], key: str
) -> tuple[tuple[ResourceChange, ...], tuple[ResourceChange, ...]]:
    """The custody resources of a list of changes, and its policy documents."""
    custody: list[ResourceChange] = []
    documents: list[ResourceChange] = []
    for position, entry in enumerate(_list(name, document, key)):
        try:
            kind = entry["type"]
            mode = entry.get("mode")
        except (TypeError, KeyError, AttributeError):
            raise InputError(
                f"{name}: {key}[{position}] is not a resource's change: it has no type", HOW_TO_SHOW
            ) from None
        if not isinstance(kind, str):
            raise InputError(f"{name}: the type of {key}[{position}] is {kind_of(kind)}, not a string", HOW_TO_SHOW)
        if kind in CUSTODY_TYPES and mode != "data":
            place = _Place(name, key, position)
            custody.append(_one_object(place, _change(place, entry)))
        elif kind == POLICY_DOCUMENT_TYPE and mode == "data":
            documents.append(_change(_Place(name, key, position), entry))
    _require_each_once(f"{name}: {key}", custody)
    return tuple(custody), tuple(documents)


def _one_object(place: _Place, change: ResourceChange) -> ResourceChange:
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


def _require_each_once(place: str, changes: list[ResourceChange]) -> None:
    """An address stands once; beside it, once for each deposed object."""
    seen: set[tuple[str, str | None]] = set()
    for change in changes:
        if (change.address, change.deposed) in seen:
            raise InputError(
                f"{place} holds {printable(change.address)} twice: which one counts is not told", HOW_TO_SHOW
            )
        seen.add((change.address, change.deposed))


def _unread(changes: list[Any]) -> Iterator[UnreadChange]:
    """What is done to KMS resources of other types than those that are read."""
    for entry in changes:
        kind = entry["type"]
        if not kind.startswith(KMS_PREFIXES) and kind not in GENERIC_TYPES:
            continue
        if kind in CUSTODY_TYPES or kind in HARMLESS_TYPES:
            continue
        change = entry.get("change")
        actions = change.get("actions") if isinstance(change, dict) else None
        if entry.get("mode") == "data" or actions in (["no-op"], ["read"]):
            continue
        before, after = (json.dumps(change.get(s) if isinstance(change, dict) else None) for s in ("before", "after"))
        if kind not in GENERIC_TYPES or "AWS::KMS::" in before or "AWS::KMS::" in after:
            yield UnreadChange(str(entry.get("address")), kind, before, after)


def _change(place: _Place, entry: dict[str, Any], deferred: str | None = None) -> ResourceChange:
    address = _required_text(place, entry, "address")
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
        previous_address=_optional_text(entry, "previous_address"),
        module_address=_optional_text(entry, "module_address") or "",
        type=entry["type"],
        name=_optional_text(entry, "name") or "",
        index=_index(place, entry),
        deposed=_optional_text(entry, "deposed"),
        action=action,
        before=None if before is None else Attributes(before, None, change.get("before_sensitive")),
        after=None if after is None else Attributes(after, after_unknown, change.get("after_sensitive")),
        reason=_optional_text(entry, "action_reason"),
        importing=_importing(change.get("importing")),
        deferred=deferred,
    )


def _consistent(
    place: _Place, address: str, action: Action, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> Action:
    """The action, where before and after are those that it has; a no-op that changes something is an update."""
    if before is None and action not in _FROM_NOTHING:
        raise InputError(f"{place} ({printable(address)}) is to {action.value} and shows nothing before", HOW_TO_SHOW)
    if after is None and action not in _TO_NOTHING:
        raise InputError(f"{place} ({printable(address)}) is to {action.value} and shows nothing after", HOW_TO_SHOW)
    return Action.UPDATE if action is Action.NO_OP and before != after else action


def _action(place: _Place, address: str, actions: Any) -> Action:
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


def _object(place: _Place, address: str, change: dict[str, Any], key: str) -> dict[str, Any] | None:
    value = change.get(key)
    if value is None or isinstance(value, dict):
        return value
    raise InputError(f"{place} ({printable(address)}): {key} is {kind_of(value)}, not an object", HOW_TO_SHOW)


def _importing(value: Any) -> Any:
    if not value:
        return None
    identifier = value.get("id") if isinstance(value, dict) else None
    return identifier if isinstance(identifier, str) and identifier else UNKNOWN


def _index(place: _Place | str, entry: dict[str, Any]) -> str | int | None:
    index = entry.get("index")
    if index is None or isinstance(index, str | int):
        return index
    raise InputError(f"{place}: the index is {kind_of(index)}, not a string or a number", HOW_TO_SHOW)


def _deferred(name: str, document: dict[str, Any]) -> tuple[ResourceChange, ...]:
    found: list[ResourceChange] = []
    for position, entry in enumerate(_list(name, document, "deferred_changes")):
        place = _Place(name, "deferred_changes", position)
        inner = entry.get("resource_change") if isinstance(entry, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("type"), str):
            raise InputError(f"{place} holds no resource's change", HOW_TO_SHOW)
        if inner["type"] in CUSTODY_TYPES and inner.get("mode") != "data":
            found.append(_change(place, inner, _optional_text(entry, "reason") or "unknown"))
    return tuple(found)


def _modules(values: Any) -> Iterator[tuple[str, list[Any]]]:
    """Every module of a `values` tree: its address and its resources; depth costs no recursion."""
    root = values.get("root_module") if isinstance(values, dict) else None
    pending = [root] if isinstance(root, dict) else []
    while pending:
        module = pending.pop()
        resources = module.get("resources")
        if isinstance(resources, list):
            yield str(module.get("address") or ""), resources
        children = module.get("child_modules")
        if isinstance(children, list):
            pending.extend(child for child in children if isinstance(child, dict))


def _state_resources(name: str, state: Any) -> Iterator[StateResource]:
    if not isinstance(state, dict):
        return
    for module_address, resources in _modules(state.get("values")):
        for entry in resources:
            if not _is_custody(entry):
                continue
            values = entry.get("values")
            place = f"{name}: prior_state"
            yield StateResource(
                address=_required_text(place, entry, "address"),
                module_address=module_address,
                type=entry["type"],
                name=_optional_text(entry, "name") or "",
                index=_index(place, entry),
                deposed=_optional_text(entry, "deposed_key"),
                values=Attributes(values if isinstance(values, dict) else {}, None, entry.get("sensitive_values")),
            )


def _is_custody(entry: Any) -> bool:
    """Whether an entry of a state or of planned values is a managed custody resource."""
    if not isinstance(entry, dict) or entry.get("mode") == "data":
        return False
    kind = entry.get("type")
    return isinstance(kind, str) and kind in CUSTODY_TYPES


def _stripped(document: dict[str, Any], told: set[str], prior: tuple[StateResource, ...], *, has_changes: bool) -> bool:
    """Whether resources are planned, or were there, of which no change is told although one must be.

    Every resource of a plan has its change, be it a no-op. What was not targeted stands in the prior state alone, and
    the plan is not complete; a plan that only refreshes holds no change at all.
    """
    known = told | {entry.address for entry in prior}
    for _, resources in _modules(document.get("planned_values")):
        if any(_is_custody(entry) and str(entry.get("address")) not in known for entry in resources):
            return True
    complete = document.get("complete") is True and not document.get("errored")
    return has_changes and complete and _left_out(prior, told)


def _left_out(prior: tuple[StateResource, ...], told: set[str]) -> bool:
    """Whether something was there of which no change tells, as with `-target`."""
    return any(entry.address not in told for entry in prior)


def _configuration(document: dict[str, Any], part: str) -> dict[str, Any]:
    configuration = document.get("configuration")
    found = configuration.get(part) if isinstance(configuration, dict) else None
    return found if isinstance(found, dict) else {}


def _required_text(place: _Place | str, entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value:
        raise InputError(f"{place} has no {key}", HOW_TO_SHOW)
    return value


def _optional_text(entry: dict[str, Any], key: str) -> str | None:
    value = entry.get(key)
    return value if isinstance(value, str) else None
