"""Reads a plan: the JSON that `terraform show -json` or `tofu show -json` prints for a plan file.

- Only resources that bear on custody are typed (`engine.review.plan_kinds`), and what contradicts itself is refused
  (`engine.review.plan_entries`); so is the same object twice.
- Where the plan does not say whether it is complete (OpenTofu, and Terraform before 1.8), it is not where a resource of
  the prior state has no change.
- A resource in `planned_values` that neither a change nor the prior state tells of means that the file was
  stripped, and is told as such: nothing is concluded from what is missing.

Nothing here prints or keeps a value: `variables` and outputs are never looked at.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.review.plan import (
    CUSTODY_TYPES,
    GENERIC_TYPES,
    HARMLESS_TYPES,
    KMS_PREFIXES,
    POLICY_DOCUMENT_TYPE,
    Plan,
    StateResource,
    UnreadChange,
)
from engine.review.plan_entries import Place, change_of, index_of, one_object, optional_text, required_text
from engine.review.plan_json import HOW_TO_SHOW, kind_of, parse_plan
from engine.review.plan_kinds import is_managed_custody, may_bear_on_custody
from engine.review.values import Attributes, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.plan import ResourceChange


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
    changes, foundations, documents = _changes(name, document, "resource_changes")
    drift, _, _ = _changes(name, document, "resource_drift")
    prior = tuple(_state_resources(name, document.get("prior_state")))
    deferred = _deferred(name, document)
    all_changes = document.get("resource_changes") or []
    complete = None if document.get("complete") is None else document["complete"] is True
    told = {address for change in (*changes, *deferred) for address in (change.address, change.previous_address or "")}
    return Plan(
        name=name,
        terraform_version=optional_text(document, "terraform_version"),
        changes=changes,
        drift=drift,
        deferred=deferred,
        prior=prior,
        documents=documents,
        foundations=foundations,
        unread=tuple(_unread(all_changes)),
        configuration=_configuration(document, "root_module"),
        providers=_configuration(document, "provider_config"),
        errored=document.get("errored") not in (None, False),
        complete=False if complete is None and all_changes and _left_out(prior, told) else complete,
        stripped=_stripped(name, document, told, prior, has_changes=bool(all_changes)),
        timestamp=optional_text(document, "timestamp"),
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
) -> tuple[tuple[ResourceChange, ...], tuple[ResourceChange, ...], tuple[ResourceChange, ...]]:
    """The custody resources of a list of changes, what their use rests on, and the policy documents."""
    custody: list[ResourceChange] = []
    foundations: list[ResourceChange] = []
    documents: list[ResourceChange] = []
    for position, entry in enumerate(_list(name, document, key)):
        try:
            kind = entry["type"]
        except (TypeError, KeyError):
            raise InputError(
                f"{name}: {key}[{position}] is not a resource's change: it has no type", HOW_TO_SHOW
            ) from None
        if not isinstance(kind, str):
            raise InputError(f"{name}: the type of {key}[{position}] is {kind_of(kind)}, not a string", HOW_TO_SHOW)
        if may_bear_on_custody(kind, entry):
            place = Place(name, key, position)
            if is_managed_custody(place, kind, entry):
                found = custody if kind in CUSTODY_TYPES else foundations
                found.append(one_object(place, change_of(place, entry)))
        elif kind == POLICY_DOCUMENT_TYPE and entry.get("mode") == "data":
            documents.append(change_of(Place(name, key, position), entry))
    _require_each_once(f"{name}: {key}", [*custody, *foundations])
    return tuple(custody), tuple(foundations), tuple(documents)


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
        if actions in (["no-op"], ["read"]):
            continue
        before, after = (json.dumps(change.get(s) if isinstance(change, dict) else None) for s in ("before", "after"))
        if kind not in GENERIC_TYPES or "AWS::KMS::" in before or "AWS::KMS::" in after:
            yield UnreadChange(str(entry.get("address")), kind, before, after)


def _deferred(name: str, document: dict[str, Any]) -> tuple[ResourceChange, ...]:
    found: list[ResourceChange] = []
    for position, entry in enumerate(_list(name, document, "deferred_changes")):
        place = Place(name, "deferred_changes", position)
        inner = entry.get("resource_change") if isinstance(entry, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("type"), str):
            raise InputError(f"{place} holds no resource's change", HOW_TO_SHOW)
        if is_managed_custody(place, inner["type"], inner) and inner["type"] in CUSTODY_TYPES:
            found.append(change_of(place, inner, optional_text(entry, "reason") or "unknown"))
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
    place = f"{name}: prior_state"
    for module_address, resources in _modules(state.get("values")):
        for entry in resources:
            if not _is_custody(place, entry):
                continue
            values = entry.get("values")
            yield StateResource(
                address=required_text(place, entry, "address"),
                module_address=module_address,
                type=entry["type"],
                name=optional_text(entry, "name") or "",
                index=index_of(place, entry),
                deposed=optional_text(entry, "deposed_key"),
                values=Attributes(values if isinstance(values, dict) else {}, None, entry.get("sensitive_values")),
            )


def _is_custody(place: str, entry: Any) -> bool:
    """Whether an entry of a state or of planned values is a managed custody resource."""
    kind = entry.get("type") if isinstance(entry, dict) else None
    if not isinstance(kind, str) or not may_bear_on_custody(kind, entry):
        return False
    return is_managed_custody(place, kind, entry) and kind in CUSTODY_TYPES


def _stripped(
    name: str, document: dict[str, Any], told: set[str], prior: tuple[StateResource, ...], *, has_changes: bool
) -> bool:
    """Whether resources are planned, or were there, of which no change is told although one must be.

    Every resource of a plan has its change, be it a no-op. What was not targeted stands in the prior state alone, and
    the plan is not complete; a plan that only refreshes holds no change at all.
    """
    known = told | {entry.address for entry in prior}
    place = f"{name}: planned_values"
    for _, resources in _modules(document.get("planned_values")):
        if any(_is_custody(place, entry) and str(entry.get("address")) not in known for entry in resources):
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
