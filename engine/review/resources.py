"""Every custody resource of a plan at three moments: as recorded, as observed, as planned.

- *Recorded*: what the last apply left in the state.
- *Observed*: what refreshing found in AWS. The two differ by `resource_drift`. A key that is pending deletion
  counts as not found: it was recorded, is not observed, and the plan shows only that it would be created.
- *Planned*: what would be there after the apply.

A resource of the prior state that no change tells of stays as it is: it was not targeted, or the plan only
refreshes. Most drift is noise, such as `tags: null → {}`; nothing is concluded from there being some.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, assert_never

from engine.review.plan import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.review.plan import Plan, ResourceChange, StateResource
    from engine.review.values import Attributes


class Moment(Enum):
    """When a resource is looked at."""

    RECORDED = "recorded"
    OBSERVED = "observed"
    PLANNED = "planned"

    __hash__ = object.__hash__  # members are single; Enum's own hash costs a call in Python at each look-up


MOMENTS = tuple(Moment)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource instance (or deposed object) at the three moments.

    Attributes:
        address: Its address in the plan.
        former_address: Where it stood before a move, or None.
        module_address: Its module instance; empty for the root.
        type: Such as `aws_kms_key`.
        name: Its name in the module.
        index: Its `count` number or `for_each` key, or None.
        deposed: The id of a deposed object, or None.
        action: What the plan would do with it.
        reason: Terraform's `action_reason`, or None.
        importing: Whether the object is taken over from AWS by an import.
        deferred: Why the change is put off, or None.
        recorded: Its attributes as recorded, or None where there was nothing.
        observed: Its attributes as observed, or None where there is nothing.
        planned: Its attributes as planned, or None where nothing will be left.
    """

    address: str
    former_address: str | None
    module_address: str
    type: str
    name: str
    index: str | int | None
    deposed: str | None
    action: Action
    reason: str | None
    importing: bool
    deferred: str | None
    recorded: Attributes | None
    observed: Attributes | None
    planned: Attributes | None

    def at(self, moment: Moment) -> Attributes | None:
        """The attributes at a moment."""
        if moment is Moment.PLANNED:
            return self.planned
        if moment is Moment.OBSERVED:
            return self.observed
        if moment is Moment.RECORDED:
            return self.recorded
        assert_never(moment)

    @property
    def remaining(self) -> Attributes | None:
        """What will be there in AWS: as planned, or as observed where the resource is only forgotten."""
        return self.observed if self.action is Action.FORGET else self.planned

    def marked_sensitive(self, name: str) -> bool:
        """Whether Terraform marks any part of the attribute as sensitive at any of the moments."""
        recorded, observed, planned = self.recorded, self.observed, self.planned
        return (
            (planned is not None and planned.sensitive(name))
            or (observed is not None and observed is not planned and observed.sensitive(name))
            or (recorded is not None and recorded is not observed and recorded.sensitive(name))
        )

    @property
    def untouched(self) -> bool:
        """Whether nothing happens to it, inside or outside Terraform."""
        return (
            self.action is Action.NO_OP
            and self.deferred is None
            and self.recorded is self.observed
            and not self.importing
            and self.former_address is None
        )


def custody_resources(plan: Plan) -> tuple[Resource, ...]:
    """The custody resources of a plan, each once, in the plan's order."""
    return tuple(_resources(plan))


def _resources(plan: Plan) -> Iterator[Resource]:
    drift = {(entry.address, entry.deposed): entry for entry in plan.drift}
    told: set[tuple[str, str | None]] = set()
    for change in plan.changes:
        key = (change.address, change.deposed)
        told.add(key)
        drifted = drift.pop(key, None)
        if drifted is None and change.previous_address is not None:
            drifted = drift.pop((change.previous_address, change.deposed), None)
            told.add((change.previous_address, change.deposed))
        yield _of_change(change, drifted)
    for change in plan.deferred:
        key = (change.address, change.deposed)
        told.add(key)
        yield _of_change(change, drift.pop(key, None))
    for drifted in drift.values():
        told.add((drifted.address, drifted.deposed))
        yield _of_drift(drifted)
    for entry in plan.prior:
        if (entry.address, entry.deposed) not in told:
            yield _of_state(entry)


def _of_change(change: ResourceChange, drifted: ResourceChange | None) -> Resource:
    return Resource(
        address=change.address,
        former_address=change.previous_address,
        module_address=change.module_address,
        type=change.type,
        name=change.name,
        index=change.index,
        deposed=change.deposed,
        action=change.action,
        reason=change.reason,
        importing=change.importing,
        deferred=change.deferred,
        recorded=change.before if drifted is None else drifted.before,
        observed=change.before,
        planned=change.after,
    )


def _of_drift(drifted: ResourceChange) -> Resource:
    return Resource(
        address=drifted.address,
        former_address=drifted.previous_address,
        module_address=drifted.module_address,
        type=drifted.type,
        name=drifted.name,
        index=drifted.index,
        deposed=drifted.deposed,
        action=Action.NO_OP,
        reason=None,
        importing=False,
        deferred=None,
        recorded=drifted.before,
        observed=drifted.after,
        planned=drifted.after,
    )


def _of_state(entry: StateResource) -> Resource:
    return Resource(
        address=entry.address,
        former_address=None,
        module_address=entry.module_address,
        type=entry.type,
        name=entry.name,
        index=entry.index,
        deposed=entry.deposed,
        action=Action.NO_OP,
        reason=None,
        importing=False,
        deferred=None,
        recorded=entry.values,
        observed=entry.values,
        planned=entry.values,
    )
